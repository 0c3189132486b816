"""Streaming histograms on fixed bins: one pass, memory independent of the number of values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pysmax.moments import Array

Counts = npt.NDArray[np.int64]
STEP = 0.01  # bin width in asinh(x / width): 1 % of the value in the tails
REACH = 1e9  # bins up to this many widths; beyond are the two open bins


@dataclass(frozen=True)
class Scale:
    """Axis of one quantity: linear below ``width`` (in ``unit``), logarithmic above, for either sign."""

    label: str
    unit: str
    width: float

    @property
    def edges(self) -> Array:
        """Ascending edges [n + 1], symmetric about 0, which is one of them."""
        n = int(np.ceil(np.arcsinh(REACH) / STEP))
        edges: Array = self.width * np.sinh(STEP * np.arange(-n, n + 1))
        return edges


@dataclass
class Histogram:
    """Counts and moments of the finite values seen so far; the others are only counted."""

    scale: Scale
    edges: Array = field(init=False)
    counts: Counts = field(init=False)  # [n + 2]: below, the bins [low, high), above
    total: int = 0
    left_out: int = 0  # not a number (no label) or infinite
    mean: float = 0.0
    scatter: float = 0.0  # sum (x - mean)^2
    low: float = np.inf
    high: float = -np.inf

    def __post_init__(self) -> None:
        self.edges = self.scale.edges
        self.counts = np.zeros(len(self.edges) + 1, dtype=np.int64)

    def add(self, values: npt.ArrayLike) -> None:
        """Count values of any shape."""
        x = np.asarray(values, dtype=float).ravel()
        finite = x[np.isfinite(x)]
        self.left_out += len(x) - len(finite)
        if not len(finite):
            return
        self.counts += np.bincount(
            np.searchsorted(self.edges, finite, side="right"), minlength=len(self.counts)
        )
        n, mean = len(finite), float(finite.mean())
        shift, total = mean - self.mean, self.total + n  # Chan et al. 1983
        self.scatter += float(((finite - mean) ** 2).sum()) + shift**2 * self.total * n / total
        self.mean += shift * n / total
        self.total = total
        self.low, self.high = min(self.low, float(finite.min())), max(self.high, float(finite.max()))

    def density(self, first: int, last: int, merge: int) -> tuple[Array, Array]:
        """Edges and density (1/unit) of bins ``first`` to ``last``, ``merge`` at a time.

        The integral over all bins is 1; open bins have no density.
        """
        edges = self.edges[first : last + 1 : merge]
        counts = self.counts[1 + first : 1 + first + merge * (len(edges) - 1)]
        inside = counts.reshape(-1, merge).sum(axis=1)
        return edges, inside / (max(self.total, 1) * np.diff(edges))

    def occupied(self) -> tuple[int, int]:
        """First bin with a value and the one after the last; (0, 0) without any."""
        filled = np.flatnonzero(self.counts[1:-1])
        return (int(filled[0]), int(filled[-1]) + 1) if len(filled) else (0, 0)

    def quantile(self, q: float) -> float:
        """Value below which a share ``q`` lies, as if the values of its bin were equidistant in it."""
        if not self.total:
            return float("nan")
        below = np.cumsum(self.counts)
        k = int(np.searchsorted(below, q * self.total))
        edges = np.concatenate([[self.low], self.edges, [self.high]])
        low, high = np.clip(edges[k : k + 2], self.low, self.high)
        share = (q * self.total - below[k]) / max(1, self.counts[k]) + 1.0
        return float(low + share * (high - low))

    def summary(self) -> dict[str, Any]:
        """Key figures in the scale's unit; empty without values."""
        if not self.total:
            return {}
        return {
            "unit": self.scale.unit,
            "values": self.total,
            "left_out": self.left_out,
            "min": self.low,
            "q001": self.quantile(0.001),
            "median": self.quantile(0.5),
            "q999": self.quantile(0.999),
            "max": self.high,
            "mean": self.mean,
            "standard_deviation": float(np.sqrt(self.scatter / self.total)),
        }
