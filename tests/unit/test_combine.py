"""pysmax merge: the paper's filters (VII.3.1), against sets whose outcome is known by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import ase
import numpy as np
import pytest
import typer.testing

from pysmax.cli import app
from pysmax.dataset.combine import combine
from pysmax.dataset.filters import Filters, computed_with_u
from pysmax.dataset.record import Label, Level, Record
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError

LEVEL = Level("test", "1", {})


def record(
    symbols: str, stress: float | None = 0.0, info: dict[str, object] | None = None, k: int = 0
) -> Record:
    n = len(ase.Atoms(symbols))
    atoms = ase.Atoms(
        symbols, positions=2.0 * np.arange(3 * n).reshape(n, 3) + 0.01 * k, cell=[9, 9, 9], pbc=True
    )
    voigt = None if stress is None else np.array([stress, 0, 0, 0, 0, 0])
    return Record(atoms, "test", info or {}, LEVEL, Label(-1.0, np.zeros((n, 3)), voigt))


def store(path: Path, records: Sequence[Record]) -> Path:
    with Dataset.create(path).writer() as w:
        for r in records:
            w.add(r)
    return path


def formulas(path: Path) -> list[str]:
    return sorted(str(r.atoms.symbols.formula) for r in Dataset.open(path).records())


@pytest.mark.parametrize(
    ("symbols", "info", "with_u"),
    [
        ("Fe2O3", {}, True),
        ("FeF2", {}, True),
        ("FeS", {}, False),
        ("MgO", {}, False),
        ("CuO", {}, False),
        ("NiW", {}, False),
        ("Fe2O3", {"is_hubbard": False}, False),
        ("FeS", {"is_hubbard": True}, True),
        ("FeS", {"run_type": "GGA+U"}, True),
        ("FeO", {"run_type": "GGA"}, False),
        ("FeO", {"hubbards": {}}, False),
        ("FeO", {"LDAU": ".FALSE."}, False),
        ("MgO", {"LDAU": "T"}, True),
        ("MgO", {"hubbards": {"Mg": 3.0}}, True),
        ("FeO", {"is_hubbard": None}, True),
    ],
)
def test_which_records_are_computed_with_u(symbols: str, info: dict[str, object], with_u: bool) -> None:
    r = record(symbols, info=info)
    assert computed_with_u(r, set(r.atoms.symbols)) is with_u


@pytest.mark.parametrize("metal", ["Co", "Cr", "Fe", "Mn", "Mo", "Ni", "V", "W"])
@pytest.mark.parametrize("anion", ["O", "F"])
def test_the_metals_of_the_materials_project(metal: str, anion: str) -> None:
    assert computed_with_u(record(metal + anion), {metal, anion})


def test_the_level_may_say_it_too() -> None:
    r = replace(record("FeO"), level=Level("vasp", "6", {"LDAU": False}))
    assert not computed_with_u(r, {"Fe", "O"})


def model(wrong: dict[str, float]) -> object:
    """Stresses that are 0 but for an element."""

    def predict(frames: Sequence[ase.Atoms]) -> list[np.ndarray]:
        assert len(frames) > 0
        return [
            np.array([0, 0, 0, 0, 0, max((wrong.get(s, 0.0) for s in a.symbols), default=0.0)])
            for a in frames
        ]

    return predict


def test_only_the_filtered_side_is_filtered(tmp_path: Path) -> None:
    base = store(tmp_path / "base", [record("FeO"), record("Gd"), record("Rn"), record("MgO", k=1)])
    other = store(
        tmp_path / "other",
        [
            record("FeO", k=2),
            record("Gd", k=2),
            record("EuN"),
            record("YbO"),
            record("U"),
            record("CeN"),
            record("CeO", None),
        ],
    )
    done = combine(tmp_path / "out", [base], [other], Filters(stress_limit=0.084), model({"Ce": 0.1}))
    assert formulas(tmp_path / "out") == ["CeO", "FeO", "Gd", "MgO", "Rn", "U"]
    assert done.kept == {"base": 4, "filtered": 2}
    assert done.removed == {"+U": 1, "element Gd": 1, "element Eu": 1, "element Yb": 1, "stress error": 1}
    note = json.loads((tmp_path / "out" / "merge.json").read_text())
    assert note["complete"] is True
    assert note["elements_only_in_filtered"] == ["Ce", "U"]
    assert note["elements_only_in_base"] == ["Fe", "Gd", "Mg", "Rn"]
    assert "removed, +U: 1" in "\n".join(done.lines())


def test_an_error_of_the_limit_passes_and_a_larger_one_does_not(tmp_path: Path) -> None:
    other = store(tmp_path / "other", [record("Al", 0.084), record("Cu", -0.0840001), record("Ag", -0.084)])
    combine(tmp_path / "out", [], [other], Filters(stress_limit=0.084), model({}))
    assert formulas(tmp_path / "out") == ["Ag", "Al"]


def test_the_limit_may_be_the_deviation_of_the_errors(tmp_path: Path) -> None:
    stresses = [0.0, 0.1, -0.1, 0.5]
    other = store(tmp_path / "other", [record("Al", s, k=i) for i, s in enumerate(stresses)])
    done = combine(tmp_path / "out", [], [other], Filters(), model({}), own_deviation=True)
    components = np.array([[s, 0, 0, 0, 0, 0] for s in stresses])
    assert done.stress_limit == pytest.approx(components.std())
    assert done.kept["filtered"] == int((np.abs(components).max(axis=1) <= components.std()).sum())


def test_a_stress_that_the_model_cannot_predict_is_said(tmp_path: Path) -> None:
    other = store(tmp_path / "other", [record("Al")])
    nothing = lambda frames: [np.full(6, np.nan) for _ in frames]  # noqa: E731
    done = combine(tmp_path / "out", [], [other], Filters(stress_limit=0.1), nothing)
    assert done.removed == {"stress not predicted": 1}


def test_the_deviation_is_found_once_and_duplicates_are_counted(tmp_path: Path) -> None:
    base = store(tmp_path / "base", [record("Al", 0.1)])
    other = store(tmp_path / "other", [record("Al", 0.1), record("Cu", 0.0), record("Ag", 0.0)])
    out, asked = tmp_path / "out", 0

    def predict(frames: Sequence[ase.Atoms]) -> list[np.ndarray]:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise KeyboardInterrupt
        return [np.zeros(6) for _ in frames]

    given = (out, [base], [other], Filters(), predict, True)
    with pytest.raises(KeyboardInterrupt):
        combine(*given, model="a")
    with pytest.raises(SmaxError, match="another or a finished merge"):
        combine(*given, model="b")
    done = combine(*given, model="a")
    assert asked == 3  # the first pass is not made again
    assert done.stress_limit == pytest.approx(np.std([0.1] + 17 * [0.0]))
    assert (done.kept, done.duplicates) == ({"base": 1, "filtered": 2}, 0)
    assert combine(tmp_path / "twice", [base, base], [], Filters()).duplicates == 1


def test_a_merge_killed_before_its_note_goes_on_and_a_damaged_note_is_said(tmp_path: Path) -> None:
    base = store(tmp_path / "base", [record("Al")])
    Dataset.create(tmp_path / "out")
    assert combine(tmp_path / "out", [base], [], Filters()).kept["base"] == 1
    for text in ("[]", "{"):
        (tmp_path / "out" / "merge.json").write_text(text)
        with pytest.raises(SmaxError, match="another or a finished merge"):
            combine(tmp_path / "out", [base], [], Filters())
    (tmp_path / "out" / "merge.json").unlink()
    with pytest.raises(SmaxError, match="exists already"):
        combine(tmp_path / "out", [base], [], Filters())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--filtered", "none"], "none: is no dataset"),
        (["--stress-limit", "std"], "without --model"),
        (["--drop", "Eu, Xx"], "--drop: found 'Xx'"),
    ],
)
def test_one_sentence_for_wrong_options(options: list[str], said: str, tmp_path: Path) -> None:
    base = store(tmp_path / "base", [record("Al")])
    with pytest.raises(SmaxError, match=said):
        typer.testing.CliRunner().invoke(
            app, ["merge", str(tmp_path / "out"), str(base), *options], catch_exceptions=False
        )
    assert not (tmp_path / "out").exists()


def test_a_merge_that_was_killed_goes_on_and_a_finished_one_is_kept(tmp_path: Path) -> None:
    base = store(tmp_path / "base", [record("Al", k=k) for k in range(1500)])
    seen = 0

    def dies(n: int) -> None:
        nonlocal seen
        seen += n
        if seen > 1200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        combine(tmp_path / "out", [base], [], Filters(), step=dies)
    with pytest.raises(SmaxError, match="another or a finished merge"):
        combine(tmp_path / "out", [base], [base], Filters())
    done = combine(tmp_path / "out", [base], [], Filters())
    assert done.kept["base"] == 1500 == len(Dataset.open(tmp_path / "out"))
    with pytest.raises(SmaxError, match="another or a finished merge"):
        combine(tmp_path / "out", [base], [], Filters())
