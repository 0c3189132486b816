"""Chooses records: at random, by balance of elements, or by the entropy of their features."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ase
import numpy as np
import numpy.typing as npt

from pysmax.dataset.fresh import fresh
from pysmax.dataset.lazy import Balance, LogDet, greedy
from pysmax.dataset.query import record_of
from pysmax.dataset.record import Array
from pysmax.dataset.references import composition
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError

Mode = Literal["atom", "config"]
Step = Callable[[int], object]
# structures -> features [sum natoms, d] and natoms [m]
Features = Callable[[Sequence[ase.Atoms]], tuple[Array, npt.NDArray[Any]]]
EPS = 1e-6  # of the generator: S = 1/2 log det(C + eps R)
CONSTANT = 1e-9  # relative spread of a feature below which it does not vary
BATCH = 5000  # records of one run of the features


@dataclass(frozen=True)
class Choice:
    """Positions in the dataset, in the order of their choice, and what that order has brought."""

    positions: list[int]
    entropy: float | None = None  # S of the chosen, nats, in units of the spread of all
    entropy_of_all: float | None = None


def at_random(
    dataset: Dataset, n: int, seed: int, status: str | None = "ok", level: str | None = None
) -> Choice:
    """``n`` different records, each as likely as any other."""
    positions = dataset.positions(status, level)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(positions), size=min(n, len(positions)), replace=False)
    return Choice(positions[chosen].tolist())


def by_elements(
    dataset: Dataset,
    n: int,
    status: str | None = "ok",
    step: Step = lambda k: None,
    level: str | None = None,
) -> Choice:
    """``n`` records whose elements are as even as they can be chosen greedily."""
    arrays = dataset.arrays(("natoms", "numbers"), status, level=level)
    parts = [composition(a["numbers"], a["natoms"]).astype(np.float32) for a in arrays]
    if not parts:
        return Choice([])
    counts = np.vstack(parts)
    counts = counts[:, counts.any(axis=0)]
    balance = Balance(counts / counts.sum(axis=1, keepdims=True))
    bounds = np.log1p(balance.fractions).sum(axis=1).tolist()
    chosen = greedy(n, bounds, balance.gain, balance.take, step)
    return Choice(dataset.positions(status, level)[chosen].tolist())


def by_entropy(
    dataset: Dataset,
    n: int,
    features: Features,
    mode: Mode = "atom",
    status: str | None = "ok",
    step: Step = lambda k: None,
    level: str | None = None,
) -> Choice:
    """``n`` records whose features have the largest log det, greedily.

    z: features minus the mean of all, over the standard deviation of all (mode config: means per record).
    Maximised is log det(eps N I + sum z z^T), N the vectors that n records of mean size have: the generator's
    S = 1/2 log det(C + eps R) but for a constant. Features are kept in float32 in a temporary file.
    """
    with tempfile.TemporaryDirectory(prefix="smax-select-") as folder:
        z, ends = _features(dataset, features, mode, status, level, Path(folder) / "features", step)
        begins = np.concatenate([[0], ends[:-1]])
        vectors = max(1.0, min(n, len(ends)) * len(z) / max(1, len(ends)))
        chosen_det = LogDet(EPS * vectors * np.eye(z.shape[1]))

        def rows(i: int) -> Array:
            return np.asarray(z[begins[i] : ends[i]], dtype=np.float64)

        bounds = []
        for i in range(len(ends)):
            bounds.append(chosen_det.gain(rows(i)))
            step(1)
        chosen = greedy(
            n, bounds, lambda i: chosen_det.gain(rows(i)), lambda i: chosen_det.take(rows(i)), step
        )
        sample = np.vstack([rows(i) for i in chosen]) if chosen else np.empty((0, z.shape[1]))
        return Choice(dataset.positions(status, level)[chosen].tolist(), _entropy(sample), _entropy(z))


def _entropy(z: Array) -> float:
    """S = 1/2 log det(C + eps) of standardised vectors, in nats; over batches."""
    d = z.shape[1]
    total, scatter = np.zeros(d), np.zeros((d, d))
    for k in range(0, len(z), 100_000):
        part = np.asarray(z[k : k + 100_000], dtype=np.float64)
        total += part.sum(axis=0)
        scatter += part.T @ part
    mean = total / max(1, len(z))
    covariance = scatter / max(1, len(z)) - np.outer(mean, mean)
    return 0.5 * float(np.linalg.slogdet(covariance + EPS * np.eye(d))[1])


def _features(
    dataset: Dataset,
    features: Features,
    mode: Mode,
    status: str | None,
    level: str | None,
    path: Path,
    step: Step,
) -> tuple[Any, npt.NDArray[np.int64]]:
    """Standardised features [N, d], float32 in a file, and where each record ends [m]."""
    sizes: list[int] = []
    total, squares, origin = np.zeros(0), np.zeros(0), np.zeros(0)
    with path.open("wb") as f:
        for shard, rows in dataset.rows(status=status, level=level, batch=BATCH):
            values, natoms = features([record_of(shard, row).atoms for row in rows])
            values = np.array(values, dtype=np.float64)
            if not np.isfinite(values).all() or len(values) != int(np.sum(natoms)):
                raise SmaxError(f"{shard.path}: features are not finite, or not one row per atom")
            if mode == "config":
                starts = np.concatenate([[0], np.cumsum(natoms)[:-1]]).astype(np.int64)
                values = np.add.reduceat(values, starts, axis=0) / np.asarray(natoms)[:, None]
                natoms = np.ones(len(natoms), dtype=np.int64)
            if not sizes:  # from there: differences keep their digits
                origin = values.mean(axis=0)
                total, squares = np.zeros_like(origin), np.zeros_like(origin)
            values -= origin
            sizes += [int(k) for k in natoms]
            total += values.sum(axis=0)
            squares += (values**2).sum(axis=0)
            f.write(values.astype("<f4").tobytes())
            step(len(rows))
    if not sizes:
        raise SmaxError(f"{dataset.path}: no record with status {status}, expected some to choose from")
    count = sum(sizes)
    mean = total / count
    spread = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    spread[spread <= CONSTANT * np.abs(origin)] = np.inf  # tells nothing: z is 0
    z = np.memmap(path, dtype="<f4", mode="r+", shape=(count, len(origin)))
    for k in range(0, count, 100_000):
        z[k : k + 100_000] = (z[k : k + 100_000] - mean) / spread
    return z, np.cumsum(sizes)


def write(dataset: Dataset, choice: Choice, target: Path, step: Step = lambda k: None) -> int:
    """The chosen records, in the order of their choice, into a new dataset: its first k are the best k."""
    with fresh(target) as new, new.writer() as writer:
        for k in range(0, len(choice.positions), BATCH):
            for record in dataset.at(choice.positions[k : k + BATCH]):
                writer.add(record)
                step(1)
    return writer.committed
