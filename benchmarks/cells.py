"""The cells that are timed, and the dataset they are timed against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase.neighborlist import neighbor_list
from harness import GENERATE, Setting, lmp

from pysmax import moments

RCUTFAC = 3.0  # cutoff of a pair over r_i + r_j
SEED = 20260223


@dataclass(frozen=True)
class Cell:
    """A configuration with one atom type per atom, as both sides of a comparison read it."""

    data: Path
    symbols: list[str]
    radius: list[float]  # Angstrom
    neighbours: float  # mean over the atoms

    @property
    def atoms(self) -> int:
        """Number of atoms, and of types."""
        return len(self.radius)


@dataclass(frozen=True)
class Material:
    """Recipe cells of 10 to 20 atoms, core-relaxed, and the moments of all random cells."""

    cells: list[Cell]
    reference: Path  # a moments file whose dataset is the random cells


def material(setting: Setting, count: int = 8) -> Material:
    """Let the generator make its random cells; keep ``count`` of them."""
    folder = setting.folder / "cells"
    for old in folder.glob("cells.*"):
        old.unlink()
    lmp(GENERATE, folder, variables={"nconf": 1, "out": "cells", "seed": SEED})
    reference = folder / "reference.moments"
    moments.save(reference, moments.reference(moments.load(folder / "cells.moments")))
    frames = [f for f in ase.io.read(folder / "cells.random.extxyz", ":") if 10 <= len(f) <= 20][:count]
    return Material([_write(f, folder / f"{k}.data") for k, f in enumerate(frames)], reference)


def scaled(reference: Path, count: int) -> Path:
    """The same dataset as if it had ``count`` vectors."""
    m = moments.load(reference)
    path = reference.with_name(f"n{count}.moments")
    moments.save(path, replace(m, count=count, scatter=m.scatter * (count / m.count)))
    return path


def _write(frame: Any, path: Path) -> Cell:
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = frame.cell.array.tolist()
    m, radius = len(frame), frame.arrays["r_eff"]
    lines = ["a recipe cell", "", f"{m} atoms", f"{m} atom types", "", f"0 {lx!r} xlo xhi"]
    lines += [f"0 {ly!r} ylo yhi", f"0 {lz!r} zlo zhi", f"{xy!r} {xz!r} {yz!r} xy xz yz"]
    lines += ["", "Masses", "", *(f"{t} 1.0" for t in range(1, m + 1)), "", "Atoms # atomic", ""]
    lines += [f"{k} {k} {x!r} {y!r} {z!r}" for k, (x, y, z) in enumerate(frame.positions.tolist(), 1)]
    path.write_text("\n".join(lines) + "\n")
    inside = neighbor_list("i", frame, RCUTFAC * radius)  # type: ignore[no-untyped-call]
    mean = float(np.bincount(inside, minlength=m).mean())
    return Cell(path, frame.get_chemical_symbols(), radius.tolist(), mean)
