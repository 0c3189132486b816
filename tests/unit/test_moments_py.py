"""pysmax.moments against NumPy on the data itself and mpmath."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import mpmath
import numpy as np
import pytest

from pysmax.errors import SmaxError
from pysmax.moments import Descriptor, Moments, entropy, load, merge, reference, save

DESCRIPTOR = Descriptor("atom", 2, 0.99363, 0.0, 3.0, 1, 1)
N = 5


def moments_of(b: np.ndarray, variance: np.ndarray | None = None, **more: object) -> Moments:
    """Moments of rows b[m, n]; its own first half stands for the random cells."""
    ref = b[: max(len(b) // 2, 2)]
    d, r = b - b.mean(axis=0), ref - ref.mean(axis=0)
    values: dict[str, object] = {
        "count": len(b),
        "mean": b.mean(axis=0),
        "scatter": d.T @ d,
        "variance": ref.var(axis=0) if variance is None else variance,
        "eps": 1e-6,
        "descriptor": DESCRIPTOR,
        "ref_count": len(ref),
        "ref_mean": ref.mean(axis=0),
        "ref_scatter": r.T @ r,
    }
    return Moments(**(values | more))


@pytest.fixture
def data() -> np.ndarray:
    """Correlated vectors of very different sizes."""
    rng = np.random.default_rng(7)
    return rng.normal(size=(60, N)) @ rng.normal(size=(N, N)) * np.logspace(-2, 3, N) + 10


def test_entropy_equals_mpmath(data: np.ndarray) -> None:
    m = moments_of(data)
    with mpmath.workdps(50):
        c = mpmath.matrix(m.scatter.tolist()) / m.count + m.eps * mpmath.diag(m.variance.tolist())
        expected = mpmath.log(mpmath.det(c)) / 2
    assert entropy(m) == pytest.approx(float(expected), rel=1e-13)


def test_entropy_of_a_single_vector_is_that_of_eps_alone(data: np.ndarray) -> None:
    m = moments_of(data[:1], variance=np.ones(N))
    assert entropy(m) == pytest.approx(0.5 * N * np.log(m.eps), rel=1e-12)


def test_merged_moments_are_those_of_the_merged_data(data: np.ndarray) -> None:
    parts = [moments_of(b) for b in np.split(data, [2, 17, 50])]
    whole, m = moments_of(data), merge(parts)
    assert m.count == len(data)
    np.testing.assert_allclose(m.mean, whole.mean, rtol=1e-13)
    np.testing.assert_allclose(m.scatter, whole.scatter, rtol=1e-12, atol=1e-12 * whole.scatter.max())
    np.testing.assert_array_equal(m.variance, parts[0].variance)
    assert m.state.frames == 0


def test_merging_with_nothing_changes_nothing(data: np.ndarray) -> None:
    m = moments_of(data)
    empty = dataclasses.replace(m, count=0, mean=np.zeros(N), scatter=np.zeros((N, N)))
    for parts in ([m, empty], [empty, m], [m]):
        np.testing.assert_array_equal(merge(parts).scatter, m.scatter)
    assert merge([empty, empty]).count == 0


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


def test_merged_files_merge_again(data: np.ndarray, tmp_path: Path) -> None:
    save(tmp_path / "ab.moments", merge([moments_of(data[:20]), moments_of(data[20:40])]))
    m = merge([load(tmp_path / "ab.moments"), moments_of(data[40:])])
    np.testing.assert_allclose(m.scatter, moments_of(data).scatter, rtol=1e-11)


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Descriptor)])
def test_other_features_are_not_merged(data: np.ndarray, field: str) -> None:
    a = moments_of(data)
    other = "config" if field == "mode" else getattr(DESCRIPTOR, field) + 1
    b = dataclasses.replace(a, descriptor=dataclasses.replace(DESCRIPTOR, **{field: other}))
    with pytest.raises(SmaxError, match=f"{field} is {other}"):
        merge([a, b])


def edited(path: Path, **changes: object) -> Path:
    """The file with keys replaced, or removed where the value is None; unknown keys are added."""
    with np.load(path) as z:
        arrays = {k: z[k] for k in z.files} | changes
    with open(path, "wb") as f:
        np.savez(f, **{k: v for k, v in arrays.items() if v is not None})  # type: ignore[arg-type]
    return path


def test_unknown_keys_are_tolerated(data: np.ndarray, tmp_path: Path) -> None:
    save(tmp_path / "a.moments", moments_of(data))
    assert load(edited(tmp_path / "a.moments", of_a_later_minor_change=np.ones(3))).count == len(data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": np.array("other")}, "not a moments file"),
        ({"version": np.int64(2)}, "version is 2, expected 1"),
        ({"mean": None}, "'mean' is missing"),
        ({"twojmax": None}, "'twojmax' is missing"),
        ({"scatter": np.ones((N, N + 1))}, r"scatter has shape \(5, 6\), expected \(5, 5\)"),
        ({"mean": np.full(N, np.nan)}, "not finite"),
        ({"mode": np.array("both")}, "mode is 'both'"),
        ({"count": np.int64(-1)}, "count is -1"),
        ({"eps": np.array([1, None], dtype=object)}, "not a readable NumPy"),
    ],
)
def test_a_damaged_file_is_named(data: np.ndarray, tmp_path: Path, changes: dict, message: str) -> None:
    save(tmp_path / "a.moments", moments_of(data))
    with pytest.raises(SmaxError, match=message) as error:
        load(edited(tmp_path / "a.moments", **changes))
    assert str(tmp_path / "a.moments") in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 half of a zip"])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.moments"
    path.write_bytes(content)
    with pytest.raises(SmaxError, match=r"a\.moments"):
        load(path)


def test_every_cut_of_a_file_is_refused(data: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.moments"
    save(path, moments_of(data))
    whole = path.read_bytes()
    for end in range(0, len(whole), 97):
        path.write_bytes(whole[:end])
        with pytest.raises(SmaxError):
            load(path)


def test_no_file() -> None:
    with pytest.raises(SmaxError, match="No such file"):
        load("none.moments")
