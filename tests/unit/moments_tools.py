"""Moments for tests: made from rows, changed in their file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pysmax.moments import Descriptor, Moments

DESCRIPTOR = Descriptor("atom", 2, 0.99363, 0.0, 3.0, 1, 1)
N = 5


def moments_of(b: np.ndarray, variance: np.ndarray | None = None, **more: object) -> Moments:
    """Moments of rows b[m, n]; its own first half stands for the random cells."""
    ref = b[: max(len(b) // 2, 2)]
    d, r = b - b.mean(axis=0), ref - ref.mean(axis=0)
    values: dict[str, object] = {
        "count": len(b),
        "mean": b.mean(axis=0),
        "scatter": d.T @ d,
        "variance": ref.var(axis=0) if variance is None else variance,
        "eps": 1e-6,
        "descriptor": DESCRIPTOR,
        "ref_count": len(ref),
        "ref_mean": ref.mean(axis=0),
        "ref_scatter": r.T @ r,
    }
    return Moments(**(values | more))


@pytest.fixture(name="data")
def correlated() -> np.ndarray:
    """Correlated vectors of very different sizes."""
    rng = np.random.default_rng(7)
    return rng.normal(size=(60, N)) @ rng.normal(size=(N, N)) * np.logspace(-2, 3, N) + 10


def edited(path: Path, **changes: object) -> Path:
    """The file with keys replaced, or removed where the value is None; unknown keys are added."""
    with np.load(path) as z:
        arrays = {k: z[k] for k in z.files} | changes
    with open(path, "wb") as f:
        np.savez(f, **{k: v for k, v in arrays.items() if v is not None})  # type: ignore[arg-type]
    return path
