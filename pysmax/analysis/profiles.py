"""Counts of atoms around two grain boundaries, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pysmax.analysis import blocking, boundaries
from pysmax.errors import SmaxError
from pysmax.moments import Array

if TYPE_CHECKING:
    from ovito.data import DataCollection

Integers = np.ndarray[Any, np.dtype[np.int64]]
NM2 = 0.01  # of an A^2


@dataclass
class Counts:
    """Atoms of each element e, frame by frame f; b: nearer boundary; x: bins.

    ``folded`` [f, b, x, e]: by distance; ``along`` [f, 1, x, e]: by the fraction of the cell from a quarter
    below boundary 1; ``near``, ``between``, ``far`` [f, b, e]: boundary, neither, bulk.
    ``places`` [f, b]: boundaries, fractions of the cell; ``lengths``, ``areas``: of the cell, A, A^2 [f].
    """

    elements: Sequence[str]
    steps: Sequence[int]
    bin_A: float
    boundary_A: float
    bulk_A: float
    folded: Array
    along: Array
    near: Array
    between: Array
    far: Array
    places: Array
    lengths: Array
    areas: Array
    filled: int = 0

    @classmethod
    def empty(
        cls, elements: Sequence[str], steps: Sequence[int], bin_A: float, boundary_A: float, bulk_A: float
    ) -> Counts:
        """Bins are made when the first frame tells how many."""
        f, e = len(steps), len(elements)
        near, between, far = (np.zeros((f, 2, e)) for _ in range(3))
        return cls(
            elements, steps, bin_A, boundary_A, bulk_A, np.zeros((f, 2, 0, e)), np.zeros((f, 1, 0, e)),
            near, between, far, np.zeros((f, 2)), np.zeros(f), np.zeros(f),
        )  # fmt: skip


def count(counts: Counts, data: DataCollection, places: tuple[float, float]) -> None:
    """Add a frame whose boundaries are at these fractions of the cell."""
    cell = np.asarray(data.cell)
    z, length = boundaries.heights(data), float(cell[2, 2])
    area = float(np.linalg.norm(np.cross(cell[:, 0], cell[:, 1])))
    types = np.asarray(data.particles.particle_types, dtype=np.int64) - 1
    add(counts, z, types, places, length, area)


def add(
    counts: Counts, z: Array, types: Integers, places: tuple[float, float], length: float, area: float
) -> None:
    """As ``count``, from fractions of z [n], indices of elements [n], lengths in A."""
    f, ne = counts.filled, len(counts.elements)
    if f == 0:
        bins = max(1, int(length / 4 / counts.bin_A))
        counts.folded = np.zeros((len(counts.steps), 2, bins, ne))
        counts.along = np.zeros((len(counts.steps), 1, 4 * bins, ne))
    d, nearer = boundaries.distances(z, places, length)
    bins = counts.folded.shape[2]
    x = (d / counts.bin_A).astype(int)
    inside = x < bins
    np.add.at(counts.folded[f], (nearer[inside], x[inside], types[inside]), 1)
    u = (z - places[0] + 0.25) % 1.0
    np.add.at(counts.along[f, 0], (np.minimum((u * 4 * bins).astype(int), 4 * bins - 1), types), 1)
    near, far = d < counts.boundary_A, d > counts.bulk_A
    for where, target in ((near, counts.near), (far, counts.far), (~near & ~far, counts.between)):
        np.add.at(target[f], (nearer[where], types[where]), 1)
    counts.places[f], counts.lengths[f], counts.areas[f] = places, length, area
    counts.filled += 1


@dataclass
class Segregation:
    """at.% [e] (``excess``: 1/nm^2) with standard errors; profiles [x, e] at ``distance``, ``normal`` A [x].

    ``used``: frames it is taken from; ``drift``: boundary of their second half less that of the first;
    ``places``: of both boundaries on ``normal``, A.
    """

    elements: Sequence[str]
    used: range
    overall: Array
    boundary: Array
    boundary_error: Array
    bulk: Array
    bulk_error: Array
    difference: Array
    difference_error: Array
    excess: Array
    excess_error: Array
    distance: Array
    profile: Array
    profile_error: Array
    normal: Array
    along: Array
    along_error: Array
    places: tuple[float, float]
    drift: Array
    drift_error: Array


def segregation(counts: Counts, discard: float) -> Segregation:
    """Of the frames that are left when a share of them is discarded. SmaxError if a region is empty."""
    frames = len(counts.steps)
    used = range(min(int(discard * frames), frames - 1), frames)
    s = slice(used.start, None)
    near, far = counts.near[s], counts.far[s]
    for ok, name, word in (
        ((near.sum(axis=2) > 0).all(), "boundary_A", "nearer"),
        (far.sum() > 0, "bulk_A", "farther"),
    ):
        if not ok:
            raise SmaxError(
                f"option {name}: found {getattr(counts, name)} A, and no atom {word} to a boundary, "
                f"expected some: the cell is {counts.lengths.mean():.1f} A long"
            )
    everything = near + far + counts.between[s]
    b, b_error = _composition(near)
    g, g_error = _composition(far)
    difference_error = blocking.error(_residuals(near, b) - _residuals(far, g))
    excess, excess_error = _excess(everything, far, g, counts.areas[s])
    profile, profile_error = _composition(counts.folded[s])
    along, along_error = _composition(counts.along[s])
    length = float(counts.lengths[s].mean())
    bins = counts.along.shape[2]
    apart = float(((counts.places[s, 1] - counts.places[s, 0]) % 1.0).mean())
    drift, drift_error = _drift(near)
    return Segregation(
        elements=counts.elements, used=used,
        overall=100 * everything.sum(axis=(0, 1)) / everything.sum(),
        boundary=100 * b, boundary_error=100 * b_error, bulk=100 * g, bulk_error=100 * g_error,
        difference=100 * (b - g), difference_error=100 * difference_error,
        excess=excess, excess_error=excess_error,
        distance=np.asarray((np.arange(counts.folded.shape[2]) + 0.5) * counts.bin_A),
        profile=100 * profile, profile_error=100 * profile_error,
        normal=((np.arange(bins) + 0.5) / bins - 0.5) * length,
        along=100 * along, along_error=100 * along_error,
        places=(-0.25 * length, (apart - 0.25) * length),
        drift=100 * drift, drift_error=100 * drift_error,
    )  # fmt: skip


def _composition(n: Array) -> tuple[Array, Array]:
    """Shares of the elements, the last axis of n [f, b, ..., e], and their errors."""
    return blocking.ratio(n, np.broadcast_to(n.sum(axis=-1, keepdims=True), n.shape))


def _residuals(n: Array, c: Array) -> Array:
    """What each frame and boundary adds to a composition's deviation [f, b, e]."""
    total = n.sum(axis=-1, keepdims=True)
    found: Array = (n - c * total) / total.mean()
    return found


def _excess(everything: Array, far: Array, bulk: Array, areas: Array) -> tuple[Array, Array]:
    """Atoms of an element beyond those of as many atoms of bulk, per area of boundary, 1/nm^2 [e].

    J. W. Gibbs's excess at a given number of atoms in all: (N_e - c_e N) / A, c_e of the bulk.
    """
    total = everything.sum(axis=-1, keepdims=True)
    area = areas[:, None, None] * NM2
    each = (everything - bulk * total) / area
    through_bulk = _residuals(far, bulk) * (total / area).mean()
    return each.mean(axis=(0, 1)), blocking.error(each - through_bulk)


def _drift(near: Array) -> tuple[Array, Array]:
    half = len(near) // 2
    if half == 0:
        nothing = np.full(near.shape[-1], np.nan)
        return nothing, nothing
    (a, a_error), (b, b_error) = _composition(near[:half]), _composition(near[half:])
    return b - a, np.hypot(a_error, b_error)
