"""Frames of a study, one at a time, through OVITO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pysmax.analysis.rendered import Rendered, frame_files
from pysmax.errors import SmaxError

if TYPE_CHECKING:
    from ovito.data import DataCollection


def ovito() -> Any:
    """The package; SmaxError with what to install where it is missing."""
    try:
        import ovito as package
    except ImportError:
        raise SmaxError('OVITO is not installed: pip install "pysmax[analysis]"') from None
    return package


class Frames:
    """Frames at ``steps``; each is read when it is asked for, checked, and forgotten.

    ``modifiers``: of OVITO, applied to each frame. Types are named after the study's elements.
    """

    def __init__(self, run: Rendered, modifiers: Sequence[Any] = (), last: int | None = None) -> None:
        ovito()
        files = frame_files(run)
        self.run = run
        self.steps = list(files)[-last:] if last else list(files)
        self._files = [files[s] for s in self.steps]
        self._modifiers = list(modifiers)

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[DataCollection]:
        for path in self._files:
            yield self._read(path)

    def __getitem__(self, k: int) -> DataCollection:
        return self._read(self._files[k])

    def _read(self, path: Path) -> DataCollection:
        from ovito.io import import_file

        check_frame(path, self.run)
        try:
            pipeline = import_file(str(path), input_format="lammps/dump")
            pipeline.modifiers.extend(self._modifiers)
            return pipeline.compute()
        except Exception as e:  # OVITO raises RuntimeError and others of its own
            raise SmaxError(f"{path}: OVITO cannot read it: {' '.join(str(e).split())[:300]}") from None


def check_frame(path: Path, run: Rendered) -> None:
    """SmaxError unless the frame is whole and has the study's atoms: number, types, elements."""
    from pysmax.files import read_text

    lines = read_text(path).splitlines()
    where = next((k for k, line in enumerate(lines) if line.startswith("ITEM: ATOMS")), None)
    if where is None or lines[0] != "ITEM: TIMESTEP":
        raise SmaxError(f"{path}: not a whole frame of LAMMPS (truncated?)")
    columns, rows = lines[where].split()[2:], lines[where + 1 :]
    stated = int(lines[3]) if lines[3].isdigit() else -1
    if stated != run.natoms:
        raise SmaxError(f"{path}: has {lines[3]} atoms, expected the {run.natoms} of this study")
    if len(rows) != stated or len(rows[-1].split()) != len(columns):
        raise SmaxError(f"{path}: has {len(rows)} lines of atoms, expected {stated}: truncated")
    if not {"id", "type", "element"} <= set(columns):
        raise SmaxError(f"{path}: has columns {' '.join(columns)}, expected id, type and element among them")
    i, j = columns.index("type"), columns.index("element")
    pairs = {(w[i], w[j]) for w in map(str.split, rows)}
    for t, e in sorted(pairs):
        if not t.isdigit() or not 1 <= int(t) <= len(run.elements) or run.elements[int(t) - 1] != e:
            raise SmaxError(
                f"{path}: atom type {t} is {e}, expected types 1, 2, ... to be {' '.join(run.elements)}"
            )


def elements_of(data: DataCollection, run: Rendered) -> np.ndarray[Any, Any]:
    """Element of each atom [n], from its type."""
    types = np.asarray(data.particles.particle_types)
    elements: np.ndarray[Any, Any] = np.array(run.elements)[types - 1]
    return elements
