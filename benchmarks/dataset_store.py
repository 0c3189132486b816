"""The store of datasets against extended XYZ, ASE's database and its LMDB: write, read, pick, convert.

python benchmarks/dataset_store.py [--quick]  else replaces the first part of RESULTS_dataset.md
"""

from __future__ import annotations

import argparse
import datetime
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ase
import ase.db
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import iread, write
from ase_db_backends.aselmdb import LMDBDatabase
from harness import Row, Setting
from run import _processor, _version

from pysmax.dataset.convert import Source, convert
from pysmax.dataset.record import Label, Level, Record
from pysmax.dataset.store import Dataset

RESULTS = Path(__file__).with_name("RESULTS_dataset.md")
FULL = 20_000  # configurations
PICKS = 1000
LEVEL = Level("xtb", "0", {"method": "GFN1-xTB"})
ENDINGS = {"dataset": "", "extxyz": ".extxyz", "asedb": ".db", "aselmdb": ".aselmdb"}
NAMES = {"dataset": "pysmax dataset", "extxyz": "extxyz (ASE)", "asedb": "ASE db", "aselmdb": "aselmdb"}


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1000 configurations, nothing is written")
    quick = parser.parse_args().quick
    load = os.getloadavg()[0]
    n = 1000 if quick else FULL
    with tempfile.TemporaryDirectory(prefix="smax-bench-") as folder:
        text = _markdown(compare(Path(folder), n), n, load)
    print(text)
    if not quick:
        RESULTS.write_text(text + _kept(RESULTS.read_text()))


def _kept(before: str) -> str:
    """What dataset_scale.py has measured."""
    _, mark, rest = before.partition("\n## At full size")
    return mark + rest


def measure(setting: Setting) -> list[Row]:
    """The same as rows of the common table."""
    n = max(500, round(FULL * setting.scale))
    found = compare(setting.folder / "store", n)
    return [
        Row(f"store, {n} configurations, {what}: {who}", "", value) for (what, who), value in found.items()
    ]


def records(n: int, seed: int = 0) -> list[Record]:
    """Random cells of 4 to 23 atoms with energy, forces and stress: 13.5 atoms each, as the generator's."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        m = int(rng.integers(4, 24))
        cell = 5.0 * np.eye(3) + rng.random((3, 3))
        atoms = ase.Atoms(rng.integers(1, 87, m), positions=rng.random((m, 3)) @ cell, cell=cell, pbc=True)
        label = Label(float(-4.0 * m), rng.normal(size=(m, 3)), rng.normal(size=6))
        made.append(Record(atoms, "generated", {"index": i}, LEVEL, label))
    return made


def compare(folder: Path, n: int) -> dict[tuple[str, str], str]:
    """(what, format): processor seconds, or milliseconds a record, or MB."""
    folder.mkdir(exist_ok=True)
    made = records(n)
    frames = [_with_calculator(r) for r in made]
    picks = np.random.default_rng(1).integers(0, n, PICKS).tolist()
    found: dict[tuple[str, str], str] = {}
    for name, ending in ENDINGS.items():
        path = folder / f"ours{ending}"
        found["write", name] = _seconds(lambda p=path, k=name: _write(k, p, made, frames))  # type: ignore[misc]
        found["read all", name] = _seconds(lambda p=path, k=name: _read(k, p))  # type: ignore[misc]
        found["random access, ms", name] = _random(name, path, picks)
        found["size, MB", name] = f"{_size(path) / 1e6:.1f}"
        if name != "dataset":
            source, target = folder / "ours", folder / f"converted{ending}"
            found["from dataset", name] = _seconds(
                lambda t=target, k=name, s=source: convert(Source.of(s), t, k)  # type: ignore[misc]
            )
            back = folder / f"back-{name}"
            found["to dataset", name] = _seconds(
                lambda t=target, b=back: convert(Source.of(t), b, "dataset")  # type: ignore[misc]
            )
            assert len(Dataset.open(back)) == n
    ours = Dataset.open(folder / "ours")
    found["flat arrays", "dataset"] = _seconds(lambda: sum(len(a["energy"]) for a in ours.arrays()))
    keys = [made[i].key for i in picks]
    found["by key, ms", "dataset"] = (
        f"{1e3 / PICKS * float(_seconds(lambda: [ours.get(k) for k in keys])):.3f}"
    )
    return found


def _write(name: str, path: Path, made: list[Record], frames: list[ase.Atoms]) -> None:
    if name == "dataset":
        with Dataset.create(path).writer() as w:
            for record in made:
                w.add(record)
    elif name == "extxyz":
        write(path, frames, format="extxyz")
    else:
        with ase.db.connect(path, type="db") if name == "asedb" else LMDBDatabase(path) as db:
            for atoms in frames:
                db.write(atoms)


def _read(name: str, path: Path) -> int:
    if name == "dataset":
        return sum(1 for _ in Dataset.open(path).records())
    if name == "extxyz":
        return sum(1 for _ in iread(path, index=":", format="extxyz"))
    with ase.db.connect(path, type="db") if name == "asedb" else LMDBDatabase(path, readonly=True) as db:
        return sum(1 for row in db.select() if row.toatoms())


def _random(name: str, path: Path, picks: list[int]) -> str:
    if name == "extxyz":
        return "-"
    if name == "dataset":
        ds = Dataset.open(path)
        seconds = _seconds(lambda: [ds.at([i]) for i in picks])
    else:
        with ase.db.connect(path, type="db") if name == "asedb" else LMDBDatabase(path, readonly=True) as db:
            seconds = _seconds(lambda: [db.get(id=i + 1).toatoms() for i in picks])
    return f"{1e3 / PICKS * float(seconds):.3f}"


def _seconds(work: Callable[[], object]) -> str:
    start = time.process_time()
    work()
    return f"{time.process_time() - start:.3g}"


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(f.stat().st_size for f in files if f.is_file())


def _with_calculator(record: Record) -> ase.Atoms:
    atoms, label = record.atoms.copy(), record.label
    assert label is not None
    atoms.calc = SinglePointCalculator(atoms, energy=label.energy, forces=label.forces, stress=label.stress)
    return atoms


HEAD = """# Store of datasets

{n} random configurations of 4 to 23 atoms with energy, forces and stress, one format after the other in one run of
`python benchmarks/dataset_store.py`. Processor seconds (user and system) unless it says otherwise. The others are
written and read by ASE alone; a record of ours has its key, checksum, level of theory and provenance besides.
`read all` builds every structure; `flat arrays` (energy, forces, stress, numbers) does not. Random access: single
structures. `from dataset` and `to dataset` are `pysmax dataset convert`.

- date: {date:%Y-%m-%d}
- processor: {processor}, {cores} cores visible, load at the start {load:.1f}
- versions: {versions}
"""  # noqa: E501


def _markdown(found: dict[tuple[str, str], str], n: int, load: float) -> str:
    kinds = list(dict.fromkeys(what for what, _ in found))
    table = ["| | " + " | ".join(NAMES.values()) + " |", "|---|" + "---|" * len(NAMES)]
    table += [f"| {kind} | " + " | ".join(found.get((kind, k), "") for k in NAMES) + " |" for kind in kinds]
    head = HEAD.format(
        n=n,
        date=datetime.datetime.now(datetime.timezone.utc),
        processor=_processor(),
        cores=os.cpu_count(),
        load=load,
        versions=", ".join(f"{p} {_version(p)}" for p in ("ase", "ase-db-backends", "numpy")),
    )
    return "\n".join([head, *table, ""])


if __name__ == "__main__":
    main()
