"""Finds damaged shards, and saves what is in them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pysmax.dataset.codec import LEVEL, NAMES, Row, intact
from pysmax.dataset.query import SELECT
from pysmax.dataset.record import Level
from pysmax.dataset.salvage import Pages
from pysmax.dataset.shard import DamagedShard, Shard, create, number
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError

BATCH = 1000
KEY = NAMES.index("key")


@dataclass(frozen=True)
class Recovered:
    """What became of a damaged shard."""

    shard: str
    damage: str
    new_shard: str  # '' if nothing was left to save
    saved: int
    elsewhere: int  # intact, but their keys are in other shards
    homeless: int  # intact, but their level of theory is lost


def damage(path: Path, step: Callable[[int], object] = lambda n: None) -> str:
    """What is wrong with a shard, '' if it is sound: SQLite's own check, gaps, and every checksum."""
    try:
        with closing(Shard(path)) as shard, shard.reading():
            (found,) = shard.db.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                return " ".join(str(found).split())
            (n,) = shard.db.execute("SELECT count(*) FROM records").fetchone()
            if n != len(shard):
                return f"{len(shard) - n} of {len(shard)} records are missing"
            return _bad_level(shard) or _bad_record(shard, step)
    except DamagedShard as e:
        return e.what


def _bad_level(shard: Shard) -> str:
    for id_, digest in shard.db.execute("SELECT id, hash FROM levels"):
        if shard.levels()[id_].hash != digest:
            return f"level of theory {id_} does not have its hash"
    lost = shard.fetch("id", "WHERE level NOT IN (SELECT id FROM levels) LIMIT 1")
    return f"record {lost[0][0]} has a level of theory that is not there" if lost else ""


def _bad_record(shard: Shard, step: Callable[[int], object]) -> str:
    last, bad = 0, list[int]()
    while rows := shard.fetch(f"id, {SELECT}", "WHERE id > ? ORDER BY id LIMIT ?", [last, BATCH]):
        bad += [r[0] for r in rows if not intact(r[1:])]
        last = rows[-1][0]
        step(len(rows))
    return f"the checksum of record {bad[0]} does not match, {len(bad)} such records" if bad else ""


def recover(path: Path, found: Callable[[Recovered], object] = lambda r: None) -> list[Recovered]:
    """Save the intact records of every damaged shard into a new one, move the damaged one to ``damaged/``.

    Sound shards are only read. Stopped at any moment, it can be run again. Under the lock of the dataset.
    """
    dataset = Dataset(path)
    dataset.check_description()
    _set_claims_aside(dataset)
    done: list[Recovered] = []
    with dataset.claims.transaction():
        broken = {p: what for p in dataset.paths() if (what := damage(p))}
        sound = [p for p in dataset.paths() if p not in broken]
        for shard, what in broken.items():
            result = _save(dataset, shard, what, sound)
            if result.new_shard:
                sound.append(shard.with_name(result.new_shard))
            _set_aside(dataset, shard)
            done.append(result)
            found(result)
    return done


def _save(dataset: Dataset, path: Path, what: str, sound: list[Path]) -> Recovered:
    try:
        pages = Pages(path.read_bytes())
    except OSError as e:
        raise SmaxError(f"{path}: {e.strerror}") from None
    shards = [dataset.shard(p) for p in sound]
    levels = pages.levels()
    by_hash = {v.hash: v for s in shards for v in s.levels().values()} | {v.hash: v for v in levels.values()}
    count = {"saved": 0, "elsewhere": 0, "homeless": 0}

    def rows(part: list[Row]) -> Iterator[tuple[list[object], Level | None]]:
        known = {k for s in shards for (k,) in s.lookup("key", [r[KEY] for r in part])}
        for row in part:
            digest = row[KEY].split(":")[1]
            level = levels.get(row[LEVEL]) if row[LEVEL] is not None else None
            if level is None or level.hash != digest:
                level = by_hash.get(digest)
            fate = "elsewhere" if row[KEY] in known else "saved" if level or digest == "-" else "homeless"
            count[fate] += 1
            if fate == "saved":
                yield list(row[:-1]), level

    new = create(path.parent, number(path), "-recovered", publish=False)
    with closing(Shard(new)) as shard:
        records = pages.records()
        while part := list(islice(records, BATCH)):
            shard.write(rows(part))
    name = ""
    if count["saved"]:
        name = new.name.removeprefix(".").removesuffix(".new")
        os.rename(new, path.with_name(name))
    else:
        new.unlink()
    return Recovered(path.name, what, name, **count)


def _set_aside(dataset: Dataset, path: Path) -> None:
    folder = dataset.path / "damaged"
    try:
        folder.mkdir(exist_ok=True)
        # the shard last: while it is there, recover can be run again
        for file in (Path(f"{path}-journal"), path):
            if file.exists():
                os.replace(file, folder / file.name)
    except OSError as e:
        raise SmaxError(f"{path}: cannot be moved to {folder}: {e.strerror}") from None


def _set_claims_aside(dataset: Dataset) -> None:
    """Claims are worth nothing if their file is damaged: a new one is made when it is needed."""
    path = dataset.claims.path
    try:
        with closing(sqlite3.connect(path)) as db:
            sound = db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok"
    except sqlite3.OperationalError as e:
        raise SmaxError(f"{path}: {e}") from None
    except sqlite3.DatabaseError:
        sound = False
    if not sound:
        _set_aside(dataset, path)
