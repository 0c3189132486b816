"""From labelled sets to what gracemaker reads: one pass that counts, splits and writes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from pysmax.dataset.convert import Source
from pysmax.dataset.formats import Energy
from pysmax.dataset.formats import load as load_format
from pysmax.dataset.formats.atoms import exported
from pysmax.dataset.record import Record, structure_hash
from pysmax.dataset.split import share
from pysmax.errors import SmaxError
from pysmax.grace.config import Data
from pysmax.grace.references import References

FILES = {"train": "train.pkl.gz", "validation": "validation.pkl.gz", "held_out": "held_out.extxyz"}
PARTS = tuple(FILES)
Step = Callable[[int], object]


@dataclass
class Range:
    """Smallest and largest of what was seen."""

    low: float = np.inf
    high: float = -np.inf

    def see(self, values: Any) -> None:
        """Take values in."""
        self.low = min(self.low, float(np.min(values)))
        self.high = max(self.high, float(np.max(values)))


@dataclass
class Tally:
    """What is in the sets."""

    structures: int = 0
    atoms: int = 0
    parts: Counter[str] = field(default_factory=Counter)
    has: Counter[str] = field(default_factory=Counter)  # energy, forces, stress
    left_out: Counter[str] = field(default_factory=Counter)
    elements: Counter[str] = field(default_factory=Counter)  # structures that hold it
    levels: dict[str, str] = field(default_factory=dict)  # hash: engine
    ranges: dict[str, Range] = field(default_factory=dict)
    digest: int = 0  # of contents, whatever their order

    def see(self, record: Record, energy: float) -> None:
        """Count a record that is used."""
        label = record.label
        assert label is not None
        self.structures += 1
        self.atoms += len(record.atoms)
        self.elements.update(set(record.atoms.symbols))
        self.has.update(["energy", "forces"])
        self._range("energy, eV/atom", energy / len(record.atoms))
        self._range("forces, eV/A", label.forces)
        if label.stress is not None and record.atoms.pbc.all():  # gracemaker takes no other
            self.has["stress"] += 1
            self._range("stress, eV/A^3", label.stress)
        digest = hashlib.sha256(json.dumps([record.key, energy]).encode())
        for values in (label.forces, label.stress):
            digest.update(b"" if values is None else np.asarray(values, dtype="<f8").tobytes())
        self.digest = (self.digest + int.from_bytes(digest.digest(), "big")) % (1 << 256)

    def _range(self, name: str, values: Any) -> None:
        self.ranges.setdefault(name, Range()).see(values)

    @property
    def symbols(self) -> list[str]:
        """Elements, by atomic number."""
        return sorted(self.elements, key=chemical_symbols.index)

    def lines(self) -> list[str]:
        """The table that is printed before a training."""
        n = max(self.structures, 1)
        parts = ", ".join(f"{self.parts[p]} {p.replace('_', ' ')}" for p in PARTS)
        lines = [f"{self.structures} structures ({parts}), {self.atoms} atoms, {len(self.elements)} elements"]
        for name in ("energy", "forces", "stress"):
            lines.append(f"  {name}: {self.has[name]} structures ({100 * self.has[name] / n:.1f} %)")
        lines += [f"  {name}: {r.low:.4g} to {r.high:.4g}" for name, r in self.ranges.items()]
        lines += [f"  left out, {why}: {k}" for why, k in sorted(self.left_out.items())]
        return lines

    def as_dict(self) -> dict[str, Any]:
        """For provenance."""
        return {
            "structures": self.structures,
            "atoms": self.atoms,
            "parts": dict(self.parts),
            "has": dict(self.has),
            "left_out": dict(self.left_out),
            "elements": dict(self.elements),
            "levels": self.levels,
            "ranges": {k: [r.low, r.high] for k, r in self.ranges.items()},
            "hash": f"{self.digest:064x}"[:32],
        }


def energy_of(record: Record, energy: Energy) -> float:
    """The energy that is learned, eV (see formats.atoms.exported)."""
    assert record.label is not None
    return exported(record.label, energy)[0]


def labelled(data: Data, tally: Tally, step: Step) -> Iterator[tuple[Record, str, float]]:
    """Each structure once: its record, the part that it belongs to, its energy."""
    seen: set[bytes] = set()
    for path in data.train:
        for record in Source.of(path).records():
            step(1)
            why = _unfit(record, data)
            digest = structure_hash(record.atoms)
            if not why and bytes.fromhex(digest) in seen:
                why = "duplicate structure"
            if why:
                tally.left_out[why] += 1
                continue
            seen.add(bytes.fromhex(digest))
            _see_level(record, data, tally, path)
            part = part_of(digest, data)
            tally.parts[part] += 1
            energy = energy_of(record, data.energy)
            tally.see(record, energy)
            yield record, part, energy


def part_of(digest: str, data: Data) -> str:
    """train, validation or held_out, by the contents of the structure alone: it never moves."""
    x = share(digest, data.split_seed)
    if x < data.held_out:
        return "held_out"
    return "validation" if x < data.held_out + (1 - data.held_out) * data.validation else "train"


def _unfit(record: Record, data: Data) -> str:
    if record.label is None:
        return record.status
    if data.level and (record.level is None or record.level.hash != data.level):
        return "another level of theory"
    label = record.label
    stress = np.zeros(6) if label.stress is None else label.stress
    finite = np.isfinite(label.energy) and np.isfinite(label.forces).all() and np.isfinite(stress).all()
    return "" if finite else "not finite"


def _see_level(record: Record, data: Data, tally: Tally, path: Path) -> None:
    level = record.level
    if level is None or level.hash in tally.levels:
        return
    tally.levels[level.hash] = f"{level.engine} {level.version}".strip()
    if len(tally.levels) > 1:
        found = ", ".join(f"{h} ({e})" for h, e in tally.levels.items())
        raise SmaxError(f"{path}: found a second level of theory: {found}; expected one, or data.level")


def write_frames(data: Data, folder: Path, step: Step) -> tuple[Tally, References]:
    """Write the files of FILES into ``folder``; returns what was seen, and the fit.

    gracemaker reads pickles; nothing here does.
    """
    tally, references = Tally(), References()
    with ExitStack() as files:
        add = {}
        for part, name in FILES.items():
            form = load_format("extxyz" if part == "held_out" else "grace")
            add[part] = files.enter_context(form.writer(folder / name, data.energy))
        for record, part, energy in labelled(data, tally, step):
            if part == "train":
                references.see(record, energy)
            add[part](record)
    return tally, references
