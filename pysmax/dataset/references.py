"""One energy per element that explains the energies best, and what it leaves unexplained."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pysmax.dataset.record import Array
from pysmax.dataset.store import Dataset

Z = 119
ROUNDS = 20


def composition(numbers: npt.NDArray[np.uint8], natoms: npt.NDArray[np.int64]) -> Array:
    """Atoms per element [m, 119] from flat atomic numbers."""
    owner = np.repeat(np.arange(len(natoms)), natoms)
    counts = np.bincount(owner * Z + numbers.astype(np.int64), minlength=len(natoms) * Z)
    return counts.reshape(len(natoms), Z).astype(np.float64)


def fit(dataset: Dataset, level: str) -> tuple[Array, int]:
    """Energies per element [119] (eV; 0 without such atoms), robust; number of records.

    Least squares per atom, reweighted after Huber (1964) so that outliers do not pull; one pass each.
    """
    energies, records = _least_squares(dataset, level, np.zeros(Z), np.inf)
    for _ in range(ROUNDS):
        _, sigma = spread(dataset, level, energies)
        before = energies
        energies, _ = _least_squares(dataset, level, energies, 1.345 * sigma)
        if np.abs(energies - before).max() < 0.1 * sigma:
            break
    return energies, records


def _least_squares(dataset: Dataset, level: str, last: Array, huber: float) -> tuple[Array, int]:
    normal, right, records = np.zeros((Z, Z)), np.zeros(Z), 0
    for a in dataset.arrays(("energy", "natoms", "numbers"), level=level):
        x = composition(a["numbers"], a["natoms"]) / a["natoms"][:, None]
        y = a["energy"] / a["natoms"]
        x, y = x[np.isfinite(y)], y[np.isfinite(y)]
        weight = np.minimum(1.0, huber / np.maximum(np.abs(y - x @ last), 1e-12))
        normal += x.T @ (x * weight[:, None])
        right += x.T @ (y * weight)
        records += len(y)
    return np.linalg.lstsq(normal, right, rcond=1e-10)[0].astype(np.float64), records


def spread(dataset: Dataset, level: str, energies: Array) -> tuple[float, float]:
    """Median of the residuals, and 1.4826 times the median distance from it (at least 1e-6), eV per atom."""
    parts = [r.astype(np.float32) for _, r in residuals(dataset, level, energies)]
    r = np.concatenate(parts) if parts else np.zeros(1, dtype=np.float32)
    middle = float(np.nanmedian(r))
    return middle, max(1.4826 * float(np.nanmedian(np.abs(r - middle))), 1e-6)


def residuals(dataset: Dataset, level: str, energies: Array) -> Iterator[tuple[list[str], Array]]:
    """Batches of keys and (E - sum of element energies) / n in eV per atom."""
    for a in dataset.arrays(("energy", "natoms", "numbers", "key"), level=level):
        x = composition(a["numbers"], a["natoms"])
        yield a["key"], (a["energy"] - x @ energies) / a["natoms"]
