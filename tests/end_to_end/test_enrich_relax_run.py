"""Relaxing many structures into a dataset: workers, journal, restart, crashes; in EMT."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ase
import numpy as np
import pytest
from ase.build import bulk
from ase.io import write as ase_write
from enrich_potential import PotentialConfig

from pysmax.dataset.record import structure_hash
from pysmax.dataset.store import Dataset
from pysmax.enrich.relax import Run, count_parents, read_parents
from pysmax.enrich.relax_engine import RelaxConfig
from pysmax.enrich.tally import Tally
from pysmax.errors import SmaxError
from pysmax.label.pool import Pool


def crystal(seed: int, symbol: str = "Cu") -> ase.Atoms:
    atoms = bulk(symbol, cubic=True)
    atoms.rattle(0.15, seed=seed)
    return atoms


@pytest.fixture
def run_file(tmp_path) -> Path:
    path = tmp_path / "run.extxyz"
    ase_write(path, [crystal(seed) for seed in range(6)])
    return path


def config(cell: str = "fixed", kind: str = "emt", **more) -> RelaxConfig:
    return RelaxConfig(potential=PotentialConfig(kind=kind), cell=cell, **{"fmax": 0.02, **more})


def relax(to: Path, source: Path, conf: RelaxConfig, workers: int = 1, timeout: float | None = None) -> Tally:
    tally = Tally()
    run = Run(Dataset.create(to, exist_ok=True), conf, tally)
    run.relax(read_parents(source), Pool(conf, workers, timeout), None)
    return tally


def journal(to: Path, conf: RelaxConfig) -> list[dict]:
    text = (to / "relax" / f"{conf.level().hash}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_every_structure_is_relaxed_once_and_says_where_it_comes_from(tmp_path, run_file):
    to, conf = tmp_path / "ds", config()
    tally = relax(to, run_file, conf, workers=2)
    assert (tally.read, tally.kept, dict(tally.reasons)) == (6, 6, {})
    dataset = Dataset.open(to)
    records = list(dataset.records(status="unlabelled", source="relax"))
    parents = {structure_hash(p.atoms): p for p in read_parents(run_file)}
    assert {r.info["parent"] for r in records} == parents.keys() and len(records) == 6
    for r in records:
        info = r.info
        assert info["parent_info"]["file"] == "run.extxyz" and info["outcome"] == "converged"
        assert info["potential.max_force_eV_per_A"] < 0.02 and info["relax"] == conf.level().hash
        assert np.array_equal(r.atoms.cell.array, parents[info["parent"]].atoms.cell.array)
        scaled = r.atoms.get_scaled_positions(wrap=False)
        assert scaled.min() > -1e-6 and scaled.max() < 1
        engine = PotentialConfig().make()
        label = engine.compute(r.atoms, 0)
        assert label.energy == pytest.approx(info["potential.energy_eV"], abs=1e-8)
        assert np.linalg.norm(label.forces, axis=1).max() < 0.02
    rows = journal(to, conf)
    assert sorted(row["parent"] for row in rows) == sorted(parents)
    assert {row["outcome"] for row in rows} == {"converged"} and all(row["steps"] > 0 for row in rows)


def test_again_does_nothing_and_new_settings_do_all(tmp_path, run_file):
    to = tmp_path / "ds"
    relax(to, run_file, config())
    again = relax(to, run_file, config())
    assert (again.kept, dict(again.reasons)) == (0, {"done before": 6})
    variable = relax(to, run_file, config("variable", steps=5))
    assert variable.kept == 6 and len(Dataset.open(to)) == 12


def test_a_dataset_is_relaxed_into_itself_without_its_own_offspring(tmp_path, run_file):
    from pysmax.dataset.record import Record

    to = tmp_path / "ds"
    with Dataset.create(to).writer() as writer:
        for parent in read_parents(run_file):
            writer.add(Record(parent.atoms, "generated"))
    for conf in (config(), config(steps=5)):
        assert relax(to, to, conf).read == 6
    counts = Dataset.open(to).counts()
    assert {source: by["-"]["unlabelled"][""] for source, by in counts.items()} == {
        "generated": 6,
        "relax": 12,
    }


def test_all_frames_are_kept_when_asked(tmp_path, run_file):
    to, conf = tmp_path / "ds", config(keep_every=5)
    tally = relax(to, run_file, conf)
    rows = {row["parent"]: row for row in journal(to, conf)}
    expected = {p: sorted({*range(5, row["steps"] + 1, 5), row["steps"]}) for p, row in rows.items()}
    found: dict[str, list[int]] = {}
    for r in Dataset.open(to).records():
        found.setdefault(r.info["parent"], []).append(r.info["step"])
        assert (r.info["outcome"] == "converged") == (r.info["step"] == rows[r.info["parent"]]["steps"])
    assert {p: sorted(steps) for p, steps in found.items()} == expected
    assert tally.kept == sum(map(len, expected.values())) > 6


def test_runaways_are_recorded_with_their_reason_and_not_kept(tmp_path, run_file):
    to, conf = tmp_path / "ds", config("variable", "swell", max_volume_change=1.2)
    tally = relax(to, run_file, conf)
    assert tally.kept == 0 and dict(tally.reasons) == {"runaway: volume": 6}
    assert "grew by a factor of 1.2" in tally.table()
    rows = journal(to, conf)
    assert {(row["outcome"], row["kept"]) for row in rows} == {("runaway: volume", 0)}
    assert dict(relax(to, run_file, conf).reasons) == {"done before": 6}


def test_a_structure_that_kills_or_hangs_its_worker_harms_no_other(tmp_path):
    path, to, conf = tmp_path / "run.extxyz", tmp_path / "ds", config(kind="deadly")
    symbols = ["Cu", "Ag", "Cu", "Au", "Cu"]
    ase_write(path, [crystal(seed, s) for seed, s in enumerate(symbols)])
    with path.open("a") as file:
        file.write("1\nno structure\nQq 0 0 0\n")
    assert count_parents(path) == 6
    tally = relax(to, path, conf, workers=2, timeout=4.0)
    assert tally.kept == 3 and dict(tally.reasons) == {"crash": 1, "timeout": 1, "unreadable": 1}
    outcomes = {row["info"]["frame"]: row["outcome"] for row in journal(to, conf)}
    assert outcomes == {0: "converged", 1: "crash", 2: "converged", 3: "timeout", 4: "converged"}


def test_a_journal_line_cut_by_a_crash_is_done_again(tmp_path, run_file):
    to, conf = tmp_path / "ds", config()
    relax(to, run_file, conf)
    path = to / "relax" / f"{conf.level().hash}.jsonl"
    path.write_text(path.read_text()[:-30])
    tally = relax(to, run_file, conf)
    assert dict(tally.reasons) == {"done before": 5, "duplicate": 1}  # its frame was in the dataset already
    assert tally.notes == {"relaxations: converged": 1}
    assert dict(relax(to, run_file, conf).reasons) == {"done before": 6}
    assert len(Dataset.open(to)) == 6


DRIVER = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from test_enrich_relax_run import config, relax
relax(Path({to!r}), Path({source!r}), config(fmax=1e-5), workers=2)
"""


