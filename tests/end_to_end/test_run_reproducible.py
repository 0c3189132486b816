"""Same seed and layout, same bytes; the free-running mode keeps the rest of the promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from end_to_end.run_tools import QUICK, SMALL, check_entropies, check_files, same_moments, script, succeed

LAYOUTS = [
    pytest.param({}, 12, id="serial"),
    pytest.param({"ranks": 2}, 4, id="2 ranks"),
    pytest.param({"ranks": 2, "partition": "2x1"}, 12, id="2x1"),
]


@pytest.mark.parametrize(("layout", "nconf"), LAYOUTS)
def test_the_same_bytes_again(tmp_path: Path, layout: dict, nconf: int) -> None:
    one, two = (succeed(tmp_path / name, variables={"nconf": nconf}, **layout) for name in "ab")
    assert one.bytes == two.bytes
    assert one.path("random.extxyz").read_bytes() == two.path("random.extxyz").read_bytes()
    same_moments(one, two)
    assert [row | {"seconds": ""} for row in one.table] == [row | {"seconds": ""} for row in two.table]


def test_another_seed_is_another_dataset(tmp_path: Path) -> None:
    one, two = (succeed(tmp_path / str(seed), script(seed=seed), variables={"nconf": 2}) for seed in (7, 8))
    assert one.bytes != two.bytes
    assert one.path("random.extxyz").read_bytes() != two.path("random.extxyz").read_bytes()


def test_the_reference_does_not_depend_on_the_layout(tmp_path: Path) -> None:
    serial = succeed(tmp_path / "serial", variables={"nconf": 1})
    apart = succeed(tmp_path / "2x1", variables={"nconf": 1}, ranks=2, partition="2x1")
    assert serial.path("random.extxyz").read_bytes() == apart.path("random.extxyz").read_bytes()
    for key in ("ref_count", "ref_mean", "ref_scatter", "variance"):
        assert (serial.arrays[key] == apart.arrays[key]).all()


@pytest.mark.parametrize("lag", [1, 2, 20])
def test_any_lag_is_reproducible_and_consistent(tmp_path: Path, lag: int) -> None:
    text = script(f"{SMALL} {QUICK} lag {lag}")
    layout = {"ranks": 2, "partition": "2x1", "variables": {"nconf": 8}}
    one, two = (succeed(tmp_path / name, text, **layout) for name in "ab")
    assert one.bytes == two.bytes
    assert one.arrays["lag"] == lag
    check_files(one, 8)


@pytest.mark.parametrize("mode", ["atom", "config"])
def test_free_running(tmp_path: Path, mode: str) -> None:
    text = script(f"{SMALL} {QUICK} exchange free", fix=f"mode {mode}")
    run = succeed(tmp_path, text, variables={"nconf": 15}, ranks=2, partition="2x1")
    check_files(run, 15, mode=mode)
    check_entropies(run)


def test_three_free_partitions_of_one_rank(tmp_path: Path) -> None:
    text = script(f"{SMALL} {QUICK} exchange free")
    run = succeed(tmp_path, text, variables={"nconf": 15}, ranks=3, partition="3x1")
    check_files(run, 15)
    check_entropies(run)
    # a partition works on every third candidate; none is made twice
    assert len({f.info["index"] % 3 for f in run.frames}) > 1
