"""Closest contacts in units of the sum of two covalent radii."""

from __future__ import annotations

from functools import lru_cache

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
    radii, pbc = covalent_radii[atoms.numbers], np.asarray(atoms.pbc)
    cutoff = 2.0 * within * float(radii.max())
    cell = atoms.cell.array if pbc.all() else complete_cell(atoms.cell.array * pbc[:, None])  # type: ignore[no-untyped-call]
    inverse = np.linalg.inv(cell)
    heights = 1.0 / np.sqrt((inverse**2).sum(axis=0))  # of the cell over its faces
    if len(atoms) > MANY or (heights[pbc] < cutoff).any():
        plain = ase.Atoms(atoms.numbers, atoms.positions, cell=cell, pbc=pbc)
        i, j, d = neighbor_list("ijd", plain, cutoff)  # type: ignore[no-untyped-call]
        ratio = d / (radii[i] + radii[j])
    else:
        ratio = _ratios(atoms.positions @ inverse, cell, pbc, radii)
    smallest = float(ratio.min(initial=np.inf))
    return smallest if smallest <= within else float("inf")


def _ratios(fractional: Array, cell: Array, pbc: npt.NDArray[np.bool_], radii: Array) -> Array:
    """Of all pairs; the nearest image and those around it hold whatever is nearer than the heights."""
    i, j = _pairs(len(radii))
    d = fractional[i] - fractional[j]
    d -= np.rint(d) * pbc
    shifts = _IMAGES[(_IMAGES[:, ~pbc] == 0).all(axis=1)]
    vectors = d @ cell + (shifts @ cell)[:, None]
    square = np.einsum("ijk,ijk->ij", vectors, vectors)
    square[np.ix_((shifts == 0).all(axis=1), i == j)] = np.inf
    ratio: Array = np.sqrt(square.min(axis=0)) / (radii[i] + radii[j])
    return ratio


@lru_cache(MANY)
def _pairs(n: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Indices i <= j: an atom also has its own images."""
    return np.triu_indices(n)
