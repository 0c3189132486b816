"""The store: a folder with dataset.json, shards/*.sqlite and claims.sqlite. See docs/dataset.md."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pysmax.dataset import arrays as flat
from pysmax.dataset.claims import Claims
from pysmax.dataset.codec import COLUMNS, LEVEL, NAMES, Row, decode, intact
from pysmax.dataset.record import Level, Record
from pysmax.dataset.shard import SIZE, DamagedShard, Shard, create, number
from pysmax.dataset.writer import Writer, writing
from pysmax.errors import SmaxError
from pysmax.files import read_text, write_atomically

FORMAT = "smax-dataset"
VERSION = 1
Counts = dict[str, dict[str, dict[str, dict[str, int]]]]  # source, level hash, status, reason
SELECT = ", ".join(NAMES)


class Dataset:
    """Records by key and by position (the order of shards, then of commits inside a shard)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.claims = Claims(path / "claims.sqlite")
        self._open: dict[Path, Shard] = {}
        self._pid = os.getpid()

    @classmethod
    def create(cls, path: str | Path, exist_ok: bool = False) -> Dataset:
        """Make an empty dataset; with ``exist_ok`` open the one that is there."""
        path = Path(path)
        if exist_ok and os.path.exists(path / "dataset.json"):
            return cls.open(path)
        try:
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                raise SmaxError(f"{path}: exists already, expected a new folder for the dataset")
            (path / "shards").mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise SmaxError(f"{path}: cannot be made: {e.strerror}") from None
        write_atomically(path / "dataset.json", (json.dumps(_description(), indent=1) + "\n").encode())
        return cls(path)

    @classmethod
    def open(cls, path: str | Path) -> Dataset:
        """Open a dataset; SmaxError if it is none, of a newer version, or a shard is damaged."""
        dataset = cls(Path(path))
        dataset.check_description()
        for shard in dataset.paths():
            dataset.shard(shard)
        return dataset

    def paths(self) -> list[Path]:
        """The shards that are there now."""
        folder = self.path / "shards"
        try:
            names = os.listdir(folder)
        except OSError as e:
            raise SmaxError(f"{folder}: {e.strerror}") from None
        return [folder / n for n in sorted(names) if n.endswith(".sqlite") and not n.startswith(".")]

    def shard(self, path: Path) -> Shard:
        """A shard of ``paths``, opened once."""
        if self._pid != os.getpid():  # SQLite's connections do not survive a fork
            self._open, self._pid = {}, os.getpid()
        if path not in self._open:
            self._open[path] = Shard(path)
        return self._open[path]

    def shards(self) -> Iterator[Shard]:
        """All shards in order."""
        return map(self.shard, self.paths())

    def new_shard(self) -> Shard:
        """Begin a shard; under the lock of the dataset."""
        last = max(map(number, self.paths()), default=0)
        return self.shard(create(self.path / "shards", last + 1))

    def close(self) -> None:
        """Close the files."""
        for shard in self._open.values():
            shard.close()
        self._open = {}

    def writer(self, shard_size: int = SIZE) -> AbstractContextManager[Writer]:
        """``with ds.writer() as w: w.add(record)``; see Writer."""
        return writing(self, shard_size)

    # -- by key

    def locate(self, keys: Iterable[str]) -> dict[str, tuple[Shard, str]]:
        """Shard and status of those keys that are there; indexed queries, one per shard and 500 keys."""
        left, found = set(keys), {}
        for shard in reversed(list(self.shards())):  # the newest are asked for most
            if not left:
                break
            for key, status in shard.lookup("key, status", left):
                found[key] = (shard, status)
            left -= found.keys()
        return found

    def status_of(self, keys: Iterable[str]) -> dict[str, str]:
        """Status of those keys that are there."""
        return {key: status for key, (_, status) in self.locate(keys).items()}

    def get(self, key: str) -> Record | None:
        """The record, or None."""
        for shard in self.shards():
            for row in shard.lookup(f"id, {SELECT}", [key]):
                return _record(shard, row)
        return None

    def __contains__(self, key: str) -> bool:
        return bool(self.locate([key]))

    def keys(self) -> set[str]:
        """All keys: about 150 bytes of memory each; ``status_of`` needs none."""
        return {key for shard in self.shards() for (key,) in shard.fetch("key")}

    def __len__(self) -> int:
        return sum(map(len, self.shards()))

    # -- by position, streamed

    def at(self, positions: Sequence[int]) -> list[Record]:
        """Records by position, 0 to len - 1."""
        return self._pick(positions, lambda s: len(s), lambda s, ids: [i + 1 for i in ids])

    def sample(self, n: int, seed: int, status: str | None = "ok") -> list[Record]:
        """``n`` different records (or all, if there are fewer), each as likely as any other."""
        where, values = ("", []) if status is None else ("WHERE status = ?", [status])
        ids: dict[Path, list[int]] = {}

        def count(shard: Shard) -> int:
            return int(shard.fetch("count(*)", where, values)[0][0])

        def choose(shard: Shard, chosen: list[int]) -> list[int]:
            ids[shard.path] = [i for (i,) in shard.fetch("id", f"{where} ORDER BY id", values)]
            return [ids[shard.path][i] for i in chosen]

        total = sum(map(count, self.shards()))
        rng = np.random.default_rng(seed)
        chosen = rng.choice(total, size=min(n, total), replace=False).tolist() if total else []
        return self._pick(chosen, count, choose)

    def _pick(
        self,
        positions: Sequence[int],
        count: Callable[[Shard], int],
        ids: Callable[[Shard, list[int]], list[int]],
    ) -> list[Record]:
        found: dict[int, Record] = {}
        start = 0
        wanted = np.unique(np.asarray(positions, dtype=np.int64))
        for shard in self.shards():
            end = start + count(shard)
            inside = [
                int(p) - start for p in wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, end)]
            ]
            for i, id_ in zip(inside, ids(shard, inside) if inside else [], strict=True):
                (row,) = shard.fetch(f"id, {SELECT}", "WHERE id = ?", [id_])
                found[start + i] = _record(shard, row)
            start = end
        missing = [p for p in positions if int(p) not in found]
        if missing:
            raise SmaxError(f"{self.path}: there is no record {missing[0]}, expected 0 to {start - 1}")
        return [found[int(p)] for p in positions]

    def rows(
        self,
        what: str = SELECT,
        status: str | None = None,
        source: str | None = None,
        level: str | None = None,
        start: int = 0,
        batch: int = 1000,
    ) -> Iterator[tuple[Shard, list[Row]]]:
        """Batches of (id, columns ``what``) of the records that match, in order; ``level`` is a hash."""
        for shard in self.shards():
            where, values = _where(shard, status, source, level)
            if start:
                n = int(shard.fetch("count(*)", f"WHERE {where}", values)[0][0])
                if start >= n:
                    start -= n
                    continue
            last, offset, start = 0, start, 0
            while part := shard.fetch(
                f"id, {what}",
                f"WHERE id > ? AND {where} ORDER BY id LIMIT ? OFFSET ?",
                [last, *values, batch, offset],
            ):
                yield shard, part
                last, offset = part[-1][0], 0

    def records(
        self,
        status: str | None = None,
        source: str | None = None,
        level: str | None = None,
        start: int = 0,
        batch: int = 1000,
    ) -> Iterator[Record]:
        """Records that match, streamed in order from number ``start``; ``batch`` of them are in memory."""
        for shard, part in self.rows(SELECT, status, source, level, start, batch):
            for row in part:
                yield _record(shard, row)

    def arrays(
        self,
        fields: Sequence[str] = ("energy", "forces", "stress", "natoms", "numbers"),
        status: str | None = "ok",
        source: str | None = None,
        level: str | None = None,
        batch: int = 5000,
    ) -> Iterator[dict[str, Any]]:
        """Flat arrays of ``batch`` records at a time, without building structures (see arrays.SHAPES).

        Per record: energy [m], stress [m,6], natoms [m], cell [m,3,3], pbc [m,3]; per atom, in order:
        numbers [N], forces [N,3], positions [N,3], r_eff [N], magmoms [N]. What a record lacks is NaN.
        Also source, key, reason: lists of m strings. Checksums are not looked at: ``check`` does that.
        """
        query = flat.query(fields)
        for shard, part in self.rows(query, status, source, level, 0, batch):
            with shard.reading():
                yield flat.join(fields, part, shard.path)

    # -- what is in it

    def levels(self) -> list[Level]:
        """Levels of theory, each hash and version once."""
        found = {(v.hash, v.version): v for shard in self.shards() for v in shard.levels().values()}
        return list(found.values())

    def counts(self) -> Counts:
        """Numbers of records: counts[source][level hash or '-'][status][reason or '']."""
        counts: Counts = {}
        for shard in self.shards():
            hashes = {i: v.hash for i, v in shard.levels().items()}
            groups = shard.fetch(
                "source, level, status, reason, count(*)", "GROUP BY status, level, source, reason"
            )
            for source, level, status, reason, n in groups:
                by_status = counts.setdefault(source, {}).setdefault(hashes.get(level, "-"), {})
                by_reason = by_status.setdefault(status, {})
                by_reason[reason] = by_reason.get(reason, 0) + n
        return counts

    @contextmanager
    def claim(
        self, keys: Iterable[str], owner: str = "", skip: Sequence[str] = ("ok",)
    ) -> Iterator[set[str]]:
        """Those keys that nobody alive has claimed, and whose status is not in ``skip``, for a with block.

        The status is asked once the keys are ours, so that what another owner has just finished is not done
        again. A claim has a heartbeat; that of a dead owner is taken over: at once where its process
        is gone from this machine, after 60 s without a heartbeat elsewhere (clocks must agree).
        """
        with self.claims.held(keys, owner) as (id_, mine):
            done = {key for key, status in self.status_of(mine).items() if status in skip}
            if done:
                self.claims.release(id_, done)
            yield mine - done

    def check_description(self) -> None:
        """Raise SmaxError unless dataset.json is that of a dataset of this version."""
        path = self.path / "dataset.json"
        if not os.path.exists(path):  # also False without permission
            raise SmaxError(f"{self.path}: not a dataset, expected a folder with dataset.json")
        try:
            found = json.loads(read_text(path))
        except ValueError:
            raise SmaxError(f"{path}: not JSON, expected the description of a dataset") from None
        if not isinstance(found, Mapping) or found.get("format") != FORMAT:
            raise SmaxError(f"{path}: 'format' is not '{FORMAT}', expected the description of a dataset")
        if found.get("version") != VERSION:
            raise SmaxError(
                f"{path}: version is {found.get('version')}, expected {VERSION}: a newer pysmax wrote it"
            )


