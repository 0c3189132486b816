"""Interstitial sites of any packing: the voids between its atoms."""

from __future__ import annotations

import ase
import numpy as np

from pysmax.errors import SmaxError
from pysmax.moments import Array


def voids(atoms: ase.Atoms, clearance: float) -> Array:
    """Points [m, 3] that are as far as possible from the atoms around them, ``clearance`` (A) or more.

    Vertices of Voronoi cells (the tetrahedral sites of bcc) of an orthogonal periodic cell.
    """
    from scipy.spatial import Voronoi, cKDTree

    lengths = atoms.cell.lengths()
    inside = atoms.positions % lengths
    vertices = Voronoi(_with_images(inside, lengths)).vertices
    vertices = vertices[((vertices >= -1e-9) & (vertices < lengths - 1e-9)).all(axis=1)]
    distance, _ = cKDTree(_with_images(inside, lengths)).query(vertices)
    found: Array = vertices[distance >= clearance]
    return found


def choose(
    sites: Array, cell: Array, count: int, apart: float, rng: np.random.Generator, what: str = "interstitials"
) -> Array:
    """``count`` of the sites at random [count, 3], at least ``apart`` (A) from each other.

    ``cell``: lengths of an orthogonal periodic cell, A. SmaxError if there are not so many.
    """
    chosen: list[Array] = []
    buckets: dict[tuple[int, ...], list[Array]] = {}
    n = np.maximum(1, (cell / apart).astype(int))
    around = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    for site in rng.permutation(sites):
        if len(chosen) == count:
            break
        home = (site / cell * n).astype(int)
        near = [x for k in {tuple((home + s) % n) for s in around} for x in buckets.get(k, [])]
        if near:
            step = np.array(near) - site
            step -= cell * np.round(step / cell)
            if (step**2).sum(axis=1).min() < apart**2:
                continue
        chosen.append(site)
        buckets.setdefault(tuple(home % n), []).append(site)
    if len(chosen) < count:
        raise SmaxError(
            f"{what}: found room for {len(chosen)} at {apart:.2f} A from each other, expected {count}"
        )
    return np.array(chosen).reshape(-1, 3)


def _with_images(inside: Array, lengths: Array) -> Array:
    """Positions [n + images, 3]: a shell of images as thick as bulk neighbours need, whole cells at most."""
    shell = np.minimum(lengths, 8.0)
    points = inside
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = lengths[axis]
        low = points[points[:, axis] < shell[axis]] + step
        high = points[points[:, axis] >= lengths[axis] - shell[axis]] - step
        points = np.concatenate([points, low, high])
    return points
