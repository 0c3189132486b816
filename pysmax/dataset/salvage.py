"""Reads the records of a damaged shard page by page, past the trees of SQLite.

Only what is needed of https://www.sqlite.org/fileformat2.html: leaf pages of tables, overflow pages, records.
A record counts only if its checksum holds, so that nothing wrong can be taken for a record.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from pysmax.dataset.codec import NAMES, Row, intact
from pysmax.dataset.record import Level
from pysmax.dataset.shard import PAGE

LEAF = 0x0D
RANK = {"unlabelled": 0, "failed": 1, "ok": 2}
ENERGY = NAMES.index("energy")
STATUS = NAMES.index("status")
_BIG_ENDIAN = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type: bytes of an integer


class Pages:
    """The bytes of a shard, whole or not; what is missing of the last page reads as zeros."""

    def __init__(self, data: bytes) -> None:
        (size,) = struct.unpack(">H", data[16:18].ljust(2, b"\0"))
        size = 65536 if size == 1 else size
        self.size = size if size >= 512 and size & (size - 1) == 0 else PAGE
        self.data = data + bytes(-len(data) % self.size)

    def records(self) -> Iterator[Row]:
        """The intact records in the order of their ids, the best of each key once."""
        best: dict[str, tuple[int, int, int]] = {}
        for id_, at in self._cells():
            row = self._record(at)
            if row is None or not intact(row):
                continue
            found = (RANK.get(row[STATUS], 0), id_, at)
            # a page that was freed may hold a record as it was before it was replaced
            if row[0] not in best or found > best[row[0]]:
                best[row[0]] = found
        for _, _, at in sorted(best.values(), key=lambda v: v[1]):
            row = self._record(at)
            assert row is not None
            yield row

    def levels(self) -> dict[int, Level]:
        """The levels of theory whose hash holds."""
        found: dict[int, Level] = {}
        for id_, at in self._cells():
            values = self._values(at)
            if values is None or len(values) != 5:
                continue
            _, digest, engine, version, settings = values
            try:
                level = Level(engine, version, json.loads(settings))
                if level.hash == digest:
                    found[id_] = level
            except (TypeError, ValueError):
                continue
        return found

    def _cells(self) -> Iterator[tuple[int, int]]:
        """(row id, offset in the file) of what the leaf pages point to."""
        for start in range(0, len(self.data), self.size):
            header = start + (100 if start == 0 else 0)
            if self.data[header] != LEAF:
                continue
            (n,) = struct.unpack_from(">H", self.data, header + 3)
            if header + 8 + 2 * n > start + self.size:
                continue
            for (offset,) in struct.iter_unpack(">H", self.data[header + 8 : header + 8 + 2 * n]):
                if 0 < offset < self.size - 2:
                    try:
                        _, at = self._varint(start + offset)
                        yield self._varint(at)[0], start + offset
                    except IndexError:
                        continue

    def _record(self, at: int) -> Row | None:
        values = self._values(at)
        if values is None or len(values) != 1 + len(NAMES):
            return None
        row = values[1:]
        if isinstance(row[ENERGY], int):
            row[ENERGY] = float(row[ENERGY])  # SQLite keeps whole floats as integers
        return tuple(row)

    def _values(self, at: int) -> list[Any] | None:
        """The columns of the record at an offset, None if these bytes are no record."""
        try:
            payload = self._payload(at)
            end, p = self._varint(0, payload)
            values: list[Any] = []
            body = end
            while p < end:
                kind, p = self._varint(p, payload)
                value, body = _value(kind, payload, body)
                values.append(value)
            return values
        except (IndexError, struct.error, UnicodeError, ValueError):
            return None

    def _payload(self, at: int) -> bytes:
        n, p = self._varint(at)
        _, p = self._varint(p)
        if n > len(self.data):
            raise ValueError("longer than the file")
        local = n
        if n > self.size - 35:
            least = (self.size - 12) * 32 // 255 - 23
            local = least + (n - least) % (self.size - 4)
            local = local if local <= self.size - 35 else least
        parts, left, p = [self.data[p : p + local]], n - local, p + local
        (page,) = struct.unpack_from(">I", self.data, p) if left else (0,)
        while left > 0:
            start = (page - 1) * self.size
            (page,) = struct.unpack_from(">I", self.data, start)
            parts.append(self.data[start + 4 : start + 4 + min(left, self.size - 4)])
            left -= self.size - 4
        return b"".join(parts)

    def _varint(self, at: int, data: bytes | None = None) -> tuple[int, int]:
        """The value and the offset after it."""
        data = self.data if data is None else data
        value = 0
        for i in range(8):
            byte = data[at + i]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value, at + i + 1
        return value << 8 | data[at + 8], at + 9


def _value(kind: int, payload: bytes, at: int) -> tuple[Any, int]:
    if kind == 0:
        return None, at
    if kind in _BIG_ENDIAN:
        n = _BIG_ENDIAN[kind]
        return int.from_bytes(payload[at : at + n], "big", signed=True), at + n
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], at + 8
    if kind in (8, 9):
        return kind - 8, at
    if kind < 12:
        raise ValueError("reserved type")
    n = (kind - 12) // 2
    if at + n > len(payload):
        raise IndexError
    data = payload[at : at + n]
    return (data.decode() if kind % 2 else data), at + n
