"""Records of several shards by position and by what they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pysmax.dataset.codec import LEVEL, NAMES, Row, decode, intact
from pysmax.dataset.record import Record
from pysmax.dataset.shard import DamagedShard, Shard
from pysmax.errors import SmaxError

SELECT = ", ".join(NAMES)


def at(shards: Iterable[Shard], positions: Sequence[int], path: Path) -> list[Record]:
    """Records by their positions in all shards; SmaxError if there is no such record."""
    found: dict[int, Record] = {}
    wanted = np.unique(np.asarray(positions, dtype=np.int64))
    start = 0
    for shard in shards:
        end = start + len(shard)
        for p in wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, end)].tolist():
            for row in shard.fetch(f"id, {SELECT}", "WHERE id = ?", [p - start + 1]):
                found[p] = record_of(shard, row)
        start = end
    missing = [p for p in positions if p not in found]
    if missing:
        raise SmaxError(f"{path}: there is no record {missing[0]}, expected 0 to {start - 1}")
    return [found[p] for p in positions]


def positions(shards: Iterable[Shard], status: str | None, level: str | None = None) -> npt.NDArray[np.int64]:
    """Where the records of a status and level are, in their order."""
    parts, start = [np.empty(0, dtype=np.int64)], 0
    for shard in shards:
        chosen, values = where(shard, status, None, level)
        ids = shard.fetch("id", f"WHERE {chosen} ORDER BY id", values)
        parts.append(np.array([i for (i,) in ids], dtype=np.int64) + (start - 1))
        start += len(shard)
    return np.concatenate(parts)


def where(
    shard: Shard, status: str | None, source: str | None, level: str | None
) -> tuple[str, list[object]]:
    """The condition of SQL, and its values."""
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


def record_of(shard: Shard, row: Row) -> Record:
    """The record of a row (id, *NAMES); DamagedShard if the checksum does not hold."""
    id_, *rest = row
    if not intact(tuple(rest)):
        raise DamagedShard(shard.path, f"the checksum of record {id_} does not match")
    try:
        return decode(tuple(rest), shard.levels([rest[LEVEL]]))
    except (ValueError, KeyError, TypeError) as e:
        raise DamagedShard(shard.path, f"record {id_}: {e}") from None
