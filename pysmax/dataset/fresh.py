"""New datasets that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError


@contextmanager
def fresh(path: Path) -> Iterator[Dataset]:
    """An empty dataset beside ``path``, which gets that name at the end of the with block."""
    path = path.absolute()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise SmaxError(f"{path}: exists already, expected a new folder for the dataset")
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        dataset = Dataset.create(hidden)
        yield dataset
        dataset.close()
        try:
            os.rename(hidden, path)
        except OSError as e:
            raise SmaxError(f"{path}: cannot be made: {e.strerror}") from None
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
