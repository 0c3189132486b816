"""Files of the command line."""

from __future__ import annotations

import os
from pathlib import Path

from pysmax.errors import SmaxError


def make_folder(folder: Path) -> None:
    """With its parents; SmaxError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SmaxError(f"{folder}: cannot be made: {e.strerror}") from None


def refuse_existing(paths: list[Path]) -> None:
    """Nothing is overwritten."""
    for path in paths:
        if os.path.lexists(path):  # False where the name is too long: writing says so
            raise SmaxError(f"{path}: exists already, expected a new file: nothing is written")
