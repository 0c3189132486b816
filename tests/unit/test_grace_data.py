"""What a training makes of labelled sets: the split, the table, the reference energies."""

from __future__ import annotations

import gzip
import pickle
from dataclasses import replace
from pathlib import Path

import ase
import numpy as np
import pytest

from pysmax.dataset.record import Label, Level, Record
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError
from pysmax.grace import references
from pysmax.grace.config import Data
from pysmax.grace.data import Tally, energy_of, labelled, part_of, write_frames
from pysmax.grace.references import References

LEVEL = Level("test", "1", {"a": 1})


def record(k: int, symbols: str = "CuAg", **changes: object) -> Record:
    rng = np.random.default_rng(k)
    atoms = ase.Atoms(symbols, positions=rng.uniform(0, 4, (2, 3)), cell=[4, 4, 4], pbc=True)
    label = Label(
        -3.0 + 0.01 * k, rng.normal(size=(2, 3)), rng.normal(size=6), None, {"free_energy_eV": -4.0}
    )
    return replace(Record(atoms, "test", {}, LEVEL, label), **changes)  # type: ignore[arg-type]


def store(path: Path, records: list[Record]) -> Path:
    with Dataset.create(path).writer() as w:
        for r in records:
            w.add(r)
    return path


def parts(data: Data) -> dict[str, str]:
    return {r.key: part for r, part, _ in labelled(data, Tally(), lambda n: None)}


def test_the_split_follows_content_whatever_order_and_company(tmp_path: Path) -> None:
    records = [record(k) for k in range(300)]
    a = store(tmp_path / "a", records)
    b = store(tmp_path / "b", [record(1000), *reversed(records)])
    first = parts(Data(train=[a], held_out=0.2, validation=0.2))
    second = parts(Data(train=[b], held_out=0.2, validation=0.2))
    assert all(second[k] == part for k, part in first.items())
    shares = [list(first.values()).count(p) / 300 for p in ("held_out", "validation", "train")]
    assert shares == pytest.approx([0.2, 0.16, 0.64], abs=0.08)
    other = parts(Data(train=[a], held_out=0.2, validation=0.2, split_seed=1))
    assert other != first
    # what is held out stays so, whatever the share of validation
    held = {k for k, p in parts(Data(train=[a], held_out=0.2, validation=0.5)).items() if p == "held_out"}
    assert held == {k for k, p in first.items() if p == "held_out"}


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    failed = replace(record(6), label=None, reason="scf")
    bare = replace(record(7), label=None, level=None)
    path = store(tmp_path / "a", [record(1), record(2), failed, bare])
    data, tally = Data(train=[path, path]), Tally()
    found = list(labelled(data, tally, lambda n: None))
    assert len(found) == 2
    assert tally.left_out == {"failed": 2, "unlabelled": 2, "duplicate structure": 2}
    assert tally.has == {"energy": 2, "forces": 2, "stress": 2}
    lines = "\n".join(tally.lines())
    assert "2 structures" in lines
    assert "left out, duplicate structure: 2" in lines
    again = Tally()
    list(labelled(Data(train=[store(tmp_path / "b", [record(2), record(1)])]), again, lambda n: None))
    assert again.digest == tally.digest  # of contents, not of their order
    first, other = record(1), Tally()
    assert first.label is not None
    changed = replace(first, label=replace(first.label, forces=first.label.forces + 1e-6))
    path = store(tmp_path / "c", [changed, record(2)])
    list(labelled(Data(train=[path]), other, lambda n: None))
    assert other.digest != tally.digest


def test_a_stress_of_what_is_not_periodic_does_not_count(tmp_path: Path) -> None:
    free = record(3)
    free.atoms.pbc = [True, True, False]
    tally = Tally()
    path = store(tmp_path / "a", [free, record(4)])
    list(labelled(Data(train=[path]), tally, lambda n: None))
    assert tally.has == {"energy": 2, "forces": 2, "stress": 1}


def test_two_levels_need_a_choice(tmp_path: Path) -> None:
    other = Level("test", "1", {"a": 2})
    path = store(tmp_path / "a", [record(1), record(2, level=other)])
    with pytest.raises(SmaxError, match=rf"second level of theory: {LEVEL.hash} .*{other.hash}"):
        list(labelled(Data(train=[path]), Tally(), lambda n: None))
    tally = Tally()
    assert len(list(labelled(Data(train=[path], level=other.hash), tally, lambda n: None))) == 1
    assert tally.left_out == {"another level of theory": 1}


def test_the_energy_is_that_of_the_forces(tmp_path: Path) -> None:
    r = record(1)
    assert r.label is not None
    assert energy_of(r, "force-consistent") == -4.0
    assert energy_of(r, "extrapolated") == r.label.energy
    assert energy_of(replace(r, label=replace(r.label, extra={})), "force-consistent") == r.label.energy


def test_frames_for_gracemaker(tmp_path: Path) -> None:
    no_stress = record(3)
    assert no_stress.label is not None
    records = [record(k) for k in range(40)] + [record(900, label=replace(no_stress.label, stress=None))]
    data = Data(train=[store(tmp_path / "a", records)], held_out=0.2, validation=0.2)
    tally, fitted = write_frames(data, tmp_path, lambda n: None)
    total = 0
    for name in ("train", "validation"):
        with gzip.open(tmp_path / f"{name}.pkl.gz") as f:
            frame = pickle.load(f)
        total += len(frame)
        assert (frame["energy"] == -4.0).all()
        for k in range(len(frame)):
            atoms, stress = frame["ase_atoms"][k], frame["stress"][k]
            part = part_of(frame["name"][k].split(":")[0], data)
            assert part == name
            assert np.isfinite(stress).all()  # NaN would spread: a weight of 0 instead
            assert frame["virial_weight"][k] in (0.0, 1.0)
            assert len(atoms) == 2
    assert total + tally.parts["held_out"] == 41
    assert fitted.fit(["Ag", "Cu"]) == pytest.approx({"Ag": -2.0, "Cu": -2.0})


def test_reference_energies_are_fitted_and_kept(tmp_path: Path) -> None:
    given, fit = {"H": -1.5, "O": -7.25, "Si": -5.0}, References()
    rng = np.random.default_rng(0)
    for _ in range(20):
        symbols = rng.choice(list(given), rng.integers(1, 7))
        r = record(0, "".join(symbols), label=None) if len(symbols) == 2 else None
        atoms = ase.Atoms("".join(symbols), positions=rng.normal(size=(len(symbols), 3)))
        fit.see(r or Record(atoms), sum(given[s] for s in symbols))
    assert fit.fit(list(given)) == pytest.approx(given, abs=1e-8)
    references.write(tmp_path, given)
    assert references.read(tmp_path) == given
    assert references.read(tmp_path / "none") == {}


@pytest.mark.parametrize("text", ["- 1", "Xx: 1.0", "Cu: nan", "Cu: high", "a: ["])
def test_reference_energies_that_are_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "references.yaml").write_text(text)
    with pytest.raises(SmaxError, match=r"references.yaml"):
        references.read(tmp_path)
