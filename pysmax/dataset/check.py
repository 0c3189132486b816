"""Proves a dataset: every record against its checksum, its key and plain physics; streamed."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from pysmax.dataset import references
from pysmax.dataset.codec import NAMES, Row, decode
from pysmax.dataset.contacts import closest
from pysmax.dataset.record import Record
from pysmax.dataset.recover import damage
from pysmax.dataset.shard import Shard
from pysmax.dataset.store import Dataset
from pysmax.dataset.tally import Tally, Tolerances

Step = Callable[[int], object]
FLAT = 1e-6  # volume over that of a cuboid of the same edges: below, a cell is none
FEW = 3  # records per element below which energies per element are not fitted


def check(path: str | Path, tolerances: Tolerances | None = None, step: Step = lambda n: None) -> list[Tally]:
    """Every check as a tally; a damaged shard is named and left out of the others.

    ``step`` counts records, each twice.
    """
    limits = tolerances or Tolerances()
    dataset = Dataset(Path(path))
    dataset.check_description()
    tallies = [_shards(dataset, step), _duplicates(dataset)]
    tallies += _records(dataset, limits, step)
    if not any(t.bad for t in tallies if t.name == "shapes"):
        tallies += _energies(dataset, limits)
    tallies += _levels(dataset)
    return tallies


def _shards(dataset: Dataset, step: Step) -> Tally:
    tally = Tally("shards whole, checksums")
    for path in dataset.paths():
        what = damage(path, step)
        tally.ok(not what, path.name)
        if what:
            tally.remark = tally.remark or what
            dataset.leave_out(path)
    return tally


def _duplicates(dataset: Dataset) -> Tally:
    """Structures that are there twice at one level: a merge of the sorted keys of all shards."""
    tally = Tally("structures once per level")

    def keys(shard: Shard) -> Iterator[str]:
        last = ""
        while part := shard.fetch("key", "WHERE key > ? ORDER BY key LIMIT 5000", [last]):
            yield from (key for (key,) in part)
            last = part[-1][0]

    for key, same in groupby(heapq.merge(*map(keys, dataset.shards()))):
        tally.ok(sum(1 for _ in same) == 1, key)
    return tally


def _records(dataset: Dataset, limits: Tolerances, step: Step) -> list[Tally]:
    shapes, keys, finite = Tally("shapes"), Tally("keys match contents"), Tally("finite")
    volumes = Tally("cells span what is periodic")
    status = Tally("status matches contents")
    contact = Tally("closest contact", "r_i + r_j", limit=limits.contact, smallest=True)
    forces = Tally("force sum per atom", "eV/A", limit=limits.force_sum)
    virial = Tally("stress x volume per atom", "eV", limit=limits.virial)
    partly = Tally("stress only where periodic", severity="warning")
    for shard, rows in dataset.rows():
        for row in rows:
            stored = dict(zip(("id", *NAMES), row, strict=True))
            record = _decoded(shard, row[1:])
            shapes.ok(record is not None, stored["key"])
            if record is None:
                continue
            keys.ok(record.key == stored["key"], stored["key"])
            status.ok(record.status == stored["status"], stored["key"])
            numbers_fine = _finite(record)
            finite.ok(numbers_fine, stored["key"])
            if not numbers_fine:
                continue
            spanned = _spanned(record)
            volumes.ok(spanned, stored["key"])
            if not spanned:
                continue
            contact.add(closest(record.atoms, 2 * limits.contact), stored["key"])
            if record.label is None:
                continue
            n = len(record.atoms)
            forces.add(float(np.linalg.norm(record.label.forces.sum(axis=0))) / n, stored["key"])
            if record.label.stress is not None:
                periodic = bool(record.atoms.pbc.all())
                partly.ok(periodic, stored["key"])
                if periodic:
                    volume = abs(float(np.linalg.det(record.atoms.cell.array)))
                    virial.add(float(np.abs(record.label.stress).max()) * volume / n, stored["key"])
        step(len(rows))
    return [shapes, keys, status, finite, volumes, contact, forces, virial, partly]


def _decoded(shard: Shard, row: Row) -> Record | None:
    try:
        record = decode(row, shard.levels([row[NAMES.index("level")]]))
    except (ValueError, KeyError, TypeError):
        return None
    label, n = record.label, len(record.atoms)
    return record if label is None or label.forces.shape == (n, 3) else None


def _finite(record: Record) -> bool:
    values = [record.atoms.positions, record.atoms.cell.array]
    if record.label is not None:
        if record.label.energy is None:  # SQLite has no NaN: it is null
            return False
        values += [np.array(record.label.energy), record.label.forces]
        values += [v for v in (record.label.stress, record.label.magmoms) if v is not None]
    return all(bool(np.isfinite(v).all()) for v in values)


def _spanned(record: Record) -> bool:
    """Whether the periodic vectors of the cell are independent."""
    vectors = record.atoms.cell.array[record.atoms.pbc]
    volume = np.sqrt(max(0.0, float(np.linalg.det(vectors @ vectors.T))))
    return bool(volume > FLAT * np.sqrt((vectors**2).sum(axis=1)).prod())


def _energies(dataset: Dataset, limits: Tolerances) -> list[Tally]:
    wrong = Tally("energy from element energies", "eV/atom", limit=limits.energy)
    odd = Tally("energy outliers", "robust sigma", "warning", limits.outlier)
    for level in sorted({v.hash for v in dataset.levels()}):
        energies, records = references.fit(dataset, level)
        if records < FEW * max(1, int(np.count_nonzero(energies))):
            if records:
                odd.remark = wrong.remark = f"level {level}: too few records"
            continue
        middle, sigma = references.spread(dataset, level, energies)
        for keys, r in references.residuals(dataset, level, energies):
            for key, value in zip(keys, r.tolist(), strict=True):
                wrong.add(abs(value), key)
                odd.add(abs(value - middle) / sigma, key)
    return [wrong, odd]


def _levels(dataset: Dataset) -> list[Tally]:
    one = Tally("one level of theory", severity="warning")
    known = Tally("levels of theory known", severity="warning")
    versions = Tally("one version per engine", severity="warning")
    used = {h for by_level in dataset.counts().values() for h in by_level if h != "-"}
    levels = [v for v in dataset.levels() if v.hash in used]
    one.ok(len(used) <= 1, ", ".join(sorted(used)))
    for level in levels:
        known.ok(level.engine != "unknown", level.hash)
        others = sorted(v.version for v in levels if v.hash == level.hash)
        versions.ok(len(others) == 1, f"{level.engine} {', '.join(others)}")
    return [one, known, versions]
