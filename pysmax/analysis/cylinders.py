"""Cylinders cut out of a frame, with vacuum around them, ready for labelling (VII.3.8, Table 10)."""

from __future__ import annotations

from typing import Any

import ase
import numpy as np
import numpy.typing as npt

from pysmax.errors import SmaxError
from pysmax.moments import Array

BULK_DEPTH_A = 6.0  # from the open surface: atoms of the "bulk" force error of Table 10


def cut(
    positions: Array,
    symbols: npt.NDArray[Any],
    cell: Array,
    *,
    centre: int,
    axis: int = 2,
    radius: float = 7.0,
    vacuum: float = 10.0,
) -> ase.Atoms:
    """The cylinder around atom ``centre`` along a cell vector, which becomes z and stays periodic.

    ``positions`` [n, 3], ``cell`` [3, 3]: orthogonal vectors in its rows, A. Array ``bulk`` of the result
    marks atoms deeper than 6 A below the open surface. Raises SmaxError where the cylinder meets its image.
    """
    lengths = np.linalg.norm(cell, axis=1)
    if np.abs(cell - np.diag(np.diag(cell))).max() > 1e-6 * lengths.max():
        raise SmaxError("cylinders: found a tilted cell, expected an orthogonal one")
    across = [(axis + 1) % 3, (axis + 2) % 3]  # in this order: turned, not mirrored
    if (narrow := lengths[across].min()) < 2 * radius:
        raise SmaxError(
            f"cylinders: the cell is {narrow:.2f} A wide across its axis {'xyz'[axis]}, "
            f"expected at least twice the radius, {2 * radius:g} A"
        )
    away = positions[:, across] - positions[centre, across]
    away -= np.rint(away / lengths[across]) * lengths[across]
    distance = np.linalg.norm(away, axis=1)
    inside = distance < radius
    width = 2 * radius + vacuum
    along = positions[inside, axis] % lengths[axis]
    places = np.column_stack([away[inside] + width / 2, along])
    atoms = ase.Atoms(symbols[inside], places, cell=[width, width, lengths[axis]], pbc=True)
    atoms.set_array("bulk", distance[inside] < radius - BULK_DEPTH_A)  # type: ignore[no-untyped-call]
    return atoms


def shortest_axis(cell: Array) -> int:
    """Cell vector along which a cylinder has the fewest atoms."""
    return int(np.argmin(np.linalg.norm(cell, axis=1)))
