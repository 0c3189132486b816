"""One set of principal components for all datasets, which count equally whatever their number of atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pysmax.errors import SmaxError
from pysmax.moments import Array

TINY = 1e-12  # a feature whose relative spread is below does not vary


@dataclass(frozen=True)
class Components:
    """Principal components of the standardised features; all k of them, in descending order of variance."""

    mean: Array  # [n]
    unit: Array  # [n]: standard deviation of a feature over the equally weighted datasets
    axes: Array  # [n, k]: orthonormal columns
    spread: Array  # [k]: standard deviation along each axis
    shares: Array  # [k]: of the variance

    def standardise(self, features: Array) -> Array:
        """Features [m, n] with the common mean and unit."""
        x: Array = (features - self.mean) / self.unit
        return x

    def scores(self, standardised: Array, k: int) -> Array:
        """First k components [m, k], in common standard deviations."""
        s: Array = standardised @ self.axes[:, :k] / self.spread[:k]
        return s


def fit(samples: Sequence[Array]) -> Components:
    """Components of samples [m_d, n], from their moments: each sample has the same weight.

    Standardised: each feature has mean 0 and variance 1 over the equally weighted samples. The same as a
    singular value decomposition of all rows, weighted by 1 / m_d.
    """
    means = np.array([x.mean(axis=0) for x in samples])
    mean = means.mean(axis=0)
    covariance = np.mean([np.cov(x.T, ddof=0).reshape(len(mean), -1) for x in samples], axis=0) + (
        means - mean
    ).T @ (means - mean) / len(samples)
    variance = np.diag(covariance)
    varies = variance > (TINY * np.maximum(np.abs(mean), TINY)) ** 2
    if not varies.any():
        raise SmaxError("no feature varies over the datasets, expected different environments")
    unit = np.where(varies, np.sqrt(variance), 1.0)
    values, axes = np.linalg.eigh(np.where(np.outer(varies, varies), covariance, 0) / np.outer(unit, unit))
    order = np.argsort(values)[::-1][: int(varies.sum())]
    values, axes = np.maximum(values[order], 0), axes[:, order]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[largest, np.arange(len(order))])  # the sign is free: fix it
    rank = int((values > TINY * values[0]).sum())
    return Components(mean, unit, axes[:, :rank], np.sqrt(values[:rank]), values[:rank] / values.sum())
