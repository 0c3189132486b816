"""Conversion: there and back, what is left out, and what is refused."""

from __future__ import annotations

import gzip
import os
import pickle
import sqlite3
from pathlib import Path

import ase
import ase.db
import numpy as np
import pandas as pd
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from dataset_tools import LEVEL, OTHER, label, record, same, structure

from pysmax.dataset import formats
from pysmax.dataset.convert import Converted, Source, convert
from pysmax.dataset.formats import Energy
from pysmax.dataset.record import Label, Record
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError

RECORDS = [
    *(record(i, level=LEVEL if i % 2 else OTHER, source="12" if i % 3 else "relax") for i in range(10)),
    record(20, label=label(structure(20), 20, stress=None, magmoms=np.arange(len(structure(20))) - 0.5)),
    record(21, "failed"),
    record(22, "unlabelled", None),
]
OK = 11
COLUMNS = ["ase_atoms", "energy", "forces", "stress"]
FILES = {"extxyz": "out.extxyz", "asedb": "out.db", "aselmdb": "out.aselmdb"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven labelled records, a failed and an unlabelled one."""
    path = tmp_path_factory.mktemp("convert") / "ds"
    with Dataset.create(path).writer() as w:
        for r in RECORDS:
            assert w.add(r)
    return path


def run(source: Path, target: Path, **options: object) -> Converted:
    """Both formats by their endings."""
    return convert(Source.of(source), target, formats.guess(target), **options)  # type: ignore[arg-type]


def rounded(r: Record) -> Record:
    """Extended XYZ has 8 decimals."""
    atoms = r.atoms.copy()
    atoms.positions = np.round(atoms.positions, 8)
    atoms.arrays["r_eff"] = np.round(atoms.arrays["r_eff"], 8)
    if r.label is None:
        return Record(**(vars(r) | {"atoms": atoms}))
    changed: dict[str, object] = {"forces": np.round(r.label.forces, 8)}
    if r.label.magmoms is not None:
        changed["magmoms"] = np.round(r.label.magmoms, 8)
    return Record(**(vars(r) | {"atoms": atoms, "label": Label(**(vars(r.label) | changed))}))


@pytest.mark.parametrize("name", FILES)
def test_there_and_back(dataset: Path, tmp_path: Path, name: str) -> None:
    """Every format keeps all of a record, extended XYZ up to its decimals; keys stay the same."""
    file = tmp_path / FILES[name]
    done = run(dataset, file, unlabelled=True)
    assert done.written == len(RECORDS) and not done.left_out and done.paths == [file]
    back = run(file, tmp_path / "back")
    assert back.written == len(RECORDS)
    found = list(Dataset.open(tmp_path / "back").records())
    expected = [rounded(r) for r in RECORDS] if name == "extxyz" else RECORDS
    assert [r.key for r in found] == [r.key for r in RECORDS]
    assert all(same(a, b) for a, b in zip(expected, found, strict=True))
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".") or "lock" in p.name]


@pytest.mark.parametrize("name", FILES)
def test_others_read_what_we_write(dataset: Path, tmp_path: Path, name: str) -> None:
    """ASE alone finds energy, forces, stress where it expects them; unlabelled records are left out."""
    done = run(dataset, tmp_path / FILES[name])
    assert done.left_out == {"failed": 1, "unlabelled": 1}
    assert str(done).endswith("; left out: 1 failed, 1 unlabelled")
    if name == "extxyz":
        frames = read(tmp_path / FILES[name], index=":")
    else:
        kind = {"asedb": "db", "aselmdb": "aselmdb"}[name]
        with ase.db.connect(tmp_path / FILES[name], type=kind) as db:
            frames = [row.toatoms() for row in db.select()]
    assert len(frames) == OK
    for atoms, r in zip(frames, RECORDS, strict=False):
        assert r.label is not None
        assert atoms.get_potential_energy() == r.label.extra["free_energy_eV"]
        assert np.allclose(atoms.get_forces(), r.label.forces, atol=6e-9, rtol=0)
        if r.label.stress is not None:
            assert np.allclose(atoms.get_stress(), r.label.stress, atol=1e-15, rtol=0)
        assert atoms.get_potential_energy(force_consistent=True) == -1.25


def test_gracemaker_frames(dataset: Path, tmp_path: Path) -> None:
    done = run(dataset, tmp_path / "out.pkl.gz", shard_size=6)
    assert [p.name for p in done.paths] == ["out-00000.pkl.gz", "out-00001.pkl.gz"]
    frame = pd.concat([pd.read_pickle(p) for p in done.paths])  # our own file
    assert list(frame.columns) == [*COLUMNS, "virial_weight", "name", "energy_is"] and len(frame) == OK
    for (_, row), r in zip(frame.iterrows(), RECORDS, strict=False):
        assert r.label is not None
        assert isinstance(row["ase_atoms"], ase.Atoms) and row["ase_atoms"] == r.atoms
        assert (
            row["energy"] == -1.25
            and row["energy_is"] == "free_energy_eV"
            and np.array_equal(row["forces"], r.label.forces)
        )
        if r.label.stress is None:
            assert row["virial_weight"] == 0.0 and np.array_equal(row["stress"], np.zeros(6))
        else:
            assert row["virial_weight"] == 1.0
            assert np.array_equal(row["stress"], r.label.stress)
    # nothing in the pickle that only pandas 3 knows
    names = {arg for p in done.paths for op, arg, _ in _opcodes(p) if isinstance(arg, str)}
    assert not [n for n in names if "StringDtype" in n or "string_arrow" in n]


@pytest.mark.parametrize("energy", ["force-consistent", "extrapolated"])
def test_the_energy_of_files_and_its_name(tmp_path: Path, energy: Energy) -> None:
    """Forces are derivatives of the free energy; every file says which energy it has."""
    smeared, plain = record(1), record(2, label=label(structure(2), 2, extra={}))
    assert smeared.label is not None and plain.label is not None
    with Dataset.create(tmp_path / "ds").writer() as w:
        assert w.add(smeared) and w.add(plain)
    free = energy == "force-consistent"
    expected = [(-1.25, "free_energy_eV") if free else (smeared.label.energy, "energy")]
    expected.append((plain.label.energy, "energy"))
    run(tmp_path / "ds", tmp_path / "a.pkl.gz", energy=energy)
    frame = pd.read_pickle(tmp_path / "a.pkl.gz")  # our own file
    assert list(zip(frame["energy"], frame["energy_is"], strict=True)) == expected
    for name, file in FILES.items():
        run(tmp_path / "ds", tmp_path / file, energy=energy)
        if name == "extxyz":
            frames = read(tmp_path / file, index=":")
            assert [(a.get_potential_energy(), a.info["energy_is"]) for a in frames] == expected
        run(tmp_path / file, tmp_path / f"back-{name}")
        back = Dataset.open(tmp_path / f"back-{name}")
        for r in (smeared, plain):
            found = back.get(r.key)
            assert found is not None and found.label is not None and r.label is not None
            assert found.label.energy == r.label.energy and dict(found.label.extra) == dict(r.label.extra)


def test_an_energy_that_was_changed_in_a_file_counts(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "ds").writer() as w:
        w.add(record(1))
    run(tmp_path / "ds", tmp_path / "a.extxyz")
    text = (tmp_path / "a.extxyz").read_text()
    (tmp_path / "b.extxyz").write_text(text.replace(" energy=-1.25", " energy=-7.5"))
    run(tmp_path / "b.extxyz", tmp_path / "back")
    (found,) = Dataset.open(tmp_path / "back").records()
    assert found.label is not None and found.label.energy == -7.5


def test_an_at_sign_in_a_name(dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "run@300.extxyz")
    assert run(tmp_path / "run@300.extxyz", tmp_path / "back").written == OK


def _opcodes(path: Path) -> list[tuple[object, object, object]]:
    import pickletools

    return list(pickletools.genops(gzip.decompress(path.read_bytes())))


class Trap:
    """A pickle that runs code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("trapped",)


@pytest.mark.parametrize("ending", [".pkl.gz", ".pkl", ".pckl.gzip"])
def test_pickles_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / f"frames{ending}"
    file.write_bytes(gzip.compress(pickle.dumps(Trap())))
    with pytest.raises(SmaxError, match="a pickle can run any code"):
        run(file, tmp_path / "ds")
    with pytest.raises(SmaxError, match="a pickle can run any code"):
        Source.of(file).count()
    assert not (tmp_path / "trapped").exists()


def test_shards_and_folders(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    done = run(dataset, tmp_path / "parts" / "a.extxyz.gz", shard_size=4)
    assert [p.name for p in done.paths] == [f"a-0000{i}.extxyz.gz" for i in range(3)]
    assert [len(read(p, index=":")) for p in done.paths] == [4, 4, 3]
    back = run(tmp_path / "parts", tmp_path / "ds", shard_size=5)
    assert back.written == OK and [len(s) for s in Dataset.open(tmp_path / "ds").shards()] == [5, 5, 1]
    again = run(tmp_path / "parts", tmp_path / "ds")
    assert again.written == 0 and again.left_out == {"there already": OK}
    with pytest.raises(SmaxError, match=r"a-00000\.extxyz\.gz: exists already"):
        run(dataset, tmp_path / "parts" / "a.extxyz.gz", shard_size=4)


def test_files_of_others(tmp_path: Path) -> None:
    """Labels without provenance: their level is unknown or named; stress 3x3; a NaN is a failed record."""
    frames = []
    for i in range(4):
        atoms = structure(i)
        atoms.info["config_type"] = "bulk"
        atoms.info["mean"] = np.float64(1.5)
        energy = float("nan") if i == 2 else -3.5
        stress = np.array([1, 2, 3, 4, 5, 6.0])
        forces = np.zeros((len(atoms), 3))
        if i < 3:
            atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, stress=stress)
        frames.append(atoms)
    write(tmp_path / "theirs.extxyz", frames)
    assert 'stress="1.0 6.0 5.0' in (tmp_path / "theirs.extxyz").read_text()
    done = run(tmp_path / "theirs.extxyz", tmp_path / "ds", level_name="PBE", source_name="web")
    assert done.written == 4
    records = list(Dataset.open(tmp_path / "ds").records())
    assert [r.status for r in records] == ["ok", "ok", "failed", "unlabelled"]
    assert records[2].reason == "not finite" and records[3].level is None
    first = records[0]
    assert first.label is not None and first.label.stress is not None and first.level is not None
    assert first.label.stress.tolist() == [1, 2, 3, 4, 5, 6] and first.source == "web"
    assert first.level.settings == {"name": "PBE"} and first.level.engine == "imported"
    assert first.info == {"config_type": "bulk", "mean": 1.5, "file": "theirs.extxyz", "frame": 0}
    run(tmp_path / "theirs.extxyz", tmp_path / "plain")
    (level,) = Dataset.open(tmp_path / "plain").levels()
    assert level.engine == "unknown"


def test_a_run_of_the_generator(tmp_path: Path) -> None:
    """Its frames have r_eff and a line of figures."""
    text = """2
Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3:r_eff:R:1 index=7 seed=3 dS=0.25 pbc="T T T"
W 0.5 0.5 0.25 1.25
Be 2.5 2.5 2.5 1.125
"""
    (tmp_path / "run.extxyz").write_text(text)
    run(tmp_path / "run.extxyz", tmp_path / "ds", source_name="generated")
    (found,) = Dataset.open(tmp_path / "ds").records()
    assert found.atoms.arrays["r_eff"].tolist() == [1.25, 1.125] and found.status == "unlabelled"
    assert found.info == {"index": 7, "seed": 3, "dS": 0.25, "file": "run.extxyz", "frame": 0}
    assert found.source == "generated" and found.atoms.get_chemical_symbols() == ["W", "Be"]


BAD = {
    "no.extxyz": (None, "no such file"),
    "a.extxyz": ('2\nLattice="1 0 0\nW 0 0 0\n', "not readable as extended XYZ"),
    "b.extxyz": ("1\nProperties=species:S:1:pos:R:3\nXx 0 0 0\n", "not readable as extended XYZ"),
    "c.db": ("this is no database, whatever its name says" * 50, "not a database|cannot be read"),
    "d.aselmdb": ("nor this" * 2000, "not an LMDB file"),
    "e.cif": ("data_", "unknown ending"),
    "f.extxyz": ('1\nProperties=species:S:1:pos:R:3 pysmax="{}"\nW 0 0 0\n', "no provenance"),
    "g.extxyz": (
        "1\nProperties=species:S:1:pos:R:3 pysmax=%7B%22source%22:%22%22,%22info%22:%5B%5D,"
        "%22reason%22:%22%22,%22attempts%22:%5B%5D,%22extra%22:%7B%7D%7D\nW 0 0 0\n",
        "no provenance",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path: Path, name: str) -> None:
    text, words = BAD[name]
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SmaxError, match=words) as e:
        run(tmp_path / name, tmp_path / "ds")
    assert name in str(e.value)


def test_refuses_unknown_formats_and_full_disks(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SmaxError, match="there is no format 'cif', expected dataset, extxyz"):
        convert(Source.of(dataset), tmp_path / "x", "cif")
    with pytest.raises(SmaxError, match="shard size is 0"):
        run(dataset, tmp_path / "x.extxyz", shard_size=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SmaxError, match="holds no dataset"):
        Source.of(tmp_path / "empty")

    def full(*a: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pysmax.dataset.formats.extxyz.write_extxyz", full)
    with pytest.raises(SmaxError, match=r"x\.extxyz: cannot be written: No space left on device"):
        run(dataset, tmp_path / "x.extxyz")
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]

    def full_database(*a: object, **k: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("ase.db.sqlite.SQLite3Database._write", full_database)
    with pytest.raises(SmaxError, match=r"x\.db: cannot be written: database or disk is full"):
        run(dataset, tmp_path / "x.db")
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]
