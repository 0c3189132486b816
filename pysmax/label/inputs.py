"""What is to be labelled: frames of extended XYZ files, or records of a dataset, streamed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, cast

import ase
import numpy as np

from pysmax.dataset.record import Record
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError

LARGEST_Z = 118
NUMBER_BYTES = 32  # the line with the number of atoms is shorter
WIDE = re.compile(rb"Properties=\S*?:(\d{5,})")  # columns for which ASE would take all memory


@dataclass(frozen=True)
class Unreadable:
    """A frame that is no structure: where, and why."""

    file: str
    frame: int
    line: int
    why: str


class Source(Protocol):
    """An input that can be streamed again and again."""

    @property
    def count(self) -> int:
        """Structures in it."""
        ...

    def structures(self) -> Iterator[Record | Unreadable]:
        """Unlabelled records, in order."""
        ...


@dataclass(frozen=True)
class FrameFile:
    """An extended XYZ file. Looked through once, so that a torn one is found before anything is computed."""

    path: Path
    source: str = ""
    count: int = field(init=False)

    def __post_init__(self) -> None:
        if self.path.exists() and not self.path.is_file():
            raise SmaxError(f"{self.path}: is no regular file, expected one: it is read more than once")
        object.__setattr__(self, "count", sum(1 for _ in self._blocks()))
        if not self.count:
            raise SmaxError(f"{self.path}: is empty, expected frames in extended XYZ")

    def structures(self) -> Iterator[Record | Unreadable]:
        """``info`` of a record: file, frame (from 0) and what the comment line says that JSON can hold."""
        for frame, (line, block) in enumerate(self._blocks()):
            try:
                atoms = _parse(block)
            except SmaxError as e:
                yield Unreadable(str(self.path), frame, line, str(e))
                continue
            info = {"file": self.path.name, "frame": frame, **_plain(atoms.info)}
            source = self.source or str(atoms.info.get("source", "")) or self.path.stem
            yield Record(_bare(atoms), source=source, info=info)

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Line number and text of each frame: a number, a comment, as many lines."""
        try:
            with open(self.path, "rb") as f:
                line = 1
                while head := f.readline(NUMBER_BYTES):
                    if not head.strip():
                        if any(rest.strip() for rest in f):
                            raise SmaxError(f"{self.path}: line {line} is empty, expected a number of atoms")
                        return
                    if not head.strip().isdigit() or len(head) == NUMBER_BYTES:
                        found = head.strip()[:40].decode(errors="replace")
                        raise SmaxError(f"{self.path}: line {line} is {found!r}, expected a number of atoms")
                    n = int(head)
                    body = list(islice(f, n + 1))
                    if len(body) <= n or not body[-1].endswith(b"\n") or (n and not body[-1].strip()):
                        raise SmaxError(
                            f"{self.path}: ends inside the frame of line {line} ({n} atoms), or without an "
                            "end of line"
                        )
                    yield line, head + b"".join(body)
                    line += n + 2
        except OSError as e:
            raise SmaxError(f"{self.path}: {e.strerror}") from None


@dataclass(frozen=True)
class StoredRecords:
    """Records of a dataset: unlabelled ones, or with ``relabel`` the structures of all."""

    path: Path
    relabel: bool = False
    count: int = field(init=False)

    def __post_init__(self) -> None:
        dataset = Dataset.open(self.path)
        statuses = [s for levels in dataset.counts().values() for s in levels.values()]
        wanted = [
            n for s in statuses for name, reasons in s.items() if self._takes(name) for n in reasons.values()
        ]
        dataset.close()
        object.__setattr__(self, "count", sum(wanted))
        if not self.count:
            hint = "" if self.relabel else " (--relabel takes labelled ones too)"
            raise SmaxError(f"{self.path}: has no unlabelled record, expected some{hint}")

    def _takes(self, status: str) -> bool:
        return self.relabel or status == "unlabelled"

    def structures(self) -> Iterator[Record | Unreadable]:
        """Source and info as they are stored."""
        dataset = Dataset.open(self.path)
        for r in dataset.records(status=None if self.relabel else "unlabelled"):
            yield Record(r.atoms, source=r.source, info=r.info)
        dataset.close()


def open_inputs(paths: Sequence[Path], relabel: bool = False, source: str = "") -> list[Source]:
    """Look at every input; SmaxError names the first that cannot be used."""
    found: list[Source] = []
    for path in paths:
        if path.is_dir():
            found.append(StoredRecords(path, relabel))
        else:
            found.append(FrameFile(path, source))
    return found


def _parse(block: bytes) -> ase.Atoms:
    """One frame; SmaxError says why it is no structure."""
    from ase.io.extxyz import read_xyz

    if wide := WIDE.search(block.split(b"\n", 2)[1]):
        raise SmaxError(f"a property of {wide[1].decode()} columns")
    try:
        (atoms,) = read_xyz(io.StringIO(block.decode()), 0)
    except KeyError as e:
        raise SmaxError(f"{e.args[0]!r} is no element, or a column that is missing") from None
    except Exception as e:  # ASE has no error of its own for most mistakes
        raise SmaxError(f"{type(e).__name__}: {e}"[:200]) from None
    if not len(atoms):
        raise SmaxError("no atoms")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise SmaxError("a position or the cell is not finite")
    if atoms.numbers.min() < 1 or atoms.numbers.max() > LARGEST_Z:
        raise SmaxError(f"atomic number {atoms.numbers.min()}, expected 1 to {LARGEST_Z}")
    if atoms.pbc.all() and abs(np.linalg.det(atoms.cell.array)) < 1e-9:
        raise SmaxError("periodic, but its cell has no volume")
    r_eff = atoms.arrays.get("r_eff", np.ones(len(atoms)))
    if r_eff.shape != (len(atoms),) or r_eff.dtype.kind not in "if" or not np.isfinite(r_eff).all():
        raise SmaxError("r_eff is not one finite number per atom")
    return cast(ase.Atoms, atoms)


def _bare(atoms: ase.Atoms) -> ase.Atoms:
    """What a record keeps."""
    bare = ase.Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell.array, pbc=atoms.pbc)
    if "r_eff" in atoms.arrays:
        bare.arrays["r_eff"] = np.array(atoms.arrays["r_eff"], dtype=float)
    return bare


def _plain(info: dict[str, Any]) -> dict[str, Any]:
    """Entries that JSON can hold, numpy scalars as Python's."""
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in info.items()}
    return {
        k: v
        for k, v in plain.items()
        if isinstance(v, bool | int | str) or (isinstance(v, float) and np.isfinite(v))
    }
