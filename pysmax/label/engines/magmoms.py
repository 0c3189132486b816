"""Initial magnetic moments of the paper (Table 11)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pysmax.dataset.record import Array

DEFAULT = 1.0  # Bohr magnetons, as are all below

TABLE_11 = {
    "Ce": 5.00,
    "Co": 2.00,
    "Cr": 2.00,
    "Dy": 10.65,
    "Er": 9.58,
    "Eu": 10.00,
    "Fe": 2.50,
    "Gd": 7.94,
    "Ho": 10.60,
    "Mn": 5.00,
    "Nd": 3.62,
    "Ni": 1.50,
    "Pm": 2.68,
    "Pr": 3.58,
    "Sm": 0.85,
    "Tb": 9.72,
    "Tm": 7.56,
    "Yb": 4.54,
}


def initial_moments(symbols: Iterable[str]) -> Array:
    """Initial moment [n] of each atom, Bohr magnetons."""
    return np.array([TABLE_11.get(s, DEFAULT) for s in symbols], dtype=np.float64)
