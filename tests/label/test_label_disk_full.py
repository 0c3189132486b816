"""No space left under the dataset: one sentence; with space the campaign goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import run_program
from label.campaign_tools import (
    check_labelled,
    command,
    computed,
    read,
    records,
    succeed,
    trial_environment,
    write,
)
from label.trial_engine import structures
from small_disk import ON_SMALL_DISK, own_mounts


@pytest.mark.skipif(not own_mounts(), reason="no mount namespaces for this user")
@pytest.mark.parametrize("size", ["8k", "400k"])
def test_a_full_disk(tmp_path: Path, size: str) -> None:
    n = 1000
    run = write(tmp_path / "run.extxyz", structures(n))
    for name in ("disk", "kept"):
        (tmp_path / name).mkdir()
    argv = command(
        "run.extxyz", "--to", "disk/ds", "--set", f"log={tmp_path / 'log'}", "--set", "sleep_s=0.002"
    )
    small = ["unshare", "-rm", "sh", "-c", ON_SMALL_DISK, "sh", size, *argv]
    done = run_program(small, tmp_path, 60, trial_environment())
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    error = done.stderr
    assert error.startswith("pysmax: disk/ds") and ("is full" in error or "No space left" in error)

    kept = tmp_path / "kept" / "ds"
    if size == "8k":
        shutil.rmtree(kept, ignore_errors=True)
    before = records(kept) if kept.exists() else {}
    assert before or size != "400k"
    again = len(computed(tmp_path / "log"))
    succeed(tmp_path, "run.extxyz", "--to", kept, "--set", f"log={tmp_path / 'log'}")
    check_labelled(kept, read(run))
    assert len(computed(tmp_path / "log")) - again == n - len(before)
