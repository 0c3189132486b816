"""Initial magnetic moments of the paper's spin-polarised DFT (Table 11), in Bohr magnetons."""

from __future__ import annotations

from collections.abc import Mapping

import ase

DEFAULT = 1.0
TABLE_11: dict[str, float] = {
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


def initial_magmoms(atoms: ase.Atoms, overrides: Mapping[str, float]) -> list[float]:
    """One moment per atom, in the order of the atoms: of ``overrides``, of Table 11, or the default."""
    moments = {**TABLE_11, **overrides}
    return [moments.get(symbol, DEFAULT) for symbol in atoms.symbols]
