"""Campaigns of the trial engine as a user runs them: ``pysmax label`` in a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from conftest import ROOT, Finished, environment
from label.trial_engine import TrialConfig

from pysmax import cli
from pysmax.dataset.record import Record, record_key
from pysmax.dataset.store import Dataset
from pysmax.label.engines import ENGINES

# the command line with one more engine
PYSMAX = """
from pysmax.cli import main
from pysmax.label.engines import ENGINES

ENGINES["trial"] = "label.trial_engine:TrialConfig"
main()
"""


def command(*arguments: object, engine: str = "trial") -> list[str]:
    """``pysmax label ... --engine trial``"""
    return [sys.executable, "-c", PYSMAX, "label", *map(str, arguments), "--engine", engine]


def trial_environment(**extra: str) -> dict[str, str]:
    """In which the trial engine can be imported."""
    path = [str(ROOT), str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return environment(PYTHONPATH=os.pathsep.join(path), **extra)


def label(folder: Path, *arguments: object) -> Finished:
    """Run to the end, in this process: ten times as fast to start."""
    out, error = io.StringIO(), io.StringIO()
    before, argv = Path.cwd(), sys.argv
    sys.argv = ["pysmax", "label", *map(str, arguments), "--engine", "trial"]
    ENGINES["trial"] = "label.trial_engine:TrialConfig"
    os.chdir(folder)
    try:
        with redirect_stdout(out), redirect_stderr(error), pytest.raises(SystemExit) as stop:
            cli.main()
    finally:
        os.chdir(before)
        sys.argv = argv
        del ENGINES["trial"]
    return Finished(int(stop.value.code or 0), out.getvalue(), error.getvalue(), folder)


def succeed(folder: Path, *arguments: object) -> str:
    """What a campaign that must end well has printed."""
    done = label(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def start(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    """Begin a campaign."""
    return subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=trial_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def write(path: Path, cells: Sequence[ase.Atoms]) -> Path:
    """An input."""
    ase.io.write(path, list(cells), format="extxyz")
    return path


def read(path: Path) -> list[ase.Atoms]:
    """The structures as a user's file has them: eight decimals."""
    return list(ase.io.read(path, index=":", format="extxyz"))


def records(path: Path) -> dict[str, Record]:
    """Every record by key; a key that is there twice is an error."""
    dataset = Dataset.open(path)
    found: dict[str, Record] = {}
    for record in dataset.records():
        assert record.key not in found
        found[record.key] = record
    dataset.close()
    return found


def key(atoms: ase.Atoms) -> str:
    """Key at the level of the trial engine's defaults."""
    return record_key(atoms, TrialConfig().level())


def check_labelled(path: Path, cells: Sequence[ase.Atoms]) -> None:
    """These structures, all of them and no others, have the labels that the engine's formula gives."""
    found = records(path)
    assert set(found) == {key(c) for c in cells}
    for c in cells:
        label = found[key(c)].label
        assert label is not None
        assert label.energy == (c.positions**2).sum()
        np.testing.assert_array_equal(label.forces, -2 * c.positions)


def computed(log: Path) -> list[str]:
    """What the engine has logged: one entry per label computed."""
    return log.read_text().split() if log.exists() else []


def children(pid: int) -> list[int]:
    """Processes that this one has started."""
    try:
        return [
            int(p) for t in Path(f"/proc/{pid}/task").iterdir() for p in (t / "children").read_text().split()
        ]
    except FileNotFoundError:
        return []
