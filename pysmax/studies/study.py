"""What a study is: its parameters, its systems, and the files that its template is rendered with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import ase
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pysmax.errors import SmaxError

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
MOST_ATOMS = 20_000_000


def _element(symbol: str) -> str:
    from ase.data import atomic_numbers

    if symbol not in atomic_numbers or symbol == "X":
        raise ValueError(f"'{symbol}' is no element, expected a symbol such as Si")
    return symbol


Element = Annotated[str, AfterValidator(_element)]


def countable(atoms: float, what: str) -> None:
    """SmaxError unless so many atoms can be written and can move."""
    if not 2 <= atoms <= MOST_ATOMS:
        raise SmaxError(f"{what}: found {atoms:g} atoms, expected 2 to {MOST_ATOMS:g}")


class Parameters(BaseModel):
    """Of every study. Defaults are the paper's; where it gives no number, the field's, and said so."""

    model_config = ConfigDict(extra="forbid")

    seed: Annotated[int, Field(ge=1, le=2**30, description="of everything random")] = 20260223

    @field_validator("*", mode="before")
    @classmethod
    def _no_bool(cls, value: object, info: ValidationInfo) -> object:
        if "bool" in str(cls.model_fields[str(info.field_name)].annotation):
            return value
        inner = value.values() if isinstance(value, dict) else value
        if any(isinstance(v, bool) for v in (inner if isinstance(inner, Iterable) else [inner])):
            raise ValueError("yes, no, on, off, true and false are no numbers, and names in quotes alone")
        return value


class Dynamics(Parameters):
    """Of molecular dynamics in which temperature and pressure follow straight lines between points."""

    n_steps: Annotated[int, Field(ge=1, description="steps in all, over every restart")] = 100_000
    timestep_fs: Annotated[Positive, Field(description="fs")] = 1.0
    temperature: Annotated[
        tuple[Positive, ...],
        Field(
            min_length=1, description="K; several: straight lines between them, over equal numbers of steps"
        ),
    ] = (300.0,)
    pressure: Annotated[
        tuple[Finite, ...] | None,
        Field(min_length=1, description="GPa; one, or as many as temperatures; null: the cell is kept"),
    ] = None
    barostat: Annotated[str, Field(pattern="^(iso|aniso|tri)$", description="iso, aniso or tri")] = "aniso"
    thermostat_ps: Annotated[Positive, Field(description="damping time of Nose-Hoover, ps")] = 0.1
    barostat_ps: Annotated[Positive, Field(description="damping time of Parrinello-Rahman, ps")] = 1.0
    frames: Annotated[int, Field(ge=1, le=100_000, description="frames written after the first")] = 100
    thermo_lines: Annotated[int, Field(ge=1, description="lines of thermo output")] = 1000
    restarts: Annotated[int, Field(ge=1, description="restart files written, each over the last")] = 20

    @model_validator(mode="after")
    def _as_many(self) -> Dynamics:
        if self.pressure is not None and len(self.pressure) not in (1, len(self.temperature)):
            raise ValueError(
                f"pressure: found {len(self.pressure)} values for {len(self.temperature)} temperatures; "
                "expected one, or as many"
            )
        return self

    def every(self, times: int) -> int:
        """Steps between what happens so many times in a run."""
        return max(1, self.n_steps // times)

    def ramp(self) -> list[dict[str, float | int | None]]:
        """Straight pieces: T0, T1 (K), p0, p1 (GPa; None: no barostat), and their steps begin, end.

        The last one holds the last values for as long as the run goes on: its end is None.
        """
        t = self.temperature
        p: tuple[float | None, ...] = (None,) * len(t)
        if self.pressure is not None:
            p = self.pressure if len(self.pressure) > 1 else self.pressure * len(t)
        n = len(t) - 1
        ends = [round(self.n_steps * k / n) for k in range(n + 1)] if n else [0]
        pieces: list[dict[str, float | int | None]] = [
            {"begin": ends[k], "end": ends[k + 1], "T0": t[k], "T1": t[k + 1], "p0": p[k], "p1": p[k + 1]}
            for k in range(n)
        ]
        last = {"begin": ends[-1], "end": None, "T0": t[-1], "T1": t[-1], "p0": p[-1], "p1": p[-1]}
        return [*pieces, last]


@dataclass
class Prepared:
    """What a study makes of its parameters before the template is rendered.

    ``structures``: file name -> atoms, written as LAMMPS data; ``values``: more variables of the template;
    ``texts``: further files; ``elements``: those there can be, if not all are in a structure;
    ``facts``: what the analysis has to know (plain data, kept in study.yaml); ``typed``: still further
    texts, from the elements of the atom types 1, 2, ...; ``counts``: atoms of each element, if not those of
    the first structure.
    """

    structures: dict[str, ase.Atoms] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    elements: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    typed: Callable[[tuple[str, ...]], Mapping[str, str]] = lambda types: {}
    counts: Mapping[str, int] | None = None


@dataclass(frozen=True)
class System:
    """A named set of values."""

    about: str
    values: Mapping[str, Any] = field(default_factory=dict)
    smoke: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """``template``: in templates/studies; ``prepare``: structures and values from checked parameters."""

    name: str
    about: str
    parameters: type[Parameters]
    prepare: Callable[[Any], Prepared]
    systems: Mapping[str, System]
    smoke: Mapping[str, Any] = field(default_factory=dict)

    @property
    def input(self) -> str:
        return f"in.{self.name}"

    def values(self, system: str, scale: str) -> dict[str, Any]:
        """Of a system at a scale, without those of the user."""
        chosen = self.systems[system]
        small = {**self.smoke, **chosen.smoke} if scale == "smoke" else {}
        return {**chosen.values, **small}
