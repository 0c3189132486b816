"""One relaxation: ASE's optimisers on top of any labelling engine, with limits that stop a runaway.

A relaxation is itself an Engine (its config an EngineConfig), so that the pool of labelling workers runs it:
one loaded engine a worker, timeouts, crashes isolated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import ase
import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from pydantic import Field, SerializeAsAny

from pysmax.dataset.record import Label, Level
from pysmax.label.engine import Engine, EngineConfig, EngineFailure, Limits, compute_label

Optimiser = Literal["FIRE", "LBFGS", "BFGSLineSearch"]
# How a relaxation ends; its last frame counts as relaxed after the first two only.
CONVERGED, OUT_OF_STEPS = "converged", "out of steps"
DISPLACED, VOLUME = "runaway: displacement", "runaway: volume"


class RelaxConfig(EngineConfig):
    """Settings of a relaxation and of the engine that it is done with."""

    engine: Literal["relax"] = "relax"
    OUTSIDE: ClassVar[frozenset[str]] = EngineConfig.OUTSIDE

    potential: SerializeAsAny[EngineConfig]
    cell: Literal["fixed", "variable"]
    optimiser: Optimiser = "FIRE"
    fmax: float = Field(0.05, gt=0, description="largest force that counts as relaxed, eV/A")
    steps: int = Field(500, ge=0, description="most steps of the optimiser")
    max_step: float = Field(0.1, gt=0, description="longest move of an atom in one step, A")
    max_displacement: float = Field(5.0, gt=0, description="farthest an atom may get from its start, A")
    max_volume_change: float = Field(3.0, gt=1, description="largest factor of volume, either way")
    keep_every: int = Field(0, ge=0, description="also keep every Nth step; 0: only the last")

    def version(self) -> str:
        """ASE's and the potential's."""
        return f"ase {ase.__version__}, {self.potential.engine_name()} {self.potential.version()}"

    def level(self) -> Level:
        """The potential counts by its own level: its numbers, not the names of its files."""
        own = self.model_dump(mode="json", exclude={*self.OUTSIDE, "potential"})
        return Level(self.engine, self.version(), {**own, "potential": self.potential.level().hash})

    def make(self) -> RelaxEngine:
        """Load the potential's engine."""
        return RelaxEngine(self, self.potential.make())


@dataclass(frozen=True)
class Frame:
    """One structure on the way: step, positions [n, 3] A, cell [3, 3] A, energy eV, largest force eV/A."""

    step: int
    positions: Any
    cell: Any
    energy: float
    force: float


class EngineCalculator(Calculator):
    """An ASE calculator that asks an Engine; raises EngineFailure."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012  # as ASE declares it

    def __init__(self, engine: Engine, limits: Limits) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.engine = engine
        self.limits = limits

    def check_state(self, atoms: ase.Atoms, tol: float = 0.0) -> list[str]:
        """What changed since the last calculation; ASE's own comparison costs more than many a potential."""
        old = self.atoms
        same = old is not None and all(
            np.array_equal(a, b)
            for a, b in (
                (old.positions, atoms.positions),
                (old.cell.array, atoms.cell.array),
                (old.numbers, atoms.numbers),
                (old.pbc, atoms.pbc),
            )
        )
        return [] if same else list(all_changes)

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Energy, forces and, where the engine has it, stress."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        outcome = compute_label(self.engine, atoms, self.limits)
        if outcome.label is None:
            raise EngineFailure(outcome.reason, outcome.attempts[-1].detail)  # type: ignore[arg-type]
        self.results = {"energy": outcome.label.energy, "forces": outcome.label.forces}
        if outcome.label.stress is not None:
            self.results["stress"] = outcome.label.stress


