"""The store: a folder with dataset.json, shards/*.sqlite and claims.sqlite. See docs/dataset.md."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pysmax.dataset import arrays as flat
from pysmax.dataset import description, query
from pysmax.dataset.claims import Claims
from pysmax.dataset.codec import Row
from pysmax.dataset.query import SELECT
from pysmax.dataset.record import Level, Record
from pysmax.dataset.shard import SIZE, Shard, create, number
from pysmax.dataset.writer import Writer, writing
from pysmax.errors import SmaxError

Counts = dict[str, dict[str, dict[str, dict[str, int]]]]  # source, level hash, status, reason


class Dataset:
    """Records by key and by position (the order of shards, then of commits inside a shard)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.claims = Claims(path / "claims.sqlite")
        self._open: dict[Path, Shard] = {}
        self._left_out: set[str] = set()
        self._names: list[str] = []  # of the last listing: most do not change
        self._paths: list[Path] = []
        self._pid = os.getpid()

    @classmethod
    def create(cls, path: str | Path, exist_ok: bool = False) -> Dataset:
        """Make an empty dataset; with ``exist_ok`` open the one that is there."""
        path = Path(path)
        if exist_ok and description.exists(path):
            return cls.open(path)
        try:
            # what another process that creates it has made so far is no obstacle
            if path.exists() and (not path.is_dir() or any(map(_foreign, path.iterdir()))):
                raise SmaxError(f"{path}: exists already, expected a new folder for the dataset")
            (path / "shards").mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise SmaxError(f"{path}: cannot be made: {e.strerror}") from None
        description.write(path)
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
        if names != self._names:
            chosen = [n for n in sorted(names) if n.endswith(".sqlite") and not n.startswith(".")]
            self._names, self._paths = names, [folder / n for n in chosen if n not in self._left_out]
        return self._paths

    def shard(self, path: Path) -> Shard:
        """A shard of ``paths``, opened once."""
        if self._pid != os.getpid():  # SQLite's connections do not survive a fork
            self._open, self._pid = {}, os.getpid()
        if path not in self._open:
            self._open[path] = Shard(path)
        return self._open[path]

    def leave_out(self, path: Path) -> None:
        """Go on without a damaged shard."""
        self._left_out.add(path.name)
        self._names = []

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
                return query.record_of(shard, row)
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
        return query.at(self.shards(), positions, self.path)

    def sample(self, n: int, seed: int, status: str | None = "ok", level: str | None = None) -> list[Record]:
        """``n`` different records (or all, if there are fewer), each as likely as any other."""
        positions = self.positions(status, level)
        rng = np.random.default_rng(seed)
        return self.at(positions[rng.permutation(len(positions))[:n]].tolist())

    def positions(self, status: str | None = "ok", level: str | None = None) -> npt.NDArray[np.int64]:
        """Where the records of a status (and of a level, by its hash) are, in their order."""
        return query.positions(self.shards(), status, level)

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
            where, values = query.where(shard, status, source, level)
            # of an index, all at once: a condition and a limit would look through the shard for every batch
            ids = [i for (i,) in shard.fetch("id", f"WHERE {where} ORDER BY id", values)]
            for k in range(start, len(ids), batch):
                part = ids[k : k + batch]
                among = f"NOT INDEXED WHERE id BETWEEN ? AND ? AND {where} ORDER BY id"
                if rows := shard.fetch(f"id, {what}", among, [part[0], part[-1], *values]):
                    yield shard, rows
            start = max(0, start - len(ids))

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
                yield query.record_of(shard, row)

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
        what = flat.query(fields)
        for shard, part in self.rows(what, status, source, level, 0, batch):
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
        description.check(self.path)


def _foreign(path: Path) -> bool:
    """Whether a new dataset does not hold such a file."""
    if path.name == "shards":
        return not path.is_dir() or any(path.iterdir())
    return not path.name.startswith(f".{description.FILE}.")
