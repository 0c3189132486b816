"""Datasets to compare: a dataset folder, or a file of extended XYZ with or without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import ase
import numpy as np

from pysmax.characteristics.statistics import Batch
from pysmax.dataset import levels
from pysmax.dataset.formats import extxyz
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError
from pysmax.moments import Array

EACH = "each"
BATCH = 2000  # structures in memory at a time
Consumer = Callable[[Batch], None]


class Source(Protocol):
    """Where structures and labels come from."""

    @property
    def name(self) -> str:
        """What figures and tables call it."""

    def scan(self, consume: Consumer, sample: int, seed: int) -> list[ase.Atoms]:
        """Hand over everything once, in batches; return up to ``sample`` random structures, shuffled."""

    def levels(self) -> dict[str, str]:
        """Hash and name of the levels of theory, as far as known."""


def sources(arguments: list[str], level: Sequence[str] = ()) -> list[Source]:
    """One source per PATH or NAME=PATH; names and paths must differ.

    ``level``: which one of a dataset folder (see levels.choose), or 'each' of it as a source of its own.
    """
    found: dict[str, Source] = {}
    paths: list[Path] = []
    for argument in arguments:
        name, path = split_name(argument)
        if any(path.exists() and path.resolve() == other.resolve() for other in paths):
            raise SmaxError(f"{path}: given twice, expected different datasets")
        paths.append(path)
        for source in open_sources(name, path, level):
            if source.name in found:
                raise SmaxError(
                    f"two datasets are called '{name}', expected different names: give NAME={path}"
                )
            found[source.name] = source
    return list(found.values())


def split_name(argument: str) -> tuple[str, Path]:
    """Name and path of PATH or NAME=PATH; the name is the last part of the path unless given."""
    name, equals, path = argument.partition("=")
    if equals and name and path and not Path(argument).exists():
        return name, Path(path)
    path_ = Path(argument)
    return (path_.resolve().name if path_.is_dir() else path_.stem) or argument, path_


def open_sources(name: str, path: Path, level: Sequence[str] = ()) -> list[Source]:
    """A folder is a dataset, a file is extended XYZ."""
    if not path.exists():
        raise SmaxError(f"{path}: No such file or directory, expected a dataset or an extended XYZ file")
    if not path.is_dir():
        return [Frames(name, path)]
    dataset = Dataset.open(path)
    if list(level) == [EACH] and len(there := levels.names(dataset)) > 1:
        return [Store(f"{name}, {what}", dataset, digest) for digest, what in there.items()]
    return [Store(name, dataset, levels.choose(dataset, () if list(level) == [EACH] else level))]


class Store:
    """A dataset folder: its records with a label of one level, or if there is none, those without."""

    def __init__(self, name: str, dataset: Dataset, level: str | None) -> None:
        self.name, self.dataset, self.level = name, dataset, level

    def scan(self, consume: Consumer, sample: int, seed: int) -> list[ase.Atoms]:
        """See Source."""
        status = "ok" if self.level else "unlabelled"
        empty = True
        for arrays in self.dataset.arrays(status=status, level=self.level, batch=BATCH):
            consume(Batch(**arrays))
            empty = False
        if empty:
            path = self.dataset.path
            raise SmaxError(f"{path}: has no record that is labelled or waits for a label, expected some")
        return [r.atoms for r in self.dataset.sample(sample, seed, status, self.level)]

    def levels(self) -> dict[str, str]:
        """See Source."""
        return {self.level: levels.names(self.dataset)[self.level]} if self.level else {}


class Frames:
    """A file of extended XYZ, read once."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path

    def scan(self, consume: Consumer, sample: int, seed: int) -> list[ase.Atoms]:
        """See Source. The sample is a reservoir (Vitter's algorithm R)."""
        rng = np.random.default_rng(seed)
        kept: list[ase.Atoms] = []
        frames, seen = extxyz.frames(self.path), 0
        while part := list(islice(frames, BATCH)):
            consume(batch(part))
            for frame in part:
                place = len(kept) if seen < sample else int(rng.integers(seen + 1))
                if place < sample:
                    kept[place : place + 1] = [bare(frame)]
                seen += 1
        if not seen:
            raise SmaxError(f"{self.path}: has no frame, expected at least one")
        return [kept[i] for i in rng.permutation(len(kept))]

    def levels(self) -> dict[str, str]:
        """A file does not say."""
        return {}


def bare(atoms: ase.Atoms) -> ase.Atoms:
    """A copy with numbers, positions, cell, pbc and effective radii alone."""
    result = ase.Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if "r_eff" in atoms.arrays:
        result.arrays["r_eff"] = atoms.arrays["r_eff"]
    return result


def batch(frames: list[ase.Atoms]) -> Batch:
    """Flat arrays of frames."""
    return Batch(
        natoms=np.array([len(f) for f in frames]),
        numbers=np.concatenate([f.numbers for f in frames]),
        energy=np.array([_label(f, "energy", ()) for f in frames]),
        forces=np.concatenate([_label(f, "forces", (len(f), 3)) for f in frames]),
        stress=np.stack([_label(f, "stress", (6,)) for f in frames]),
    )


def _label(frame: ase.Atoms, what: str, shape: tuple[int, ...]) -> Array:
    results = frame.calc.results if frame.calc is not None else {}
    value = np.asarray(results.get(what, np.full(shape, np.nan)), dtype=float)
    return value if value.shape == shape else np.full(shape, np.nan)
