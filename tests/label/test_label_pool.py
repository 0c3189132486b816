"""The pool: every structure comes back once, whatever its neighbours do to their workers."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from label import trial_engine as trial
from label.trial_engine import TrialConfig, structures

from pysmax.errors import SmaxError
from pysmax.label.pool import Done, Pool, Task

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
