"""No space left: one error that names the file and the reason; with space the run goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import environment, run_program
from end_to_end.run_tools import TIMEOUT_S, Run, check_files, command, refuse, script, succeed
from small_disk import ON_SMALL_DISK, own_mounts


@pytest.mark.skipif(not own_mounts(), reason="no mount namespaces for this user")
@pytest.mark.parametrize(
    ("size", "file"),
    [
        ("8k", "random.extxyz"),
        ("60k", "moments"),  # the first
        ("160k", "moments"),  # replaced: both exist for a moment
        ("232k", ""),  # whichever grows over the edge
    ],
)
def test_a_full_disk(tmp_path: Path, size: str, file: str) -> None:
    whole = succeed(tmp_path / "whole", variables={"nconf": 60})
    for name in ("disk", "kept"):
        (tmp_path / name).mkdir()
    argv = command(tmp_path, script(), variables={"nconf": 60, "out": "disk/smax"})
    done = run_program(
        ["unshare", "-rm", "sh", "-c", ON_SMALL_DISK, "sh", size, *argv], tmp_path, TIMEOUT_S, environment()
    )
    assert done.returncode not in (0, 99), done.stdout[-2000:] + done.stderr
    errors = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1, done.stdout[-2000:]
    assert f"disk/smax.{file}" in errors[0] and "No space left on device" in errors[0]

    run = Run(tmp_path / "kept")
    assert not list(run.folder.glob("*.tmp*"))
    succeed(run.folder, variables={"nconf": 60, "restart": "yes"})
    assert run.bytes == whole.bytes
    check_files(run, 60)


@pytest.mark.parametrize("layout", [{}, {"ranks": 2}, {"ranks": 2, "partition": "2x1"}], ids=str)
@pytest.mark.parametrize("suffix", ["extxyz", "table.csv"])
def test_a_device_that_is_always_full(tmp_path: Path, suffix: str, layout: dict) -> None:
    run = Run(tmp_path)
    run.path(suffix).symlink_to("/dev/full")
    error = refuse(tmp_path, variables={"nconf": 4}, **layout)
    assert f"smax.{suffix}" in error and "No space left on device" in error
    run.path(suffix).unlink()
    shutil.rmtree(tmp_path / "gone", ignore_errors=True)
    succeed(tmp_path, variables={"nconf": 4, "restart": "yes"}, **layout)
    check_files(run, 4)


def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.path("table.csv").mkdir()
    error = refuse(tmp_path, variables={"nconf": 4})
    assert "smax.table.csv" in error and "Is a directory" in error
