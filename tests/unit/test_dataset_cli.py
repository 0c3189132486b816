"""pysmax dataset as a user runs it, and the lines of docs/dataset.md."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import ase
import numpy as np
import pytest
from dataset_tools import OTHER, record
from typer.testing import CliRunner, Result

from pysmax.cli.dataset import app
from pysmax.dataset.info import gather
from pysmax.dataset.record import Array
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError

DOCS = Path(__file__).resolve().parents[2] / "docs" / "dataset.md"
RECORDS = [
    *(record(i, source=("relax", "generated")[i % 2]) for i in range(30)),
    *(record(i, level=OTHER) for i in range(3)),
    record(40, "failed"),
    record(1, "unlabelled", None),
    record(50, "unlabelled", None),
]


@pytest.fixture
def ds(tmp_path: Path) -> Path:
    """A dataset of every kind of record."""
    with Dataset.create(tmp_path / "ds").writer(shard_size=20) as w:
        assert all(map(w.add, RECORDS))
    return tmp_path / "ds"


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_info(ds: Path) -> None:
    found = json.loads(run("info", ds, "--json").stdout)
    assert found == json.loads(json.dumps(gather(Dataset.open(ds))))
    assert found["records"] == 36 and found["status"] == {"ok": 33, "failed": 1, "unlabelled": 2}
    assert found["atoms"] == sum(len(r.atoms) for r in RECORDS)
    assert found["waiting"] == 1  # record 1 has a label at one level
    elements = Counter(s for r in RECORDS for s in r.atoms.get_chemical_symbols())
    per_configuration = Counter(s for r in RECORDS for s in set(r.atoms.get_chemical_symbols()))
    assert {s: v["atoms"] for s, v in found["elements"].items()} == elements
    assert {s: v["configurations"] for s, v in found["elements"].items()} == per_configuration
    energies = [r.label.energy / len(r.atoms) for r in RECORDS if r.label and r.level == OTHER]
    assert found["energy_eV_per_atom"][OTHER.hash]["max"] == pytest.approx(max(energies), rel=1e-6)
    assert found["natoms"] == {str(k): n for k, n in Counter(len(r.atoms) for r in RECORDS).items()}
    text = run("info", ds).stdout
    assert "36 records (1 failed, 33 ok, 2 unlabelled)" in text and "1 of the unlabelled structures" in text
    assert re.search(rf"relax +{record(0).level.hash} +ok +- +15", text)  # type: ignore[union-attr]
    assert re.search(r"generated +\w+ +failed +scf +1", text)


def test_check(ds: Path) -> None:
    text = run("check", ds).stdout
    assert "nothing is wrong" in text and re.search(r"one level of theory +warning", text)
    text = run("check", ds, "--contact", "1.9", code=1).stdout
    assert re.search(r"closest contact +wrong +36", text) and "1 of 16 checks are wrong" in text
    tallies = json.loads(run("check", ds, "--json").stdout)
    assert {t["name"]: t["verdict"] for t in tallies}["finite"] == "ok"


def test_convert_and_back(ds: Path, tmp_path: Path) -> None:
    text = run("convert", ds, tmp_path / "a.extxyz", "--shard-size", 20).stdout
    files = f"{tmp_path}/a-00000.extxyz and 1 more files"
    assert text == f"33 records written to {files}; left out: 1 failed, 2 unlabelled\n"
    run("convert", tmp_path / "a-00000.extxyz", tmp_path / "back", "--format", "dataset", "--from", "extxyz")
    assert len(Dataset.open(tmp_path / "back")) == 20
    run("convert", ds, tmp_path / "copy", "--unlabelled")
    assert Dataset.open(tmp_path / "copy").keys() == Dataset.open(ds).keys()


def cheap_features(structures: Sequence[ase.Atoms]) -> tuple[Array, np.ndarray]:
    """Two numbers per atom in the place of 55."""
    rows = [np.column_stack([a.numbers, a.arrays["r_eff"]]) for a in structures]
    return np.vstack(rows), np.array([len(a) for a in structures])


def test_select_by_entropy(ds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pysmax.dataset.features.bispectrum", cheap_features)
    text = run("select", ds, 5, "--to", tmp_path / "few", "--mode", "config", "--level", "xtb").stdout
    assert re.fullmatch(rf"5 of 36 records in {tmp_path}/few; S = -?\d+\.\d+ nats, of all records .*\n", text)
    longer = run("select", ds, 9, "--to", tmp_path / "more", "--mode", "config", "--level", "xtb").stdout
    few, more = ([r.key for r in Dataset.open(tmp_path / name).records()] for name in ("few", "more"))
    assert longer.startswith("9 of 36") and len(few) == 5 and len(set(more)) == 9


def test_split_and_select(ds: Path, tmp_path: Path) -> None:
    text = run(
        "split", ds, tmp_path / "train", tmp_path / "test", "--fraction", 0.3, "--group", "composition"
    ).stdout
    train, test = len(Dataset.open(tmp_path / "train")), len(Dataset.open(tmp_path / "test"))
    assert train + test == 33 and f"{train} records in" in text and "left out: 1 failed, 2 unlabelled" in text
    for by in ("random", "elements"):
        text = run("select", ds, 7, "--to", tmp_path / by, "--by", by, "--level", "xtb").stdout
        assert text == f"7 of 36 records in {tmp_path / by}\n"
        assert [r.status for r in Dataset.open(tmp_path / by).records()] == ["ok"] * 7


def test_a_level_is_chosen_where_there_are_two(ds: Path, tmp_path: Path) -> None:
    two = r"levels of theory are xtb 0\.8 \(\w{6}\): 30 labels, dft 26\.7 \(\w{6}\): 3 labels; expected one: "
    for arguments in (("select", ds, 7, "--to", tmp_path / "a"), ("convert", ds, tmp_path / "a.pkl.gz")):
        with pytest.raises(SmaxError, match=two):
            run(*arguments)
    assert not (tmp_path / "a").exists() and not (tmp_path / "a.pkl.gz").exists()
    assert run("convert", ds, tmp_path / "a.pkl.gz", "--level", "dft").stdout.startswith("3 records")
    assert run("convert", ds, tmp_path / "copy", "--level", "xtb").stdout.startswith("31 records")
    run("split", ds, tmp_path / "train", tmp_path / "test", "--level", OTHER.hash[:4])
    assert sum(len(Dataset.open(tmp_path / name)) for name in ("train", "test")) == 3
    run("convert", ds, tmp_path / "a.extxyz")
    with pytest.raises(SmaxError, match="expected --level-name for a file"):
        run("convert", tmp_path / "a.extxyz", tmp_path / "b", "--level", "xtb")


@pytest.mark.parametrize("by", ["random", "entropy"])
def test_a_negative_seed_is_refused(ds: Path, tmp_path: Path, by: str) -> None:
    result = run("select", ds, 7, "--to", tmp_path / "a", "--by", by, "--seed", -1, code=2)
    assert "--seed" in result.output


def test_recover(ds: Path) -> None:
    assert run("recover", ds).stdout == "nothing is damaged\n"
    shard = Dataset(ds).paths()[0]
    data = shard.read_bytes()
    shard.write_bytes(data[:-5000])
    with pytest.raises(SmaxError, match="run pysmax dataset recover"):
        run("info", ds)
    assert shard.name in run("check", ds, code=1).stdout
    text = run("recover", ds).stdout
    assert f"{shard.name}: damaged" in text and re.search(r"1\d records saved in 00001-\w+-recovered", text)
    run("check", ds)


def test_a_mistake_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from pysmax.cli import main; main()", "dataset", "info", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"pysmax: {tmp_path}: not a dataset, expected a folder with dataset.json\n"


def test_the_lines_of_the_documentation(ds: Path, tmp_path: Path) -> None:
    """A dataset is read without pysmax, with the lines that docs/dataset.md shows."""
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    reading = next(b for b in blocks if "sqlite3" in b)
    assert "pysmax" not in reading
    script = reading.replace('"ds/', f'"{ds}/') + "\nprint(repr(total), count, worst)\n"
    command = [sys.executable, "-I", "-c", script]  # -I: no PYTHONPATH, pysmax cannot help
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout.split()
    ok = [r.label for r in RECORDS if r.label]
    assert float(out[0]) == pytest.approx(sum(v.energy for v in ok), rel=1e-12) and int(out[1]) == len(ok)
    assert float(out[2]) == max(np.linalg.norm(v.forces, axis=1).max() for v in ok)


def test_the_commands_of_the_documentation_exist() -> None:
    commands = set(re.findall(r"^ +pysmax dataset (\w+)", DOCS.read_text(), re.MULTILINE))
    assert commands == {"info", "check", "convert", "split", "select", "recover"}
    for command in commands:
        run(command, "--help")
