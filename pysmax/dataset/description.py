"""dataset.json: what a dataset says of itself."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pysmax.dataset.codec import COLUMNS
from pysmax.errors import SmaxError
from pysmax.files import read_text, write_atomically

FILE = "dataset.json"
FORMAT = "smax-dataset"
VERSION = 1


def write(folder: Path) -> None:
    """Make ``folder`` a dataset."""
    write_atomically(folder / FILE, (json.dumps(_description(), indent=1) + "\n").encode())


def exists(folder: Path) -> bool:
    """Whether there is one; False also where that must not be seen."""
    return os.path.exists(folder / FILE)


def check(folder: Path) -> None:
    """Raise SmaxError unless ``folder`` is a dataset of this version."""
    path = folder / FILE
    if not exists(folder):
        raise SmaxError(f"{folder}: not a dataset, expected a folder with {FILE}")
    try:
        found = json.loads(read_text(path))
    except ValueError:
        raise SmaxError(f"{path}: not JSON, expected the description of a dataset") from None
    if not isinstance(found, Mapping) or found.get("format") != FORMAT:
        raise SmaxError(f"{path}: 'format' is not '{FORMAT}', expected the description of a dataset")
    if found.get("version") != VERSION:
        raise SmaxError(
            f"{path}: version is {found.get('version')}, expected {VERSION}: a newer pysmax wrote it"
        )


def _description() -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "written_by": "pysmax",
        "shards": "shards/*.sqlite, each an SQLite 3 database with tables records and levels",
        "bytes": "arrays are little-endian, C order, without a header",
        "units": {
            "length": "A",
            "energy": "eV",
            "force": "eV/A",
            "stress": "eV/A^3",
            "magnetic moment": "Bohr magneton",
        },
        "signs": "stress is (1/V) dE/dstrain, negative under compression, Voigt order xx yy zz yz xz xy",
        "levels": "a level of theory: engine, its version, settings that can change a number (JSON), hash",
        "columns": {name: meaning for name, (_, meaning) in COLUMNS.items()},
    }
