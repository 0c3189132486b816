"""PBE in plane waves and PAW by GPAW, as near to the paper's VASP settings (VII.4) as it comes."""

from __future__ import annotations

import importlib
from typing import Any, Literal

import ase
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pysmax.dataset.record import Label
from pysmax.errors import SmaxError
from pysmax.label.engine import Engine, EngineConfig, EngineFailure
from pysmax.label.engines.magmoms import initial_moments
from pysmax.label.engines.shared import label_of, require_cell, version_of


class Mixing(BaseModel):
    """How the density is mixed (Pulay, with the magnetisation mixed as well)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    beta: float = Field(gt=0, le=1, description="share of the new density")
    history: int = Field(gt=0, description="old densities kept")
    weight: float = Field(gt=0, description="of long waves, which slosh")


MIXINGS = (
    Mixing(name="default", beta=0.05, history=5, weight=50.0),
    Mixing(name="slow mixing", beta=0.02, history=8, weight=100.0),
)


class DftConfig(EngineConfig):
    """Settings of engine dft."""

    engine: Literal["dft"] = "dft"
    cutoff_eV: float = Field(default=500.0, gt=0, description="ENCUT")
    xc: Literal["PBE"] = "PBE"
    kspacing_per_A: float = Field(
        default=0.125, gt=0, description="KSPACING, which counts 2 pi; Gamma-centred"
    )
    width_eV: float = Field(default=0.1, gt=0, description="SIGMA of Gaussian smearing (ISMEAR 0)")
    spin: bool = Field(default=True, description="spin-polarised (ISPIN 2), from the moments of Table 11")
    max_iterations: int = Field(default=120, gt=0, description="NELM")
    energy_tolerance_eV: float = Field(default=1e-6, gt=0, description="EDIFF, of the cell's energy")
    density_tolerance: float = Field(
        default=1e-4, gt=0, description="electrons misplaced, per valence electron"
    )
    eigenstates_tolerance: float = Field(default=4e-8, gt=0, description="eV^2 per valence electron")
    stress: bool = Field(default=True, description="of structures periodic in all directions")
    mixings: tuple[Mixing, ...] = Field(default=MIXINGS, min_length=1, description="tried in order")

    def version(self) -> str:
        return version_of("gpaw", "gpaw-data")

    def make(self) -> DftEngine:
        self.version()
        return DftEngine(self)


class DftEngine(Engine):
    """A new calculation for every structure."""

    def __init__(self, config: DftConfig) -> None:
        try:
            self._gpaw: Any = importlib.import_module("gpaw")
            setups = importlib.import_module("gpaw_data").datapath()
        except ImportError as e:
            raise SmaxError(f"package gpaw cannot be imported: {e}") from None
        # ahead of GPAW_SETUP_PATH: the version of the sets belongs to the label
        if setups not in self._gpaw.setup_paths[:1]:
            self._gpaw.setup_paths.insert(0, setups)
        self.config = config
        self._elements = {p.name.partition(".")[0] for p in setups.glob("*.PBE.gz")}

    @property
    def attempts(self) -> tuple[str, ...]:
        return tuple(m.name for m in self.config.mixings)

    def compute(self, atoms: ase.Atoms, attempt: int) -> Label:
        c = self.config
        require_cell(atoms)
        if not all(atoms.pbc):
            raise EngineFailure(
                "structure", "is not periodic in all directions, expected a cell for plane waves"
            )
        if unknown := sorted(set(atoms.symbols) - self._elements):
            raise EngineFailure("structure", f"element {', '.join(unknown)} has no PAW set in gpaw-data")
        if c.spin:
            atoms.set_initial_magnetic_moments(initial_moments(atoms.symbols))  # type: ignore[no-untyped-call]
        try:
            return label_of(atoms, self._calculator(atoms, attempt), stress=c.stress, magmoms=c.spin)
        except self._gpaw.ConvergenceError:
            raise EngineFailure("scf", f"SCF not converged in {c.max_iterations} iterations") from None

    def _calculator(self, atoms: ase.Atoms, attempt: int) -> Any:
        c, m = self.config, self.config.mixings[attempt]
        return self._gpaw.GPAW(
            mode={"name": "pw", "ecut": c.cutoff_eV},
            xc=c.xc,
            spinpol=c.spin,
            kpts={"size": k_grid(atoms, c.kspacing_per_A), "gamma": True},
            # Methfessel-Paxton of order 0 is Gaussian smearing, and extrapolates to zero width as VASP does
            occupations={"name": "methfessel-paxton", "order": 0, "width": c.width_eV},
            mixer={"method": "difference", "beta": m.beta, "nmaxold": m.history, "weight": m.weight}
            if c.spin
            else {"beta": m.beta, "nmaxold": m.history, "weight": m.weight},
            maxiter=c.max_iterations,
            convergence={
                "energy": {"name": "energy", "tol": c.energy_tolerance_eV, "relative": False},
                "density": c.density_tolerance,
                "eigenstates": c.eigenstates_tolerance,
            },
            txt=None,
        )


def k_grid(atoms: ase.Atoms, kspacing: float) -> tuple[int, int, int]:
    """Numbers of k-points as VASP counts them: max(1, ceil(|b| 2 pi / KSPACING)), b without 2 pi."""
    lengths = np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    a, b, c = (max(1, int(np.ceil(length * 2 * np.pi / kspacing))) for length in lengths)
    return a, b, c
