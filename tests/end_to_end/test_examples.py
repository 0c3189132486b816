"""Every example runs as its header says, in its own folder."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import ase.io
import numpy as np
import pytest
from conftest import BIN, ROOT, environment, run_program

EXAMPLES = sorted(ROOT.glob("examples/*/in.*"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda p: p.name)
def test_an_example_runs_as_it_says(script: Path, tmp_path: Path) -> None:
    folder = tmp_path / script.parent.name
    shutil.copytree(script.parent, folder)
    told = re.search(r"^#\s+((?:mpirun|lmp) .*)$", script.read_text(), re.MULTILINE)
    assert told, f"{script}: no command in its header"
    done = run_program(shlex.split(told.group(1)), folder, env=environment())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert (BIN / "lmp").exists()

    written = [p for p in folder.glob("*.extxyz") if p.with_suffix(".moments").exists()]
    frames = [f for p in written if p.stem != "mine" for f in ase.io.read(p, index=":")]
    assert frames, "nothing was accepted"
    for frame in frames:
        assert float(frame.info["d_min"]) >= 0.9
        assert np.isfinite(float(frame.info["S"]))
