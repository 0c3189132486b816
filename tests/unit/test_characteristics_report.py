"""`pysmax dataset report` on small datasets, with a descriptor of pair distances in place of the plugin's."""

from __future__ import annotations

import csv
import json
import re
import sys
import types
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import covalent_radii
from typer.testing import CliRunner, Result

from pysmax.characteristics import source
from pysmax.characteristics.projection import Settings, project
from pysmax.characteristics.statistics import Statistics
from pysmax.cli import app
from pysmax.dataset.record import Label, Level, Record
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError
from pysmax.report.plots import STYLE


def distances(structures: Sequence[ase.Atoms], ranks: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Sums of Gaussians of the distances to the other atoms, in units of the radii [sum natoms, 4]."""
    rows = []
    for a in structures:
        r = a.arrays.get("r_eff", covalent_radii[a.numbers])
        d = a.get_all_distances() / (r[:, None] + r)
        rows.append(np.stack([np.exp(-((d - c) ** 2)).sum(axis=1) for c in (1.0, 1.5, 2.0, 3.0)], axis=1))
    return np.concatenate(rows), np.array([len(a) for a in structures])


def frames(
    seed: int, n: int, width: float = 1.0, labels: Sequence[str] = ("energy", "forces", "stress")
) -> list:
    """Random structures with these labels."""
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(n):
        m = int(rng.integers(2, 7))
        a = ase.Atoms(rng.choice([1, 8, 26], m), rng.random((m, 3)) * 4, cell=np.eye(3) * 5, pbc=True)
        a.arrays["r_eff"] = covalent_radii[a.numbers] * rng.uniform(0.7, 1.3, m)
        values = {"energy": width * rng.normal() * m, "forces": width * rng.standard_t(2, (m, 3))}
        values["stress"] = 0.01 * width * rng.normal(size=6)
        a.calc = SinglePointCalculator(a, **{k: v for k, v in values.items() if k in labels})
        result.append(a)
    return result


def store(path: Path, structures: Sequence[ase.Atoms]) -> Path:
    """A dataset with one label for each structure."""
    level = Level("xtb", "1.0", {"method": "GFN1-xTB"})
    with Dataset.create(path).writer() as w:
        for a in structures:
            r = a.calc.results
            w.add(Record(source.bare(a), "test", {}, level, Label(r["energy"], r["forces"], r["stress"])))
    return path


def file(path: Path, structures: Sequence[ase.Atoms]) -> Path:
    ase.io.write(path, structures, format="extxyz")
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> object:
    """Calls the command; mistakes are raised."""
    plugin = types.SimpleNamespace(bispectrum=distances)
    monkeypatch.setitem(sys.modules, "pysmax.dataset.features", plugin)
    monkeypatch.setitem(STYLE, "savefig.dpi", 40)  # quick to draw

    def call(*args: object) -> Result:
        result = CliRunner().invoke(app, ["dataset", "report", *map(str, args)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def test_the_page_stands_alone(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    a, b = frames(1, 40, 3.0), frames(2, 30)
    first, second = store(tmp_path / "wide", a), file(tmp_path / "b.extxyz", b)
    third = file(tmp_path / "bare.xyz", [source.bare(f) for f in frames(3, 20)])
    out = tmp_path / "out"
    arguments = (first, f"<narrow & b>={second}", third, "-o", out, "--components", 4, "--resamples", 5)
    assert run(*arguments).exit_code == 0
    names = {"energy", "force", "stress", "pressure", "elements", "sizes", "components_1_2", "components_3_4"}
    names |= {"variance", "coverage"} | {f"table_{w}_{i}" for w in ("atoms", "structures") for i in (1, 2, 3)}
    others = {"index.html", "summary.json", "coverage.csv"}
    assert {p.name for p in out.iterdir()} == {f"{n}.png" for n in names} | others
    page = (out / "index.html").read_text()
    assert "&lt;narrow &amp; b&gt;" in page and "<narrow" not in page
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert len(sources) == len(names)
    assert all(s.startswith("data:image/png;base64,") for s in sources)

    summary = json.loads((out / "summary.json").read_text())
    assert list(summary["datasets"]) == ["wide", "<narrow & b>", "bare"]
    for name, structures in (("wide", a), ("<narrow & b>", b)):
        d = summary["datasets"][name]
        assert (d["structures"], d["atoms"]) == (len(structures), sum(map(len, structures)))
        mean = np.mean([f.get_potential_energy() / len(f) for f in structures])
        assert d["labels"]["energy"]["mean"] == pytest.approx(mean, rel=1e-6)
        largest = max(np.linalg.norm(f.get_forces(), axis=1).max() for f in structures)
        assert d["labels"]["force"]["max"] == pytest.approx(largest, rel=1e-6)
        assert d["atoms_of_element"] == Counter(s for f in structures for s in f.symbols)
    assert summary["datasets"]["bare"]["labels"] == {}
    assert summary["components"]["fitted_structures_of_each"] == 20
    rows = list(csv.DictReader((out / "coverage.csv").open()))
    assert len(rows) == 3 * (1 + 4 + 2)
    found = summary["datasets"]["bare"]["coverage"]["S_nats"]
    (row,) = [r for r in rows if (r["dataset"], r["measure"]) == ("bare", "S (nats)")]
    assert {"value": float(row["value"]), "error": float(row["error"])} == found


def test_same_seed_same_bytes(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    arguments = [file(tmp_path / "a.xyz", frames(1, 30)), "--fit", 10, "--project", 20, "--components", 2]
    for out in ("first", "again"):
        run(*arguments, "-o", tmp_path / out, "--seed", 1)
    first, again = tmp_path / "first", tmp_path / "again"
    assert all((again / p.name).read_bytes() == p.read_bytes() for p in first.iterdir())


def test_another_seed_draws_another_sample(tmp_path: Path) -> None:
    for path in (file(tmp_path / "a.xyz", frames(1, 30)), store(tmp_path / "b", frames(2, 30))):
        reader = source.open_sources("x", path)[0]
        one, same, other = (reader.scan(lambda b: None, 9, seed) for seed in (1, 1, 2))
        assert one == same and one != other


def test_a_file_and_a_dataset_of_the_same_structures_agree(tmp_path: Path) -> None:
    a = frames(1, 25)
    found = []
    for path in (store(tmp_path / "ds", a), file(tmp_path / "a.xyz", a)):
        s = Statistics()
        assert len(source.open_sources("x", path)[0].scan(s.add, 10, 0)) == 10
        found.append(s)
    one, two = found
    for name in ("structures", "atoms", "sizes", "richness"):
        assert getattr(one, name) == getattr(two, name)
    for name in ("structures_with", "atoms_of"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    for name, h in one.histograms.items():
        other = two.histograms[name]
        assert (h.total, h.left_out) == (other.total, other.left_out)
        assert (h.mean, h.low, h.high) == pytest.approx(
            (other.mean, other.low, other.high), rel=1e-5, abs=1e-7
        )


def test_effective_radii_count_only_where_asked() -> None:
    a = frames(1, 30)
    plain = [ase.Atoms(f.numbers, f.positions, cell=f.cell, pbc=True) for f in a]
    spread = {}
    for radii in ("covalent", "stored"):
        found = project(["a", "b"], [a, plain], distances, Settings(components=2, radii=radii))
        spread[radii] = np.abs(found.scores[0] - found.scores[1]).max()
    assert spread["covalent"] == 0
    assert spread["stored"] > 0.1
    assert all("r_eff" in f.arrays for f in a)  # the structures themselves are as they were


def test_unlabelled_records_are_compared_by_structure(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    with Dataset.create(tmp_path / "ds").writer() as w:
        for f in frames(1, 10):
            w.add(Record(source.bare(f), "test"))
    run(tmp_path / "ds", "--no-features", "-o", tmp_path / "out")
    d = json.loads((tmp_path / "out" / "summary.json").read_text())["datasets"]["ds"]
    assert (d["structures"], d["labels"]) == (10, {})
    assert not (tmp_path / "out" / "energy.png").exists()
    page = (tmp_path / "out" / "index.html").read_text()
    assert "No dataset has labels" in page and "std. dev." not in page


def test_a_reservoir_takes_every_frame_equally_often(tmp_path: Path) -> None:
    structures = [ase.Atoms("H", [[i, 0, 0]]) for i in range(12)]
    reader = source.Frames("a", file(tmp_path / "a.xyz", structures))
    counts: Counter[int] = Counter()
    firsts: Counter[int] = Counter()
    for seed in range(300):
        drawn = [round(a.positions[0, 0]) for a in reader.scan(lambda b: None, 4, seed)]
        assert len(set(drawn)) == 4
        counts.update(drawn)
        firsts[drawn[0]] += 1
    expected = 300 * 4 / 12
    assert sum((counts[i] - expected) ** 2 / expected for i in range(12)) < 31.3  # chi-square, 11, 0.1 %
    assert sum((firsts[i] - 25) ** 2 / 25 for i in range(12)) < 31.3
    assert len(reader.scan(lambda b: None, 50, 0)) == 12


def two_levels(path: Path) -> tuple[Path, list[str]]:
    """Ten structures at one level, and six of them 1000 eV lower at another; the levels' hashes."""
    levels = [Level("xtb", "1.0", {}), Level("dft", "2.0", {})]
    with Dataset.create(path).writer() as w:
        for i, f in enumerate(frames(1, 10)):
            r = f.calc.results
            for k, level in enumerate(levels[: 1 + (i < 6)]):
                label = Label(r["energy"] - 1000 * k, r["forces"], r["stress"])
                w.add(Record(source.bare(f), "test", {}, level, label))
    return path, [v.hash for v in levels]


def test_levels_of_theory_are_never_counted_together(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    ds, hashes = two_levels(tmp_path / "ds")
    out = tmp_path / "out"
    with pytest.raises(SmaxError, match=r"are xtb 1\.0 \(\w+\): 10 labels, dft 2\.0 \(\w+\): 6 labels; exp"):
        run(ds, "--no-features", "-o", out)
    for level, n in (("xtb", 10), ("dft", 6), (hashes[0][:8], 10)):
        run(ds, "--no-features", "-o", out, "--level", level)
        d = json.loads((out / "summary.json").read_text())["datasets"]["ds"]
        assert d["structures"] == n and len(d["levels"]) == 1
        assert (d["labels"]["energy"]["max"] < -100) == (level == "dft")
    run(ds, "-o", out, "--level", "each", "--components", 2)
    found = json.loads((out / "summary.json").read_text())["datasets"]
    assert {k: d["structures"] for k, d in found.items()} == {
        f"ds, xtb 1.0 ({hashes[0][:6]})": 10,
        f"ds, dft 2.0 ({hashes[1][:6]})": 6,
    }
    assert "not comparable" in (out / "index.html").read_text()
    with pytest.raises(SmaxError, match="--level vasp is 0 of them"):
        run(ds, "--no-features", "-o", out, "--level", "vasp")


def spoilt(folder: Path, what: str) -> list[object]:
    """Arguments with one mistake."""
    good = file(folder / "good.xyz", frames(1, 5))
    bad = folder / "bad.xyz"
    if what == "not there":
        return [good, folder / "none.xyz"]
    if what == "no dataset":
        (folder / "plain").mkdir()
        return [good, folder / "plain"]
    if what == "empty dataset":
        Dataset.create(folder / "void")
        return [good, folder / "void"]
    if what == "twice":
        return [good, f"other={good}"]
    if what == "same name":
        return [good, f"good={file(bad, frames(2, 5))}"]
    if what == "other labels":
        return [
            file(folder / "e.xyz", frames(1, 5, labels=["energy"])),
            file(bad, frames(2, 5, labels=["stress"])),
        ]
    if what == "one structure":
        return [good, file(bad, frames(2, 1))]
    text = {
        "empty": "",
        "prose": "hello\n" * 9,
        "binary": "\x00\xff",
        "element": "1\nProperties=species:S:1:pos:R:3\nQq 0 0 0\n",
    }
    bad.write_bytes(text[what].encode("latin1") if what in text else b"")
    if what == "cut":
        bad.write_text(good.read_text()[:-40])
    if what == "later frame":
        bad.write_text(good.read_text() + "2\nProperties=species:S:1:pos:R:3\nH 0 0 0\nH 0 x 0\n")
    return [good, bad]


MISTAKES = {
    "not there": "none.xyz: No such file",
    "no dataset": "plain: ",
    "empty dataset": "void: has no record",
    "twice": "given twice",
    "same name": "two datasets are called 'good'",
    "other labels": r"no label in common \(e: energy; bad: pressure, stress\)",
    "one structure": "bad has 1 structure",
    "empty": "bad.xyz: has no frame|bad.xyz: not readable",
    "prose": "bad.xyz: not readable",
    "binary": "bad.xyz: not readable",
    "element": "bad.xyz: not readable",
    "cut": "bad.xyz: frame 4 is not readable",
    "later frame": "bad.xyz: frame 5 is not readable",
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_sentence(tmp_path: Path, run, what: str) -> None:  # type: ignore[no-untyped-def]
    arguments = spoilt(tmp_path, what)
    with pytest.raises(SmaxError, match=MISTAKES[what]) as stop:
        run(*arguments, "-o", tmp_path / "out")
    assert "\n" not in str(stop.value)
    assert not (tmp_path / "out" / "index.html").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--components", 3), ("--fit", 1), ("--eps", -1.0), ("--radii", "atomic")]
)
def test_settings_out_of_range_are_named(tmp_path: Path, run, option: str, value: object) -> None:  # type: ignore[no-untyped-def]
    good = file(tmp_path / "good.xyz", frames(1, 5))
    with pytest.raises(SmaxError, match=f"^{option}: is {value}: "):
        run(good, option, value, "-o", tmp_path / "out")
