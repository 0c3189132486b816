"""Extended XYZ, by ASE: 8 decimals of positions, forces and r_eff."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote, unquote

import ase
from ase.data import chemical_symbols
from ase.io import iread
from ase.io.extxyz import XYZError, write_extxyz

from pysmax.dataset.formats import Add, Energy
from pysmax.dataset.formats.atoms import OURS, exported, from_atoms, plain_info, provenance, to_atoms
from pysmax.dataset.record import Record
from pysmax.errors import SmaxError


def count(path: Path) -> None:
    """Not known before everything is read."""


def read(path: Path) -> Iterator[Record]:
    """Frames with energy and forces are labelled; the rest of a frame's info is kept as its info."""
    for number, atoms in enumerate(frames(path)):
        ours = atoms.info.pop(OURS, None)
        info = {**plain_info(atoms.info), "file": path.name, "frame": number}
        try:
            yield from_atoms(atoms, None if ours is None else unquote(str(ours)), info)
        except (SmaxError, ValueError, KeyError, TypeError) as e:
            raise SmaxError(f"{path}: frame {number}: {e}") from None


def frames(path: Path) -> Iterator[ase.Atoms]:
    """The frames as ASE reads them, streamed; they count from 0."""
    number = -1
    try:
        # an @ in the name of a file is one
        for number, atoms in enumerate(iread(path, ":", "extxyz", do_not_split_by_at_sign=True)):
            if not len(atoms):
                raise SmaxError(f"{path}: frame {number} has no atom, expected at least one")
            if atoms.numbers.min() < 0 or atoms.numbers.max() >= len(chemical_symbols):
                raise SmaxError(f"{path}: frame {number} has an unknown element")
            yield atoms
    except SmaxError:
        raise
    except Exception as e:  # ASE raises many kinds for a file that is not extended XYZ, some of OSError
        if isinstance(e, OSError) and not isinstance(e, XYZError):
            raise SmaxError(f"{path}: {e.strerror or e}") from None
        where = f"frame {number + 1} is " if number >= 0 else ""  # the first error may be of any frame
        what = " ".join(f"{type(e).__name__}: {e}".split())
        raise SmaxError(f"{path}: {where}not readable as extended XYZ ({what})") from None


@contextmanager
def writer(path: Path, energy: Energy) -> Iterator[Add]:
    """One frame per record; keys source, level, key, energy_is, and provenance as JSON, percent-encoded."""
    opener: Any = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "wt") as f:

        def add(record: Record) -> None:
            atoms = to_atoms(record, energy)
            atoms.info = {
                "source": _quoted(record.source),
                "key": record.key,
                OURS: _quoted(provenance(record, energy)),
            }
            if record.label is not None:
                atoms.info["energy_is"] = exported(record.label, energy)[1]
            if record.level is not None:
                atoms.info["level"] = record.level.hash
            write_extxyz(cast(IO[str], f), [atoms])

        yield add


def _quoted(text: str) -> str:
    """ASE does not read back every text that it writes: quotes and backslashes are percent-encoded."""
    return quote(text, safe=":,._-+/")
