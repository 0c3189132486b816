"""pysmax.moments against NumPy on the data itself and mpmath."""

from __future__ import annotations

from pathlib import Path

import mpmath
import numpy as np
import pytest
from moments_tools import N, correlated, moments_of  # noqa: F401

from pysmax.moments import entropy, load, reference, save


def test_entropy_equals_mpmath(data: np.ndarray) -> None:
    m = moments_of(data)
    with mpmath.workdps(50):
        c = mpmath.matrix(m.scatter.tolist()) / m.count + m.eps * mpmath.diag(m.variance.tolist())
        expected = mpmath.log(mpmath.det(c)) / 2
    assert entropy(m) == pytest.approx(float(expected), rel=1e-13)


def test_entropy_of_a_single_vector_is_that_of_eps_alone(data: np.ndarray) -> None:
    m = moments_of(data[:1], variance=np.ones(N))
    assert entropy(m) == pytest.approx(0.5 * N * np.log(m.eps), rel=1e-12)


def test_reference_is_a_dataset(data: np.ndarray) -> None:
    m = moments_of(data)
    own = moments_of(data[:30], variance=m.variance)
    assert entropy(reference(m)) == pytest.approx(entropy(own), rel=1e-12)


def test_what_is_saved_is_loaded(data: np.ndarray, tmp_path: Path) -> None:
    path, m = tmp_path / "a.moments", moments_of(data)
    save(path, m)
    back = load(path)
    assert (back.count, back.descriptor, back.eps, back.state) == (m.count, m.descriptor, m.eps, m.state)
    for key in ("mean", "scatter", "variance", "ref_mean", "ref_scatter"):
        np.testing.assert_array_equal(getattr(back, key), getattr(m, key))
    with np.load(path, allow_pickle=False) as z:
        assert {z[k].dtype.kind for k in z.files} <= set("fiU")
        assert int(z["prior_count"]) == m.count
    assert [p.name for p in tmp_path.iterdir()] == ["a.moments"]
