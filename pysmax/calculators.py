"""Calculators for ASE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.calculator import CalculationFailed, Calculator, all_changes

from pysmax.grace.model import Model
from pysmax.grace.predict import Predictor


class GraceCalculator(Calculator):
    """Energy (eV), forces (eV/A), stress (eV/A^3) of a GRACE model, from a process of its own."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012  ASE's

    def __init__(self, model: str | Path, references: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._predictor = Predictor(Model.open(model), references)

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Compute all properties."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        assert self.atoms is not None
        (found,) = self._predictor.predict([self.atoms])
        if found.why:
            raise CalculationFailed(found.why)
        self.results = {"energy": found.energy, "free_energy": found.energy, "forces": found.forces}
        if np.isfinite(found.stress).all():
            self.results["stress"] = found.stress

    def close(self) -> None:
        """End the process of the model; it ends with this one too."""
        self._predictor.close()


def grace(model: str | Path, references: bool = True) -> GraceCalculator:
    """A calculator of the model in the folder of a run or a model; ``references``: add these energies."""
    return GraceCalculator(model, references)
