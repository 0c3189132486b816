"""Datasets to compare: a dataset folder, or a file of extended XYZ with or without labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

import ase
import ase.io
import numpy as np
from ase.io.extxyz import XYZError

from pysmax.characteristics.statistics import ELEMENTS, Batch
from pysmax.errors import SmaxError
from pysmax.moments import Array

BATCH = 2000  # structures in memory at a time
READING = (ValueError, KeyError, IndexError, TypeError, StopIteration, RuntimeError, XYZError)  # of ASE
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


def sources(arguments: list[str]) -> list[Source]:
    """One source per PATH or NAME=PATH; names and paths must differ."""
    found: dict[str, tuple[Path, Source]] = {}
    for argument in arguments:
        name, path = split_name(argument)
        if name in found:
            raise SmaxError(f"two datasets are called '{name}', expected different names: give NAME={path}")
        for other, _ in found.values():
            if path.exists() and path.resolve() == other.resolve():
                raise SmaxError(f"{path}: given twice, expected different datasets")
        found[name] = (path, open_source(name, path))
    return [source for _, source in found.values()]


def split_name(argument: str) -> tuple[str, Path]:
    """Name and path of PATH or NAME=PATH; the name is the last part of the path unless given."""
    name, equals, path = argument.partition("=")
    if equals and name and path and not Path(argument).exists():
        return name, Path(path)
    path_ = Path(argument)
    return (path_.resolve().name if path_.is_dir() else path_.stem) or argument, path_


def open_source(name: str, path: Path) -> Source:
    """A folder is a dataset, a file is extended XYZ."""
    if path.is_dir():
        return Store(name, path)
    if not path.exists():
        raise SmaxError(f"{path}: No such file or directory, expected a dataset or an extended XYZ file")
    return Frames(name, path)


class Store:
    """A dataset folder: its records with a label, or if there is none, those without."""

    def __init__(self, name: str, path: Path) -> None:
        from pysmax.dataset.store import Dataset

        self.name, self.path = name, path
        self.dataset = Dataset.open(path)

    def scan(self, consume: Consumer, sample: int, seed: int) -> list[ase.Atoms]:
        """See Source."""
        for status in ("ok", "unlabelled"):
            empty = True
            for arrays in self.dataset.arrays(status=status, batch=BATCH):
                consume(Batch(**arrays))
                empty = False
            if not empty:
                return [r.atoms for r in self.dataset.sample(sample, seed, status=status)]
        raise SmaxError(f"{self.path}: has no record that is labelled or waits for a label, expected some")

    def levels(self) -> dict[str, str]:
        """See Source."""
        return {v.hash: f"{v.engine} {v.version} ({v.hash[:6]})" for v in self.dataset.levels()}


class Frames:
    """A file of extended XYZ, read once."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path

    def scan(self, consume: Consumer, sample: int, seed: int) -> list[ase.Atoms]:
        """See Source. The sample is a reservoir (Vitter's algorithm R)."""
        rng = np.random.default_rng(seed)
        kept: list[ase.Atoms] = []
        frames, seen = self._frames(), 0
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

    def _frames(self) -> Iterator[ase.Atoms]:
        frames = ase.io.iread(self.path, index=":", format="extxyz")
        number = 0
        while True:
            number += 1
            try:
                frame = next(frames, None)
            except READING as e:
                where = f"frame {number} is " if number > 1 else ""  # the first error may be of any frame
                raise SmaxError(f"{self.path}: {where}not readable as extended XYZ ({e})") from None
            except OSError as e:
                raise SmaxError(f"{self.path}: {e.strerror or e}") from None
            if frame is None:
                return
            if not len(frame):
                raise SmaxError(f"{self.path}: frame {number} has no atom, expected at least one")
            if frame.numbers.min() < 0 or frame.numbers.max() >= ELEMENTS:
                raise SmaxError(f"{self.path}: frame {number} has an unknown element")
            yield frame


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
