"""ASE's database in one SQLite file (.db)."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ase.db import connect

from pysmax.dataset.formats import Add, Energy
from pysmax.dataset.formats.atoms import OURS, from_atoms, plain_info, provenance, to_atoms
from pysmax.dataset.record import Record
from pysmax.errors import SmaxError


def count(path: Path) -> int:
    """Rows."""
    with _opened(path) as db:
        return int(db.count())


def read(path: Path) -> Iterator[Record]:
    """Rows in the order of their ids."""
    with _opened(path) as db:
        yield from rows(db, path)


def rows(db: Any, path: Path) -> Iterator[Record]:
    """Records of any database of ASE's kind."""
    row: Any = None
    try:
        for row in db.select():
            atoms, data = row.toatoms(), dict(row.data)
            if "r_eff" in data:
                atoms.arrays["r_eff"] = data.pop("r_eff")
            ours = data.pop(OURS, None)
            info = plain_info({**data, **row.key_value_pairs}) | {"file": path.name, "row": row.id}
            yield from_atoms(atoms, ours, info)
    except SmaxError as e:
        raise SmaxError(f"{path}, row {row.id}: {e}") from None
    except (sqlite3.Error, ValueError, KeyError, TypeError) as e:
        raise SmaxError(f"{path}: cannot be read after row {row.id if row else 0}: {e}") from None


@contextmanager
def writer(path: Path, energy: Energy) -> Iterator[Add]:
    """One transaction."""
    try:
        with connect(path, type="db") as db:  # type: ignore[no-untyped-call]
            yield adding(db, energy)
    except sqlite3.Error as e:
        raise OSError(errno.EIO, str(e)) from None


def adding(db: Any, energy: Energy) -> Add:
    """A function that writes a record as a row; provenance and r_eff go into its data."""

    def add(record: Record) -> None:
        data: dict[str, Any] = {OURS: provenance(record, energy), "key": record.key}
        if "r_eff" in record.atoms.arrays:
            data["r_eff"] = record.atoms.arrays["r_eff"]
        pairs = {"source": record.source} if _is_word(record.source) else {}
        db.write(to_atoms(record, energy), key_value_pairs=pairs, data=data)

    return add


def _is_word(text: str) -> bool:
    """ASE refuses texts that look like a number or a boolean."""
    try:
        float(text)
    except ValueError:
        return text not in ("", "True", "False")
    return False


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise SmaxError(f"{path}: no such file")
    try:
        with connect(path, type="db") as db:  # type: ignore[no-untyped-call]
            yield db
    except sqlite3.DatabaseError as e:
        raise SmaxError(f"{path}: not a database of ASE: {e}") from None
