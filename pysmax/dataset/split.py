"""Train and test sets: every record goes by a hash of its own contents, so that the split never moves."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pysmax.dataset.codec import to_json
from pysmax.dataset.fresh import fresh
from pysmax.dataset.record import Record, structure_hash
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError


@dataclass
class Split:
    """Numbers of records."""

    train: int = 0
    test: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def split(
    dataset: Dataset,
    train: Path,
    test: Path,
    fraction: float,
    seed: int = 0,
    group: str = "structure",
    step: Callable[[int], object] = lambda n: None,
    level: str | None = None,
) -> Split:
    """Write the ok records into two new datasets, about ``fraction`` of their groups into ``test``.

    ``group``: what must not be in both: structure (at all its levels), composition, or info.FIELD (a family:
    the frames of one relaxation). Later additions do not move what was split before.
    """
    if not 0.0 < fraction < 1.0:
        raise SmaxError(f"the fraction is {fraction:g}, expected more than 0 and less than 1")
    if group not in ("structure", "composition") and not group.startswith("info."):
        raise SmaxError(f"group is '{group}', expected structure, composition or info.FIELD")
    if train.resolve() == test.resolve():
        raise SmaxError(f"{train}: is train and test, expected two folders")
    result = Split()
    with fresh(train) as a, fresh(test) as b, a.writer() as to_train, b.writer() as to_test:
        for record in dataset.records(level=level):
            step(1)
            if record.status != "ok":
                result.left_out[record.status] += 1
            elif share(group_of(record, group), seed) < fraction:
                to_test.add(record)
            else:
                to_train.add(record)
    result.train, result.test = to_train.committed, to_test.committed
    return result


def group_of(record: Record, group: str) -> str:
    """The text that decides where a record goes."""
    if group == "structure":
        return structure_hash(record.atoms)
    if group == "composition":
        return str(record.atoms.symbols.formula.reduce()[0].format("hill"))
    name = group.removeprefix("info.")
    if name not in record.info:
        raise SmaxError(f"record {record.key} has no info '{name}', expected it for group {group}")
    return to_json(record.info[name], name)


def share(text: str, seed: int) -> float:
    """Uniform in [0, 1), from the text and the seed alone."""
    digest = hashlib.sha256(f"{seed}:{text}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2.0**56