class RelaxEngine(Engine):
    """Relaxes instead of labelling.

    The label is that of the last frame; ``extra`` holds ``outcome`` (how it ended), ``detail``, ``frames``.
    A potential that fails under way ends the relaxation, one that fails at once fails the structure.
    """

    def __init__(self, config: RelaxConfig, engine: Engine) -> None:
        self.config = config
        self.engine = engine

    def compute(self, atoms: ase.Atoms, attempt: int) -> Label:
        """Relax; ``atoms`` is not changed."""
        if self.config.cell == "variable" and not atoms.pbc.all():
            raise EngineFailure("structure", "not periodic in all directions: no cell to relax")
        moving = atoms.copy()  # type: ignore[no-untyped-call]
        moving.calc = EngineCalculator(self.engine, self.config.potential.limits)
        start, label = _frame(moving, 0), _label(moving)
        if self.config.cell == "variable" and label["stress"] is None:
            raise EngineFailure("structure", "the potential gives no stress: the cell cannot be relaxed")
        frames: list[Frame] = [start]
        outcome, detail = OUT_OF_STEPS, ""
        try:
            for step in _steps(moving, self.config):
                outcome, detail = _limits(start, moving, self.config)
                if outcome:
                    break
                frames, label = _kept(frames, _frame(moving, step), self.config.keep_every), _label(moving)
                outcome = OUT_OF_STEPS
                if frames[-1].force < self.config.fmax and _virial(moving, self.config) < self.config.fmax:
                    outcome = CONVERGED
                    break
        except EngineFailure as e:
            outcome, detail = f"potential: {e.reason}", e.detail
        except (RuntimeError, ValueError, ArithmeticError, np.linalg.LinAlgError) as e:
            outcome, detail = "optimiser", f"{type(e).__name__}: {e}"[:300]
        return Label(**label, extra={"outcome": outcome, "detail": detail, "frames": frames})

    def close(self) -> None:
        """Close the potential's engine."""
        self.engine.close()


def _steps(atoms: ase.Atoms, config: RelaxConfig) -> Iterator[int]:
    """Move ``atoms``, one step at a time, from step 0 on; never content by itself.

    The filter's forces are those in the first cell: a cell that has changed makes them larger or smaller.
    """
    from ase import optimize
    from ase.filters import UnitCellFilter

    target: Any = UnitCellFilter(atoms) if config.cell == "variable" else atoms  # type: ignore[no-untyped-call]
    optimiser = getattr(optimize, config.optimiser)(target, logfile=None, maxstep=config.max_step)
    for step, _ in enumerate(optimiser.irun(fmax=0.0, steps=config.steps)):
        yield step


def _virial(atoms: ase.Atoms, config: RelaxConfig) -> float:
    """Largest row of the virial per atom, eV; 0 at fixed cell."""
    if config.cell == "fixed":
        return 0.0
    rows = atoms.get_stress(voigt=False) * atoms.get_volume() / len(atoms)  # type: ignore[no-untyped-call]
    return float(np.linalg.norm(rows, axis=1).max())


def _limits(start: Frame, atoms: ase.Atoms, config: RelaxConfig) -> tuple[str, str]:
    """The limit that is broken and how, or two empty strings."""
    if config.cell == "variable":
        ratio = float(np.linalg.det(atoms.cell.array) / np.linalg.det(start.cell))
        factor = max(ratio, 1 / ratio) if ratio > 0 else float("inf")
        if factor > config.max_volume_change:
            way = "grew" if ratio > 1 else "shrank"
            return VOLUME, f"{way} by a factor of {factor:.3g}, limit {config.max_volume_change:g}"
    moved = float(_displacements(start, atoms).max(initial=0.0))
    if moved > config.max_displacement:
        return DISPLACED, f"an atom moved {moved:.3g} A, limit {config.max_displacement:g}"
    return "", ""


def _displacements(start: Frame, atoms: ase.Atoms) -> Any:
    """How far each atom has moved, A, less what the cell carried it."""
    carried = start.positions
    if abs(np.linalg.det(start.cell)) > 0:
        carried = start.positions @ np.linalg.solve(start.cell, atoms.cell.array)
    return np.linalg.norm(atoms.positions - carried, axis=1)


def _kept(frames: list[Frame], new: Frame, every: int) -> list[Frame]:
    """Replace the last frame by the new one, unless the last is one to keep."""
    last = frames[-1]
    keep = every > 0 and last.step > 0 and last.step % every == 0 and new.step > last.step
    return [*(frames if keep else frames[:-1]), new]


def _frame(atoms: ase.Atoms, step: int) -> Frame:
    forces = atoms.get_forces()  # type: ignore[no-untyped-call]
    largest = float(np.linalg.norm(forces, axis=1).max(initial=0.0))
    return Frame(
        step, atoms.positions.copy(), atoms.cell.array.copy(), float(atoms.calc.results["energy"]), largest
    )


def _label(atoms: ase.Atoms) -> dict[str, Any]:
    results = atoms.calc.results
    return {"energy": results["energy"], "forces": results["forces"].copy(), "stress": results.get("stress")}
