"""How much of the feature space a dataset covers, at the same number of atoms for all datasets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pysmax.moments import Array

Index = npt.NDArray[np.int64]
CELL = 0.1  # width of a cell of a component's histogram, in common standard deviations


class Estimate(NamedTuple):
    """Mean over resamples and the standard error of one sample."""

    value: float
    error: float


@dataclass(frozen=True)
class Coverage:
    """At ``atoms`` atoms: S of the standardised features, cells per component and per pair of components."""

    atoms: int
    entropy_nats: Estimate
    cells: tuple[Estimate, ...]
    pair_cells: tuple[Estimate, ...]


def measure(
    standardised: Array, scores: Array, natoms: Index, atoms: int, resamples: int, seed: int, eps: float
) -> Coverage:
    """Coverage of one dataset's sample: features [N, n], components [N, k], atoms per structure.

    Structures are drawn whole, since atoms of one structure are alike, and without replacement: a bootstrap
    draws the same structures again, which lowers the number of occupied cells and the determinant. Resamples
    of a finite sample overlap; the factor 1 / (1 - drawn share) on their variance corrects for it, so that
    the error is the standard deviation between independent samples of ``atoms`` atoms.
    """
    k = scores.shape[1]
    drawn = []
    for index in draws(natoms, atoms, resamples, np.random.default_rng(seed)):
        s = scores[index]
        drawn.append(
            [
                half_log_det(standardised[index], eps),
                *(occupied(s[:, [i]]) for i in range(k)),
                *(occupied(s[:, [i, i + 1]]) for i in range(0, k - 1, 2)),
            ]
        )
    found = estimates(np.array(drawn), atoms / int(natoms.sum()))
    return Coverage(atoms, found[0], tuple(found[1 : 1 + k]), tuple(found[1 + k :]))


def estimates(values: Array, drawn_share: float) -> list[Estimate]:
    """One estimate per column of resampled values [resamples, q]."""
    factor = 1 / np.sqrt(1 - drawn_share)
    errors = values.std(axis=0, ddof=1) * factor
    return [Estimate(float(v), float(e)) for v, e in zip(values.mean(axis=0), errors, strict=True)]


def common_atoms(natoms: Sequence[Index]) -> int:
    """Half of the smallest sample: resamples of it still differ."""
    return max(1, min(int(n.sum()) for n in natoms) // 2)


def draws(natoms: Index, atoms: int, count: int, rng: np.random.Generator) -> Iterator[Index]:
    """Rows of ``atoms`` atoms of structures drawn without replacement; the last one may be cut short."""
    start = np.concatenate([[0], np.cumsum(natoms)])
    for _ in range(count):
        order = rng.permutation(len(natoms))
        enough = int(np.searchsorted(np.cumsum(natoms[order]), atoms)) + 1
        chosen = order[:enough]
        rows = np.concatenate([np.arange(start[i], start[i + 1]) for i in chosen])
        yield rows[:atoms]


def half_log_det(x: Array, eps: float) -> float:
    """S = 1/2 log det (C + eps I) of standardised features [m, n], in nats (the generator's objective)."""
    c = np.cov(x.T, ddof=0).reshape(x.shape[1], -1)
    return 0.5 * float(np.linalg.slogdet(c + eps * np.eye(len(c)))[1])


def occupied(scores: Array) -> int:
    """Cells of width CELL that hold a row of [m, d]."""
    return len(np.unique(np.floor(scores / CELL).astype(np.int64), axis=0))
