"""Pilot jobs, with a stand-in for the command flux: Flux itself is in no package registry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, run_program
from label import trial_engine as trial
from label.campaign_tools import (
    check_labelled,
    command,
    computed,
    label,
    read,
    records,
    trial_environment,
    write,
)
from label.trial_engine import structures

from pysmax.errors import SmaxError
from pysmax.label.site import load_site

SITE = """\
executor:
  kind: flux
  queue: pbatch
  bank: mine
  cores_per_node: 2
  workers_per_node: 2
  walltime: "01:30:00"
  address: 127.0.0.1
  lost_after_s: 4
  poll_s: 1
"""


@pytest.fixture
def flux(tmp_path: Path) -> dict[str, str]:
    """Environment in which ``flux`` is the stand-in."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "flux").symlink_to(ROOT / "tests" / "label" / "fake_flux.py")
    (tmp_path / "site.yaml").write_text(SITE)
    env = trial_environment(FAKE_FLUX=str(tmp_path))
    return {**env, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{env['PATH']}"}


def arguments(folder: Path, *more: object) -> list[str]:
    log = ("--set", f"log={folder / 'log'}")
    return command("run.extxyz", "--executor", "flux", "--config", "site.yaml", *log, *more)


def test_without_parsl_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "parsl", None)
    write(tmp_path / "run.extxyz", structures(1))
    done = label(tmp_path, "run.extxyz", "--executor", "slurm")
    assert done.returncode == 2
    assert done.stderr == "pysmax: executor slurm needs Parsl: pip install 'pysmax[cluster]'\n"


def test_a_campaign_in_pilot_jobs(tmp_path: Path, flux: dict[str, str]) -> None:
    """One worker pool is killed on the way, with all its children: its node is lost."""
    trouble = {3: trial.KILLS, 50: trial.HANGS, 80: trial.NAN}
    run = write(tmp_path / "run.extxyz", structures(100, trouble=trouble))
    argv = arguments(tmp_path, "--timeout", 2, "--set", "sleep_s=0.05")
    process = subprocess.Popen(
        argv, cwd=tmp_path, env=flux, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while len(computed(tmp_path / "log")) < 20:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    (job,) = jobs(tmp_path)
    os.killpg(job, signal.SIGKILL)
    out, error = process.communicate(timeout=100)
    assert process.returncode == 0, error
    assert "97 labelled, 3 failed" in out
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0].startswith(
        "batch --nodes=1 --time-limit=5400s --queue=pbatch --bank=mine --job-name=parsl"
    )
    assert any(c.startswith("run --nodes=1 --ntasks=1 --cores-per-task=2 --exclusive bash -c") for c in calls)
    assert calls[-1].startswith("cancel f")

    found = records(tmp_path / "run.dataset").values()
    assert sorted(r.reason for r in found if r.reason) == ["crash", "not finite", "timeout"]
    lost = [r for r in found if any(a.settings == "pilot" for a in r.attempts)]
    assert len(lost) >= 1 and all(r.status == "ok" for r in lost if r.atoms.symbols[0] == "W")
    done = run_program(command("run.extxyz"), tmp_path, 60, flux)
    assert "0 labelled, 0 failed, 100 were there" in done.stdout and len(read(run)) == 100


@pytest.mark.slow
def test_a_killed_driver_leaves_no_pilots(tmp_path: Path, flux: dict[str, str]) -> None:
    run = write(tmp_path / "run.extxyz", structures(40))
    argv = arguments(tmp_path, "--set", "sleep_s=0.1")
    process = subprocess.Popen(argv, cwd=tmp_path, env=flux, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while len(computed(tmp_path / "log")) < 10:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{job}").exists() for job in jobs(tmp_path)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    done = run_program(command("run.extxyz"), tmp_path, 60, flux)
    assert done.returncode == 0, done.stderr
    check_labelled(tmp_path / "run.dataset", read(run))


def test_a_queue_that_is_not_there(tmp_path: Path, flux: dict[str, str]) -> None:
    write(tmp_path / "run.extxyz", structures(3))
    (tmp_path / "site.yaml").write_text(SITE.replace("pbatch", "nowhere"))
    done = run_program(arguments(tmp_path), tmp_path, 60, flux)
    assert done.returncode == 2
    assert "pysmax: flux: the pilot jobs fail" in done.stderr and "Invalid queue nowhere" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "slurm"}, "kind is 'slurm', but the executor asked for is 'flux'"),
        ({"walltime": "1h"}, "walltime: '1h'"),
        ({"partition": "main"}, "'partition' is unknown, expected one of workers_per_node"),
        ({"jobs": 0}, "jobs: 0"),
    ],
    ids=str,
)
def test_settings_of_a_site(settings: dict, said: str) -> None:
    with pytest.raises(SmaxError, match="executor: .*" + said):
        load_site("flux", settings)


def jobs(folder: Path) -> list[int]:
    """Process ids of the batch jobs."""
    calls = (folder / "calls").read_text().splitlines()
    return [int(p.name.split(".")[-1]) for p in folder.glob("job.*")] if calls else []
