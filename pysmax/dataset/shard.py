"""One shard: an SQLite file with a rollback journal, so that it also works on network file systems."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pysmax.dataset.codec import COLUMNS, LEVEL, NAMES, Row, sealed
from pysmax.dataset.record import Level
from pysmax.errors import SmaxError

SIZE = 50_000  # records after which a writer begins a new shard
BUSY_S = 120.0  # longest wait for another process's transaction
PAGE = 4096  # bytes
MANY = 500  # keys in one query
SELECT = ", ".join(NAMES)

_SCHEMA = f"""
CREATE TABLE levels (id INTEGER PRIMARY KEY, hash TEXT NOT NULL, engine TEXT NOT NULL, version TEXT NOT NULL,
    settings TEXT NOT NULL);
CREATE TABLE records (id INTEGER PRIMARY KEY, {", ".join(f"{k} {kind}" for k, (kind, _) in COLUMNS.items())});
CREATE INDEX groups ON records (status, level, source, reason);
"""


class DamagedShard(SmaxError):
    """A shard that cannot be read as it was written; ``path`` names it."""

    def __init__(self, path: Path, what: object) -> None:
        super().__init__(f"{path}: damaged ({what}); run pysmax dataset recover on the dataset")
        self.path = path
        self.what = str(what)


class Shard:
    """Reads and writes one file. Ids of its records are 1, 2, ... without gaps: nothing is ever deleted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._levels: dict[int, Level] = {}
        with self.reading():
            try:
                # rw: a reader must be able to roll back what a killed writer has left
                self.db = sqlite3.connect(
                    f"{path.absolute().as_uri()}?mode=rw",
                    uri=True,
                    timeout=BUSY_S,
                    isolation_level=None,
                    check_same_thread=False,
                )
            except sqlite3.OperationalError as e:
                raise SmaxError(f"{path}: {_why(path) or e}") from None
            self.db.execute("PRAGMA cache_size = -1024")
            self.db.execute("PRAGMA synchronous = FULL")
            names = [r[1] for r in self.db.execute("PRAGMA table_info(records)")]
            if names != ["id", *NAMES]:
                raise DamagedShard(path, "no table of records" if not names else f"columns {names}")
            self._check_size()

    def __len__(self) -> int:
        with self.reading():
            return int(self.db.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()[0])

    def _check_size(self) -> None:
        """SQLite takes a last page that is cut for one full of zeros."""
        self.db.execute("BEGIN")  # with the next line: nobody writes in between
        (pages,) = self.db.execute(
            "SELECT page_count FROM pragma_page_count, sqlite_master LIMIT 1"
        ).fetchone()
        size = self.path.stat().st_size
        self.db.execute("COMMIT")
        if size < pages * PAGE:
            raise DamagedShard(self.path, f"{size} bytes, expected {pages * PAGE}")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Say which file is damaged."""
        try:
            yield
        except sqlite3.OperationalError as e:
            if "locked" in str(e):
                raise SmaxError(f"{self.path}: locked by another process for {BUSY_S:.0f} s") from None
            raise SmaxError(f"{self.path}: {_why(self.path) or e}") from None
        except (sqlite3.DatabaseError, UnicodeError) as e:
            raise DamagedShard(self.path, e) from None

    def fetch(self, what: str, where: str = "", values: Sequence[object] = ()) -> list[Row]:
        """SELECT what FROM records [where]."""
        with self.reading():
            return self.db.execute(f"SELECT {what} FROM records {where}", values).fetchall()

    def lookup(self, what: str, keys: Iterable[str]) -> list[Row]:
        """``what`` of the records with these keys, in no order."""
        keys, found = list(keys), []
        for i in range(0, len(keys), MANY):
            part = keys[i : i + MANY]
            found += self.fetch(what, f"WHERE key IN ({','.join('?' * len(part))})", part)
        return found

    def levels(self, needed: Iterable[int | None] | None = None) -> dict[int, Level]:
        """Levels of theory by id; with ``needed``, the file is read only if one of these is not known yet."""
        if needed is None or not self._levels.keys() >= {i for i in needed if i is not None}:
            with self.reading():
                rows = self.db.execute("SELECT id, engine, version, settings FROM levels").fetchall()
                for i, engine, version, text in rows:
                    self._levels.setdefault(i, Level(engine, version, json.loads(text)))
        return self._levels

    def write(self, new: Iterable[tuple[list[object], Level | None]], replaced: bool = False) -> None:
        """One transaction: append rows (or update those of the same keys); all of them or, on error, none."""
        columns = NAMES[1:]
        if replaced:
            sql = f"UPDATE records SET {', '.join(f'{c} = ?' for c in columns)} WHERE key = ?"
        else:
            sql = f"INSERT INTO records ({', '.join(columns)}, key) VALUES ({','.join('?' * len(NAMES))})"
        try:
            self.db.execute("BEGIN IMMEDIATE")
            self.levels()
            for values, level in new:
                values[LEVEL] = None if level is None else self._level_id(level)
                key, *rest = sealed(values)
                self.db.execute(sql, [*rest, key])
            self.db.execute("COMMIT")
        except BaseException as e:
            self._levels = {}
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            if isinstance(e, sqlite3.OperationalError):
                raise SmaxError(
                    f"{self.path}: cannot be written: {_why(self.path) or e}; is the disk full?"
                ) from None
            if isinstance(e, sqlite3.DatabaseError):
                raise DamagedShard(self.path, e) from None
            raise

    def _level_id(self, level: Level) -> int:
        for i, known in self._levels.items():
            if known is level or (known.hash, known.version) == (level.hash, level.version):
                return i
        text = json.dumps(level.settings, sort_keys=True, allow_nan=False)
        row = (level.hash, level.engine, level.version, text)
        sql = "INSERT INTO levels (hash, engine, version, settings) VALUES (?, ?, ?, ?)"
        new = int(self.db.execute(sql, row).lastrowid or 0)
        self._levels[new] = level  # the same object comes again
        return new

    def close(self) -> None:
        """Close the file."""
        self.db.close()


def create(folder: Path, number: int, tail: str = "", publish: bool = True) -> Path:
    """A new, empty shard in ``folder``; it appears whole, under a name that no other writer takes.

    Without ``publish`` it stays hidden: .NAME.new, to be renamed to NAME.
    """
    name = f"{number:05d}-{secrets.token_hex(4)}{tail}.sqlite"
    temporary, path = folder / f".{name}.new", folder / name
    try:
        db = sqlite3.connect(temporary, isolation_level=None)
        try:
            db.executescript(f"PRAGMA page_size = {PAGE}; BEGIN; {_SCHEMA} COMMIT;")
        finally:
            db.close()
        if publish:
            os.rename(temporary, path)
    except (sqlite3.Error, OSError) as e:
        temporary.unlink(missing_ok=True)
        raise SmaxError(f"{path}: cannot be made: {_why(folder) or e}") from None
    return path if publish else temporary


def number(path: Path) -> int:
    """The number that begins the name of a shard; 0 if there is none."""
    head = path.name.split("-")[0]
    return int(head) if head.isdigit() else 0


def _why(path: Path) -> str:
    """A plain reason for SQLite's 'unable to open' and 'readonly', if there is one."""
    try:
        os.stat(path)
    except OSError as e:
        return str(e.strerror)
    return "" if os.access(path, os.R_OK) else "no permission to read it"