def _where(
    shard: Shard, status: str | None, source: str | None, level: str | None
) -> tuple[str, list[object]]:
    terms, values = ["1"], list[object]()
    for name, value in (("status", status), ("source", source)):
        if value is not None:
            terms.append(f"{name} = ?")
            values.append(value)
    if level is not None:
        ids = [i for i, v in shard.levels().items() if v.hash == level]
        terms.append("level IS NULL" if level == "-" else f"level IN ({','.join('?' * len(ids))})")
        values += ids
    return " AND ".join(terms), values


def _record(shard: Shard, row: Row) -> Record:
    id_, *rest = row
    if not intact(tuple(rest)):
        raise DamagedShard(shard.path, f"the checksum of record {id_} does not match")
    try:
        return decode(tuple(rest), shard.levels([rest[LEVEL]]))
    except (ValueError, KeyError, TypeError) as e:
        raise DamagedShard(shard.path, f"record {id_}: {e}") from None


def _description() -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "written_by": "pysmax",
        "shards": "shards/*.sqlite, each an SQLite 3 database with tables records and levels",
        "bytes": "arrays are little-endian, C order, without a header",
        "units": {
            "length": "A",
            "energy": "eV",
            "force": "eV/A",
            "stress": "eV/A^3",
            "magnetic moment": "Bohr magneton",
        },
        "signs": "stress is (1/V) dE/dstrain, negative under compression, Voigt order xx yy zz yz xz xy",
        "levels": "a level of theory: engine, its version, settings that can change a number (JSON), hash",
        "columns": {name: meaning for name, (_, meaning) in COLUMNS.items()},
    }
