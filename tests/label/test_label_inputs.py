"""Inputs that are not what they should be: one sentence, at once, without much memory."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import ase
import pytest
from conftest import run_program
from label.campaign_tools import command, label, trial_environment, write
from label.trial_engine import TrialConfig, structures

from pysmax.label.campaign import Options
from pysmax.label.inputs import FrameFile, Unreadable
from pysmax.label.job import Job, dry_run
from pysmax.label.site import Local


def refusal(folder: Path, *arguments: object) -> str:
    """The one sentence on stderr."""
    done = label(folder, *arguments)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stdout + done.stderr
    return done.stderr


def test_a_pipe_cannot_be_read_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "fifo: is no regular file, expected one: it is read more than once" in refusal(tmp_path, "fifo")
    write(tmp_path / "run.extxyz", structures(2))
    shell = " ".join(f"'{c}'" for c in command("@", "--to", "ds")).replace("'@'", "<(cat run.extxyz)")
    done = run_program(["bash", "-c", shell], tmp_path, 60, trial_environment())
    assert done.returncode == 2 and "is no regular file" in done.stderr
    assert not (tmp_path / "ds").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("100000000000\ncomment\nH 0 0 0\n", "ends inside the frame of line 1 (100000000000 atoms)"),
        ("9" * 5000 + "\n\n", "line 1 is '9999"),
        ("2\n\nH 0 0 0\nH 0 0 1", "ends inside the frame of line 1 (2 atoms), or without an end of line"),
    ],
    ids=["many atoms", "many digits", "no end of line"],
)
def test_a_file_that_is_no_extended_xyz(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "run.extxyz").write_text(text)
    assert said in refusal(tmp_path, "run.extxyz")


def test_a_line_without_an_end_is_not_read_whole(tmp_path: Path) -> None:
    with open(tmp_path / "zeros", "wb") as f:
        f.truncate(1 << 36)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))

    done = subprocess.run(
        command("zeros"),
        cwd=tmp_path,
        env=trial_environment(),
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert done.returncode == 2 and "zeros: line 1 is" in done.stderr, done.stderr[-300:]


@pytest.mark.parametrize(
    ("columns", "atom", "said"),
    [
        ("pos:R:3:x:R:1000000000", "0 0 0", "a property of 1000000000 columns"),
        ("pos:R:3:r_eff:S:1", "0 0 0 wide", "r_eff is not one finite number per atom"),
        ("pos:R:3:r_eff:R:1", "0 0 0 nan", "r_eff is not one finite number per atom"),
        ("pos:R:3:r_eff:R:2", "0 0 0 1 1", "r_eff is not one finite number per atom"),
        (f'pos:R:3 j="_JSON {"[" * 9000}"', "0 0 0", "RecursionError"),
    ],
)
def test_a_frame_that_is_no_structure(tmp_path: Path, columns: str, atom: str, said: str) -> None:
    path = tmp_path / "run.extxyz"
    path.write_text(f"1\nProperties=species:S:1:{columns}\nH {atom}\n")
    (found,) = FrameFile(path).structures()
    assert isinstance(found, Unreadable) and said in found.why


def test_a_dry_run_tells_what_it_has_left_out(tmp_path: Path) -> None:
    class Writes(TrialConfig):
        def dry_run(self, atoms: ase.Atoms, folder: Path) -> None:
            done.append(str(atoms.symbols[0]))

    done: list[str] = []
    run = write(tmp_path / "run.extxyz", structures(3, trouble={0: "Be", 2: "H"}))
    run.write_text(run.read_text().replace("W ", "Qq ", 1))
    job = Job([run], Writes(), Local(workers=1), options=Options(limit=2))
    n, unreadable = dry_run(job, tmp_path / "jobs")
    assert n == 2 and done == ["Be", "H"] and [u.frame for u in unreadable] == [1]
