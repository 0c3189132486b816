"""Shares in sums over correlated samples, with their errors."""

from __future__ import annotations

import numpy as np

from pysmax.moments import Array

LEAST_BLOCKS = 4  # of one series


def ratio(n: Array, total: Array) -> tuple[Array, Array]:
    """Share of ``n`` in ``total``, and its standard error; both [frames, series, ...] -> [...].

    Linearised: residuals n - c total are averaged over blocks of 1, 2, 4, ... frames and over each whole
    series; the largest of the standard errors counts, so that neither correlation in time nor a difference
    between series makes it too small. Undefined (nan) by one sample, and where nothing was counted, or none
    or all of it was ``n``: no scatter does not mean no error.
    H. Flyvbjerg, H. G. Petersen, J. Chem. Phys. 91, 461 (1989), doi:10.1063/1.457480.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        c: Array = n.sum(axis=(0, 1)) / total.sum(axis=(0, 1))
        found = error(n - c * total) / total.mean(axis=(0, 1))
    return c, np.where((c > 0) & (c < 1), found, np.nan)


def error(x: Array) -> Array:
    """Standard error [...] of the mean over frames and series of ``x`` [frames, series, ...]."""
    levels, size = [], 1
    while len(x) // size >= LEAST_BLOCKS:
        blocks = x[: len(x) // size * size].reshape(len(x) // size, size, *x.shape[1:]).mean(axis=1)
        levels.append(_standard_error(blocks.reshape(-1, *x.shape[2:])))
        size *= 2
    levels.append(_standard_error(x.mean(axis=0)))
    found: Array = np.fmax.reduce(levels)
    return found


def _standard_error(samples: Array) -> Array:
    if len(samples) < 2:
        return np.full(samples.shape[1:], np.nan)
    found: Array = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return found
