"""SIGKILL at random moments, then restart: the dataset of a run that nobody disturbed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from end_to_end.run_tools import (
    Run,
    check_entropies,
    check_files,
    command,
    log_rows,
    processes_in,
    run_until,
    same_moments,
    script,
    succeed,
)

SEED = 20260223
NCONF = 60


def lines(path: Path) -> int:
    """Lines of a file that may not be there yet."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def at_row(run: Run, row: int, seconds: float) -> Callable[[], bool]:
    """True once the table has that row, and one more than at the start, and a moment more has passed."""
    reached: list[float] = []
    wanted = max(row, lines(run.path("table.csv")))

    def stop() -> bool:
        if not reached and lines(run.path("table.csv")) > wanted:
            reached.append(time.monotonic())
        return bool(reached) and time.monotonic() - reached[0] > seconds

    return stop


def either(stop: Callable[[], bool], deadline: float) -> Callable[[], bool]:
    """True once stop() is, or the time has come."""
    return lambda: stop() or time.monotonic() > deadline


def told_accepted(folder: Path) -> set[int]:
    """Every candidate that some log called accepted."""
    rows = [row for log in folder.glob("log.*") for row in log_rows(log.read_text())]
    return {int(row["index"]) for row in rows if row["verdict"] == "accepted"}


def kill_and_restart(run: Run, kills: int, whole: Run, seconds: float, layout: dict[str, Any]) -> None:
    """Kill a run over and over: at the start and in the random cells, then all along its table."""
    rng = random.Random(SEED)
    early = kills // 5
    rows = sorted(rng.sample(range(1, int(0.8 * len(whole.table))), kills - early))
    for attempt in range(kills):
        argv = command(
            run.folder,
            script(),
            variables={"nconf": NCONF, "restart": "yes"},
            args=["-log", f"log.{attempt}"],
            **layout,
        )
        # at the latest when its first row is there, so that something is left for the other kills
        stop = at_row(
            run, *((1, 0.0) if attempt < early else (rows[attempt - early], rng.uniform(0.0, 0.01)))
        )
        if attempt < early:
            stop = either(stop, time.monotonic() + rng.uniform(0.05, 0.8) * seconds)
        assert run_until(run.folder, argv, stop), "it ended before it could be killed"
        assert not list(processes_in(run.folder))


@pytest.mark.parametrize(
    ("layout", "kills"),
    [
        pytest.param({}, 20, id="serial"),
        pytest.param({"ranks": 2, "partition": "2x1"}, 10, id="2x1"),
    ],
)
def test_killed_and_restarted(tmp_path: Path, layout: dict[str, Any], kills: int) -> None:
    start = time.monotonic()
    whole = succeed(tmp_path / "whole", variables={"nconf": NCONF}, **layout)
    run = Run(tmp_path / "killed")
    run.folder.mkdir()
    kill_and_restart(run, kills, whole, time.monotonic() - start, layout)
    succeed(run.folder, variables={"nconf": NCONF, "restart": "yes"}, args=["-log", "log.last"], **layout)

    assert run.bytes == whole.bytes
    assert run.path("random.extxyz").read_bytes() == whole.path("random.extxyz").read_bytes()
    same_moments(run, whole)
    check_files(run, NCONF)
    kept = Counter(f.info["index"] for f in run.frames)
    told = told_accepted(run.folder)
    assert told <= kept.keys() and set(kept.values()) == {1}
    assert len(told) > NCONF // 2  # the logs did tell of most


def test_killed_while_free_running(tmp_path: Path) -> None:
    """Without the order of the reproducible mode: what was told is kept, and the numbers agree."""
    run = Run(tmp_path)
    text = script().replace("entropy nconf", "entropy exchange free nconf")
    rng = random.Random(SEED)
    for attempt, row in enumerate((10, 25, 40)):
        argv = command(
            tmp_path,
            text,
            ranks=2,
            partition="2x1",
            variables={"nconf": NCONF, "restart": "yes"},
            args=["-log", f"log.{attempt}"],
        )
        run_until(tmp_path, argv, at_row(run, row, rng.uniform(0, 0.02)))
    done = succeed(
        tmp_path,
        text,
        ranks=2,
        partition="2x1",
        variables={"nconf": NCONF, "restart": "yes"},
        args=["-log", "log.last"],
    )
    check_files(done, NCONF)
    check_entropies(done)
    assert told_accepted(tmp_path) <= {f.info["index"] for f in done.frames}
