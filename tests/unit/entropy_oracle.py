"""Definitions of the entropy objective in 60 digits, and datasets as badly conditioned as bispectra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mpmath
import numpy as np
from kernel_capi import Doubles, Entropy, Moments
from mpmath import mpf

mpmath.mp.dps = 60
N_SNAP = 55
EPS = 1e-6

MpMatrix = list[list[mpf]]


# ---- oracle: the definitions, in 60 digits -------------------------------------------------------


def exact(values: Doubles) -> MpMatrix:
    """Doubles [m, n] without rounding."""
    return [[mpf(float(v)) for v in row] for row in np.atleast_2d(values)]


def outer_add(a: MpMatrix, f: mpf, d: Sequence[mpf]) -> None:
    """a += f d d^T, upper triangle."""
    for i, di in enumerate(d):
        fd = f * di
        for j in range(i, len(d)):
            a[i][j] += fd * d[j]


def merged(dataset: Moments, b: MpMatrix) -> tuple[int, list[mpf], MpMatrix]:
    """Count, mean and scatter of the dataset with the rows b, one row after the other."""
    count, mean = dataset.count, exact(dataset.mean)[0]
    scatter = exact(dataset.scatter)
    for row in b:
        d = [x - m for x, m in zip(row, mean, strict=True)]
        outer_add(scatter, mpf(count) / (count + 1), d)
        count += 1
        mean = [m + x / count for m, x in zip(mean, d, strict=True)]
    return count, mean, scatter


def merged_moments(a: Moments, b: Moments) -> tuple[int, MpMatrix]:
    """Count and scatter of two sets together."""
    pairs = zip(exact(a.scatter), exact(b.scatter), strict=True)
    scatter = [[x + y for x, y in zip(p, q, strict=True)] for p, q in pairs]
    d = [x - y for x, y in zip(exact(a.mean)[0], exact(b.mean)[0], strict=True)]
    outer_add(scatter, mpf(a.count) * b.count / (a.count + b.count), d)
    return a.count + b.count, scatter


def regularised(count: int, scatter: MpMatrix, variance: Doubles, eps: float) -> MpMatrix:
    """C + eps R, upper triangle."""
    a = [[v / count if count else mpf(0) for v in row] for row in scatter]
    for i, v in enumerate(variance):
        a[i][i] += mpf(eps) * mpf(float(v))
    return a


def eliminate(a: MpMatrix) -> MpMatrix:
    """Upper factor U of a = U^T diag(1/U_kk) U, from the upper triangle; a is overwritten."""
    n = len(a)
    for k in range(n):
        for i in range(k + 1, n):
            f = a[k][i] / a[k][k]
            for j in range(i, n):
                a[i][j] -= f * a[k][j]
    return a


def solve(u: MpMatrix, v: list[mpf]) -> list[mpf]:
    """a^-1 v from the factor of eliminate()."""
    n, w = len(u), list(v)
    for k in range(n):
        w[k] /= u[k][k]
        for j in range(k + 1, n):
            w[j] -= u[k][j] * w[k]
    for k in reversed(range(n)):
        w[k] -= sum((u[k][j] * w[j] for j in range(k + 1, n)), mpf(0)) / u[k][k]
    return w


def half_log_det(u: MpMatrix) -> mpf:
    """1/2 log det of the factored matrix."""
    return sum((mpmath.log(u[k][k]) for k in range(len(u))), mpf(0)) / 2


def oracle_entropy(dataset: Moments, b: MpMatrix, variance: Doubles, eps: float) -> mpf:
    """S(D + x)."""
    count, _, scatter = merged(dataset, b)
    return half_log_det(eliminate(regularised(count, scatter, variance, eps)))


def oracle_delta(dataset: Moments, b: Doubles, variance: Doubles, eps: float) -> mpf:
    """S(D + x) - S(D)."""
    return oracle_entropy(dataset, exact(b), variance, eps) - oracle_entropy(dataset, [], variance, eps)


def oracle_gradient(dataset: Moments, b: Doubles, variance: Doubles, eps: float) -> Doubles:
    """(1/N') (C' + eps R)^-1 (b - mu')."""
    count, mean, scatter = merged(dataset, exact(b))
    u = eliminate(regularised(count, scatter, variance, eps))
    columns = [solve(u, [x - m for x, m in zip(row, mean, strict=True)]) for row in exact(b)]
    return np.array([[float(v / count) for v in column] for column in columns])


# ---- cases ---------------------------------------------------------------------------------------


@dataclass
class Case:
    """A dataset with features as badly conditioned as bispectrum components."""

    dataset: Moments
    variance: Doubles  # [n]
    loadings: Doubles  # [n, n]
    mean: Doubles  # [n]
    rng: np.random.Generator

    def rows(self, m: int, stretch: float = 1.0) -> Doubles:
        """Rows [m, n] of the same distribution, stretch times as wide."""
        z = self.rng.standard_normal((m, len(self.mean)))
        return np.asarray(self.mean + stretch * z @ self.loadings.T)


def make_case(count: int, n: int = N_SNAP, seed: int = 1) -> Case:
    """Spread of principal axes 1e4 : 1 (covariance 1e8 : 1), units over five decades, mean of ten widths."""
    rng = np.random.default_rng(seed)
    axes = 10.0 ** (-4.0 * np.arange(n) / n)
    units = 10.0 ** rng.uniform(-2.0, 3.0, n)
    loadings = units[:, None] * rng.standard_normal((n, n)) * axes
    covariance = loadings @ loadings.T
    variance = np.diag(covariance).copy()
    mean = 10.0 * np.sqrt(variance) * rng.standard_normal(n)
    case = Case(Moments(n), variance, loadings, mean, rng)
    if count <= 1000:
        case.dataset = Moments.of(case.rows(count)) if count else Moments(n)
    else:
        case.dataset = Moments.from_parts(count, mean, covariance * count)
    return case


def objective(case: Case, isa: str = "auto", eps: float = EPS) -> Entropy:
    """Objective on the dataset of the case."""
    out = Entropy(len(case.variance), isa)
    out.set_dataset(case.dataset, case.variance, eps)
    return out


def grad_error(case: Case, got: Doubles, want: Doubles) -> float:
    """Largest error over rows, relative to the row's norm in standardised features."""
    sd = np.sqrt(case.variance)
    norm = np.linalg.norm(want * sd, axis=1)
    return float(np.max(np.linalg.norm((got - want) * sd, axis=1) / norm))
