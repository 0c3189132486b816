"""Labelled datasets joined, some of them filtered (arXiv 2602.23489, VII.3.1); streamed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import ase
import numpy as np

from pysmax.batches import batched
from pysmax.dataset import description
from pysmax.dataset.convert import Source
from pysmax.dataset.filters import Filters
from pysmax.dataset.record import Array, Record
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError
from pysmax.files import read_text, write_atomically

NOTE = "merge.json"
LIMIT = "stress_limit_eV_per_A3"
BATCH = 500
Step = Callable[[int], object]


class Predicts(Protocol):
    """A model: stresses [6] of structures, eV/A^3; NaN where there is none."""

    def __call__(self, frames: Sequence[ase.Atoms]) -> list[Array]: ...


@dataclass
class Combined:
    """What became of the records of both sides."""

    kept: Counter[str] = field(default_factory=Counter)  # base, filtered
    removed: Counter[str] = field(default_factory=Counter)
    elements: dict[str, Counter[str]] = field(
        default_factory=lambda: {"base": Counter(), "filtered": Counter()}
    )
    stress_limit: float | None = None
    duplicates: int = 0  # of those kept: their keys were there already

    def as_dict(self) -> dict[str, Any]:
        """For merge.json."""
        base, filtered = (set(self.elements[side]) for side in ("base", "filtered"))
        return {
            "kept": dict(self.kept),
            "removed": dict(self.removed),
            "duplicates": self.duplicates,
            LIMIT: self.stress_limit,
            "structures_with_element": {k: dict(sorted(v.items())) for k, v in self.elements.items()},
            "elements_only_in_base": sorted(base - filtered),
            "elements_only_in_filtered": sorted(filtered - base),
        }

    def lines(self) -> list[str]:
        """For the terminal."""
        d = self.as_dict()
        lines = [f"{self.kept['base']} records as they are, {self.kept['filtered']} filtered ones"]
        lines += [f"  removed, {why}: {n}" for why, n in sorted(self.removed.items())]
        if self.duplicates:
            lines.append(f"  of these twice, written once: {self.duplicates}")
        if self.stress_limit is not None:
            lines.append(f"  largest stress error allowed: {self.stress_limit:.4g} eV/A^3")
        for side in ("base", "filtered"):
            only = d[f"elements_only_in_{side}"]
            tail = f", only there: {' '.join(only)}" if only else ""
            lines.append(f"  {len(self.elements[side])} elements in {side}{tail}")
        return lines


def combine(
    out: Path,
    base: Sequence[Path],
    filtered: Sequence[Path],
    filters: Filters,
    predict: Predicts | None = None,
    own_deviation: bool = False,
    step: Step = lambda n: None,
    model: str = "",
) -> Combined:
    """Write the labelled records of ``base``, and those of ``filtered`` that pass, into the dataset ``out``.

    With ``predict``, filters.stress_limit (or, with ``own_deviation``, the standard deviation of all stress
    errors of ``filtered``, which takes a pass of its own) is compared with the largest stress error of each.
    Records without a stress pass. Begun again with the same arguments, ``model`` (its hash) included, it
    goes on: records that are there are not written again.
    """
    note: dict[str, Any] = {
        "base": _names(base),
        "filtered": _names(filtered),
        "filters": vars(filters) | {"elements": list(filters.elements)},
    }
    note |= {"own_deviation": own_deviation, "model": model, "complete": False}
    result = Combined(stress_limit=filters.stress_limit if predict else None)
    found = _begin(out, note)
    if predict and own_deviation:
        result.stress_limit = found if found is not None else _deviation(filtered, filters, predict, step)
        write_atomically(out / NOTE, json.dumps({**note, LIMIT: result.stress_limit}, indent=1).encode())
    filters = replace(filters, stress_limit=result.stress_limit)
    with Dataset.create(out, exist_ok=True).writer() as writer:
        for record in _records(base, step):
            _take(record, record.status if record.label is None else "", "base", writer, result)
        for record, error in _judged(filtered, filters, predict, step):
            _take(record, filters.why(record, error), "filtered", writer, result)
    result.duplicates = sum(result.kept.values()) - len(Dataset.open(out))
    write_atomically(
        out / NOTE, json.dumps({**note, "complete": True, **result.as_dict()}, indent=1).encode()
    )
    return result


def _names(paths: Sequence[Path]) -> list[str]:
    return [str(p.resolve()) for p in paths]


def _begin(out: Path, note: dict[str, Any]) -> float | None:
    """The deviation of the stress errors, if an earlier start has found it."""
    path = out / NOTE
    if not path.exists():
        # one that is there and empty: of a start that was killed before its note
        empty = description.exists(out) and not len(Dataset.open(out))
        Dataset.create(out, exist_ok=empty)
        write_atomically(path, json.dumps(note, indent=1).encode())
        return None
    try:
        found = json.loads(read_text(path))
    except ValueError:
        found = {}
    if not isinstance(found, dict) or any(found.get(k) != json.loads(json.dumps(v)) for k, v in note.items()):
        raise SmaxError(
            f"{out}: is another or a finished merge, expected a new folder or the same one unfinished"
        )
    limit = found.get(LIMIT)
    return float(limit) if isinstance(limit, (int, float)) else None


def _take(record: Record, why: str, side: str, writer: Any, result: Combined) -> None:
    if why:
        result.removed[f"{side}: {why}" if side == "base" else why] += 1
        return
    result.kept[side] += 1
    result.elements[side].update(set(record.atoms.symbols))
    writer.add(record)


def _judged(
    paths: Sequence[Path], filters: Filters, predict: Predicts | None, step: Step
) -> Iterator[tuple[Record, float]]:
    """Records with their largest stress error, 0 where nothing is compared."""
    for part in batched(_records(paths, step), BATCH):
        errors = np.zeros(len(part))
        if predict:
            asked = [i for i, r in enumerate(part) if not replace(filters, stress_limit=None).why(r)]
            for i, error in zip(asked, _errors([part[i] for i in asked], predict), strict=True):
                errors[i] = np.abs(error).max(initial=0.0)
        yield from zip(part, errors.tolist(), strict=True)


def _deviation(paths: Sequence[Path], filters: Filters, predict: Predicts, step: Step) -> float:
    """Standard deviation of the errors of all stress components."""
    n, total, square = 0, 0.0, 0.0
    for part in batched(_records(paths, step), BATCH):
        passing = [r for r in part if not replace(filters, stress_limit=None).why(r)]
        for error in _errors(passing, predict):
            error = error[np.isfinite(error)]
            n, total, square = n + error.size, total + float(error.sum()), square + float((error**2).sum())
    if not n:
        raise SmaxError("no record of the filtered datasets has a stress, expected some for its deviation")
    return float(np.sqrt(max(square / n - (total / n) ** 2, 0.0)))


def _records(paths: Sequence[Path], step: Step) -> Iterator[Record]:
    for path in paths:
        for record in Source.of(path).records():
            step(1)
            yield record


def _errors(records: Sequence[Record], predict: Predicts) -> Iterator[Array]:
    """Per record: errors [6], or [0] where it has no stress."""
    with_stress = [r for r in records if r.label is not None and r.label.stress is not None]
    found = iter(predict([r.atoms for r in with_stress]) if with_stress else [])
    for r in records:
        stress = r.label.stress if r.label else None
        yield np.zeros(0) if stress is None else next(found) - stress
