"""Which keys are not there: in memory, so that a long-lived writer asks the shards only about the others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pysmax.dataset.shard import Shard

BATCH = 50_000


class Seen:
    """Sorted 64-bit hashes of the keys of all shards: 8 bytes each. A key that is there is never missed."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, dtype=np.int64)
        self._recent: set[int] = set()
        self._last: dict[Path, int] = {}

    def update(self, shards: Iterable[Shard]) -> None:
        """Take in what has been committed since the last update, by anybody."""
        parts = [self._sorted]
        for shard in shards:
            last = self._last.get(shard.path, 0)
            while rows := shard.fetch("id, key", "WHERE id > ? ORDER BY id LIMIT ?", [last, BATCH]):
                parts.append(np.fromiter((hash(key) for _, key in rows), dtype=np.int64, count=len(rows)))
                last = rows[-1][0]
            self._last[shard.path] = last
        if sum(map(len, parts[1:])) + len(self._recent) < BATCH:
            self._recent.update(h for part in parts[1:] for h in part.tolist())
            return
        parts.append(np.fromiter(self._recent, dtype=np.int64, count=len(self._recent)))
        self._sorted, self._recent = np.sort(np.concatenate(parts)), set()  # once, not for every shard

    def note(self, keys: Iterable[str]) -> None:
        """Keys that are there as well."""
        self._recent.update(map(hash, keys))

    def maybe(self, key: str) -> bool:
        """False only if the key was not there at the last update, nor noted since."""
        h = hash(key)
        if h in self._recent:
            return True
        i = int(np.searchsorted(self._sorted, h))
        return i < len(self._sorted) and int(self._sorted[i]) == h
