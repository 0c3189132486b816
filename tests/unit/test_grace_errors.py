"""Errors summed up, runs listed, environments found."""

from __future__ import annotations

import json
from pathlib import Path

import ase
import numpy as np
import pytest

from pysmax.dataset.record import Label, Record
from pysmax.errors import SmaxError
from pysmax.grace import environment, errors, runs
from pysmax.grace.errors import Errors, Points
from pysmax.grace.evaluate import figures
from pysmax.grace.model import Model
from pysmax.grace.predict import Prediction


def pair(rng: np.random.Generator, symbols: str, stress: bool) -> tuple[Record, Prediction]:
    n = len(ase.Atoms(symbols))
    label = Label(float(rng.normal()), rng.normal(size=(n, 3)), rng.normal(size=6) if stress else None)
    found = Prediction(
        float(rng.normal()), rng.normal(size=(n, 3)), rng.normal(size=6), float(rng.uniform(0, 2))
    )
    return Record(ase.Atoms(symbols), label=label), found


def test_sums_are_those_of_numpy() -> None:
    rng, e = np.random.default_rng(3), Errors()
    pairs = [pair(rng, s, k % 2 == 0) for k, s in enumerate(["Al", "AlO", "O2", "Al2O3"] * 5)]
    for record, found in pairs:
        assert record.label
        e.add(record, record.label.energy, 0.0, found)
    got = e.as_dict()
    per_atom = np.array([(f.energy - r.label.energy) / len(r.atoms) for r, f in pairs if r.label])
    force = np.concatenate([(f.forces - r.label.forces).ravel() for r, f in pairs if r.label])
    stress = np.array([f.stress - r.label.stress for r, f in pairs if r.label and r.label.stress is not None])
    for name, expected in (("energy", per_atom), ("forces", force), ("stress", stress)):
        assert got["errors"][name]["n"] == expected.size
        assert got["errors"][name]["mae"] == pytest.approx(np.abs(expected).mean())
        assert got["errors"][name]["rmse"] == pytest.approx(np.sqrt((expected**2).mean()))
        assert got["errors"][name]["max"] == pytest.approx(np.abs(expected).max())
    of_o = np.concatenate([(f.forces - r.label.forces)[r.atoms.symbols == "O"] for r, f in pairs if r.label])
    assert got["elements"]["O"]["forces"]["rmse"] == pytest.approx(np.sqrt((of_o**2).mean()))
    assert sum(w["forces"]["n"] for w in got["windows_eV_per_atom"]) == force.size
    assert got["grade"]["share_above_1"] == pytest.approx(np.mean([f.grade > 1 for _, f in pairs]))
    assert [name for name, _, _ in figures(e)] == [
        "parity_energy",
        "parity_forces",
        "parity_stress",
        "elements",
        "grade",
    ]


def test_windows_are_of_the_energy_above_the_references() -> None:
    e, rng = Errors(), np.random.default_rng(0)
    for above in (-1.0, 0.49, 0.51, 5.0, 300.0):
        record, found = pair(rng, "Al2", False)
        e.add(record, 2 * above - 6.0, -6.0, found)
    assert [w["energy"].n for w in e.windows] == [2, 1, 1, 0, 1]


def test_a_parity_plot_is_a_fair_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "POINTS", 500)
    p = Points()
    for k in range(100):
        p.add(np.full(100, k), np.arange(100))
    assert len(p.pairs) == 500
    assert p.pairs[:, 0].mean() == pytest.approx(49.5, abs=5)
    assert p.pairs[:, 1].mean() == pytest.approx(49.5, abs=5)


def test_runs_are_listed_by_their_errors(tmp_path: Path) -> None:
    for name, rmse, epochs in (("a", 0.3, 2), ("b", 0.1, 5), ("c", None, 0)):
        run = tmp_path / name
        (run / "seed" / "1").mkdir(parents=True)
        (run / "config.yaml").write_text("model: {preset: tiny}\nfit: {epochs: 5, seed: 1}\n")
        lines = "".join(f'- {{"epoch": {k + 1}}}\n' for k in range(epochs))
        (run / "seed" / "1" / "test_metrics.yaml").write_text(lines)
        if rmse is not None:
            (run / "evaluation").mkdir()
            found = {"errors": {"forces": {"n": 3, "rmse": rmse}, "stress": {"n": 0}}}
            (run / "evaluation" / "summary.json").write_text(json.dumps(found))
    (tmp_path / "config.yaml").write_text("something: else\n")
    header, *rows = runs.table(tmp_path, "forces")
    assert header.startswith("run")
    assert [r.split()[0] for r in rows] == ["b", "a", "c"]
    assert rows[0].split()[1:6] == ["tiny", "0", "5/5", "-", "0.1"]
    assert [r.split()[0] for r in runs.table(tmp_path, "name")[1:]] == ["a", "b", "c"]
    with pytest.raises(SmaxError, match="holds no run"):
        runs.table(tmp_path / "a" / "seed", "forces")


def test_where_the_environment_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path))
    with pytest.raises(SmaxError, match=r"PYSMAX_GRACE is .* found no bin/python"):
        environment.locate()
    monkeypatch.delenv(environment.VARIABLE)
    monkeypatch.setattr(environment, "default_folder", lambda: tmp_path / "none")
    with pytest.raises(SmaxError, match=r"found no .* environment: make one with 'pysmax grace install'"):
        environment.locate()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    (tmp_path / "other" / "pyvenv.cfg").write_text("")  # an environment, but not one of ours
    with pytest.raises(SmaxError, match="holds something else"):
        environment.install(tmp_path / "other")
    assert (tmp_path / "other" / "thesis.tex").exists()


def test_a_failing_pip_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "TENSORFLOW", {False: "no-such-package-of-pysmax==0", True: ""})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SmaxError, match="no-such-package-of-pysmax==0: failed: ERROR"):
        environment.install(tmp_path / "env", say=lambda s: None)
    monkeypatch.setattr(environment, "default_folder", lambda: tmp_path / "env")
    monkeypatch.delenv(environment.VARIABLE, raising=False)
    with pytest.raises(SmaxError, match=r"no .complete. GRACE environment"):
        environment.locate()
    with pytest.raises(SmaxError, match="failed: ERROR"):  # what it has begun itself, it begins again
        environment.install(tmp_path / "env", say=lambda s: None)


def test_folders_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(SmaxError, match=r"found no saved_model\.pb"):
        Model.open(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(SmaxError, match=r"metadata\.yaml: No such file"):
        Model.open(tmp_path)
    (tmp_path / "metadata.yaml").write_text("cutoff: 5.0\n")
    with pytest.raises(SmaxError, match="expected chemical_symbols and cutoff"):
        Model.open(tmp_path)
    (tmp_path / "metadata.yaml").write_text("cutoff: 5.0\nchemical_symbols: [Cu]\n")
    assert Model.open(tmp_path).elements == ["Cu"]
    with pytest.raises(SmaxError, match="holds no model with uncertainties"):
        _ = Model.open(tmp_path).uq
