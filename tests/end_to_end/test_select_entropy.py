"""`pysmax dataset select --by entropy` with the features of the plugin, as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from dataset_tools import record

from pysmax.dataset.features import bispectrum
from pysmax.dataset.record import Array
from pysmax.dataset.store import Dataset

N, CHOSEN = 60, 12


def half_log_det(z: Array) -> float:
    return 0.5 * float(np.linalg.slogdet(np.cov(z.T, bias=True) + 1e-6 * np.eye(z.shape[1]))[1])


def test_the_choice_covers_more_than_chance(tmp_path: Path) -> None:
    """Features of small random structures; judged in double precision, apart from the command."""
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer() as w:
        assert all(w.add(record(i)) for i in range(N))
    command = [str(Path(sys.executable).with_name("pysmax")), "dataset", "select", str(tmp_path / "ds")]
    done = subprocess.run(
        [*command, str(CHOSEN), "--to", str(tmp_path / "best")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{CHOSEN} of {N} records in")
    records = list(ds.records())
    features, natoms = bispectrum([r.atoms for r in records])
    z = (features - features.mean(axis=0)) / features.std(axis=0)
    of = dict(zip((r.key for r in records), np.split(z, np.cumsum(natoms)[:-1]), strict=True))
    best = half_log_det(np.vstack([of[r.key] for r in Dataset.open(tmp_path / "best").records()]))
    assert f"S = {best:.1f}"[:-1] in done.stdout
    rng, keys = np.random.default_rng(0), list(of)
    chance = [half_log_det(np.vstack([of[keys[i]] for i in rng.permutation(N)[:CHOSEN]])) for _ in range(100)]
    assert best > max(chance)
