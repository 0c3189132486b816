"""Every check, made to fail by one record that is wrong in one way."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase
import numpy as np
import pytest
from ase.build import bulk
from ase.data import covalent_radii
from dataset_tools import LEVEL, OTHER, label, record, structure

from pysmax.dataset.check import check
from pysmax.dataset.codec import NAMES, encode, sealed
from pysmax.dataset.contacts import closest
from pysmax.dataset.record import Label, Level, Record
from pysmax.dataset.references import fit
from pysmax.dataset.store import Dataset
from pysmax.dataset.tally import Tally, Tolerances, load_tolerances
from pysmax.errors import SmaxError

N = 40


def filled(path: Path, *more: Record, shard_size: int = 25) -> Dataset:
    """Forty good records, and others."""
    ds = Dataset.create(path)
    with ds.writer(shard_size) as w:
        for r in [*map(record, range(N)), record(90, "failed"), record(91, "unlabelled", None), *more]:
            assert w.add(r)
    return ds


def bad(tallies: list[Tally]) -> dict[str, int]:
    return {t.name: t.bad for t in tallies if t.bad}


def tampered(ds: Dataset, change: Callable[[dict[str, Any]], object], id_: int = 1) -> str:
    """A record as another program might have written it: its checksum is right. Its key."""
    path = ds.paths()[0]
    with sqlite3.connect(path) as db:
        row = db.execute(f"SELECT {', '.join(NAMES)} FROM records WHERE id = ?", [id_]).fetchone()
        values = dict(zip(NAMES[:-1], row[:-1], strict=True))
        key = str(values["key"])
        change(values)
        # a NaN is null once it is in SQLite
        stored = [None if isinstance(v, float) and np.isnan(v) else v for v in values.values()]
        sets = ", ".join(f"{n} = ?" for n in NAMES)
        db.execute(f"UPDATE records SET {sets} WHERE id = ?", [*sealed(stored), id_])
    db.close()
    return key


def test_a_good_dataset(tmp_path: Path) -> None:
    tallies = check(filled(tmp_path / "ds").path)
    assert not bad(tallies)
    by_name = {t.name: t for t in tallies}
    assert by_name["structures once per level"].checked == N + 2
    assert by_name["finite"].checked == N + 2 and by_name["force sum per atom"].checked == N
    assert by_name["energy outliers"].checked == N and by_name["shards whole, checksums"].checked == 2


def with_label(seed: int, **changes: Any) -> Record:
    atoms = structure(seed)
    return Record(atoms, "odd", {}, LEVEL, label(atoms, seed, **changes))


def pushed() -> Record:
    atoms = structure(203, natoms=4)
    forces = np.zeros((4, 3))
    forces[0, 1] = 0.5
    return Record(atoms, "odd", {}, LEVEL, label(atoms, 203, forces=forces))


def near() -> Record:
    atoms = ase.Atoms("W2", positions=[[0, 0, 0.1], [0, 0, 5.9]], cell=[6, 6, 6], pbc=True)  # 0.2 A
    return Record(atoms, "odd", {}, LEVEL, label(atoms, 204))


def molecule() -> Record:
    atoms = structure(205)
    atoms.pbc = False
    return Record(atoms, "odd", {}, LEVEL, label(atoms, 205))


def gigapascal() -> Record:
    """0.05 eV/A^3 is common, and 160 times as much in GPa."""
    atoms = structure(206)
    stress = np.full(6, 0.2 * 160.2)
    return Record(atoms, "odd", {}, LEVEL, label(atoms, 206, stress=stress))


ODD: dict[str, tuple[Record, set[str]]] = {
    "force sum": (pushed(), {"force sum per atom"}),
    "contact": (near(), {"closest contact"}),
    "stress of a molecule": (molecule(), {"stress only where periodic"}),
    "stress in GPa": (gigapascal(), {"stress x volume per atom"}),
    "another reference": (with_label(207, energy=-9e4), {"energy from element energies", "energy outliers"}),
    "an outlier": (with_label(208, energy=-1.0), {"energy outliers"}),
    "a second level": (record(209, level=OTHER), {"one level of theory"}),
    "an unknown level": (
        record(210, level=Level("unknown", "", {})),
        {"one level of theory", "levels of theory known"},
    ),
    "a second version": (record(211, level=Level("xtb", "0.9", LEVEL.settings)), {"one version per engine"}),
}


@pytest.mark.parametrize("name", ODD)
def test_each_check_finds_its_record(tmp_path: Path, name: str) -> None:
    odd, expected = ODD[name]
    tallies = check(filled(tmp_path / "ds", odd).path)
    assert expected <= bad(tallies).keys()
    assert bad(tallies).keys() == expected
    for t in tallies:
        if t.name in expected and "level" not in t.name and "version" not in t.name:
            assert t.example == odd.key and t.bad == 1, t


def nan_forces(v: dict[str, Any]) -> None:
    v["forces"] = np.full((v["natoms"], 3), np.nan).tobytes()


def short_forces(v: dict[str, Any]) -> None:
    v["forces"] = v["forces"][:-24]


TAMPERED: dict[str, tuple[Callable[[dict[str, Any]], object], set[str]]] = {
    "nan energy": (lambda v: v.update(energy=float("nan")), {"finite"}),
    "nan forces": (nan_forces, {"finite"}),
    "short forces": (short_forces, {"shapes"}),
    "moved atoms": (lambda v: v.update(positions=bytes(24) + v["positions"][24:]), {"keys match contents"}),
    "status": (lambda v: v.update(status="failed"), {"status matches contents"}),
    "json": (lambda v: v.update(info="{"), {"shapes"}),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_records_that_others_wrote_wrongly(tmp_path: Path, name: str) -> None:
    change, expected = TAMPERED[name]
    ds = filled(tmp_path / "ds")
    key = tampered(ds, change)
    tallies = check(ds.path)
    found = bad(tallies)
    assert expected <= found.keys() and found[next(iter(expected))] == 1
    assert next(t for t in tallies if t.name in expected).example == key
    assert "shards whole, checksums" not in found


def test_duplicates_across_shards(tmp_path: Path) -> None:
    """Two shards copied together by hand."""
    ds = filled(tmp_path / "ds")
    first, *_, last = ds.shards()
    r = record(3)
    assert first.lookup("id", [r.key])
    last.write([(encode(r), r.level)])
    tally = next(t for t in check(ds.path) if t.name == "structures once per level")
    assert tally.bad == 1 and tally.example == r.key


def test_a_damaged_shard_is_named_and_the_rest_is_checked(tmp_path: Path) -> None:
    ds = filled(tmp_path / "ds")
    ds.close()
    path = ds.paths()[0]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    tallies = check(ds.path)
    assert bad(tallies) == {"shards whole, checksums": 1}
    assert tallies[0].example == path.name
    assert next(t for t in tallies if t.name == "finite").checked == N + 2 - 25


def test_tolerances(tmp_path: Path) -> None:
    ds = filled(tmp_path / "ds", pushed())
    assert not bad(check(ds.path, Tolerances(force_sum=0.2)))
    file = tmp_path / "limits.yaml"
    file.write_text("force_sum: 0.2\ncontact: 2.0\n")
    limits = load_tolerances(file, {"force_sum": 0.1})
    assert limits.force_sum == 0.1 and limits.contact == 2.0 and limits.energy == 200.0
    file.write_text("force_summ: 0.2\n")
    with pytest.raises(SmaxError, match=r"limits\.yaml: force_summ: .*known are force_sum, virial"):
        load_tolerances(file, {})
    file.write_text("- 1\n")
    with pytest.raises(SmaxError, match="expected settings"):
        load_tolerances(file, {})
    file.write_text("{: :")
    with pytest.raises(SmaxError, match="not YAML"):
        load_tolerances(file, {})
    file.write_text("1: 2")
    with pytest.raises(SmaxError, match=r"limits\.yaml: expected settings"):
        load_tolerances(file, {})
    with pytest.raises(SmaxError, match=r"contact: .* greater than 0"):
        load_tolerances(None, {"contact": -1.0})


def test_contacts_against_images_by_hand() -> None:
    """All pairs within two cells each way, and the known neighbours of crystals."""
    iron = bulk("Fe", "bcc", a=2.87)
    assert closest(iron, 2.0) == pytest.approx(2.87 * np.sqrt(3) / 2 / (2 * covalent_radii[26]))
    assert closest(iron, 0.5) == np.inf
    rng = np.random.default_rng(0)
    for k in range(60):
        n = int(rng.integers(1, 7))
        cell = rng.uniform(1.5, 6.0, 3) * np.eye(3) + rng.uniform(-1, 1, (3, 3))
        pbc = rng.integers(0, 2, 3).astype(bool) if k % 2 else np.ones(3, bool)
        atoms = ase.Atoms(
            rng.choice([1, 8, 26, 55], n), positions=rng.uniform(-5, 9, (n, 3)), cell=cell, pbc=pbc
        )
        reach = [range(-9, 10) if p else range(1) for p in pbc]
        best = np.inf
        shifts = np.array([(a, b, c) for a in reach[0] for b in reach[1] for c in reach[2]])
        for i in range(n):
            for j in range(n):
                d = np.linalg.norm(atoms.positions[j] + shifts @ cell - atoms.positions[i], axis=1)
                d = d[~((shifts == 0).all(axis=1) & (i == j))]
                radii = covalent_radii[atoms.numbers[i]] + covalent_radii[atoms.numbers[j]]
                best = min(best, d.min(initial=np.inf) / radii)
        within = float(rng.choice([0.6, 1.5]))
        assert closest(atoms, within) == (pytest.approx(best, rel=1e-9) if best <= within else np.inf)


def test_element_energies_are_recovered(tmp_path: Path) -> None:
    """Energies made of one number per element give these numbers back."""
    true = {8: -431.25, 13: -52.5, 26: -101.0, 74: -120.75}
    with Dataset.create(tmp_path / "ds").writer() as w:
        for seed in range(30):
            atoms = structure(seed)
            energy = sum(true[int(z)] for z in atoms.numbers)
            w.add(Record(atoms, "", {}, LEVEL, Label(energy, np.zeros((len(atoms), 3)))))
    energies, n = fit(Dataset.open(tmp_path / "ds"), LEVEL.hash)
    assert n == 30 and np.flatnonzero(np.abs(energies) > 1e-6).tolist() == sorted(true)
    assert energies[sorted(true)] == pytest.approx(list(true.values()), abs=1e-6)


def test_few_records_have_no_element_energies(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "ds").writer() as w:
        w.add(record(0))
    tally = next(t for t in check(tmp_path / "ds") if t.name == "energy outliers")
    assert tally.checked == 0 and tally.remark.endswith("too few records")


def test_an_empty_dataset_is_sound(tmp_path: Path) -> None:
    Dataset.create(tmp_path / "ds")
    assert not bad(check(tmp_path / "ds"))
    with pytest.raises(SmaxError, match="not a dataset"):
        check(tmp_path)
    assert json.loads((tmp_path / "ds" / "dataset.json").read_text())["units"]["energy"] == "eV"


@pytest.mark.parametrize("third", [[4.0, 0, 0], [0, 0, 0], [4.0, 4.0, 0]])
def test_cells_without_a_volume(tmp_path: Path, third: list[float]) -> None:
    """Wrong where they are periodic, and of no matter where they are not."""
    cell = [[4.0, 0, 0], [0, 4.0, 0], third]
    numbers, positions = "W2", [[0, 0, 0], [0.2, 0, 2.5]]
    flat = Record(ase.Atoms(numbers, positions, cell=cell, pbc=True), "odd")
    slab = Record(ase.Atoms(numbers, positions, cell=cell, pbc=[True, True, False]), "odd")
    tallies = check(filled(tmp_path / "ds", flat, slab).path)
    assert bad(tallies) == {"cells span what is periodic": 1}
    assert next(t for t in tallies if t.bad).example == flat.key
    free = ase.Atoms(numbers, positions, cell=cell)
    ratio = np.hypot(0.2, 2.5) / (2 * covalent_radii[74])
    assert closest(free, 1.0) == pytest.approx(ratio)
