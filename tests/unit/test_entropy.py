"""Moments and entropy objective against 60-digit arithmetic and long doubles."""

from __future__ import annotations

import numpy as np
import pytest
from entropy_oracle import (
    EPS,
    N_SNAP,
    eliminate,
    exact,
    grad_error,
    half_log_det,
    make_case,
    merged,
    merged_moments,
    objective,
    oracle_delta,
    oracle_entropy,
    oracle_gradient,
    regularised,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_capi import Doubles, Entropy, KernelError, Moments
from mpmath import mpf
from numpy.typing import NDArray

ISAS = ["auto", "plain"]


# ---- entropy -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 10_000, 10_000_000])
def test_value_is_half_log_det(count: int) -> None:
    case = make_case(count)
    want = float(oracle_entropy(case.dataset, [], case.variance, EPS))
    assert objective(case).value == pytest.approx(want, rel=1e-14)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("m", [1, 14])
@pytest.mark.parametrize(
    ("count", "stretch", "rel", "rel_grad"),
    [
        (10, 1.0, 1e-10, 1e-9),
        (10, 30.0, 1e-7, 1e-5),  # far rows in a dataset smaller than n: 1 + X has condition 1e9
        (10_000, 1.0, 1e-11, 1e-11),
        (10_000, 30.0, 1e-12, 1e-11),
        (10_000_000, 1.0, 1e-11, 1e-11),
        (10_000_000, 30.0, 1e-12, 1e-11),
    ],
)
def test_delta_and_gradient_match_60_digits(
    count: int, stretch: float, rel: float, rel_grad: float, m: int, isa: str
) -> None:
    case = make_case(count)
    b = case.rows(m, stretch)
    x = objective(case, isa)
    want = float(oracle_delta(case.dataset, b, case.variance, EPS))
    assert x.delta(x.sums(b)) == pytest.approx(want, rel=rel)
    want_grad = oracle_gradient(case.dataset, b, case.variance, EPS)
    assert grad_error(case, x.gradient(b), want_grad) < rel_grad


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
        largest = np.max(np.abs(got * np.sqrt(case.variance))) / np.sqrt(case.variance[k])
        rel = 1e-9 if count else 1e-6  # origin far from the rows
        assert got[i, k] == pytest.approx(want, rel=rel, abs=rel * largest)


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
    # a scatter rounded to double is not the rows any more: compare with its own answer
    after = eliminate(regularised(*merged_moments(case.dataset, candidate), case.variance, EPS))
    want = float(half_log_det(after) - oracle_entropy(case.dataset, [], case.variance, EPS))
    assert x.delta_moments(candidate) == pytest.approx(want, rel=1e-8, abs=1e-15)
    by_moments = x.gradient(b)
    x.delta(x.sums(b))
    if count + m > 1:
        assert grad_error(case, by_moments, x.gradient(b)) < 1e-6


# ---- small datasets ------------------------------------------------------------------------------


def test_empty_dataset_and_one_row_change_nothing() -> None:
    """One vector has no covariance: dS is 0 to the last bit, and so is its gradient."""
    case = make_case(0)
    x = objective(case)
    assert x.empty
    assert x.count == 0
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
    assert x.empty == (count == 0)


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
    # rounding of X is relative to its largest element: 1/(eps variance) where D has no spread, as some
    # direction of n features has none as long as there are no more than n vectors
    large = 1.0 / EPS if count <= n else 1.0
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


NDArrayLong = NDArray[np.longdouble]


def long_moments(b: Doubles) -> tuple[NDArrayLong, NDArrayLong]:
    """Mean and scatter in long double."""
    data = b.astype(np.longdouble)
    mean = data.mean(axis=0)
    return mean, (data - mean).T @ (data - mean)


def assert_moments(got: Moments, b: Doubles, rel: float) -> None:
    """Errors relative to widths: of the mean beyond its own rounding, and of the scatter."""
    mean, scatter = long_moments(b)
    width = np.sqrt(np.diag(scatter))
    assert got.count == len(b)
    ulp = 4 * np.finfo(float).eps * np.abs(mean)
    assert np.all(np.abs(got.mean - mean) <= rel * width / np.sqrt(len(b)) + ulp)
    assert np.all(np.abs(got.scatter - scatter) <= rel * np.outer(width, width))
    assert np.array_equal(got.scatter, got.scatter.T)


@pytest.mark.parametrize(("m", "rel"), [(1, 1e-13), (2, 1e-13), (14, 1e-13), (1000, 1e-13), (5000, 1e-11)])
def test_moments_of_rows(m: int, rel: float) -> None:
    """A mean of 1e6 widths must not cost the scatter its digits (sums of squares would keep four).

    More than one chunk is merged, and there the rounding of the stored mean, 1e-10 widths, counts once.
    """
    case = make_case(0, n=7)
    b = case.rows(m) + 1e6 * np.sqrt(case.variance)
    assert_moments(Moments.of(b), b, rel)


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
        assert total.count == 0
        assert not total.packed.any()


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
