"""Reference energies: one per element, subtracted before a training and added back where asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml
from ase.data import atomic_numbers, chemical_symbols

from pysmax.dataset.record import Array, Record
from pysmax.errors import SmaxError
from pysmax.files import read_text, write_atomically

NAME = "references.yaml"
_Z = len(chemical_symbols)


class References:
    """Least squares of energies by composition, all configurations alike; in one pass."""

    def __init__(self) -> None:
        self._normal: Array = np.zeros((_Z, _Z))
        self._right: Array = np.zeros(_Z)

    def see(self, record: Record, energy: float) -> None:
        """Take in a structure; energy in eV."""
        z, n = np.unique(record.atoms.numbers, return_counts=True)
        self._normal[np.ix_(z, z)] += np.outer(n, n)
        self._right[z] += n * energy

    def fit(self, elements: Sequence[str]) -> dict[str, float]:
        """Energies in eV per atom; of all solutions the smallest."""
        z = [atomic_numbers[s] for s in elements]
        found = np.linalg.lstsq(self._normal[np.ix_(z, z)], self._right[z], rcond=1e-10)[0]
        return {s: round(float(e), 9) for s, e in zip(elements, found, strict=True)}


def write(folder: Path, energies: Mapping[str, float]) -> None:
    """references.yaml of a model's folder: flat, ``Mo: -10.9``, eV per atom."""
    text = "# eV per atom; total energy = energy of the model + sum over the atoms\n"
    text += "".join(f"{s}: {e:.9f}\n" for s, e in energies.items())
    write_atomically(folder / NAME, text.encode())


def read(folder: Path) -> dict[str, float]:
    """Reference energies of a model's folder; empty without the file."""
    path = folder / NAME
    if not path.exists():
        return {}
    try:
        found = yaml.safe_load(read_text(path))
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        raise SmaxError(f"{path}: expected a line 'Mo: -10.9' for each element")
    for s, e in found.items():
        if s not in atomic_numbers or not isinstance(e, (int, float)) or not math.isfinite(e):
            raise SmaxError(f"{path}: found '{s}: {e}', expected an element and a finite energy in eV")
    return {str(s): float(e) for s, e in found.items()}
