"""Moments and entropy objective against 60-digit arithmetic and long doubles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_capi import Doubles, Entropy, KernelError, Moments
from mpmath import mpf

mpmath.mp.dps = 60
N_SNAP = 55
EPS = 1e-6
ISAS = ["auto", "plain"]

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


# ---- entropy -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 10_000, 10_000_000])
def test_value_is_half_log_det(count: int) -> None:
    case = make_case(count)
    want = float(oracle_entropy(case.dataset, [], case.variance, EPS))
    assert objective(case).value == pytest.approx(want, rel=1e-14)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("stretch", [1.0, 30.0])
@pytest.mark.parametrize("m", [1, 14])
@pytest.mark.parametrize("count", [10, 10_000, 10_000_000])
def test_delta_and_gradient_match_60_digits(count: int, m: int, stretch: float, isa: str) -> None:
    case = make_case(count)
    b = case.rows(m, stretch)
    x = objective(case, isa)
    want = float(oracle_delta(case.dataset, b, case.variance, EPS))
    assert x.delta(x.sums(b)) == pytest.approx(want, rel=1e-9)
    want_grad = oracle_gradient(case.dataset, b, case.variance, EPS)
    assert grad_error(case, x.gradient(b), want_grad) < 1e-9


@pytest.mark.parametrize("count", [10_000, 10_000_000])
def test_delta_error_is_small_against_the_terms_where_they_cancel(count: int) -> None:
    """dS of typical rows is a sum of pivots of both signs, each of order 1/N."""
    case = make_case(count, n=20)
    x = objective(case)
    for _ in range(10):
        b = case.rows(14)
        want = float(oracle_delta(case.dataset, b, case.variance, EPS))
        assert x.delta(x.sums(b)) == pytest.approx(want, rel=0, abs=1e-12 * 14 * 20 / count)


@pytest.mark.parametrize("count", [0, 1, 10, 10_000])
@pytest.mark.parametrize("m", [1, 3])
def test_gradient_is_the_difference_quotient_of_the_definition(count: int, m: int) -> None:
    case = make_case(count, n=5)
    b = case.rows(m)
    x = objective(case)
    x.delta(x.sums(b))
    got = x.gradient(b, prefactor=2.5)
    for i, k in np.ndindex(m, 5):
        step = mpf(10) ** -20 * mpf(float(np.sqrt(case.variance[k])))
        ends = []
        for sign in (-1, 1):
            moved = exact(b)
            moved[i][k] += sign * step
            ends.append(oracle_entropy(case.dataset, moved, case.variance, EPS))
        want = 2.5 * float((ends[1] - ends[0]) / (2 * step))
        scale = 2.5 / np.sqrt(EPS * case.variance[k])
        assert got[i, k] == pytest.approx(want, rel=1e-8, abs=1e-13 * scale)


def test_many_features() -> None:
    """twojmax 14 has 204 components, more rows than one block, and an odd number of rows."""
    case = make_case(10_000, n=204)
    b = case.rows(101)
    results = []
    for isa in ISAS:
        x = objective(case, isa)
        results.append((x.delta(x.sums(b)), x.gradient(b)))
    ds, grad = results[0]
    assert results[1][0] == pytest.approx(ds, rel=1e-9)
    assert grad_error(case, results[1][1], grad) < 1e-9
    # every gradient is (1/N') (C' + eps R)^-1 (b - mu')
    total = Moments(204, case.dataset.packed.copy())
    total.merge(Moments.of(b))
    a = total.scatter / total.count + EPS * np.diag(case.variance)
    want = b - total.mean
    got = grad @ a * total.count
    assert np.max(np.abs(got - want) / np.sqrt(case.variance)) < 1e-8


@pytest.mark.parametrize("m", [1, 14])
@pytest.mark.parametrize("count", [0, 10, 10_000_000])
def test_candidate_by_its_moments(count: int, m: int) -> None:
    case = make_case(count)
    b = case.rows(m)
    x = objective(case)
    candidate = Moments.of(b)
    want = float(
        half_log_det(eliminate(regularised(*_merged_moments(case.dataset, candidate), case.variance, EPS)))
        - oracle_entropy(case.dataset, [], case.variance, EPS)
    )
    # a scatter rounded to double is a less exact question than rows: compare with its own answer
    assert x.delta_moments(candidate) == pytest.approx(want, rel=1e-8, abs=1e-15)
    by_moments = x.gradient(b)
    x.delta(x.sums(b))
    if count + m > 1:
        assert grad_error(case, by_moments, x.gradient(b)) < 1e-6


def _merged_moments(a: Moments, b: Moments) -> tuple[int, MpMatrix]:
    scatter = exact(a.scatter + 0.0)
    other = exact(b.scatter)
    scatter = [[x + y for x, y in zip(p, q, strict=True)] for p, q in zip(scatter, other, strict=True)]
    d = [x - y for x, y in zip(exact(a.mean)[0], exact(b.mean)[0], strict=True)]
    outer_add(scatter, mpf(a.count) * b.count / (a.count + b.count), d)
    return a.count + b.count, scatter


# ---- small datasets ------------------------------------------------------------------------------


def test_empty_dataset_and_one_row_change_nothing() -> None:
    """One vector has no covariance: dS is 0 to the last bit, and so is its gradient."""
    case = make_case(0)
    x = objective(case)
    assert x.empty and x.count == 0
    b = case.rows(1)
    assert x.delta(x.sums(b)) == 0.0
    assert np.all(x.gradient(b) == 0.0)
    assert x.delta_moments(Moments.of(b)) == 0.0


def test_no_rows_change_nothing() -> None:
    for count in (0, 1, 10):
        x = objective(make_case(count))
        assert x.delta(x.sums(np.empty((0, N_SNAP)))) == 0.0
        assert x.delta_moments(Moments(N_SNAP)) == 0.0


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("origin", [False, True])
def test_first_candidates(count: int, origin: bool) -> None:
    """N = 0 and 1: C = 0, and the origin of an empty dataset plays no part but for rounding."""
    case = make_case(count)
    if origin and count == 0:
        case.dataset = Moments.from_parts(0, case.mean, np.zeros((N_SNAP, N_SNAP)))
    b = case.rows(14)
    x = objective(case)
    want = float(oracle_delta(case.dataset, b, case.variance, EPS))
    assert x.delta(x.sums(b)) == pytest.approx(want, rel=1e-9)
    want_grad = oracle_gradient(case.dataset, b, case.variance, EPS)
    assert grad_error(case, x.gradient(b), want_grad) < 1e-6
    assert not x.empty or count == 0


# ---- ranks ---------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 9),
    m=st.integers(1, 40),
    cuts=st.lists(st.integers(0, 40), max_size=4),
    count=st.sampled_from([0, 1, 2, 10, 10_000]),
    seed=st.integers(0, 1000),
)
def test_ranks_share_a_candidate(n: int, m: int, cuts: list[int], count: int, seed: int) -> None:
    case = make_case(count, n, seed)
    b = case.rows(m)
    x = objective(case)
    whole = x.delta(x.sums(b))
    grad = x.gradient(b)
    parts = np.split(b, sorted(min(c, m) for c in cuts))
    shared = x.delta(sum((x.sums(p) for p in parts), np.zeros(n + n * (n + 1) // 2 + 1)))
    # rounding of X is relative to its largest element, and 1/(eps variance) is that of the first rows
    large = 1.0 / EPS if count < 2 else 1.0
    assert shared == pytest.approx(whole, rel=1e-11, abs=1e-12 * large * n * m / (count + m))
    shared_grad = np.concatenate([x.gradient(p) for p in parts])
    sd = np.sqrt(case.variance)
    assert np.max(np.abs((shared_grad - grad) * sd)) <= 1e-9 * np.max(np.abs(grad * sd)) * large


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 6),
    m=st.integers(1, 8),
    count=st.sampled_from([2, 3, 10, 100, 10_000, 10_000_000]),
    eps=st.sampled_from([1e-6, 1e-3, 1.0]),
    seed=st.integers(0, 1000),
)
def test_delta_of_any_small_case(n: int, m: int, count: int, eps: float, seed: int) -> None:
    case = make_case(count, n, seed)
    b = case.rows(m)
    x = objective(case, eps=eps)
    want = float(oracle_delta(case.dataset, b, case.variance, eps))
    assert x.delta(x.sums(b)) == pytest.approx(want, rel=1e-9, abs=1e-11 * n * m / count)


def test_same_bits_every_time() -> None:
    case = make_case(10_000)
    b = case.rows(14)
    seen = set()
    for _ in range(3):
        x = objective(case)
        for _ in range(3):
            seen.add((x.delta(x.sums(b)), x.gradient(b).tobytes()))
    assert len(seen) == 1


# ---- moments -------------------------------------------------------------------------------------


def long_moments(b: Doubles) -> tuple[NDArrayLong, NDArrayLong]:
    """Mean and scatter in long double."""
    data = b.astype(np.longdouble)
    mean = data.mean(axis=0)
    return mean, (data - mean).T @ (data - mean)


NDArrayLong = np.ndarray[tuple[int, ...], np.dtype[np.longdouble]]


def assert_moments(got: Moments, b: Doubles, rel: float) -> None:
    """Errors relative to widths: sd for the mean (after its own rounding), sd_i sd_j count for the scatter."""
    mean, scatter = long_moments(b)
    width = np.sqrt(np.diag(scatter))
    assert got.count == len(b)
    ulp = 4 * np.finfo(float).eps * np.abs(mean)
    assert np.all(np.abs(got.mean - mean) <= rel * width / np.sqrt(len(b)) + ulp)
    assert np.all(np.abs(got.scatter - scatter) <= rel * np.outer(width, width))
    assert np.array_equal(got.scatter, got.scatter.T)


@pytest.mark.parametrize("m", [1, 2, 14, 5000])
def test_moments_of_rows(m: int) -> None:
    """A mean of 1e6 widths must not cost the scatter its digits."""
    case = make_case(0, n=7)
    b = case.rows(m) + 1e6 * np.sqrt(case.variance)
    assert_moments(Moments.of(b), b, 1e-13)


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=5), seed=st.integers(0, 1000))
def test_merged_moments_are_those_of_the_merged_rows(sizes: list[int], seed: int) -> None:
    case = make_case(0, 4, seed)
    parts = [case.rows(k) + 3.0 * i * np.sqrt(case.variance) for i, k in enumerate(sizes)]
    total = Moments(4)
    for part in parts:
        total.merge(Moments.of(part))
    if sum(sizes):
        assert_moments(total, np.concatenate(parts), 1e-13)
    else:
        assert total.count == 0 and not total.packed.any()


def test_merge_is_exact_for_a_large_dataset() -> None:
    """14 rows into 1e7: count, mean and scatter move by their own share."""
    case = make_case(10_000_000, n=5)
    b = case.rows(14)
    count, mean, scatter = merged(case.dataset, exact(b))
    case.dataset.merge(Moments.of(b))
    assert case.dataset.count == count
    assert case.dataset.mean == pytest.approx([float(v) for v in mean], rel=1e-15)
    upper = np.triu_indices(5)
    want = np.array([[float(v) for v in row] for row in scatter])
    assert case.dataset.scatter[upper] == pytest.approx(want[upper], rel=1e-15)


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("eps", [0.0, -1e-6, np.nan, np.inf])
def test_bad_eps(eps: float) -> None:
    with pytest.raises(KernelError, match=r"eps is .* expected a finite number above 0"):
        objective(make_case(10), eps=eps)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "expected above 0"), (-1.0, "expected above 0"), (np.nan, "expected a finite")]
)
def test_bad_variance(value: float, text: str) -> None:
    case = make_case(10)
    case.variance[3] = value
    with pytest.raises(KernelError, match=rf"variance\[3\] is .*{text}"):
        objective(case)


@pytest.mark.parametrize(("at", "what"), [(1, r"mean\[0\]"), (-1, r"scatter\[3024\]")])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_dataset_not_finite(at: int, what: str, bad: float) -> None:
    case = make_case(10)
    case.dataset.packed[at] = bad
    with pytest.raises(KernelError, match=what):
        objective(case)


@pytest.mark.parametrize("count", [-1.0, 0.5, np.nan])
def test_bad_count(count: float) -> None:
    case = make_case(10)
    case.dataset.packed[0] = count
    with pytest.raises(KernelError, match=r"count is .* expected a whole number"):
        objective(case)


def test_dataset_not_positive_definite_keeps_the_former() -> None:
    case = make_case(10_000, n=4)
    x = objective(case)
    before = x.value
    broken = Moments.from_parts(10_000, case.mean, -case.dataset.scatter)
    with pytest.raises(KernelError, match=r"pivot 0 .*raise eps"):
        x.set_dataset(broken, case.variance, EPS)
    assert x.value == before
    b = case.rows(3)
    assert np.isfinite(x.delta(x.sums(b)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("count", [0, 10, 10_000])
def test_candidate_not_finite(count: int, bad: float) -> None:
    """One rank's bad row shows up in the sums of all, not before."""
    case = make_case(count, n=6)
    x = objective(case)
    b = case.rows(3)
    b[1, 2] = bad
    sums = x.sums(b)
    with pytest.raises(KernelError, match=r"sums of the candidate.*expected a finite number"):
        x.delta(sums)
    with pytest.raises(KernelError, match=r"expected delta\(\) before gradient"):
        x.gradient(b)


def test_other_number_of_features() -> None:
    x = Entropy(5)
    with pytest.raises(KernelError, match="dataset has 6 features, expected 5"):
        x.set_dataset(Moments(6), np.ones(5), EPS)
    x.set_dataset(Moments(5), np.ones(5), EPS)
    with pytest.raises(KernelError, match="candidate has 4 features, expected 5"):
        x.delta_moments(Moments(4))
    with pytest.raises(KernelError, match="6 features in the set to merge, expected 5"):
        Moments(5).merge(Moments(6))


def test_wrong_order_and_wrong_names() -> None:
    with pytest.raises(KernelError, match="number of features is 0"):
        Entropy(0)
    x = Entropy(2)
    for step in (lambda: x.value, lambda: x.sums(np.zeros((1, 2))), lambda: x.delta(np.zeros(6))):
        with pytest.raises(KernelError, match=r"expected set_dataset\(\) first"):
            step()
    x.set_dataset(Moments(2), np.ones(2), EPS)
    with pytest.raises(KernelError, match=r"expected delta\(\) before gradient\(\)"):
        x.gradient(np.zeros((1, 2)))
    with pytest.raises(KernelError):
        Entropy(2, "sse9")
