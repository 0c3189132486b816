"""Greedy maximisation of a submodular function with lazy evaluation (Minoux 1978).

A gain can only fall as more is chosen, so that a stale gain is an upper bound: only the top of a heap is
computed anew. The choice is that of the plain greedy algorithm.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import numpy as np

from pysmax.dataset.record import Array


def greedy(
    n: int,
    bounds: Sequence[float],
    gain: Callable[[int], float],
    take: Callable[[int], object],
    step: Callable[[int], object] = lambda k: None,
) -> list[int]:
    """Choose ``n`` of the candidates 0 .. len(bounds) - 1; equal gains go to the lowest number.

    bounds: upper bounds of the gains before anything is chosen; gain(i): of i given what ``take`` has taken.
    """
    heap = [(-b, i) for i, b in enumerate(bounds)]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < n:
        _, i = heap[0]
        fresh = (-gain(i), i)
        if len(heap) > 1 and fresh > min(heap[1:3]):
            heapq.heapreplace(heap, fresh)
            continue
        heapq.heappop(heap)
        take(i)
        chosen.append(i)
        step(1)
    return chosen


class LogDet:
    """log det of A = ridge + sum of z z^T over the rows of what was taken; monotone and submodular."""

    def __init__(self, ridge: Array) -> None:
        self.matrix = np.array(ridge, dtype=np.float64)  # [d, d]
        self._factor()

    def gain(self, z: Array) -> float:
        """log det(A + z^T z) - log det(A) for rows z [m, d], by the matrix determinant lemma."""
        w = z @ self._whitening
        inner = w @ w.T if len(z) < len(self.matrix) else w.T @ w
        inner[np.diag_indices_from(inner)] += 1.0
        return 2.0 * float(np.log(np.diag(np.linalg.cholesky(inner))).sum())

    def take(self, z: Array) -> None:
        """Add rows."""
        self.matrix += z.T @ z
        self._factor()

    def value(self) -> float:
        """log det A."""
        return float(np.linalg.slogdet(self.matrix)[1])

    def _factor(self) -> None:
        lower = np.linalg.cholesky(self.matrix)
        # A^-1 = V V^T with V = L^-T
        self._whitening = np.linalg.inv(lower).T


class Balance:
    """Sum over elements of log(1 + c), c what the chosen configurations hold of each, a whole one each."""

    def __init__(self, fractions: Array) -> None:
        self.fractions = fractions  # [configurations, elements], rows sum to 1
        self.held = np.zeros(fractions.shape[1])

    def gain(self, i: int) -> float:
        """Of configuration i."""
        return float(np.log1p(self.fractions[i] / (1.0 + self.held)).sum())

    def take(self, i: int) -> None:
        """Add configuration i."""
        self.held += self.fractions[i]
