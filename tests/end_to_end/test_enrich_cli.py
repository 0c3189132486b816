"""pysmax enrich, as a user types it; one dataset from four sources."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write as ase_write
from conftest import ROOT, environment, run_program
from test_enrich_mp import DOCS
from test_enrich_qm9 import NAMES, TABLE, archive, published
from test_enrich_transition1x import FRAMES, write_file
from typer.testing import CliRunner

from pysmax.cli import app
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError

EMT = "calculator: ase.calculators.emt:EMT\n"


def run(*words: object) -> str:
    result = CliRunner().invoke(app, ["enrich", *map(str, words)])
    if isinstance(result.exception, SmaxError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def counts(table: str) -> dict[str, int]:
    rows = re.findall(r"^ *(\d+)  (.+?)(?:  \(first: .*)?$", table, re.MULTILINE)
    return {name: int(n) for n, name in rows}


@pytest.fixture
def sources(tmp_path) -> Path:
    archive(tmp_path / "qm9.tar.bz2", {f"{i}.xyz": published(n, i) for i, n in enumerate(NAMES, 1)})
    (tmp_path / "uncharacterized.txt").write_text(TABLE)
    (tmp_path / "mp.json").write_text(json.dumps(DOCS))
    write_file(tmp_path / "t1x.h5")
    frames = [bulk("Cu", cubic=True), bulk("Al", cubic=True)]
    for k, atoms in enumerate(frames):
        atoms.rattle(0.15, seed=k)
    ase_write(tmp_path / "run.extxyz", frames)
    (tmp_path / "emt.yaml").write_text(EMT)
    return tmp_path


def test_four_sources_in_one_dataset(sources):
    ds = sources / "ds"
    found = counts(
        run("qm9", sources / "qm9.tar.bz2", "--exclude", sources / "uncharacterized.txt", "--to", ds)
    )
    assert found == {"read": 4, "kept": 3, "excluded (uncharacterized)": 1}
    found = counts(run("transition1x", sources / "t1x.h5", "--path", "all", "--to", ds))
    # two products are, by their positions, molecules that the first file had
    assert found == {"read": FRAMES + 9, "kept": FRAMES + 7, "duplicate": 2}
    found = counts(run("mp", sources / "mp.json", "--cell", "primitive", "--to", ds))
    assert found == {"read": 4, "kept": 3, "off the hull": 1}
    words = ["relax", sources / "run.extxyz", "--engine", "ase", "--config", sources / "emt.yaml", "--to", ds]
    out = run(*words, "--workers", 2)
    assert out.count("         2  kept") == 2 and "fixed cell" in out and "variable cell" in out
    again = run(*words)
    assert again.count("         2  done before") == 2
    by_source = {s: by["-"]["unlabelled"][""] for s, by in Dataset.open(ds).counts().items()}
    assert by_source == {"qm9": 3, "transition1x": FRAMES + 7, "mp": 3, "relax": 4}
    for record in Dataset.open(ds).records(source="relax"):
        assert np.isfinite(record.atoms.positions).all() and record.info["outcome"] == "converged"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["relax", "run.extxyz", "--engine", "none"], "engine 'none' is not known"),
        (["relax", "run.extxyz", "--engine", "ase", "--config", "emt.yaml", "--fmax", "0"], "fmax is 0.0"),
        (
            ["relax", "run.extxyz", "--engine", "ase", "--config", "emt.yaml", "--keep", "some"],
            "keep is 'some'",
        ),
        (["relax", "gone.extxyz", "--engine", "ase", "--config", "emt.yaml"], "No such file"),
        (
            ["relax", "run.extxyz", "--engine", "ase", "--config", "emt.yaml", "--set", "calculatr=x"],
            "calculatr",
        ),
        (["relax", ".", "--engine", "ase", "--config", "emt.yaml"], "not a dataset"),
        (["qm9", "gone.tar"], "no such file or folder"),
        (["mp", "gone.json"], "No such file"),
        (["transition1x", "t1x.h5", "--path", "every"], "expected none, all, every:K or random:N"),
        (["transition1x", "gone.h5"], "not a readable HDF5 file"),
    ],
)
def test_mistakes_are_one_sentence_and_make_no_dataset(sources, monkeypatch, words, message):
    monkeypatch.chdir(sources)
    with pytest.raises(SmaxError) as e:
        run(*words, "--to", "ds")
    assert message in str(e.value) and "\n" not in str(e.value)
    assert not Path("ds").exists() or len(Dataset.open("ds")) == 0


def test_relaxations_in_pilot_jobs(sources):
    (sources / "bin").mkdir()
    (sources / "bin" / "flux").symlink_to(ROOT / "tests" / "label" / "fake_flux.py")
    (sources / "site.yaml").write_text(
        "engine:\n  calculator: ase.calculators.emt:EMT\n"
        "executor: {address: 127.0.0.1, poll_s: 1, lost_after_s: 20, workers_per_node: 2}\n"
    )
    env = environment(FAKE_FLUX=str(sources))
    env["PATH"] = f"{sources / 'bin'}{os.pathsep}{env['PATH']}"
    words = ["enrich", "relax", "run.extxyz", "--to", "ds", "--engine", "ase", "--config", "site.yaml"]
    argv = [sys.executable, "-c", "from pysmax.cli import main; main()", *words, "--executor", "flux"]
    done = run_program([*argv, "--cell", "fixed"], sources, 200, env)
    assert done.returncode == 0, done.stderr
    assert counts(done.stdout) == {"read": 2, "kept": 2, "relaxations: converged": 2}
    assert "batch --nodes=1" in (sources / "calls").read_text()
    assert len(Dataset.open(sources / "ds")) == 2
    done = run_program([*argv, "--workers", "2"], sources, 60, env)
    assert done.returncode == 2 and "--workers is for local processes" in done.stderr
