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
        for k in range(len(self)):
            yield self[k]

    def __getitem__(self, k: int) -> DataCollection:
        return self._read(self._files[k], self.steps[k])

    def _read(self, path: Path, step: int) -> DataCollection:
        from ovito.io import import_file

        check_frame(path, self.run, step)
        try:
            pipeline = import_file(str(path), input_format="lammps/dump")
            pipeline.modifiers.extend(self._modifiers)
            return pipeline.compute()
        except Exception as e:  # OVITO raises RuntimeError and others of its own
            raise SmaxError(f"{path}: OVITO cannot read it: {' '.join(str(e).split())[:300]}") from None


def check_frame(path: Path, run: Rendered, step: int | None = None) -> None:
    """SmaxError unless the frame is whole and has the study's atoms: number, types, elements, finite places.

    ``step``: the one that it must be of.
    """
    from pysmax.files import read_text

    lines = read_text(path).splitlines()
    where = next((k for k, line in enumerate(lines) if line.startswith("ITEM: ATOMS")), 0)
    if where < 4 or lines[0] != "ITEM: TIMESTEP":
        raise SmaxError(f"{path}: not a whole frame of LAMMPS (truncated?)")
    if step is not None and lines[1].strip() != str(step):
        raise SmaxError(f"{path}: is of step {lines[1].strip()}, expected {step}")
    columns, rows = lines[where].split()[2:], [line.split() for line in lines[where + 1 :]]
    stated = int(lines[3]) if lines[3].isdigit() else -1
    if stated != run.natoms:
        raise SmaxError(f"{path}: has {lines[3]} atoms, expected the {run.natoms} of this study")
    whole = sum(len(row) == len(columns) for row in rows)
    if len(rows) != stated or whole != stated:
        raise SmaxError(f"{path}: has {whole} whole lines of atoms, expected {stated}: truncated")
    if missing := {"id", "type", "element", "x", "y", "z"} - set(columns):
        raise SmaxError(f"{path}: has columns {' '.join(columns)}, expected {sorted(missing)[0]} among them")
    at = {name: list(column) for name, column in zip(columns, zip(*rows, strict=True), strict=True)}
    for t, e in sorted(set(zip(at["type"], at["element"], strict=True))):
        if not t.isdigit() or not 1 <= int(t) <= len(run.elements) or run.elements[int(t) - 1] != e:
            raise SmaxError(
                f"{path}: atom type {t} is {e}, expected types 1, 2, ... to be {' '.join(run.elements)}"
            )
    if len(set(at["id"])) < stated:
        raise SmaxError(f"{path}: has {len(set(at['id']))} ids for {stated} atoms, expected one each")
    try:
        finite = bool(np.isfinite(np.array([at["x"], at["y"], at["z"]], dtype=float)).all())
    except ValueError:
        finite = False
    if not finite:
        raise SmaxError(f"{path}: has places of atoms that are no numbers: did the simulation blow up?")


def elements_of(data: DataCollection, run: Rendered) -> np.ndarray[Any, Any]:
    """Element of each atom [n], from its type."""
    types = np.asarray(data.particles.particle_types)
    elements: np.ndarray[Any, Any] = np.array(run.elements)[types - 1]
    return elements
