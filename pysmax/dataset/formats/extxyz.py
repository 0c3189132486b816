"""Extended XYZ, by ASE: 8 decimals of positions, forces and r_eff."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote, unquote

from ase.io import iread
from ase.io.extxyz import write_extxyz

from pysmax.dataset.formats import Add
from pysmax.dataset.formats.atoms import OURS, from_atoms, plain_info, provenance, to_atoms
from pysmax.dataset.record import Record
from pysmax.errors import SmaxError


def count(path: Path) -> None:
    """Not known before everything is read."""


def read(path: Path) -> Iterator[Record]:
    """Frames with energy and forces are labelled; the rest of a frame's info is kept as its info."""
    frame = -1
    try:
        for frame, atoms in enumerate(iread(str(path), index=":", format="extxyz")):
            ours = atoms.info.pop(OURS, None)
            info = {**plain_info(atoms.info), "file": path.name, "frame": frame}
            yield from_atoms(atoms, None if ours is None else unquote(str(ours)), info)
    except SmaxError as e:
        raise SmaxError(f"{path}, frame {frame}: {e}") from None
    except OSError as e:
        raise SmaxError(f"{path}: {e.strerror or e}") from None
    except Exception as e:  # ASE raises many kinds for a file that is not extended XYZ
        raise SmaxError(f"{path}: frame {frame + 1} cannot be read: {type(e).__name__}: {e}") from None


@contextmanager
def writer(path: Path) -> Iterator[Add]:
    """One frame per record; keys source, level, key and the whole provenance as JSON, percent-encoded."""
    opener: Any = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "wt") as f:

        def add(record: Record) -> None:
            atoms = to_atoms(record)
            atoms.info = {
                "source": _quoted(record.source),
                "key": record.key,
                OURS: _quoted(provenance(record)),
            }
            if record.level is not None:
                atoms.info["level"] = record.level.hash
            write_extxyz(cast(IO[str], f), [atoms])

        yield add


def _quoted(text: str) -> str:
    """ASE does not read back every text that it writes: quotes and backslashes are percent-encoded."""
    return quote(text, safe=":,._-+/")
