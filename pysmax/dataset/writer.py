"""Adds records: gathered in memory, checked for their keys and committed under the lock of the dataset."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pysmax.dataset.codec import NAMES, encode
from pysmax.dataset.record import Level, Record
from pysmax.dataset.seen import Seen
from pysmax.dataset.shard import SIZE, Shard
from pysmax.errors import SmaxError

if TYPE_CHECKING:
    from pysmax.dataset.store import Dataset

EVERY_S = 1.0
MOST = 1000  # records in memory
SOON = 200  # records after which all keys are read once
STATUS = NAMES.index("status")
Pending = dict[str, tuple[list[object], Level | None, bool]]  # key: row, level, replaces a failed one


class Writer:
    """Made by ``Dataset.writer``. Usable from several threads."""

    def __init__(self, dataset: Dataset, shard: Shard | None, shard_size: int) -> None:
        self.committed = 0  # records that this writer has brought to the dataset, replacements included
        self._dataset = dataset
        self._shard = shard
        self._size = shard_size
        self._pending: Pending = {}
        self._last = time.monotonic()
        self._lock = threading.RLock()
        self._added = 0
        self._seen: Seen | None = None

    def add(self, record: Record, replace_failed: bool = False) -> bool:
        """Whether the record is taken; False if its key is there with a status that it does not replace.

        A record with status ok or failed replaces an unlabelled one of its key, and with ``replace_failed``
        also a failed one; an ok record is never replaced. Taken records are committed by ``commit``, at the
        end of the with block, and here once a second has passed since the last commit.
        """
        values = encode(record)
        key, status = str(values[0]), str(values[STATUS])
        with self._lock:
            before = self._pending[key][0][STATUS] if key in self._pending else None
            found = before or self._status(key)
            if not _replaces(status, found, replace_failed):
                return False
            self._pending[key] = (values, record.level, replace_failed)
            if len(self._pending) >= MOST or time.monotonic() - self._last > EVERY_S:
                self.commit()
        return True

    def commit(self) -> int:
        """Write what was taken since the last commit; the number of records written.

        Fewer than were taken if another writer has brought the same keys in between. On an error (full disk)
        nothing that was committed is touched, and what is pending stays so: commit may be called again.
        """
        with self._lock:
            if not self._pending:
                return 0
            with self._dataset.claims.transaction():
                written = self._write()
            if self._seen is not None:
                self._seen.note(self._pending)
            self._pending = {}
            self._last = time.monotonic()
            self.committed += written
            return written

    def _status(self, key: str) -> str | None:
        """That of a key, as of the last commit at least."""
        self._added += 1
        if self._added == SOON:
            self._seen = Seen()
            self._seen.update(self._dataset.shards())
        if self._seen is not None and not self._seen.maybe(key):
            return None
        return self._dataset.status_of([key]).get(key)

    def _write(self) -> int:
        asked = list(self._pending)
        if self._seen is not None:
            self._seen.update(self._dataset.shards())  # under the lock: nothing is missed
            asked = [key for key in asked if self._seen.maybe(key)]
        there = self._dataset.locate(asked)
        new: list[tuple[list[object], Level | None]] = []
        replaced: dict[Shard, list[tuple[list[object], Level | None]]] = {}
        for key, (values, level, failed_too) in self._pending.items():
            shard, found = there.get(key, (None, None))
            if _replaces(str(values[STATUS]), found, failed_too):
                (new if shard is None else replaced.setdefault(shard, [])).append((values, level))
        for shard, rows in replaced.items():
            shard.write(rows, replaced=True)
        written = len(new) + sum(map(len, replaced.values()))
        while new:
            shard = self._room()
            part, new = new[: self._size - len(shard)], new[self._size - len(shard) :]
            shard.write(part)
        return written

    def _room(self) -> Shard:
        moved = self._shard is not None and self._shard.path not in self._dataset.paths()  # by recover
        if self._shard is None or moved or len(self._shard) >= self._size:
            self._shard = self._dataset.new_shard()
        return self._shard


def _replaces(new: str, old: object, failed_too: bool) -> bool:
    if old is None:
        return True
    if new == "unlabelled" or old == "ok":
        return False
    return old == "unlabelled" or failed_too


@contextmanager
def writing(dataset: Dataset, shard_size: int = SIZE) -> Iterator[Writer]:
    """A writer that goes on in a shard with room that no living writer has, or begins a new one."""
    if shard_size < 1:
        raise SmaxError(f"shard size is {shard_size}, expected 1 or more")
    paths = dataset.paths()
    with dataset.claims.held([f"shard {p.name}" for p in reversed(paths)], "writer") as (owner, mine):
        free = [
            s for s in map(dataset.shard, paths) if f"shard {s.path.name}" in mine and len(s) < shard_size
        ]
        keep = free[-1] if free else None
        dataset.claims.release(owner, mine - {f"shard {keep.path.name}"} if keep else mine)
        writer = Writer(dataset, keep, shard_size)
        try:
            yield writer
        finally:
            writer.commit()
