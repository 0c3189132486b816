"""Errors of a model, summed up while structures stream by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pysmax.dataset.record import Array, Label, Record
from pysmax.grace.predict import Prediction

QUANTITIES = {"energy": "eV/atom", "forces": "eV/A", "stress": "eV/A^3"}
WINDOWS = (0.5, 2.0, 10.0, 50.0)  # eV/atom above the reference energies: where a window ends
POINTS = 100_000  # of a parity plot


@dataclass
class Sum:
    """Mean absolute and root mean square error of what was added."""

    n: int = 0
    absolute: float = 0.0
    square: float = 0.0
    largest: float = 0.0

    def add(self, error: Any) -> None:
        """Take errors in."""
        e = np.abs(np.asarray(error, dtype=np.float64)).ravel()
        if not e.size:
            return
        self.n += e.size
        self.absolute += float(e.sum())
        self.square += float((e * e).sum())
        self.largest = max(self.largest, float(e.max()))

    def as_dict(self) -> dict[str, float]:
        """MAE, RMSE, largest."""
        if not self.n:
            return {"n": 0}
        return {
            "n": self.n,
            "mae": self.absolute / self.n,
            "rmse": float(np.sqrt(self.square / self.n)),
            "max": self.largest,
        }


class Points:
    """A sample of at most POINTS pairs (label, prediction), each as likely (Vitter's algorithm R)."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._held: Array = np.empty((0, 2))
        self._seen = 0

    def add(self, label: Any, prediction: Any) -> None:
        """Take pairs in."""
        new = np.stack([np.ravel(label), np.ravel(prediction)], axis=1)
        room = POINTS - len(self._held)
        self._held = np.concatenate([self._held, new[:room]]) if room > 0 else self._held
        rest, start = new[max(room, 0) :], self._seen + max(min(room, len(new)), 0)
        if len(rest):
            slots = self._rng.integers(0, start + 1 + np.arange(len(rest)))
            keep = slots < POINTS
            self._held[slots[keep]] = rest[keep]
        self._seen += len(new)

    @property
    def pairs(self) -> Array:
        """[n, 2] label, prediction."""
        return self._held


def _sums() -> dict[str, Sum]:
    return {q: Sum() for q in QUANTITIES}


@dataclass
class Errors:
    """Of a set, by element and by energy."""

    structures: int = 0
    atoms: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    total: dict[str, Sum] = field(default_factory=_sums)
    elements: dict[str, dict[str, Sum]] = field(default_factory=dict)
    windows: list[dict[str, Sum]] = field(default_factory=lambda: [_sums() for _ in range(len(WINDOWS) + 1)])
    points: dict[str, Points] = field(default_factory=lambda: {q: Points() for q in QUANTITIES})
    grades: list[float] = field(default_factory=list)

    def add(self, record: Record, energy: float, reference: float, found: Prediction) -> None:
        """Take in a structure; ``reference``: sum of the reference energies (eV) that window its energy."""
        label, n = record.label, len(record.atoms)
        assert label is not None
        self.structures += 1
        self.atoms += n
        window = self.windows[int(np.searchsorted(WINDOWS, (energy - reference) / n))]
        symbols = np.array(list(record.atoms.symbols))
        each = [self.elements.setdefault(str(s), _sums()) for s in np.unique(symbols)]
        self._pair("energy", energy / n, found.energy / n, [window, *each])
        self._pair("forces", label.forces, found.forces, [window])
        for s in np.unique(symbols):
            self.elements[str(s)]["forces"].add((found.forces - label.forces)[symbols == s])
        self._stress(label, found, [window, *each])
        if np.isfinite(found.grade):
            self.grades.append(found.grade)

    def _stress(self, label: Label, found: Prediction, groups: list[dict[str, Sum]]) -> None:
        if label.stress is not None and np.isfinite(found.stress).all():
            self._pair("stress", label.stress, found.stress, groups)

    def _pair(self, quantity: str, label: Any, prediction: Any, groups: list[dict[str, Sum]]) -> None:
        error = np.asarray(prediction) - np.asarray(label)
        for sums in (self.total, *groups):
            sums[quantity].add(error)
        self.points[quantity].add(label, prediction)

    def as_dict(self) -> dict[str, Any]:
        """All of it but the points."""
        ends = [-np.inf, *WINDOWS, np.inf]
        return {
            "structures": self.structures,
            "atoms": self.atoms,
            "failed": self.failed,
            "units": QUANTITIES,
            "errors": _plain(self.total),
            "elements": {s: _plain(sums) for s, sums in sorted(self.elements.items())},
            "windows_eV_per_atom": [
                {"from": _text(a), "to": _text(b), **_plain(sums)}
                for a, b, sums in zip(ends, ends[1:], self.windows, strict=False)
                if sums["energy"].n
            ],
            "grade": _quantiles(self.grades),
        }


def _plain(sums: dict[str, Sum]) -> dict[str, dict[str, float]]:
    return {q: s.as_dict() for q, s in sums.items()}


def _text(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def _quantiles(grades: list[float]) -> dict[str, float]:
    if not grades:
        return {}
    g = np.array(grades)
    q = {f"q{k:02d}": float(np.quantile(g, k / 100)) for k in (5, 50, 95)}
    return {**q, "max": float(g.max()), "share_above_1": float((g > 1).mean())}
