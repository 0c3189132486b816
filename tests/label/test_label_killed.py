"""Sudden deaths of workers and drivers: nothing that reached the store is lost, nothing is there twice."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from label.campaign_tools import check_labelled, children, computed, read, records, start, write
from label.trial_engine import structures


def die_at_random(folder: Path, rng: random.Random, kills: int, n: int) -> tuple[int, int]:
    """Run a campaign again and again until it ends by itself; returns kills of workers and of drivers."""
    arguments = (
        "run.extxyz",
        "--workers",
        2,
        "--tries",
        100,
        "--set",
        f"log={folder / 'log'}",
        "--set",
        "sleep_s=0.03",
    )
    workers = drivers = 0
    before: dict[str, float] = {}
    while True:
        process = start(folder, *arguments)
        began = len(computed(folder / "log"))
        while process.poll() is None:
            time.sleep(rng.uniform(0.0, 0.4))
            if workers + drivers >= kills or len(computed(folder / "log")) == began:
                continue  # first let it get somewhere
            if rng.random() < 0.35:
                process.kill()
                process.wait()
                drivers += 1
            elif alive := children(process.pid):
                os.kill(rng.choice(alive), signal.SIGKILL)
                workers += 1
        after = {k: r.label.energy for k, r in records(folder / "run.dataset").items() if r.label}
        assert before.items() <= after.items()
        before = after
        _, error = process.communicate()
        if process.returncode == 0:
            return workers, drivers
        assert process.returncode == -signal.SIGKILL, error


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_kills_at_random(tmp_path: Path, kills: int) -> None:
    n = 30 * kills
    run = write(tmp_path / "run.extxyz", structures(n))
    workers, drivers = die_at_random(tmp_path, random.Random(kills), kills, n)
    again = len(computed(tmp_path / "log")) - n
    print(f"{workers} workers and {drivers} drivers killed, {again} labels computed again")
    assert workers + drivers == kills and workers and drivers
    check_labelled(tmp_path / "run.dataset", read(run))


def test_a_killed_worker_costs_one_structure(tmp_path: Path) -> None:
    n, kills = 300, 6
    run = write(tmp_path / "run.extxyz", structures(n))
    arguments = ("--workers", 2, "--tries", 100, "--set", f"log={tmp_path / 'log'}", "--set", "sleep_s=0.01")
    process = start(tmp_path, "run.extxyz", *arguments)
    rng = random.Random(4)
    for k in range(kills):
        while len(computed(tmp_path / "log")) < 30 * (k + 1):
            time.sleep(0.01)
        os.kill(rng.choice(children(process.pid)), signal.SIGKILL)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    check_labelled(tmp_path / "run.dataset", read(run))
    assert n <= len(computed(tmp_path / "log")) <= n + kills
