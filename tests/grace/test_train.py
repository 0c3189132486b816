"""Trainings, as a user runs them; the models are those of grace_training, trained once for all tests."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
import yaml
from conftest import BIN, run_program
from grace_models import GraceModels
from grace_training import ELEMENTS, EPOCHS, KILLED, cell, configuration

from pysmax.calculators import grace
from pysmax.grace.evaluate import evaluate
from pysmax.grace.maker import Work
from pysmax.grace.model import Model
from pysmax.grace.predict import Predictor


def pysmax(*args: object, folder: Path) -> subprocess.CompletedProcess[str]:
    done = run_program([str(BIN / "pysmax"), *map(str, args)], folder)
    return subprocess.CompletedProcess(args, done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("family", EPOCHS)
def test_a_training_learns_and_says_all_of_itself(family: str, grace_models: GraceModels) -> None:
    run = grace_models.folder / family
    work = Work(run / "seed" / "1")
    losses = [m["total_loss/test"] for m in work.metrics()]
    assert work.epoch() == EPOCHS[family]
    assert np.isfinite(losses).all()
    assert min(losses) < 0.99 * losses[0]
    model = Model.open(run)
    assert sorted(model.elements) == sorted(ELEMENTS)
    assert model.references.keys() == set(ELEMENTS)
    note = model.note
    assert note["config"]["model"]["preset"] == configuration(family)["model"]["preset"]  # type: ignore[index]
    assert note["environment"]["tensorpotential"] == "0.6.2.1"
    assert note["data"]["structures"] == 200
    assert len(note["data"]["hash"]) == 32
    parts = note["data"]["parts"]
    assert sum(parts.values()) == 200
    summary = json.loads((run / "evaluation" / "summary.json").read_text())
    assert summary["structures"] == parts["held_out"] > 0
    assert (run / "evaluation" / "index.html").read_text().count("<img") >= 4
    with open(run / "evaluation" / "errors.csv") as f:
        assert len(list(csv.reader(f))) == parts["held_out"] + 1


def test_nothing_held_out_was_trained_on(grace_models: GraceModels) -> None:
    run = grace_models.folder / "1l"
    held = ase.io.read(run / "data" / "held_out.extxyz", ":")
    with Predictor(Model.open(run)) as p:
        assert len(p.predict([a.copy() for a in held])) == len(held)
    read = [
        "import pandas as pd, sys, json",
        "f = [pd.read_pickle(p) for p in sys.argv[1:]]",
        "print(json.dumps([[float(a.positions[0, 0]) for a in g.ase_atoms] for g in f]))",
    ]
    files = [str(run / "data" / f"{p}.pkl.gz") for p in ("train", "validation")]
    found = json.loads(subprocess.check_output([sys.executable, "-c", "\n".join(read), *files]))
    mine = {round(float(a.positions[0, 0]), 6) for a in held}
    others = [{round(x, 6) for x in part} for part in found]
    assert not mine & (others[0] | others[1])
    assert not others[0] & others[1]


def test_a_training_that_was_killed_went_on(grace_models: GraceModels) -> None:
    run = grace_models.folder / KILLED
    killed = json.loads((run / "killed.json").read_text())
    work = Work(run / "seed" / "1")
    epochs = [m["epoch"] for m in work.metrics()]
    assert killed["code"] == -9
    assert 2 <= killed["epoch"] < EPOCHS[KILLED]
    assert max(epochs) == EPOCHS[KILLED]
    assert sorted(set(epochs)) == list(range(1, EPOCHS[KILLED] + 1))
    assert len(epochs) <= EPOCHS[KILLED] + 1  # at most the epoch that was under way is done again
    losses = [m["total_loss/test"] for m in work.metrics()]
    assert np.abs(np.diff(losses)).max() < 0.05  # trained on from the weights, not from their average: 0.1
    final = losses[-1]
    assert np.isfinite(final)
    assert final <= killed["losses"][0]
    assert "going on after epoch" in (grace_models.folder / f"{KILLED}.log").read_text()


def test_a_torn_checkpoint_of_a_training_killed_at_its_end(grace_models: GraceModels, tmp_path: Path) -> None:
    first, run = grace_models.folder / KILLED, tmp_path / KILLED
    shutil.copytree(first, run)
    shutil.copy(grace_models.folder / f"{KILLED}.yaml", tmp_path)
    for name in ("model", "evaluation", "seed/1/final_model"):
        shutil.rmtree(run / name)
    (run / "seed" / "1" / "finished").unlink()
    index = run / "seed" / "1" / "checkpoints" / "checkpoint.index"
    index.write_bytes(index.read_bytes()[:-100])
    # its best epoch is what goes on: here the last one, of which no epoch is left
    best = min(Work(run / "seed" / "1").metrics(), key=lambda m: m["total_loss/test"])["epoch"]
    done = pysmax("train", f"{KILLED}.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"going on after epoch {best} of" in done.stdout
    old, new = (json.loads((r / "evaluation" / "summary.json").read_text())["errors"] for r in (first, run))
    if best == EPOCHS[KILLED]:
        for q in ("energy", "forces", "stress"):
            assert new[q]["rmse"] == pytest.approx(old[q]["rmse"], rel=1e-9)


def test_a_finished_training_is_left_alone_and_another_refused(grace_models: GraceModels) -> None:
    folder = grace_models.folder
    before = (folder / "1l" / "gracemaker.log").stat().st_mtime_ns
    again = pysmax("train", "1l.yaml", folder=folder)
    assert again.returncode == 0, again.stderr
    assert (folder / "1l" / "gracemaker.log").stat().st_mtime_ns == before
    other = configuration("1l")
    other["fit"] = {**other["fit"], "epochs": 99}  # type: ignore[dict-item]
    (folder / "other.yaml").write_text(yaml.safe_dump(other))
    refused = pysmax("train", "other.yaml", "-o", "1l", folder=folder)
    assert refused.returncode == 2
    assert "fit.epochs is 12, now it is 99" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_calculator_has_the_derivatives_of_its_energy(grace_models: GraceModels) -> None:
    atoms = cell(np.random.default_rng(50))
    calculator = grace(grace_models.folder / "1l")
    try:
        atoms.calc = calculator
        forces, stress, h = atoms.get_forces(), atoms.get_stress(), 1e-4

        def energy(shift: np.ndarray, strain: np.ndarray) -> float:
            moved = atoms.copy()
            moved.positions += shift
            moved.set_cell(moved.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            moved.calc = calculator
            return float(moved.get_potential_energy())

        zero, move = np.zeros((3, 3)), np.zeros((len(atoms), 3))
        move[3, 1] = h
        slope = (energy(move, zero) - energy(-move, zero)) / (2 * h)
        assert -slope == pytest.approx(forces[3, 1], abs=1e-6)
        for voigt, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
            strain = np.zeros((3, 3))
            strain[i, j] += h / 2
            strain[j, i] += h / 2
            slope = (energy(0 * move, strain) - energy(0 * move, -strain)) / (2 * h)
            assert slope / atoms.get_volume() == pytest.approx(stress[voigt], abs=1e-6)
        assert "tensorflow" not in sys.modules
    finally:
        calculator.close()


def test_references_are_added_back(grace_models: GraceModels) -> None:
    model = Model.open(grace_models.folder / "1l")
    frames = [cell(np.random.default_rng(k)) for k in range(3)]
    with Predictor(model) as with_them, Predictor(model, with_references=False) as without:
        pairs = zip(with_them.predict(frames), without.predict(frames), frames, strict=True)
        for a, b, atoms in pairs:
            added = sum(model.references[s] for s in atoms.symbols)
            assert a.energy - b.energy == pytest.approx(added, abs=1e-9)


def test_an_evaluation_names_what_it_cannot_do(grace_models: GraceModels, tmp_path: Path) -> None:
    known, strange = cell(np.random.default_rng(1)), cell(np.random.default_rng(2))
    strange.symbols[0] = "W"
    ase.io.write(tmp_path / "a.extxyz", [known, strange])
    done = evaluate(Model.open(grace_models.folder / "1l"), [tmp_path / "a.extxyz"], tmp_path / "out")
    assert done.errors.structures == 1
    assert list(done.errors.failed.values()) == [1]
    assert "element W not among" in "\n".join(done.lines())


def test_uncertainties_grow_away_from_the_training_set(grace_models: GraceModels, tmp_path: Path) -> None:
    near = [cell(np.random.default_rng(k)) for k in range(100, 106)]
    far = []
    for a in near:
        b = a.copy()
        b.set_cell(0.7 * b.cell.array, scale_atoms=True)
        b.calc = a.calc
        far.append(b)
    model, median = Model.open(grace_models.folder / "1l"), {}
    for name, frames in (("near", near), ("far", far)):
        with Predictor(model, grade=True) as p:
            median[name] = float(np.median([f.grade for f in p.predict([a.copy() for a in frames])]))
    assert median["far"] > 2 * median["near"] > 0
    ase.io.write(tmp_path / "a.extxyz", near)
    done = pysmax("evaluate", grace_models.folder / "1l", "a.extxyz", "--uq", "-o", "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "grade: median" in done.stdout


def test_a_saved_model_that_is_torn_is_one_sentence(grace_models: GraceModels, tmp_path: Path) -> None:
    shutil.copytree(grace_models.folder / "1l" / "model", tmp_path / "torn")
    pb = tmp_path / "torn" / "saved_model.pb"
    pb.write_bytes(pb.read_bytes()[:5000])
    ase.io.write(tmp_path / "a.extxyz", [cell(np.random.default_rng(1))])
    done = pysmax("evaluate", "torn", "a.extxyz", folder=tmp_path)
    assert done.returncode == 2
    assert "torn: cannot be loaded" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_data_that_cannot_be_trained_on(grace_models: GraceModels, tmp_path: Path) -> None:
    frames = [cell(np.random.default_rng(k)) for k in range(40)]
    for a in frames:
        a.calc.results.pop("stress")
    ase.io.write(tmp_path / "a.extxyz", frames)
    given = configuration("1l") | {"data": {"train": ["a.extxyz"], "validation": 0.2}}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(given))
    done = pysmax("train", "c.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert "stress: 0 structures (0.0 %)" in done.stdout
    assert "no structure has stress, but fit.loss.stress is 128: expected 0" in done.stderr
    assert not (tmp_path / "c" / "seed").exists()


def test_one_training_in_a_folder_at_a_time(grace_models: GraceModels, tmp_path: Path) -> None:
    import fcntl

    run = grace_models.folder / "1l"
    with open(run / ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = pysmax("train", "1l.yaml", folder=grace_models.folder)
    assert done.returncode == 2
    assert "another training is at work there" in done.stderr


def test_environment_is_said(grace_models: GraceModels, tmp_path: Path) -> None:
    done = pysmax("grace", "info", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tensorpotential 0.6.2.1" in done.stdout
