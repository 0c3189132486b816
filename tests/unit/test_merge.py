"""pysmax.merge against NumPy on the data itself; nothing is counted twice."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from moments_tools import DESCRIPTOR, N, correlated, moments_of  # noqa: F401

from pysmax.errors import SmaxError
from pysmax.merge import merge, merge_files
from pysmax.moments import Descriptor, Moments, State, load, save


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


def run_of(b: np.ndarray, nprior: int) -> Moments:
    """A run whose first ``nprior`` rows were there before its first frame; 10 of them are random cells."""
    before, random = moments_of(b[:nprior]), moments_of(b[:10])
    return dataclasses.replace(
        moments_of(b, random.variance),
        ref_count=10,
        ref_mean=random.mean,
        ref_scatter=random.scatter,
        prior_count=nprior,
        prior_mean=before.mean,
        prior_scatter=before.scatter,
        state=State(frames=3, tried=5),
    )


def test_what_a_run_began_with_is_kept_by_its_file(data: np.ndarray, tmp_path: Path) -> None:
    run = run_of(data, 25)
    save(tmp_path / "a.moments", run)
    back = load(tmp_path / "a.moments")
    assert back.prior_count == 25
    np.testing.assert_array_equal(back.prior_scatter, run.prior_scatter)
    assert merge([back]).prior_count == len(data)  # all of a merged dataset is older than any frame


def test_a_shared_prior_is_not_counted_twice(data: np.ndarray, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for name, nprior in (("a", 21), ("b", 20)):  # runs that began with nearly the same other dataset
        rows = np.vstack([data[:nprior], rng.normal(size=(29 - nprior, N))])
        save(tmp_path / f"{name}.moments", run_of(rows, nprior))
    with pytest.raises(SmaxError, match=r"b\.moments: that run began with 20 vectors of another dataset"):
        merge_files([tmp_path / "a.moments", tmp_path / "b.moments"])
    assert merge_files([tmp_path / "b.moments"]).count == 29


def test_runs_of_their_own_random_cells_merge(data: np.ndarray) -> None:
    assert merge([run_of(data[:30], 10), run_of(data[30:], 10)]).count == len(data)


def test_the_same_random_cells_are_not_counted_twice(data: np.ndarray) -> None:
    other = np.vstack([data[:10], np.random.default_rng(2).normal(size=(9, N))])  # of the same seed
    with pytest.raises(SmaxError, match="part 2: that run began with the same 10 vectors as part 1"):
        merge([run_of(data, 10), run_of(other, 10)])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_run_and_what_it_began_with_are_not_disjoint(data: np.ndarray, order: tuple[int, int]) -> None:
    parts = (moments_of(data[:20]), run_of(data, 20))
    with pytest.raises(SmaxError, match="began with"):
        merge([parts[i] for i in order])


def test_the_same_file_twice_is_refused(data: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.moments"
    save(path, moments_of(data))
    os.symlink(path, tmp_path / "link.moments")
    (tmp_path / "copy.moments").write_bytes(path.read_bytes())
    for other in (path, tmp_path / "." / "a.moments", tmp_path / "link.moments"):
        with pytest.raises(SmaxError, match="the same file twice"):
            merge_files([path, other])
    with pytest.raises(SmaxError, match=r"copy\.moments: found the moments of .*a\.moments again"):
        merge_files([path, tmp_path / "copy.moments"])


def test_other_features_are_named_with_their_file(data: np.ndarray, tmp_path: Path) -> None:
    save(tmp_path / "a.moments", moments_of(data[:30]))
    config = dataclasses.replace(DESCRIPTOR, mode="config")
    save(tmp_path / "b.moments", moments_of(data[30:], descriptor=config))
    with pytest.raises(SmaxError, match=r"b\.moments: mode is config, expected atom"):
        merge_files([tmp_path / "a.moments", tmp_path / "b.moments"])
