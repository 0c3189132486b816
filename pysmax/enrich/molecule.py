"""Molecules: checked, and put in a periodic box with vacuum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ase
import numpy as np
import numpy.typing as npt

from pysmax.enrich.tally import Skip
from pysmax.errors import SmaxError

VACUUM = 5.0  # Angstrom on each side: 10 A between a molecule and its images
CLOSEST = 0.4  # Angstrom; the shortest bond there is, H2, has 0.74 A
LARGEST_Z = 118


def check_vacuum(vacuum: float) -> None:
    """Raises SmaxError unless there can be such a box."""
    if not (np.isfinite(vacuum) and vacuum > 0):
        raise SmaxError(f"vacuum is {vacuum:g}, expected Angstrom above 0")


def in_box(numbers: Sequence[int] | npt.NDArray[Any], positions: npt.ArrayLike, vacuum: float) -> ase.Atoms:
    """Atoms in an orthorhombic periodic cell, ``vacuum`` A from the outermost nuclei to each face.

    numbers [n], positions [n, 3] A. Periodic in all directions, as every engine here is. Raises Skip if the
    molecule is empty, not finite, of unknown elements, or has two atoms closer than 0.4 A.
    """
    x = np.asarray(positions, dtype=float)
    z = np.asarray(numbers)
    if x.ndim != 2 or x.shape != (len(z), 3) or len(z) == 0:
        raise Skip("broken", f"positions have shape {x.shape}, expected [{len(z)}, 3] and at least one atom")
    if not np.isfinite(x).all():
        raise Skip("not finite", "a coordinate is not finite")
    if not ((z >= 1) & (z <= LARGEST_Z)).all():
        raise Skip("unknown element", f"atomic number {int(z[(z < 1) | (z > LARGEST_Z)][0])}")
    closest = _closest(x)
    if closest < CLOSEST:
        raise Skip("too close", f"two atoms at {closest:.3g} A, expected at least {CLOSEST} A")
    low = x.min(axis=0)
    lengths = x.max(axis=0) - low + 2 * vacuum
    return ase.Atoms(z.astype(int), x - low + vacuum, cell=np.diag(lengths), pbc=True)


def _closest(x: npt.NDArray[np.float64]) -> float:
    i, j = np.triu_indices(len(x), 1)
    return float(np.sqrt(((x[i] - x[j]) ** 2).sum(axis=1)).min(initial=np.inf))
