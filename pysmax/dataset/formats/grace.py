"""gracemaker's frames: a pandas DataFrame (ase_atoms, energy, forces, stress), pickled. Written only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from pysmax.dataset.formats import Add, Energy
from pysmax.dataset.formats.atoms import exported
from pysmax.dataset.record import Record
from pysmax.errors import SmaxError


def count(path: Path) -> NoReturn:
    """Refused like ``read``."""
    raise SmaxError(
        f"{path}: a pickle can run any code while it is read, and is not read; "
        "expected extended XYZ, which gracemaker's df2extxyz makes of it"
    )


def read(path: Path) -> NoReturn:
    """Pickles are not read."""
    count(path)


@contextmanager
def writer(path: Path, energy: Energy) -> Iterator[Add]:
    """All records of a file are in memory: use shards. Without a stress: zeros, of no weight.

    Energy in eV, forces in eV/A, stress in eV/A^3 in the order and with the sign of ASE. ``energy_is`` names
    the energy of each row: gracemaker fits forces as its derivatives, so that it should be force-consistent.
    """
    rows: list[Record] = []
    yield rows.append
    energies = [exported(r.label, energy) if r.label else (np.nan, "") for r in rows]
    columns: dict[str, list[Any]] = {
        "ase_atoms": [r.atoms for r in rows],
        "energy": [value for value, _ in energies],
        "forces": [r.label.forces if r.label else np.full((len(r.atoms), 3), np.nan) for r in rows],
        "stress": [_stress(r) for r in rows],
        "virial_weight": [1.0 if r.label and r.label.stress is not None else 0.0 for r in rows],
        "name": [r.key for r in rows],
        "energy_is": [what for _, what in energies],
    }
    frame = pd.DataFrame(index=range(len(rows)))
    for name, values in columns.items():
        column = np.empty(len(rows), dtype=float if name == "energy" else object)
        for i, value in enumerate(values):
            column[i] = value
        frame[name] = pd.Series(column, dtype=column.dtype)
    # pandas 2 does not know the string columns of pandas 3: plain objects only
    frame.columns = pd.Index(list(columns), dtype=object)
    frame.to_pickle(path, compression="gzip" if path.name.endswith((".gz", ".gzip")) else None, protocol=4)


def _stress(record: Record) -> np.typing.NDArray[np.float64]:
    if record.label is None or record.label.stress is None:
        return np.zeros(6)  # NaN times a weight of 0 is NaN
    return record.label.stress
