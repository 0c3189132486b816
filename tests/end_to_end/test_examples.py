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

from pysmax.dataset.store import Dataset
from pysmax.label.site import Slurm, read_site

EXAMPLES = sorted(ROOT.glob("examples/*/in.*"))


def test_labels_from_structures(tmp_path: Path) -> None:
    folder = tmp_path / "label"
    shutil.copytree(ROOT / "examples" / "label", folder)
    done = run_program(["sh", "label.sh"], folder, env=environment())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "nothing is wrong" in done.stdout
    ds = Dataset.open(folder / "ds")
    status = [r.status for r in ds.records()]
    # 8 structures, and what became of each by relaxation, waiting and labelled
    assert status.count("ok") == 16 and status.count("unlabelled") == 8
    train = ase.io.read(folder / "train.extxyz", index=":")
    assert all(np.isfinite(f.get_forces()).all() and f.get_stress().shape == (6,) for f in train)
    assert (folder / "comparison" / "index.html").exists()
    site, sections = read_site(folder / "slurm.yaml", "slurm")
    assert sections and isinstance(site, Slurm) and site.workers_per_node == 4


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
