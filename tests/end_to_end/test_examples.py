"""Every example runs as its header says, in its own folder."""

from __future__ import annotations

import json
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

EXAMPLES = sorted(p for p in ROOT.glob("examples/*/in.*") if p.parent.name != "train_small")


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


@pytest.mark.slow
def test_from_generation_to_dynamics(tmp_path: Path) -> None:
    folder = tmp_path / "train_small"
    shutil.copytree(ROOT / "examples" / "train_small", folder)
    done = run_program(["sh", "train_small.sh"], folder, timeout_s=1800, env=environment())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert (folder / "index.html").read_text().count("data:image/png") == 5
    errors = json.loads((folder / "potential" / "evaluation" / "summary.json").read_text())["errors"]
    assert errors["energy"]["rmse"] < 0.3 and errors["forces"]["rmse"] < 1.0
    _, temperature, energy, _ = np.loadtxt(folder / "md.dat", skiprows=1).T
    assert 150 < temperature[len(temperature) // 2 :].mean() < 600
    assert abs(energy - energy[0]).max() < 2e-3  # eV/atom in 1 ps


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
