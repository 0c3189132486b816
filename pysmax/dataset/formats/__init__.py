"""Formats of others: each a module with read(path), count(path) and writer(path)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol, cast

from pysmax.dataset.record import Record
from pysmax.errors import SmaxError

Add = Callable[[Record], object]
Energy = Literal["force-consistent", "extrapolated"]

# name: (endings, the first is written; a column that only labelled records have is required)
ENDINGS: dict[str, tuple[str, ...]] = {
    "extxyz": (".extxyz", ".extxyz.gz", ".xyz", ".xyz.gz"),
    "asedb": (".db",),
    "aselmdb": (".aselmdb",),
    "grace": (".pkl.gz", ".pkl", ".pckl.gzip", ".pckl", ".pickle"),
}


class Format(Protocol):
    """What a module of this package has."""

    def read(self, path: Path) -> Iterator[Record]:
        """The records of a file, streamed; raises SmaxError naming the file and the frame."""

    def count(self, path: Path) -> int | None:
        """Number of records, None where that takes reading everything."""

    def writer(self, path: Path, energy: Energy) -> AbstractContextManager[Add]:
        """Writes a new file with this energy of each label; complete when the context ends."""


def load(name: str) -> Format:
    """The format by name; raises SmaxError if it, or the package that it needs, is not there."""
    if name not in ENDINGS:
        raise SmaxError(f"there is no format '{name}', expected dataset, {', '.join(ENDINGS)}")
    try:
        return cast(Format, importlib.import_module(f"{__name__}.{name}"))
    except ModuleNotFoundError as e:
        raise SmaxError(f"format {name} needs the package {e.name}: pip install 'pysmax[convert]'") from None


def guess(path: Path) -> str:
    """The format by the ending; a folder, or no ending, is a dataset."""
    for name, endings in ENDINGS.items():
        if path.name.endswith(endings):
            return name
    if path.suffix and not path.is_dir():
        known = " ".join(e for endings in ENDINGS.values() for e in endings)
        raise SmaxError(f"{path}: unknown ending, expected one of {known}, a folder, or --format")
    return "dataset"


def split_ending(path: Path) -> tuple[str, str]:
    """``run``, ``.extxyz.gz``."""
    for endings in ENDINGS.values():
        for ending in sorted(endings, key=len, reverse=True):
            if path.name.endswith(ending):
                return path.name.removesuffix(ending), ending
    return path.stem, path.suffix
