"""Closest contacts in units of the sum of two covalent radii."""

from __future__ import annotations

import ase
import numpy as np
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list

from pysmax.dataset.record import Array

MANY = 200  # atoms above which cell lists are faster than all pairs
_IMAGES = np.array([(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)], dtype=np.float64)


def closest(atoms: ase.Atoms, within: float) -> float:
    """Smallest distance / (r_i + r_j) over all pairs and images, inf if it is above ``within``."""
    radii = covalent_radii[atoms.numbers]
    cutoff = 2.0 * within * float(radii.max())
    shifts = _shifts(atoms, cutoff) if len(atoms) <= MANY else None
    if shifts is None:
        i, j, d = neighbor_list("ijd", atoms, cutoff)  # type: ignore[no-untyped-call]
        ratio = d / (radii[i] + radii[j])
    else:
        ratio = _ratios(atoms, radii, shifts)
    smallest = float(ratio.min(initial=np.inf))
    return smallest if smallest <= within else float("inf")


def _shifts(atoms: ase.Atoms, cutoff: float) -> Array | None:
    """Image shifts [m, 3] in cells that hold all pairs up to ``cutoff``, None if that takes more than 27."""
    pbc = np.asarray(atoms.pbc)
    if not pbc.any():
        return np.zeros((1, 3))
    cell = atoms.cell.complete().array
    volume = abs(np.linalg.det(cell))
    heights = volume / np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    if not np.isfinite(heights).all() or (heights[pbc] < cutoff).any():
        return None
    kept: Array = _IMAGES[(_IMAGES[:, ~pbc] == 0).all(axis=1)]
    return kept


def _ratios(atoms: ase.Atoms, radii: Array, shifts: Array) -> Array:
    cell = atoms.cell.complete().array
    fractional = np.linalg.solve(cell.T, atoms.positions.T).T
    d = fractional[:, None] - fractional[None, :]
    d -= np.rint(d) * np.asarray(atoms.pbc)
    vectors = (d[None] + shifts[:, None, None]) @ cell
    distance = np.sqrt((vectors**2).sum(axis=-1))
    ratio: Array = distance / (radii[:, None] + radii[None, :])
    own = np.eye(len(radii), dtype=bool)[None] & (shifts == 0).all(axis=1)[:, None, None]
    kept: Array = ratio[~own]
    return kept
