"""Thermo output of LAMMPS logs, also of runs that are under way or were killed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pysmax.errors import SmaxError
from pysmax.files import read_text
from pysmax.moments import Array


def read(path: Path) -> dict[str, Array]:
    """Column -> values, by step; of lines that a restarted run wrote again, the later ones count.

    SmaxError if the log has no thermo output or cannot be read.
    """
    rows: dict[int, list[float]] = {}
    header: list[str] = []
    names: list[str] = []
    for line in read_text(path).splitlines():
        words = line.split()
        if words[:1] == ["Step"]:
            header = words
            if names and header != names:
                rows.clear()  # a run of another kind came before: set-up, minimisation
            names = header
        elif header and (values := _numbers(words)) is not None and len(values) == len(header):
            rows[int(values[0])] = values
        elif line.startswith("Loop time"):
            header = []
    if not rows:
        raise SmaxError(f"{path}: has no thermo output, expected lines below 'Step Temp ...'")
    table = np.array([rows[s] for s in sorted(rows)])
    return {name: table[:, k] for k, name in enumerate(names)}


def _numbers(words: list[str]) -> list[float] | None:
    try:
        return [float(w) for w in words]
    except ValueError:
        return None
