"""One energy per element that explains the energies best, and what it leaves unexplained."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pysmax.dataset.record import Array
from pysmax.dataset.store import Dataset

Z = 119


def composition(numbers: npt.NDArray[np.uint8], natoms: npt.NDArray[np.int64]) -> Array:
    """Atoms per element [m, 119] from flat atomic numbers."""
    owner = np.repeat(np.arange(len(natoms)), natoms)
    counts = np.bincount(owner * Z + numbers.astype(np.int64), minlength=len(natoms) * Z)
    return counts.reshape(len(natoms), Z).astype(np.float64)


def fit(dataset: Dataset, level: str) -> tuple[Array, int]:
    """Energies per element [119] (eV; 0 without such atoms) by least squares per atom; number of records."""
    normal, right, records = np.zeros((Z, Z)), np.zeros(Z), 0
    for a in dataset.arrays(("energy", "natoms", "numbers"), level=level):
        x = composition(a["numbers"], a["natoms"]) / a["natoms"][:, None]
        y = a["energy"] / a["natoms"]
        x, y = x[np.isfinite(y)], y[np.isfinite(y)]
        normal += x.T @ x
        right += x.T @ y
        records += len(y)
    return np.linalg.lstsq(normal, right, rcond=1e-10)[0].astype(np.float64), records


def residuals(dataset: Dataset, level: str, energies: Array) -> Iterator[tuple[list[str], Array]]:
    """Batches of keys and (E - sum of element energies) / n in eV per atom."""
    for a in dataset.arrays(("energy", "natoms", "numbers", "key"), level=level):
        x = composition(a["numbers"], a["natoms"])
        yield a["key"], (a["energy"] - x @ energies) / a["natoms"]