def test_killed_drivers_lose_and_double_nothing(tmp_path):
    source, to = tmp_path / "run.extxyz", tmp_path / "ds"
    ase_write(source, [crystal(seed) for seed in range(14)])
    conf = config(fmax=1e-5)
    paths = [p for p in [str(Path(__file__).parent), *sys.path] if p]
    text = DRIVER.format(paths=paths, to=str(to), source=str(source))
    done = [0]
    for _ in range(2):
        child = subprocess.Popen([sys.executable, "-c", text], start_new_session=True)
        path = to / "relax" / f"{conf.level().hash}.jsonl"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not path.exists() or path.read_text().count("\n") <= done[-1]):
            time.sleep(0.05)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        done.append(path.read_text().count("\n"))
    assert done == sorted(set(done))  # each went on where the last one stopped
    tally = relax(to, source, conf, workers=2)
    assert tally.reasons["done before"] >= done[-1] - 1
    rows = journal(to, conf)
    assert len({row["parent"] for row in rows}) == 14
    records = list(Dataset.open(to).records())
    assert len({r.info["parent"] for r in records}) == len(records) == 14


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("none.extxyz", None, "No such file"),
        ("a.extxyz", b"3\nhello\nH 0 0 0\n", "ends inside the frame of line 1"),
        ("a.extxyz", b"", "is empty"),
        ("a.unknown", b"\x00\x01", "line 1 is"),
    ],
)
def test_unreadable_structures_name_the_file(tmp_path, name, data, message):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(SmaxError, match=message):
        count_parents(tmp_path / name)


def test_of_two_runs_with_the_same_settings_the_second_is_told(tmp_path, run_file):
    to, conf = tmp_path / "ds", config()
    told = []

    def parents():
        """Another run comes while this one reads."""
        yield from read_parents(run_file)
        with pytest.raises(SmaxError, match="another run with settings") as e:
            relax(to, run_file, conf)
        told.append(str(e.value))
        assert relax(to, run_file, config("variable", steps=1)).read == 6  # others may share the dataset

    run = Run(Dataset.create(to), conf, Tally())
    late = Run(Dataset.open(to), conf, Tally())  # has looked before the first was ready
    run.relax(parents(), Pool(conf, 1), None)
    assert len(told) == 1 and conf.level().hash in told[0]
    late.relax(read_parents(run_file), Pool(conf, 1), None)
    assert dict(late.tally.reasons) == {"done before": 6} and len(journal(to, conf)) == 6
