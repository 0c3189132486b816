"""The pool: every structure comes back once, whatever its neighbours do to their workers."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import ase
import numpy as np
import pytest
from conftest import ROOT
from label import trial_engine as trial
from label.trial_engine import TrialConfig, structures

from pysmax.errors import SmaxError
from pysmax.label.pool import Done, Pool, Task
from pysmax.label.process import Process

TROUBLE = {3: trial.KILLS, 5: trial.HANGS, 8: trial.RAISES, 9: trial.NAN, 12: trial.SCF, 14: trial.HUGE}


def label(pool: Pool, cells: list) -> dict[str, Done]:
    """Outcomes by index, as strings; each comes once."""
    found: dict[str, Done] = {}
    for done in pool.run(Task(str(i), c) for i, c in enumerate(cells)):
        if done:
            assert done.key not in found
            found[done.key] = done
    assert len(found) == len(cells)
    return found


def check_numbers(found: dict[str, Done], cells: list, indices: list[int]) -> None:
    """Energies and forces of these structures, computed here."""
    for i in indices:
        outcome = found[str(i)].outcome
        assert outcome.label is not None and outcome.reason == ""
        assert outcome.label.energy == (cells[i].positions ** 2).sum()
        np.testing.assert_array_equal(outcome.label.forces, -2 * cells[i].positions)


def test_trouble_stays_with_its_structure(tmp_path: Path) -> None:
    cells = structures(40, trouble=TROUBLE | {20: trial.DIES_ONCE})
    with Pool(TrialConfig(marks=tmp_path), workers=2, timeout_s=1.0, tries=2) as pool:
        found = label(pool, cells)
    reasons = {i: found[str(i)].outcome.reason for i in range(40) if found[str(i)].outcome.reason}
    assert reasons == {3: "crash", 5: "timeout", 8: "error", 9: "not finite", 14: "limits"}
    crash = found["3"].outcome.attempts
    assert [(a.settings, a.reason) for a in crash] == [("worker", "crash")] * 2
    assert crash[0].detail == "was killed by SIGKILL: about to die"
    late = found["5"].outcome.attempts
    assert [a.reason for a in late] == ["timeout"] and 1.0 <= late[0].seconds < 3.0
    assert [a.reason for a in found["20"].outcome.attempts] == ["crash", ""]
    assert [a.settings for a in found["12"].outcome.attempts] == ["first", "second"]
    check_numbers(found, cells, [i for i in range(40) if i not in reasons])


def test_workers_killed_at_random_lose_nothing() -> None:
    cells = structures(600)
    rng = random.Random(1)
    found: dict[str, Done] = {}
    kills = 0
    with Pool(TrialConfig(sleep_s=0.002), workers=2, tries=10) as pool:
        for done in pool.run(Task(str(i), c) for i, c in enumerate(cells)):
            if done:
                assert done.key not in found
                found[done.key] = done
            if kills < 8 and rng.random() < 0.05 and pool.ready_pids:
                os.kill(rng.choice(pool.ready_pids), signal.SIGKILL)
                kills += 1
    assert kills == 8
    check_numbers(found, cells, list(range(600)))


@pytest.mark.parametrize(
    ("how", "said"),
    [("raises", "ImportError: no such library"), ("dies", "ended with code 3: out of patience")],
)
def test_an_engine_that_does_not_load(how: str, said: str) -> None:
    with (
        Pool(TrialConfig(fails_to_load=how), workers=2) as pool,
        pytest.raises(SmaxError, match=f"the engine does not load: .*{said}"),
    ):
        label(pool, structures(3))


@pytest.fixture
def no_hang() -> Iterator[None]:
    """An error after half a minute."""

    def stop(*_: object) -> None:
        raise RuntimeError("hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def large() -> ase.Atoms:
    """More than a pipe holds."""
    return ase.Atoms("W30000", positions=np.random.default_rng(0).random((30000, 3)))


@pytest.mark.usefixtures("no_hang")
def test_a_large_structure_does_not_wait_behind_one_that_hangs() -> None:
    cells = [*structures(60, trouble={59: trial.HANGS}), large(), *structures(3, seed=1)]
    with Pool(TrialConfig(), workers=1, timeout_s=1.0) as pool:
        found = label(pool, cells)
    assert found["59"].outcome.reason == "timeout"
    check_numbers(found, cells, [i for i in range(len(cells)) if i != 59])


@pytest.mark.usefixtures("no_hang")
def test_the_driver_is_free_while_an_engine_loads() -> None:
    with Pool(TrialConfig(fails_to_load="hangs"), workers=1) as pool:
        assert next(pool.run([Task("0", large())])) is None


def test_an_idle_worker_that_dies_is_no_structures_fault() -> None:
    cells = structures(2)
    with Pool(TrialConfig(), workers=1, tries=1) as pool:
        label(pool, cells[:1])
        os.kill(pool.pids[0], signal.SIGKILL)
        while alive(pool.pids[0]):
            time.sleep(0.01)
        found = label(pool, cells[1:])
    assert [a.reason for a in found["0"].outcome.attempts] == [""]


def test_an_engine_that_forks_answers_once() -> None:
    cells = structures(20, trouble={4: trial.FORKS})
    with Pool(TrialConfig(), workers=1) as pool:
        check_numbers(label(pool, cells), cells, list(range(20)))


def test_too_many_workers_for_this_machine_is_one_sentence() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 10, hard))
    try:
        with Pool(TrialConfig(), workers=20) as pool, pytest.raises(SmaxError, match="Too many open files"):
            label(pool, structures(20))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_last_words_after_a_signal_without_a_name() -> None:
    worker = Process(b"")
    worker.process.send_signal(signal.SIGRTMIN + 1)
    worker.process.wait()
    worker.kill()
    assert worker.last_words() == f"was killed by signal {signal.SIGRTMIN + 1}"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("", "class 'Mine' is defined in __main__, expected a module that workers can import"),
        ("def f():\n ", "class 'f.<locals>.Mine' is defined in a function, expected"),
    ],
)
def test_a_class_of_settings_that_workers_cannot_import(tmp_path: Path, place: str, said: str) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        f"""
import sys
from label.trial_engine import TrialConfig
from pysmax.label.pool import Pool
{place}class Mine(TrialConfig): pass
{" return Mine" if place else ""}
try:
    Pool({"f()" if place else "Mine"}(), 1)
except Exception as e:
    print(type(e).__name__, e)
"""
    )
    env = dict(os.environ, PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'tests'}")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=env)
    assert done.stdout.startswith("SmaxError ") and said in done.stdout, done.stdout + done.stderr


def test_workers_end_with_a_killed_driver(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(
        textwrap.dedent(
            """
            from label.trial_engine import TrialConfig, structures, HANGS
            from pysmax.label.pool import Pool, Task

            pool = Pool(TrialConfig(), workers=2)
            cells = structures(2, trouble={0: HANGS, 1: HANGS})
            for done in pool.run(Task(str(i), c) for i, c in enumerate(cells)):
                if len(pool.ready_pids) == 2:
                    print(*pool.pids, flush=True)
            """
        )
    )
    env = dict(os.environ, PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'tests'}")
    driver = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=env)
    assert driver.stdout
    pids = [int(p) for p in driver.stdout.readline().split()]
    assert len(pids) == 2 and all(alive(p) for p in pids)
    driver.kill()
    driver.wait()
    deadline = time.monotonic() + 10
    while any(map(alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Is there such a process, and no zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
