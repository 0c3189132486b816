"""Restart with files as they may be found: torn, edited, foreign, missing, finished."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from end_to_end.run_tools import (
    QUICK,
    SMALL,
    Run,
    check_entropies,
    check_files,
    launch,
    log_rows,
    refuse,
    same_moments,
    script,
    succeed,
)

AGAIN = {"nconf": 6, "restart": "yes"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A serial run of 6 configurations."""
    return succeed(tmp_path_factory.mktemp("finished"), variables={"nconf": 6})


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same run with 10."""
    return succeed(tmp_path_factory.mktemp("longer"), variables={"nconf": 10})


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Run:
    """A copy of the finished run to spoil."""
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    return Run(tmp_path)


def contents(run: Run) -> dict[str, bytes]:
    """Every file of the run."""
    return {p.name: p.read_bytes() for p in run.folder.glob("smax.*")}


def append(path: Path, data: bytes) -> None:
    path.write_bytes(path.read_bytes() + data)


# ---- goes on -------------------------------------------------------------------------------------


def test_a_finished_run_stays_as_it_is(run: Run, finished: Run) -> None:
    done = launch(run.folder, variables=AGAIN)
    assert done.returncode == 0 and not log_rows(done.stdout)
    assert "accepted 6 of" in done.stdout
    assert run.bytes == finished.bytes and run.table == finished.table
    same_moments(run, finished)


def test_more_configurations_of_the_same_run(run: Run, longer: Run) -> None:
    done = launch(run.folder, variables=AGAIN | {"nconf": 10})
    assert done.returncode == 0
    assert "with 6 configurations" in done.stdout and "another layout" not in done.stdout
    assert run.bytes == longer.bytes
    same_moments(run, longer)


def test_more_configurations_on_partitions(tmp_path: Path) -> None:
    layout = {"ranks": 2, "partition": "2x1"}
    whole = succeed(tmp_path / "whole", variables={"nconf": 14}, **layout)
    for nconf in (3, 9, 14):
        parts = succeed(tmp_path / "parts", variables={"nconf": nconf, "restart": "yes"}, **layout)
    assert parts.bytes == whole.bytes
    same_moments(parts, whole)


def test_what_nobody_was_told_of_is_cut_off(run: Run, longer: Run) -> None:
    frame, row = longer.bytes[len(run.bytes) :], b"99,7,H-Be,12.5,1"
    append(run.path("extxyz"), frame[: len(frame) // 2 + 7])
    append(run.path("table.csv"), row)
    succeed(run.folder, variables=AGAIN | {"nconf": 10})
    assert run.bytes == longer.bytes
    check_files(run, 10)
    same_moments(run, longer)


def test_nothing_to_restart_is_a_fresh_start(tmp_path: Path, finished: Run) -> None:
    assert succeed(tmp_path, variables=AGAIN).bytes == finished.bytes


def test_empty_files_of_a_run_killed_at_its_start(tmp_path: Path, finished: Run) -> None:
    run = Run(tmp_path)
    for suffix in ("extxyz", "table.csv", "random.extxyz", "moments.tmp.123"):
        run.path(suffix).write_bytes(b"")
    succeed(tmp_path, variables=AGAIN)
    assert run.bytes == finished.bytes
    check_files(run, 6)


def test_another_layout_goes_on_and_says_so(run: Run) -> None:
    done = launch(run.folder, variables=AGAIN | {"nconf": 12}, ranks=2, partition="2x1")
    assert done.returncode == 0
    assert "another layout" in done.stdout
    check_files(run, 12)
    check_entropies(run)
    back = launch(run.folder, variables=AGAIN | {"nconf": 14})
    assert back.returncode == 0 and "another layout" in back.stdout
    check_files(run, 14)
    check_entropies(run)


# ---- refuses, and touches nothing ----------------------------------------------------------------


def edited(run: Run) -> None:
    """One digit of the first frame is another one."""
    data = bytearray(run.bytes)
    at = data.index(b"\n", data.index(b"Lattice")) + 6
    data[at] = ord("1") + (data[at] == ord("1"))
    run.path("extxyz").write_bytes(bytes(data))
    append(run.path("extxyz"), b"a tail")


def shortened(suffix: str, size: int) -> Callable[[Run], None]:
    """The file without its last bytes."""
    return lambda run: run.path(suffix).write_bytes(run.path(suffix).read_bytes()[:-size])


def without(suffix: str) -> Callable[[Run], None]:
    return lambda run: run.path(suffix).unlink()


def moments_with(**changed: object) -> Callable[[Run], None]:
    """The moments file with some arrays replaced."""

    def save(run: Run) -> None:
        arrays = run.arrays | changed
        with open(run.path("moments"), "wb") as f:
            np.savez(f, **arrays)

    return save


def foreign(run: Run) -> None:
    with open(run.path("moments"), "wb") as f:
        np.savez(f, mean=np.zeros(3))


SPOILT = {
    "edited frame": (edited, "smax.extxyz", "checksum"),
    "missing bytes": (shortened("extxyz", 10), "smax.extxyz", "bytes, expected at least"),
    "missing rows": (shortened("table.csv", 3), "smax.table.csv", "bytes, expected at least"),
    "no frames": (without("extxyz"), "smax.extxyz", "No such file"),
    "no table": (without("table.csv"), "smax.table.csv", "No such file"),
    "no moments": (without("moments"), "smax.extxyz", "without smax.moments"),
    "torn moments": (shortened("moments", 1000), "smax.moments", "expected"),
    "empty moments": (lambda run: run.path("moments").write_bytes(b""), "smax.moments", "expected"),
    "text as moments": (lambda run: run.path("moments").write_text("hello\n"), "smax.moments", "expected"),
    "foreign npz": (foreign, "smax.moments", "not a moments file"),
    "newer version": (moments_with(version=np.int64(2)), "smax.moments", "version 2, expected 1"),
    "wrong shape": (moments_with(mean=np.zeros(54)), "smax.moments", "shape"),
    "not finite": (moments_with(mean=np.full(55, np.nan)), "smax.moments", "finite"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_files_that_do_not_agree(run: Run, name: str) -> None:
    do, path, says = SPOILT[name]
    do(run)
    before = contents(run)
    error = refuse(run.folder, variables=AGAIN | {"nconf": 8})
    assert path in error and says in error, error
    assert contents(run) == before


SMALLER = SMALL.replace("W Be H", "W Be")
OTHERS = {
    "seed": (script(seed=8), ["smax.moments", "seed is 7", "expected 8"]),
    "mode": (script(fix="mode config"), ["smax.moments", "mode is atom", "expected config"]),
    "twojmax": (script(fix="twojmax 6"), ["smax.moments", "twojmax is 8", "expected 6"]),
    "rcutfac": (script(fix="rcutfac 2.5"), ["smax.moments", "rcutfac is 3", "expected 2.5"]),
    "eps": (script(fix="eps 1e-5"), ["smax.moments", "eps is 1e-06", "expected 1e-05"]),
    "elements": (script(f"{SMALLER} {QUICK}"), ["smax.extxyz", "another recipe"]),
    "natoms": (script(f"{SMALL} {QUICK}".replace("2-8", "2-9")), ["smax.extxyz", "another recipe"]),
    "volume": (script(f"{SMALL} {QUICK} volume 1 3"), ["smax.extxyz", "another recipe"]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_files_of_another_run(run: Run, name: str) -> None:
    text, says = OTHERS[name]
    before = contents(run)
    error = refuse(run.folder, text, variables=AGAIN | {"nconf": 8})
    assert all(word in error for word in says), error
    assert contents(run) == before


@pytest.mark.parametrize("layout", [{}, {"ranks": 2}, {"ranks": 2, "partition": "2x1"}], ids=str)
def test_files_are_never_overwritten(run: Run, layout: dict) -> None:
    before = contents(run)
    error = refuse(run.folder, variables={"nconf": 6}, **layout)
    assert "smax.moments exists" in error and "restart yes" in error
    assert contents(run) == before
    run.path("moments").unlink()
    del before["smax.moments"]
    error = refuse(run.folder, variables={"nconf": 6}, **layout)
    assert "smax.extxyz exists" in error
    assert contents(run) == before
