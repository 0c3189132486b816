"""One structure with its provenance and, once an engine has computed it, its label."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ase
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

QUANTUM = 1e-8  # Angstrom: positions and cells that agree to it are the same structure


@dataclass(frozen=True)
class Level:
    """A level of theory: the engine, its version, and every setting that can change a number (JSON)."""

    engine: str
    version: str
    settings: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """16 hex digits of engine and settings; the version is recorded but is no other level."""
        text = json.dumps(
            [self.engine, self.settings], sort_keys=True, separators=(",", ":"), allow_nan=False
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Label:
    """Numbers of one calculation.

    energy: eV, of the whole cell, extrapolated to zero smearing where the engine smears; forces [n, 3] eV/A;
    stress [6] eV/A^3, Voigt order xx yy zz yz xz xy, ASE sign: (1/V) dE/dstrain, negative under compression;
    None where the structure is not periodic in all directions; magmoms [n] Bohr magnetons, None without spin.
    ``extra`` holds scalars worth keeping, the unit in the name (``free_energy_eV``).
    """

    energy: float
    forces: Array
    stress: Array | None = None
    magmoms: Array | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """One try at a label: the name of its settings, why it failed ('' if it did not), and its cost."""

    settings: str
    reason: str
    detail: str
    seconds: float


@dataclass(frozen=True)
class Record:
    """What a dataset holds of one structure.

    ``atoms`` carries numbers, positions (A), cell (A), pbc and, if known, the array ``r_eff`` (A); no more
    of it is kept. ``info`` is provenance (JSON): file, frame, index, seed, what the source says of it.
    """

    atoms: ase.Atoms
    source: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)
    level: Level | None = None
    label: Label | None = None
    reason: str = ""
    attempts: tuple[Attempt, ...] = ()

    @property
    def status(self) -> str:
        """``unlabelled``, ``ok`` or ``failed``."""
        if self.label is not None:
            return "ok"
        return "failed" if self.reason else "unlabelled"

    @property
    def key(self) -> str:
        """What makes the record unique in a dataset."""
        return record_key(self.atoms, self.level)


def structure_hash(atoms: ase.Atoms) -> str:
    """32 hex digits of numbers, positions, cell and pbc, in the order of the atoms, to 1e-8 A."""
    h = hashlib.sha256(np.asarray(atoms.numbers, dtype="<i4").tobytes())
    h.update(np.asarray(atoms.pbc, dtype="u1").tobytes())
    with np.errstate(invalid="ignore"):  # what is not finite is refused by name where it is stored
        for array in (atoms.cell.array, atoms.positions):
            h.update(np.rint(np.asarray(array) / QUANTUM).astype("<i8").tobytes())
    return h.hexdigest()[:32]


def record_key(atoms: ase.Atoms, level: Level | None) -> str:
    """``STRUCTURE:LEVEL``, both hashes; the level is '-' while there is no label."""
    return f"{structure_hash(atoms)}:{level.hash if level else '-'}"
