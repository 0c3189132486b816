"""``strain``: a supercell pulled or sheared at a temperature (stress against strain)."""

from __future__ import annotations

from typing import Annotated, Literal

import ase
import numpy as np
from pydantic import Field, model_validator

from pysmax.errors import SmaxError
from pysmax.studies.anneal import crystal
from pysmax.studies.study import Count, Dynamics, Prepared, Study, System

LATERAL = {"x": "yz", "y": "xz", "z": "xy"}


class StrainParameters(Dynamics):
    """Of study ``strain``. The paper gives no number: those here are customary.

    uniaxial: the cell grows along ``axis`` at a constant engineering rate, without stress across it; shear:
    simple shear of the xy plane at constant volume (SLLOD). First comes an equilibration without pressure.
    """

    structure: Annotated[
        str, Field(description="a file that ASE reads (its last frame), or an element in its crystal")
    ] = "Cu"
    repeat: Annotated[tuple[Count, Count, Count], Field(description="cells along each axis")] = (10, 10, 10)
    mode: Annotated[Literal["uniaxial", "shear"], Field(description="uniaxial or shear")] = "uniaxial"
    axis: Annotated[Literal["x", "y", "z"], Field(description="of uniaxial strain")] = "x"
    strain: Annotated[
        float,
        Field(
            gt=-0.9, le=10, allow_inf_nan=False, description="engineering strain at the end; below 0: pressed"
        ),
    ] = 0.2
    n_steps: Annotated[int, Field(ge=2, description="steps in all, equilibration and restarts included")] = (
        220_000
    )
    equilibration_steps: Annotated[Count, Field(description="steps ahead of the strain")] = 20_000
    pressure: Annotated[None, Field(description="null: no stress where the cell is free")] = None
    barostat: Annotated[str, Field(pattern="^aniso$", description="aniso: each free side on its own")] = (
        "aniso"
    )

    @model_validator(mode="after")
    def _of_strain(self) -> StrainParameters:
        if self.equilibration_steps >= self.n_steps:
            raise ValueError(
                f"equilibration_steps: found {self.equilibration_steps}; expected fewer than n_steps, "
                f"{self.n_steps}"
            )
        if self.strain == 0:
            raise ValueError("strain: found 0; expected a strain")
        if len(self.temperature) > 1:
            raise ValueError(f"temperature: found {len(self.temperature)} values; expected one")
        if self.pressure is not None:
            raise ValueError(
                "pressure: found a value; expected none: there is no stress where the cell is free"
            )
        return self

    @property
    def rate_per_ps(self) -> float:
        """Engineering strain rate."""
        return self.strain / ((self.n_steps - self.equilibration_steps) * self.timestep_fs / 1000)


def _prepare(p: StrainParameters) -> Prepared:
    atoms: ase.Atoms = crystal(p.structure) * p.repeat
    atoms.pbc = True
    off = atoms.cell.array - np.diag(np.diag(atoms.cell.array))
    if np.abs(off).max() > 1e-6 or (np.diag(atoms.cell.array) <= 0).any():
        raise SmaxError(f"structure {p.structure}: its cell is skewed, expected edges along x, y and z")
    return Prepared(
        structures={"system.data": atoms},
        values={"lateral": LATERAL[p.axis], "sample": sample_steps(p.every(p.thermo_lines))},
        facts={"rate_per_s": p.rate_per_ps * 1e12},
    )


def sample_steps(every: int) -> int:
    """Steps between samples of a mean: about ten, and evenly spaced."""
    return next(n for n in range(max(1, every // 10), 0, -1) if every % n == 0)


STUDY = Study(
    name="strain",
    about="Uniaxial or shear deformation of a supercell at a temperature: stress against strain.",
    parameters=StrainParameters,
    prepare=_prepare,
    systems={
        "uniaxial": System("pulled along an axis; structure=FILE or an element", {"mode": "uniaxial"}),
        "shear": System("sheared; structure=FILE or an element", {"mode": "shear"}),
    },
    smoke={
        "repeat": (4, 4, 4), "n_steps": 2000, "equilibration_steps": 500, "strain": 0.1, "frames": 10,
        "thermo_lines": 100, "restarts": 10,
    },
)  # fmt: skip
