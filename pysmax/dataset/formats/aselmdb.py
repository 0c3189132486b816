"""ASE's database in LMDB (.aselmdb), as the OMAT family of datasets comes; by ase-db-backends."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb
from ase_db_backends.aselmdb import LMDBDatabase

from pysmax.dataset.formats import Add, Energy, asedb
from pysmax.dataset.record import Record
from pysmax.errors import SmaxError


def count(path: Path) -> int:
    """Rows."""
    with _opened(path) as db:
        return len(db.ids)


def read(path: Path) -> Iterator[Record]:
    """Rows in the order of their ids; the file is opened read-only."""
    with _opened(path) as db:
        yield from asedb.rows(db, path)


@contextmanager
def writer(path: Path, energy: Energy) -> Iterator[Add]:
    """One transaction."""
    try:
        with LMDBDatabase(path) as db:
            yield asedb.adding(db, energy)
    except lmdb.Error as e:
        raise OSError(errno.EIO, str(e)) from None
    finally:
        Path(f"{path}-lock").unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise SmaxError(f"{path}: no such file")
    try:
        # first by lmdb alone: an LMDBDatabase that failed complains once more when it is deleted
        lmdb.open(str(path), subdir=False, readonly=True, lock=False).close()
        db = LMDBDatabase(path, readonly=True)
    except (lmdb.Error, ValueError) as e:
        raise SmaxError(f"{path}: not an LMDB file: {e}") from None
    with db:
        yield db
