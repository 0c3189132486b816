"""Bonds: two atoms nearer than ``factor`` times the sum of their covalent radii; found by OVITO."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pysmax.moments import Array

if TYPE_CHECKING:
    from ovito.data import DataCollection

OVITO_SHARE = 0.6  # of the sum of two van der Waals radii: where CreateBondsModifier ends a bond


def bond_modifiers(elements: Sequence[str], factor: float) -> list[Any]:
    """Modifiers that make the bonds; ``elements``: of atom types 1, 2, ...

    Through the radii of the types: a table of all pairs takes OVITO seconds for 94 elements.
    """
    from ase.data import atomic_numbers, covalent_radii
    from ovito.modifiers import CreateBondsModifier

    radii = [float(covalent_radii[atomic_numbers[e]]) for e in elements]

    def set_radii(frame: int, data: DataCollection) -> None:
        types: Any = data.particles_.particle_types_
        for k in [t.id for t in types.types]:  # those that have an atom
            types.type_by_id_(k).vdw_radius = factor * radii[k - 1] / OVITO_SHARE

    mode = CreateBondsModifier.Mode.VdWRadius
    return [set_radii, CreateBondsModifier(mode=mode, prevent_hh_bonds=False)]


def bonded(data: DataCollection) -> npt.NDArray[np.intp]:
    """Indices of the two atoms of each bond [m, 2]."""
    bonds: Any = data.particles.bonds
    return np.asarray(bonds.topology, dtype=np.intp).reshape(-1, 2)


def bond_counts(frames: Iterable[DataCollection], n_types: int) -> Array:
    """Mean number of bonds a frame between types a and b [n, n], symmetric, each bond once."""
    total, n = np.zeros((n_types, n_types)), 0
    for data in frames:
        pairs = np.asarray(data.particles.particle_types)[bonded(data)] - 1
        np.add.at(total, (pairs[:, 0], pairs[:, 1]), 1.0)
        n += 1
    mean: Array = (total + total.T - np.diag(np.diag(total))) / max(n, 1)
    return mean
