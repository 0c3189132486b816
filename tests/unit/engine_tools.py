"""Oracles of the engines' tests: derivatives of the energy, by central differences."""

from __future__ import annotations

import ase
import numpy as np
from ase.build import bulk

from pysmax.dataset.record import Label
from pysmax.label.engine import Engine

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def energy(engine: Engine, atoms: ase.Atoms) -> float:
    """What forces and stress derive from: the free energy where the engine tells it apart."""
    label: Label = engine.compute(atoms.copy(), 0)
    return float(label.extra.get("free_energy_eV", label.energy))


def difference_forces(engine: Engine, atoms: ase.Atoms, pairs: list[tuple[int, int]], h: float) -> np.ndarray:
    """Forces (eV/A) on the (atom, direction) pairs, from moving that atom by +-h (A)."""
    values = []
    for i, k in pairs:
        plus, minus = atoms.copy(), atoms.copy()
        plus.positions[i, k] += h
        minus.positions[i, k] -= h
        values.append((energy(engine, minus) - energy(engine, plus)) / (2 * h))
    return np.array(values)


def difference_stress(
    engine: Engine, atoms: ase.Atoms, components: range | list[int], h: float
) -> np.ndarray:
    """(1/V) dE/dstrain (eV/A^3), by symmetric strains +-h of cell and atoms."""
    values = []
    for c in components:
        i, j = VOIGT[c]
        pair = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[i, j] += sign * h / 2
            strain[j, i] += sign * h / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            pair.append(energy(engine, strained))
        values.append((pair[0] - pair[1]) / (2 * h * atoms.get_volume()))
    return np.array(values)


def triclinic(
    symbol: str, structure: str | None = None, a: float | None = None, size: int = 1, cubic: bool = True
) -> ase.Atoms:
    """A crystal, strained and shaken until no component of force or stress is zero."""
    atoms = bulk(symbol, structure, a=a, cubic=cubic) * (size, 1, 1)
    strain = np.array([[1.02, 0.05, -0.03], [0.0, 0.97, 0.06], [0.02, 0.0, 1.01]])
    atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    atoms.rattle(0.08, seed=5)
    return atoms
