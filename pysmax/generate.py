"""Input of a generator run from its template: every setting checked, defaults those of the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import jinja2
import pydantic
from pydantic import AfterValidator, Field

from pysmax.errors import SmaxError
from pysmax.paths import templates_folder
from pysmax.settings import checked

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Pair = tuple[Positive, Positive]
# one LAMMPS argument list: no line breaks, quotes, comments or variables
Words = Annotated[str, Field(pattern=r"^[A-Za-z0-9._/:\- ]*$")]


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"{pair[0]:g} is above {pair[1]:g}, expected the lower number first")
    return pair


class GeneratorInput(pydantic.BaseModel):
    """Settings of ``gen_entropy.in``; lengths in Angstrom, energies in the units of the core."""

    model_config = pydantic.ConfigDict(extra="forbid")

    nconf: Annotated[int, Field(ge=1, description="accepted configurations wanted")] = 100
    seed: Annotated[int, Field(ge=0)] = 20260223
    out: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/\-]+$")] = "smax"
    mode: Literal["atom", "config"] = "atom"
    twojmax: Annotated[int, Field(ge=2, le=14)] = 8
    rcutfac: Positive = 3.0
    strength: Annotated[Positive | None, Field(description="K; default by mode")] = None
    core: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0
    eps: Positive = 1e-6
    min_style: Annotated[str, Field(pattern=r"^[a-z0-9/_]+$")] = "lbfgs"
    dmax: Positive = 0.1
    reference: Annotated[int, Field(ge=2)] = 100
    exchange: Literal["reproducible", "free"] = "reproducible"
    placements: Annotated[int, Field(ge=1, le=1000)] = 3
    core_steps: Annotated[int, Field(ge=0)] = 30
    steps: Annotated[int, Field(ge=0)] = 100
    ftol: Positive = 5e-4
    closest: Pair = (0.9, 0.6)
    elements: Words = "all"
    stoichiometry: Words = ""
    natoms: Words = ""
    radius_width: Positive = 0.3
    radius_beta: Pair = (1.25, 1.25)
    volume: Annotated[Pair, AfterValidator(_ascending)] = (1.0, 3.5)
    existing: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9._/\-]+\.(moments|extxyz|xyz)$")]] = []


def render(settings: Mapping[str, object]) -> str:
    """Text of the input. Raises SmaxError: the key, the value found, what was expected."""
    given = checked(GeneratorInput, settings)
    values = given.model_dump()
    if values["strength"] is None:
        values["strength"] = 0.005 if given.mode == "atom" else 0.05
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(templates_folder())),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return env.get_template("generate/gen_entropy.in.j2").render(values)


def parse_settings(assignments: list[str]) -> dict[str, object]:
    """``key=value`` words; several numbers or files of one key are separated by commas."""
    settings: dict[str, object] = {}
    for word in assignments:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise SmaxError(f"--set {word!r}: expected key=value")
        lists = key in ("closest", "radius_beta", "volume", "existing")
        settings[key] = value.split(",") if lists else value
    return settings
