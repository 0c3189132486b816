"""What several engines need: versions of packages, files named in settings, labels from ASE's calculators."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ase
import numpy as np

from pysmax.dataset.record import Label
from pysmax.errors import SmaxError
from pysmax.label.engine import EngineFailure


def version_of(*packages: str) -> str:
    """``ase 3.29.0, tblite 0.8.0``; raises SmaxError naming what to install."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            raise SmaxError(
                f"package {package} is not installed, expected after: pip install {package}"
            ) from None
    return ", ".join(found)


def resolve(word: str, folders: Sequence[Path | None]) -> str:
    """The absolute path if ``word`` names a file or folder in one of ``folders``, else the word itself."""
    if "." in word or "/" in word:  # never an element or a number of a folder's own name
        for folder in folders:
            if folder is not None and (folder / word).exists() and word.strip("./"):
                return str((folder / word).resolve())
    return word


def by_content(word: str) -> str:
    """``name@digest`` for an absolute path that exists: a level of theory knows content, not places."""
    path = Path(word)
    if not path.is_absolute() or not path.exists():
        return word
    h = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        h.update(str(file.relative_to(path)).encode() + b"\0" + file.read_bytes())
    return f"{path.name}@{h.hexdigest()[:16]}"


def label_of(atoms: ase.Atoms, calculator: Any, *, stress: bool = True, magmoms: bool = False) -> Label:
    """Energy, forces, and what else the ASE calculator has, of ``atoms``; its errors pass through.

    The stress is asked for only of a structure periodic in all directions; if the calculator has none the
    label says so in ``extra['stress_missing']``.
    """
    from ase.calculators.calculator import PropertyNotImplementedError

    atoms.calc = calculator
    energy = float(atoms.get_potential_energy())  # type: ignore[no-untyped-call]
    forces = np.array(atoms.get_forces(apply_constraint=False), dtype=np.float64)  # type: ignore[no-untyped-call]
    extra: dict[str, Any] = {}
    voigt = None
    if stress and all(atoms.pbc):
        try:
            voigt = np.array(atoms.get_stress(apply_constraint=False), dtype=np.float64)  # type: ignore[no-untyped-call]
        except PropertyNotImplementedError:
            extra["stress_missing"] = True
    if "free_energy" in getattr(calculator, "implemented_properties", ()):
        free = calculator.get_property("free_energy", atoms, allow_calculation=False)
        if free is not None and float(free) != energy:
            extra["free_energy_eV"] = float(free)
    moments = np.array(atoms.get_magnetic_moments(), dtype=np.float64) if magmoms else None  # type: ignore[no-untyped-call]
    return Label(energy, forces, voigt, moments, extra)


def require_cell(atoms: ase.Atoms) -> None:
    """Raise EngineFailure unless there are atoms, all is finite, and vectors span the periodic directions."""
    if len(atoms) == 0:
        raise EngineFailure("structure", "has no atoms")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise EngineFailure("structure", "a position or the cell is not finite")
    pbc = np.asarray(atoms.pbc)
    if np.linalg.matrix_rank(atoms.cell.array[pbc]) < pbc.sum():
        raise EngineFailure("structure", "is periodic, but its cell vectors do not span a cell")
