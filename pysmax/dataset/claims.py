"""Who works on what: claims with a heartbeat, and the lock under which records are committed.

Both live in claims.sqlite. Nothing in it is needed to read the dataset.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from pysmax.errors import SmaxError

STALE_S = 60.0  # without a heartbeat, an owner is dead
BEAT_S = 10.0
BUSY_S = 120.0
MANY = 500

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS owners "
    "(id TEXT PRIMARY KEY, name TEXT, machine TEXT, pid INTEGER, born TEXT, beat REAL)",
    "CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_owner ON claims (owner)",
)


class Claims:
    """The table of claims of one dataset; one short transaction per call."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The lock of the dataset: one process and thread at a time; the system releases a dead one's."""
        try:
            db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
        except sqlite3.Error as e:
            raise self._error(e) from None
        try:
            try:
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA:  # each time: who has begun with it may have been killed
                    db.execute(statement)
            except sqlite3.Error as e:
                raise self._error(e) from None
            try:
                yield db
                db.execute("COMMIT")
            except sqlite3.Error as e:
                raise self._error(e) from None
        finally:
            db.close()  # an open transaction is rolled back

    def take(self, owner: str, name: str, keys: Iterable[str]) -> set[str]:
        """Claim what nobody alive has claimed."""
        with self.transaction() as db:
            self._bury(db)
            me = (owner, name, machine(), os.getpid(), born(os.getpid()), time.time())
            db.execute("INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?, ?, ?)", me)
            rows = [(k, owner) for k in keys]
            db.executemany("INSERT OR IGNORE INTO claims VALUES (?, ?)", rows)
            return _held(db, owner, [k for k, _ in rows])

    def release(self, owner: str, keys: Iterable[str] | None = None) -> None:
        """Give back some keys, or all of them."""
        with self.transaction() as db:
            if keys is not None:
                db.executemany("DELETE FROM claims WHERE key = ? AND owner = ?", [(k, owner) for k in keys])
                return
            db.execute("DELETE FROM claims WHERE owner = ?", (owner,))
            db.execute("DELETE FROM owners WHERE id = ?", (owner,))

    def beat(self, owner: str) -> None:
        """Show that the owner lives."""
        with self.transaction() as db:
            db.execute("UPDATE owners SET beat = ? WHERE id = ?", (time.time(), owner))

    @contextmanager
    def held(self, keys: Iterable[str], name: str) -> Iterator[tuple[str, set[str]]]:
        """Claim for the time of a with block, with a heartbeat: (owner, keys that are ours)."""
        owner = uuid.uuid4().hex
        stop = threading.Event()
        beating = threading.Thread(target=self._beat_until, args=(owner, stop), daemon=True)
        mine = self.take(owner, name, keys)
        beating.start()
        try:
            yield owner, mine
        finally:
            stop.set()
            beating.join()
            self.release(owner)

    def _beat_until(self, owner: str, stop: threading.Event) -> None:
        while not stop.wait(BEAT_S):
            try:
                self.beat(owner)
            except SmaxError:
                continue  # a full disk may have room again; six missed beats make us stale

    def _bury(self, db: sqlite3.Connection) -> None:
        for owner, where, pid, birth, beat in db.execute(
            "SELECT id, machine, pid, born, beat FROM owners"
        ).fetchall():
            # here a process that sleeps lives; elsewhere only its heartbeat can be seen
            # a beat to come is of a clock that was wrong: it must not keep its claims for days
            dead = born(pid) != birth if where == machine() else abs(time.time() - beat) > STALE_S
            if dead:
                db.execute("DELETE FROM claims WHERE owner = ?", (owner,))
                db.execute("DELETE FROM owners WHERE id = ?", (owner,))

    def _error(self, e: sqlite3.Error) -> SmaxError:
        if isinstance(e, sqlite3.OperationalError):
            return SmaxError(f"{self.path}: cannot be written: {e}")
        return SmaxError(f"{self.path}: damaged ({e}); it holds claims only: remove it when nobody writes")


def _held(db: sqlite3.Connection, owner: str, keys: list[str]) -> set[str]:
    mine: set[str] = set()
    for i in range(0, len(keys), MANY):
        part = keys[i : i + MANY]
        marks = ",".join("?" * len(part))
        sql = f"SELECT key FROM claims WHERE owner = ? AND key IN ({marks})"
        mine.update(k for (k,) in db.execute(sql, [owner, *part]))
    return mine


@cache
def machine() -> str:
    """Names the machine since its last start, and the container: process ids mean something only inside."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:
        pass
    return " ".join(parts)


def born(pid: int) -> str:
    """When the process was started, '' if there is none: a process id may come again."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    try:
        # field 22 of stat; the name before it may hold spaces
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return "" if fields[0] == "Z" else fields[19]
    except OSError:
        return "alive"
