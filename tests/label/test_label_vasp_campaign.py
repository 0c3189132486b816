"""The paper's production setting with a stand-in for vasp_std: failures recorded, nothing run twice."""

from __future__ import annotations

import sys
from pathlib import Path

from conftest import run_program
from label.campaign_tools import records, trial_environment
from label.vasp_tools import N, prepare

PYSMAX = [sys.executable, "-c", "from pysmax.cli import main; main()"]


def test_vasp_on_local_workers(tmp_path: Path) -> None:
    prepare(tmp_path, {"workers": 2})
    argv = [*PYSMAX, "label", "run.extxyz", "--engine", "vasp", "--config", "site.yaml"]
    done = run_program(argv, tmp_path, 120, trial_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{N - 3} labelled, 3 failed" in done.stdout
    found = records(tmp_path / "run.dataset").values()
    reasons = {r.atoms.symbols[0]: r.reason for r in found if r.reason}
    assert set(reasons) == {"He", "Ne", "Ar"} and reasons["Ne"] == "scf"
    assert all(r.level and r.level.engine == "vasp" for r in found)
    assert all(r.label.stress is not None for r in found if r.label)
    again = run_program(argv, tmp_path, 60, trial_environment())
    assert f"0 labelled, 0 failed, {N} were there" in again.stdout


def test_a_dry_run_writes_the_jobs(tmp_path: Path) -> None:
    prepare(tmp_path, {})
    argv = [*PYSMAX, "label", "run.extxyz", "--engine", "vasp", "--config", "site.yaml", "--dry-run", "tree"]
    done = run_program(argv, tmp_path, 60, trial_environment())
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote {N} jobs to tree\n"
    assert len(list((tmp_path / "tree").rglob("INCAR"))) == N
    assert not (tmp_path / "run.dataset").exists()
