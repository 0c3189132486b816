"""What a labelling engine is, and when its numbers are taken."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import ase
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pysmax.dataset.record import Attempt, Label, Level
from pysmax.errors import SmaxError

# why a label failed: the SCF, a number that is not finite, a limit, the engine's own error, its death, its
# time, or a structure that the engine cannot take
Reason = Literal["scf", "not finite", "limits", "error", "crash", "timeout", "structure"]


class EngineFailure(Exception):
    """No label from this attempt; ``reason`` is what the tables count, ``detail`` one sentence."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail


class Limits(BaseModel):
    """Sanity limits. The paper keeps energies up to 200 eV/atom (Methods IV.4); None switches one off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_energy_eV_per_atom: float | None = Field(default=200.0, gt=0, description="largest |energy| per atom")
    max_force_eV_per_A: float | None = Field(default=300.0, gt=0, description="largest force on an atom")
    max_stress_eV_per_A3: float | None = Field(default=None, gt=0, description="largest stress component")


class EngineConfig(BaseModel, ABC):
    """Settings of one engine, from YAML or the command line. Light: a worker makes the engine from it.

    Every field but those in ``OUTSIDE`` can change a number and belongs to the level of theory.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    OUTSIDE: ClassVar[frozenset[str]] = frozenset({"engine", "limits", "timeout_s"})

    limits: Limits = Limits()
    timeout_s: float | None = Field(default=None, gt=0, description="wall time allowed for one structure")

    @abstractmethod
    def version(self) -> str:
        """Version of the engine as installed; raises SmaxError, naming what to install, if it is not."""

    def check_importable(self) -> None:
        """Raise SmaxError if another process cannot find this class."""
        cls = type(self)
        local = "<locals>" in cls.__qualname__
        if local or cls.__module__ == "__main__":
            where = "a function" if local else "__main__"
            raise SmaxError(
                f"class {cls.__qualname__!r} is defined in {where}, expected a module that workers can import"
            )

    @abstractmethod
    def make(self) -> Engine:
        """Load the engine (slow imports happen here)."""

    def level(self) -> Level:
        """The level of theory of these settings."""
        settings = self.model_dump(mode="json", exclude=set(self.OUTSIDE))
        return Level(self.engine_name(), self.version(), settings)

    @classmethod
    def engine_name(cls) -> str:
        """``xtb``, ``dft``, ..."""
        name: str = cls.model_fields["engine"].default
        return name


class Engine(ABC):
    """Loaded once in a worker, then asked for many labels."""

    @property
    def attempts(self) -> tuple[str, ...]:
        """Names of the settings to try, in order."""
        return ("default",)

    @abstractmethod
    def compute(self, atoms: ase.Atoms, attempt: int) -> Label:
        """The label by settings ``attempt``; raises EngineFailure. ``atoms`` is not changed."""

    def close(self) -> None:  # noqa: B027
        """Let go of processes and files."""


@dataclass(frozen=True)
class Outcome:
    """What became of one structure."""

    label: Label | None
    reason: str
    attempts: tuple[Attempt, ...]


def compute_label(engine: Engine, atoms: ase.Atoms, limits: Limits) -> Outcome:
    """Try the engine's settings in order until a label passes; every attempt is kept."""
    attempts: list[Attempt] = []
    for k, name in enumerate(engine.attempts):
        start = time.perf_counter()
        label = None
        reason, detail = "", ""
        try:
            label = engine.compute(atoms.copy(), k)  # type: ignore[no-untyped-call]
            check_label(label, atoms, limits)
        except EngineFailure as e:
            reason, detail = e.reason, e.detail
        except Exception as e:  # an engine's own error is recorded, the campaign goes on
            reason, detail = "error", f"{type(e).__name__}: {e}"[:500]
        attempts.append(Attempt(name, reason, detail, time.perf_counter() - start))
        if not reason:
            return Outcome(label, "", tuple(attempts))
        if reason == "structure":
            break
    return Outcome(None, attempts[-1].reason, tuple(attempts))


def check_label(label: Label, atoms: ase.Atoms, limits: Limits) -> None:
    """Raise EngineFailure unless shapes are right, numbers finite and limits kept."""
    n = len(atoms)
    arrays: dict[str, tuple[Any, tuple[int, ...]]] = {
        "energy": (label.energy, ()),
        "forces": (label.forces, (n, 3)),
    }
    if label.stress is not None:
        arrays["stress"] = (label.stress, (6,))
    if label.magmoms is not None:
        arrays["magmoms"] = (label.magmoms, (n,))
    for name, (value, shape) in arrays.items():
        if np.shape(value) != shape:
            raise EngineFailure("error", f"{name} has shape {np.shape(value)}, expected {shape}")
        if not np.all(np.isfinite(value)):
            raise EngineFailure("not finite", f"{name} is not finite")
    force = float(np.sqrt((label.forces**2).sum(axis=1)).max(initial=0.0))
    stress = 0.0 if label.stress is None else float(np.abs(label.stress).max())
    for name, found, most in (
        ("energy per atom (eV)", abs(label.energy) / n, limits.max_energy_eV_per_atom),
        ("force (eV/A)", force, limits.max_force_eV_per_A),
        ("stress (eV/A^3)", stress, limits.max_stress_eV_per_A3),
    ):
        if most is not None and found > most:
            raise EngineFailure("limits", f"{name} is {found:.4g}, limit {most:g}")


@contextmanager
def failing_as(reason: Reason, *errors: type[Exception]) -> Iterator[None]:
    """Turn the host library's exceptions into an EngineFailure."""
    try:
        yield
    except errors as e:
        raise EngineFailure(reason, f"{type(e).__name__}: {e}"[:500]) from e
