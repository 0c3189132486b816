"""GFN-xTB by tblite: works on any machine, any element to radon; Gamma point only."""

from __future__ import annotations

from typing import Any, Literal

import ase
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pysmax.dataset.record import Array, Label
from pysmax.errors import SmaxError
from pysmax.label.engine import Engine, EngineConfig, EngineFailure, failing_as
from pysmax.label.engines.shared import label_of, require_cell, version_of

HEAVIEST = 86  # radon: both parametrisations end there


class Solver(BaseModel):
    """How the SCF is sought; where it ends does not depend on it, unless there are several solutions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    mixer_damping: float = Field(default=0.4, gt=0, le=1, description="of the Broyden mixer")
    max_iterations: int = Field(default=250, gt=0)
    guess: Literal["sad", "eeq", "eeqbc"] = Field(default="sad", description="charges to start from")


# docs/engines.md has what each of them adds
SOLVERS = (
    Solver(name="default"),
    Solver(name="slow mixing", mixer_damping=0.1, max_iterations=500),
    Solver(name="eeq charges", guess="eeq"),
)


class XtbConfig(EngineConfig):
    """Settings of engine xtb."""

    engine: Literal["xtb"] = "xtb"
    method: Literal["GFN1-xTB", "GFN2-xTB"] = "GFN1-xTB"
    electronic_temperature_K: float = Field(default=1160.0, gt=0, description="1160 K is the paper's 0.1 eV")
    accuracy: float = Field(default=1.0, gt=0, description="of tblite: smaller is tighter")
    solvers: tuple[Solver, ...] = Field(default=SOLVERS, min_length=1, description="tried in order")
    repeat: tuple[int, int, int] | None = Field(default=None, description="the cell is repeated so often")
    min_length_A: float | None = Field(
        default=None, gt=0, description="or until each perpendicular length is at least this"
    )
    k_points: Literal["Gamma"] = Field(default="Gamma", description="all that tblite has")

    @model_validator(mode="after")
    def _one_repetition(self) -> XtbConfig:
        if self.repeat is not None and self.min_length_A is not None:
            raise ValueError("settings 'repeat' and 'min_length_A' exclude each other")
        if self.repeat is not None and min(self.repeat) < 1:
            raise ValueError(f"setting 'repeat' is {list(self.repeat)}, expected three positive integers")
        return self

    def version(self) -> str:
        return version_of("tblite")

    def make(self) -> XtbEngine:
        self.version()
        return XtbEngine(self)


class XtbEngine(Engine):
    """A new calculator for every structure: tblite would start from the last one's charges."""

    def __init__(self, config: XtbConfig) -> None:
        try:
            from tblite.ase import TBLite
        except ImportError as e:
            raise SmaxError(f"package tblite cannot be imported: {e}") from None
        self.config = config
        self._calculator: Any = TBLite

    @property
    def attempts(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.config.solvers)

    def compute(self, atoms: ase.Atoms, attempt: int) -> Label:
        from ase.calculators.calculator import CalculationFailed, InputError

        c = self.config
        check_structure(atoms)
        calculator = self._calculator(
            method=c.method,
            charge=0,
            multiplicity=1,
            electronic_temperature=c.electronic_temperature_K,
            accuracy=c.accuracy,
            verbosity=0,
            **c.solvers[attempt].model_dump(exclude={"name"}),
        )
        times = c.repeat or repetitions(atoms, c.min_length_A)
        # tblite has one error for all that fails in a calculation, and one for what it does not start
        with failing_as("scf", CalculationFailed), failing_as("structure", InputError):
            label = label_of(atoms.repeat(times), calculator)  # type: ignore[no-untyped-call]
        return per_cell(label, len(atoms), times)


def check_structure(atoms: ase.Atoms) -> None:
    """Raise EngineFailure for what tblite does not know."""
    require_cell(atoms)
    unknown = sorted({s for s, z in zip(atoms.symbols, atoms.numbers, strict=True) if not 1 <= z <= HEAVIEST})
    if unknown:
        raise EngineFailure(
            "structure", f"element {', '.join(unknown)} has no GFN-xTB parameters, expected H to Rn"
        )
    if any(atoms.pbc) and not all(atoms.pbc):
        raise EngineFailure("structure", "is periodic in some directions only, expected all or none")


def repetitions(atoms: ase.Atoms, min_length: float | None) -> tuple[int, int, int]:
    """How often to repeat the cell for perpendicular lengths of at least ``min_length`` (A)."""
    if min_length is None or not all(atoms.pbc):
        return (1, 1, 1)
    heights = 1.0 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    a, b, c = (max(1, int(np.ceil(min_length / h - 1e-9))) for h in heights)
    return a, b, c


def per_cell(label: Label, n: int, times: tuple[int, int, int]) -> Label:
    """Label of a cell of ``n`` atoms from the repeated cell's: a share, and the images' mean force."""
    images = int(np.prod(times))
    forces: Array = label.forces.reshape(images, n, 3).mean(axis=0)
    extra = {k: v / images if k.endswith("_eV") else v for k, v in label.extra.items()}
    return Label(label.energy / images, forces, label.stress, None, extra)
