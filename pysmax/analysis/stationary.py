"""Minima, saddles and maxima of a surface known on a rectangular grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pysmax.moments import Array

FINE = 6  # points of the search for each interval of the grid
FLAT = 1e-9  # slope of asinh(z - min) over the whole axis: below it is rounding, as where atoms see no other
Kind = Literal["minimum", "saddle", "maximum"]


@dataclass(frozen=True)
class Stationary:
    """A point where both derivatives are zero; ``depth``: of a minimum, from the pass to a deeper one.

    The deepest minimum of all, an edge of the grid included, has depth inf; saddles and maxima have nan.
    """

    x: float
    y: float
    z: float
    kind: Kind
    depth: float = float("nan")


class Surface:
    """z(x, y) as a bicubic spline through the values z [nx, ny] at rising x [nx] and y [ny].

    The spline is of ``asinh(z - min)``, which is z near the minimum and a logarithm far above it: a wall at
    the edge of the grid leaves no ripples elsewhere, and stationary points stay where they are. At least
    four values along each axis.
    """

    def __init__(self, x: Array, y: Array, z: Array) -> None:
        from scipy.interpolate import RectBivariateSpline

        self.x, self.y = x, y
        self._lowest = float(z.min())
        self._scale = np.array([x[-1] - x[0], y[-1] - y[0]])
        self._corner = np.array([x[0], y[0]])
        u, v = (x - x[0]) / self._scale[0], (y - y[0]) / self._scale[1]
        self._spline = RectBivariateSpline(u, v, np.arcsinh(z - self._lowest), s=0)
        self.fine = tuple(np.linspace(0, 1, FINE * (len(a) - 1) + 1) for a in (x, y))

    def __call__(self, x: Array, y: Array) -> Array:
        """z on the grid x [nx] by y [ny], both rising: [nx, ny]."""
        u, v = (x - self._corner[0]) / self._scale[0], (y - self._corner[1]) / self._scale[1]
        result: Array = np.sinh(self._spline(u, v)) + self._lowest
        return result

    def stationary(self, tolerance: float = 0.0) -> list[Stationary]:
        """All inside the grid, by kind and z; a minimum or maximum less deep than that counts as noise.

        A saddle counts where it parts two minima, or two maxima, that count (persistent homology).
        """
        z = np.sinh(self._spline(*self.fine))
        below, above = _pairs(z), _pairs(-z)
        passes = [q for pairs in (below, above) for _, q, depth in pairs if depth >= tolerance]
        found = []
        for u, v in self._roots():
            kind = self._kind(u, v)
            at = (u * (z.shape[0] - 1), v * (z.shape[1] - 1))
            depth = _near([(p, d) for p, _, d in (below if kind == "minimum" else above)], at)
            if kind == "saddle":
                if not any(_distance(at, q) <= 2 for q in passes):
                    continue
            elif depth is None or depth < tolerance:
                continue
            x, y = self._corner + self._scale * [u, v]
            height = float(np.sinh(self._spline.ev(u, v)) + self._lowest)
            found.append(
                Stationary(float(x), float(y), height, kind, depth if kind == "minimum" and depth else np.nan)
            )
        order = ("minimum", "saddle", "maximum")
        return sorted(found, key=lambda s: (order.index(s.kind), s.z))

    def _gradient(self, p: Array) -> Array:
        return np.array([self._spline.ev(*p, dx=1), self._spline.ev(*p, dy=1)])

    def _hessian(self, p: Array) -> Array:
        mixed = self._spline.ev(*p, dx=1, dy=1)
        return np.array([[self._spline.ev(*p, dx=2), mixed], [mixed, self._spline.ev(*p, dy=2)]])

    def _kind(self, u: float, v: float) -> Kind:
        low, high = np.linalg.eigvalsh(self._hessian(np.array([u, v])))
        return "minimum" if low > 0 else "maximum" if high < 0 else "saddle"

    def _roots(self) -> Iterator[tuple[float, float]]:
        """Newton's method from each cell of the fine grid, not flat, where both derivatives change sign."""
        from scipy.optimize import root

        u, v = self.fine
        slopes = [self._spline(u, v, dx=1), self._spline(u, v, dy=1)]
        corners = [
            np.stack([g[a : a + len(u) - 1, b : b + len(v) - 1] for a, b in product((0, 1), (0, 1))])
            for g in slopes
        ]
        cells = np.logical_and.reduce(
            [(c.min(axis=0) <= 0) & (c.max(axis=0) >= 0) & (np.abs(c).max(axis=0) > FLAT) for c in corners]
        )
        steps = np.array([u[1], v[1]])
        known: list[Array] = []
        for i, j in zip(*np.nonzero(cells), strict=True):
            start = np.array([u[i], v[j]]) + steps / 2
            done = root(self._gradient, start, jac=self._hessian, tol=1e-12)
            p = done.x
            if not done.success or (np.abs(p - start) > 2 * steps).any() or (p <= 0).any() or (p >= 1).any():
                continue
            if all((np.abs(p - q) > steps / 10).any() for q in known):
                known.append(p)
                yield float(p[0]), float(p[1])


Index = tuple[float, float]


def _pairs(z: Array) -> list[tuple[Index, Index, float]]:
    """Each local minimum of z, where its basin flows into a deeper one, and its depth below that.

    Vertices are added by rising z; neighbours are the eight around. The deepest has depth inf.
    """
    parent: npt.NDArray[np.int64] = np.full(z.size, -1, dtype=np.int64)
    lowest: dict[int, int] = {}
    flat, (n, m) = z.ravel(), z.shape
    result: list[tuple[Index, Index, float]] = []

    def where(k: int) -> Index:
        return (float(k // m), float(k % m))

    for k in map(int, np.argsort(flat, kind="stable")):
        i, j = divmod(k, m)
        around = [
            a * m + b
            for a in range(max(i - 1, 0), min(i + 2, n))
            for b in range(max(j - 1, 0), min(j + 2, m))
            if parent[a * m + b] >= 0
        ]
        roots = sorted({_root(parent, r) for r in around}, key=lambda r: flat[lowest[r]])
        if not roots:
            parent[k], lowest[k] = k, k
            continue
        parent[k] = roots[0]
        for r in roots[1:]:
            result.append((where(lowest[r]), where(k), float(flat[k] - flat[lowest[r]])))
            parent[r] = roots[0]
    deepest = int(flat.argmin())
    return [*result, (where(deepest), (float("inf"), float("inf")), float("inf"))]


def _root(parent: Any, k: int) -> int:
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = int(parent[k])
    return k


def _distance(a: Index, b: Index) -> float:
    return max(abs(a[0] - b[0]), abs(a[1] - b[1]))


def _near(values: list[tuple[Index, float]], at: Index) -> float | None:
    """The value at the place nearest to ``at``, if it is one or two steps from there."""
    place, value = min(values, key=lambda v: _distance(v[0], at))
    return value if _distance(place, at) <= 2 else None
