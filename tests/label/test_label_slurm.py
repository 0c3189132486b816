"""The Slurm path for real, on one node: Debian's slurm-wlm and munge, installed and started by root.

pytest -m slurm tests/label/test_label_slurm.py
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import run_program
from label import trial_engine as trial
from label.campaign_tools import check_labelled, command, computed, read, records, trial_environment, write
from label.slurm_tools import install, queue, slurm
from label.trial_engine import structures
from label.vasp_tools import N, prepare

PYSMAX = [sys.executable, "-c", "from pysmax.cli import main; main()"]
pytestmark = pytest.mark.slurm

SITE = """\
executor:
  kind: slurm
  partition: main
  workers_per_node: 2
  walltime: "00:10:00"
  address: 127.0.0.1
  lost_after_s: 8
  poll_s: 1
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment with a running Slurm."""
    assert os.geteuid() == 0, "starting Slurm needs root"
    install()
    with slurm(tmp_path_factory.mktemp("slurm")) as env:
        yield {**trial_environment(), "SLURM_CONF": env["SLURM_CONF"]}


def arguments(folder: Path, *more: object) -> list[str]:
    (folder / "site.yaml").write_text(SITE)
    return command(
        "run.extxyz", "--executor", "slurm", "--config", "site.yaml", "--set", f"log={folder / 'log'}", *more
    )


def test_a_campaign_on_slurm(tmp_path: Path, cluster: dict[str, str]) -> None:
    trouble = {3: trial.KILLS, 50: trial.HANGS, 80: trial.NAN}
    run = write(tmp_path / "run.extxyz", structures(100, trouble=trouble))
    done = run_program(arguments(tmp_path, "--timeout", 2, "--tries", 2), tmp_path, 120, cluster)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "97 labelled, 3 failed" in done.stdout
    found = records(tmp_path / "run.dataset")
    assert sorted(r.reason for r in found.values() if r.reason) == ["crash", "not finite", "timeout"]
    assert not queue(cluster)
    again = run_program(arguments(tmp_path), tmp_path, 120, cluster)
    assert "0 labelled, 0 failed, 100 were there" in again.stdout
    # the same level and store as on a laptop
    local = run_program(command("run.extxyz"), tmp_path, 120, cluster)
    assert "0 labelled, 0 failed, 100 were there" in local.stdout
    assert len(read(run)) == 100


def test_a_cancelled_pilot_is_replaced(tmp_path: Path, cluster: dict[str, str]) -> None:
    run = write(tmp_path / "run.extxyz", structures(60))
    argv = arguments(tmp_path, "--set", "sleep_s=0.4")
    process = subprocess.Popen(
        argv, cwd=tmp_path, env=cluster, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_for_labels(tmp_path, 10, process)
    subprocess.run(["scancel", *queue(cluster)], env=cluster, check=True)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert b"60 labelled, 0 failed" in out
    check_labelled(tmp_path / "run.dataset", read(run))
    assert not queue(cluster)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_driver_that_ends_leaves_no_jobs(tmp_path: Path, cluster: dict[str, str], number: int) -> None:
    run = write(tmp_path / "run.extxyz", structures(60))
    argv = arguments(tmp_path, "--set", "sleep_s=0.3")
    process = subprocess.Popen(
        argv, cwd=tmp_path, env=cluster, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_for_labels(tmp_path, 10, process)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    deadline = time.monotonic() + 60
    while queue(cluster):
        assert time.monotonic() < deadline, "jobs are still there"
        time.sleep(0.5)
    before = records(tmp_path / "run.dataset")
    done = run_program(arguments(tmp_path), tmp_path, 120, cluster)
    assert done.returncode == 0, done.stderr
    assert f"{60 - len(before)} labelled, 0 failed, {len(before)} were there" in done.stdout
    check_labelled(tmp_path / "run.dataset", read(run))


def test_the_production_command(tmp_path: Path, cluster: dict[str, str]) -> None:
    """Word for word, with a stand-in for vasp_std."""
    settings = {
        "kind": "slurm",
        "workers_per_node": 2,
        "walltime": "00:10:00",
        "address": "127.0.0.1",
        "poll_s": 1,
    }
    prepare(tmp_path, settings)
    argv = "pysmax label run.extxyz --engine vasp --executor slurm --config site.yaml".split()
    done = run_program([*PYSMAX, *argv[1:]], tmp_path, 200, cluster)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{N - 3} labelled, 3 failed" in done.stdout
    assert not queue(cluster)


def test_a_partition_that_is_not_there(tmp_path: Path, cluster: dict[str, str]) -> None:
    write(tmp_path / "run.extxyz", structures(3))
    argv = arguments(tmp_path)
    (tmp_path / "site.yaml").write_text(SITE.replace("partition: main", "partition: nowhere"))
    done = run_program(argv, tmp_path, 120, cluster)
    assert done.returncode == 2, done.stdout + done.stderr
    assert (
        "pysmax: slurm: the pilot jobs fail: " in done.stderr and "invalid partition" in done.stderr.lower()
    )


def wait_for_labels(folder: Path, n: int, process: subprocess.Popen[bytes]) -> None:
    """Until so many labels are computed."""
    deadline = time.monotonic() + 90
    while len(computed(folder / "log")) < n:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(process.communicate()[1])
        time.sleep(0.1)
