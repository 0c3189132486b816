"""Potentials for the tests of relaxation: ASE's EMT, and simple ones that run away, crash or hang."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, ClassVar, Literal

import ase
import numpy as np
from ase.calculators.emt import EMT

from pysmax.dataset.record import Label
from pysmax.label.engine import Engine, EngineConfig, EngineFailure

DEADLY = 47  # Ag: atomic number at which ``deadly`` kills its worker
SLOW = 79  # Au: at which ``deadly`` hangs


class PotentialConfig(EngineConfig):
    """``kind``: emt; push (constant forces along x, up and down); swell, shrink (a virial that never ends);
    fails (after some calls); deadly (emt that kills or hangs its process)."""

    engine: Literal["test"] = "test"
    OUTSIDE: ClassVar[frozenset[str]] = EngineConfig.OUTSIDE
    kind: str = "emt"
    calls: int = 3
    stress: bool = True

    def version(self) -> str:
        return "1"

    def make(self) -> Engine:
        return Potential(self)


class Potential(Engine):
    def __init__(self, config: PotentialConfig) -> None:
        self.config = config
        self.count = 0

    def compute(self, atoms: ase.Atoms, attempt: int) -> Label:
        self.count += 1
        kind = self.config.kind
        if kind == "fails" and self.count > self.config.calls:
            raise EngineFailure("scf", "no convergence in 250 iterations")
        if kind == "deadly" and DEADLY in atoms.numbers:
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "deadly" and SLOW in atoms.numbers:
            time.sleep(600)
        if kind in ("push", "swell", "shrink"):
            return simple(atoms, kind)
        atoms.calc = EMT()
        stress = atoms.get_stress() if self.config.stress else None
        return Label(atoms.get_potential_energy(), atoms.get_forces(), stress)


def simple(atoms: ase.Atoms, kind: str) -> Label:
    """Energies that only fall: -x of the first atom + x of the last; -volume; +volume."""
    forces = np.zeros((len(atoms), 3))
    stress: Any = np.zeros(6)
    energy = 0.0
    if kind == "push":
        forces[0, 0], forces[-1, 0] = 1.0, -1.0
        energy = float(atoms.positions[-1, 0] - atoms.positions[0, 0])
    else:
        sign = -0.5 if kind == "swell" else 0.5
        stress[:3] = sign  # dE/dV = sign
        energy = sign * atoms.get_volume()
    return Label(energy, forces, stress)
