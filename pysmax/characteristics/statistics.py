"""What is counted of a dataset in one pass."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from ase.units import GPa

from pysmax.characteristics.histogram import Counts, Histogram, Scale
from pysmax.moments import Array

ELEMENTS = 119  # atomic numbers 0 to 118

SCALES = {
    "energy": Scale("energy per atom", "eV/atom", 10.0),
    "force": Scale("force on an atom", "eV/Å", 1.0),
    "stress": Scale("stress components", "GPa", 10.0),
    "pressure": Scale("pressure", "GPa", 10.0),
}


@dataclass(frozen=True)
class Batch:
    """Some structures of a dataset as flat arrays; labels that are missing are NaN.

    natoms [m]; numbers [N], N = sum(natoms); energy [m] eV; forces [N, 3] eV/A; stress [m, 6] eV/A^3, Voigt
    order, ASE's sign.
    """

    natoms: Counts
    numbers: npt.NDArray[np.integer]
    energy: Array
    forces: Array
    stress: Array


@dataclass
class Statistics:
    """Counts over all batches so far."""

    histograms: dict[str, Histogram] = field(
        default_factory=lambda: {name: Histogram(scale) for name, scale in SCALES.items()}
    )
    structures: int = 0
    atoms: int = 0
    sizes: Counter[int] = field(default_factory=Counter)  # atoms per structure -> structures
    richness: Counter[int] = field(default_factory=Counter)  # distinct elements -> structures
    structures_with: Counts = field(default_factory=lambda: np.zeros(ELEMENTS, dtype=np.int64))
    atoms_of: Counts = field(default_factory=lambda: np.zeros(ELEMENTS, dtype=np.int64))

    def add(self, b: Batch) -> None:
        """Count one batch."""
        m = len(b.natoms)
        self.structures += m
        self.atoms += len(b.numbers)
        self.sizes.update(b.natoms.tolist())
        owner = np.repeat(np.arange(m), b.natoms)
        present = np.unique(owner * ELEMENTS + b.numbers)  # each element of each structure once
        self.richness.update(np.bincount(present // ELEMENTS, minlength=m).tolist())
        self.structures_with += np.bincount(present % ELEMENTS, minlength=ELEMENTS)
        self.atoms_of += np.bincount(b.numbers, minlength=ELEMENTS)
        self._add_labels(b)

    def _add_labels(self, b: Batch) -> None:
        self.histograms["energy"].add(b.energy / b.natoms)
        self.histograms["force"].add(np.sqrt((b.forces**2).sum(axis=1)))
        stress = b.stress / GPa
        self.histograms["stress"].add(stress)
        self.histograms["pressure"].add(-stress[:, :3].mean(axis=1))

    @property
    def labels(self) -> set[str]:
        """Names of the quantities that have at least one value."""
        return {name for name, h in self.histograms.items() if h.total}

    def elements(self, counts: Counts) -> dict[int, int]:
        """Atomic number -> count, where there is one."""
        return {int(z): int(counts[z]) for z in np.flatnonzero(counts)}
