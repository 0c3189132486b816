"""From a dataset to the formats of others, and back."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pysmax.dataset import formats
from pysmax.dataset.formats import Energy
from pysmax.dataset.formats.atoms import UNKNOWN
from pysmax.dataset.record import Level, Record
from pysmax.dataset.shard import SIZE
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError

Step = Callable[[int], object]


@dataclass
class Converted:
    """What was written, and what was left out, by reason."""

    written: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    paths: list[Path] = field(default_factory=list)

    def __str__(self) -> str:
        kept = f"{self.written} records written"
        why = ", ".join(f"{n} {reason}" for reason, n in sorted(self.left_out.items()))
        where = "" if not self.paths else f" to {self.paths[0]}"
        more = f" and {len(self.paths) - 1} more files" if len(self.paths) > 1 else ""
        return f"{kept}{where}{more}" + (f"; left out: {why}" if why else "")


@dataclass(frozen=True)
class Source:
    """Records to convert: files of one format, or a dataset."""

    paths: list[Path]
    format: str
    level: str | None = None  # hash, of a dataset

    @classmethod
    def of(cls, path: Path, name: str = "") -> Source:
        """A file, a dataset, or a folder of files that --shard-size has made."""
        if not path.exists():
            raise SmaxError(f"{path}: no such file")
        if not path.is_dir() or (path / "dataset.json").exists():
            return cls([path], name or formats.guess(path))
        for known, endings in formats.ENDINGS.items():
            files = sorted(p for p in path.iterdir() if p.name.endswith(endings) and p.name[0] != ".")
            if files and name in ("", known):
                return cls(files, known)
        raise SmaxError(f"{path}: holds no dataset and no files of a known format")

    def count(self) -> int | None:
        """Number of records, None if that is not known before they are read."""
        if self.format == "dataset":
            return len(Dataset.open(self.paths[0]))
        counts = [formats.load(self.format).count(p) for p in self.paths]
        return sum(c for c in counts if c is not None) if None not in counts else None

    def records(self) -> Iterator[Record]:
        """All of them, streamed."""
        for path in self.paths:
            if self.format == "dataset":
                yield from Dataset.open(path).records(level=self.level)
            else:
                yield from formats.load(self.format).read(path)


def convert(
    source: Source,
    target: Path,
    target_format: str,
    shard_size: int | None = None,
    unlabelled: bool = False,
    level_name: str = "",
    source_name: str = "",
    step: Step = lambda n: None,
    energy: Energy = "force-consistent",
) -> Converted:
    """Write every record of ``source``; with ``shard_size`` into numbered files of that many.

    ``level_name`` names the level of theory of labels that do not say theirs, ``source_name`` the source of
    records that do not say it. Records without a label go into a dataset, and into another format only if
    ``unlabelled``. ``energy``: of the files of other formats (see formats.atoms.exported).
    """
    named = Level("imported", "", {"name": level_name}) if level_name else UNKNOWN
    records = (_named(r, named, source_name) for r in _stepping(source.records(), step))
    if target_format == "dataset":
        return _to_dataset(records, target, shard_size or SIZE)
    if shard_size is not None and shard_size < 1:
        raise SmaxError(f"shard size is {shard_size}, expected 1 or more")
    form = formats.load(target_format)

    def writer(path: Path) -> AbstractContextManager[formats.Add]:
        return form.writer(path, energy)

    return _to_files(records, target, writer, shard_size, unlabelled)


def _stepping(records: Iterator[Record], step: Step) -> Iterator[Record]:
    for record in records:
        yield record
        step(1)


def _named(record: Record, level: Level, source: str) -> Record:
    changed: dict[str, Any] = {}
    if record.level == UNKNOWN:
        changed["level"] = level
    if source and not record.source:
        changed["source"] = source
    return Record(**(vars(record) | changed)) if changed else record


def _to_dataset(records: Iterator[Record], target: Path, shard_size: int) -> Converted:
    done = Converted(paths=[target])
    with Dataset.create(target, exist_ok=True).writer(shard_size) as writer:
        for record in records:
            if not writer.add(record):
                done.left_out["there already"] += 1
    done.written = writer.committed
    return done


def _to_files(
    records: Iterator[Record],
    target: Path,
    writer: Callable[[Path], AbstractContextManager[formats.Add]],
    shard_size: int | None,
    unlabelled: bool,
) -> Converted:
    done = Converted()
    paths = _names(target, shard_size is not None)
    chosen = (r for r in records if _wanted(r, unlabelled, done))
    record = next(chosen, None)
    while record is not None or not done.paths:
        path = next(paths)
        if path.exists():
            raise SmaxError(f"{path}: exists already, expected a new file: nothing more is written")
        stem, ending = formats.split_ending(path)
        part = path.with_name(f".{stem}.part{ending}")  # its own name once it is complete
        part.unlink(missing_ok=True)
        with ExitStack() as cleaning:
            cleaning.callback(part.unlink, missing_ok=True)
            try:
                with writer(part) as add:
                    n = 0
                    while record is not None and (shard_size is None or n < shard_size):
                        add(record)
                        n += 1
                        record = next(chosen, None)
                os.rename(part, path)
            except OSError as e:
                raise SmaxError(f"{path}: cannot be written: {e.strerror or e}") from None
            done.paths.append(path)
            done.written += n
    return done


def _names(target: Path, numbered: bool) -> Iterator[Path]:
    stem, ending = formats.split_ending(target)
    if not numbered:
        yield target
        return
    number = 0
    while True:
        yield target.with_name(f"{stem}-{number:05d}{ending}")
        number += 1


def _wanted(record: Record, unlabelled: bool, done: Converted) -> bool:
    if record.status == "ok" or unlabelled:
        return True
    done.left_out[record.status] += 1
    return False
