"""What ``check`` allows, and what it counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pysmax.errors import SmaxError
from pysmax.settings import read_yaml

Verdict = Literal["ok", "warning", "wrong"]


class Tolerances(BaseModel):
    """What is still right. Data, not code: a file or an option may change each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    force_sum: float = Field(default=0.01, gt=0, description="largest |sum of forces| per atom, eV/A")
    virial: float = Field(default=300.0, gt=0, description="largest |stress component| x volume per atom, eV")
    contact: float = Field(
        default=0.3, gt=0, description="smallest distance in units of the sum of covalent radii"
    )
    energy: float = Field(
        default=200.0, gt=0, description="largest distance from the sum of element energies, eV/atom"
    )
    outlier: float = Field(
        default=30.0, gt=0, description="the same in robust standard deviations, for a warning"
    )


def load_tolerances(file: Path | None, changed: Mapping[str, float]) -> Tolerances:
    """Those of a YAML (or JSON) file, with some changed; SmaxError for unknown names and wrong values."""
    found = read_yaml(file) if file else {}
    try:
        return Tolerances.model_validate(found | dict(changed))
    except ValidationError as e:
        first = e.errors()[0]
        where = f"{file}: " if file else ""
        known = ", ".join(Tolerances.model_fields)
        raise SmaxError(f"{where}{first['loc'][0]}: {first['msg']}; known are {known}") from None


@dataclass
class Tally:
    """How often a check was made, how often it failed, and the worst that it saw."""

    name: str
    unit: str = ""
    severity: Verdict = "wrong"
    limit: float = 0.0
    smallest: bool = False  # the smallest value is the worst, not the largest
    checked: int = 0
    bad: int = 0
    worst: float | None = None
    example: str = ""
    remark: str = ""

    def add(self, value: float, where: str, limit: float | None = None) -> None:
        """One measurement; NaN is bad."""
        self.checked += 1
        limit = self.limit if limit is None else limit
        worse = self.worst is None or not (value >= self.worst if self.smallest else value <= self.worst)
        fine = value >= limit if self.smallest else value <= limit
        self.bad += not fine
        if worse:
            self.worst = value
            self.example = "" if fine else where

    def ok(self, fine: bool, where: str) -> None:
        """One yes or no."""
        self.checked += 1
        if not fine:
            self.bad += 1
            self.example = self.example or where

    @property
    def verdict(self) -> Verdict:
        """``ok`` if nothing is bad."""
        return self.severity if self.bad else "ok"


def text(value: float | None, unit: str) -> str:
    """A worst value for the table."""
    if value is None:
        return ""
    return "none near" if math.isinf(value) else f"{value:.4g} {unit}".strip()
