"""Closest contacts in units of the sum of two covalent radii."""

from __future__ import annotations

import ase
import numpy as np
import numpy.typing as npt
from ase.data import covalent_radii
from ase.geometry import complete_cell
from ase.neighborlist import neighbor_list

from pysmax.dataset.record import Array

MANY = 200  # atoms above which cell lists are faster than all pairs
_IMAGES = np.array([(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)], dtype=np.float64)


def closest(atoms: ase.Atoms, within: float) -> float:
    """Smallest distance / (r_i + r_j) over all pairs and images, inf if it is above ``within``.

    The periodic vectors of the cell must be independent.
    """
    radii = covalent_radii[atoms.numbers]
    cutoff = 2.0 * within * float(radii.max())
    cell = _cell(atoms)
    shifts = _shifts(cell, np.asarray(atoms.pbc), cutoff) if len(atoms) <= MANY else None
    if shifts is None:
        plain = ase.Atoms(atoms.numbers, atoms.positions, cell=cell, pbc=atoms.pbc)
        i, j, d = neighbor_list("ijd", plain, cutoff)  # type: ignore[no-untyped-call]
        ratio = d / (radii[i] + radii[j])
    else:
        ratio = _ratios(atoms, cell, radii, shifts)
    smallest = float(ratio.min(initial=np.inf))
    return smallest if smallest <= within else float("inf")


def _cell(atoms: ase.Atoms) -> Array:
    """The periodic vectors [3, 3], completed by others where the structure is not periodic."""
    periodic = atoms.cell.array * np.asarray(atoms.pbc)[:, None]
    cell: Array = complete_cell(periodic)  # type: ignore[no-untyped-call]
    return cell


def _shifts(cell: Array, pbc: npt.NDArray[np.bool_], cutoff: float) -> Array | None:
    """Image shifts [m, 3] in cells that hold all pairs up to ``cutoff``, None if that takes more than 27."""
    if not pbc.any():
        return np.zeros((1, 3))
    volume = abs(np.linalg.det(cell))
    heights = volume / np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    if not np.isfinite(heights).all() or (heights[pbc] < cutoff).any():
        return None
    kept: Array = _IMAGES[(_IMAGES[:, ~pbc] == 0).all(axis=1)]
    return kept


def _ratios(atoms: ase.Atoms, cell: Array, radii: Array, shifts: Array) -> Array:
    fractional = np.linalg.solve(cell.T, atoms.positions.T).T
    d = fractional[:, None] - fractional[None, :]
    d -= np.rint(d) * np.asarray(atoms.pbc)
    vectors = (d[None] + shifts[:, None, None]) @ cell
    distance = np.sqrt((vectors**2).sum(axis=-1))
    ratio: Array = distance / (radii[:, None] + radii[None, :])
    own = np.eye(len(radii), dtype=bool)[None] & (shifts == 0).all(axis=1)[:, None, None]
    kept: Array = ratio[~own]
    return kept
