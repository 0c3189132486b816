"""Where the workers run: the section ``executor`` of a configuration file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pysmax.errors import SmaxError
from pysmax.settings import read_yaml


class Local(BaseModel):
    """Processes on this machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["local"] = "local"
    workers: int = Field(default_factory=lambda: len(os.sched_getaffinity(0)), ge=1, description="processes")


class _Pilots(BaseModel):
    """Pilot jobs: each holds nodes for its walltime and asks this machine for structures."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers_per_node: int = Field(1, ge=1, description="engines on a node, each a worker")
    cores_per_node: int | None = Field(None, ge=1, description="cores to ask for on a node")
    nodes_per_job: int = Field(1, ge=1, description="nodes of one pilot job")
    jobs: int = Field(1, ge=1, description="pilot jobs at most at a time")
    walltime: str = Field(
        "01:00:00", pattern=r"^\d+:\d\d:\d\d$", description="of a pilot job, hours:minutes:seconds"
    )
    setup: str = Field("", description="shell lines at the start of a job: modules, environment")
    options: str = Field("", description="further lines of the job script, as '#SBATCH --mem=0'")
    address: str | None = Field(
        None, description="by which nodes reach this machine; default: found by trying"
    )
    lost_after_s: float = Field(
        60.0, gt=0, description="without a sign of life, a pilot is lost and its work redone"
    )
    idle_s: float = Field(120.0, gt=0, description="a pilot without work is ended after so long")
    poll_s: float = Field(5.0, gt=0, description="between looks at the queue")

    @field_validator("walltime", mode="before")
    @classmethod
    def _quoted(cls, found: object) -> object:
        if not isinstance(found, str):  # YAML reads 12:00:00 as a number
            raise ValueError('expected hours:minutes:seconds in quotes, as "12:00:00"')
        return found


class Slurm(_Pilots):
    """Pilot jobs through sbatch."""

    kind: Literal["slurm"] = "slurm"
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    exclusive: bool = Field(False, description="whole nodes")
    mem_per_node_GB: int | None = Field(None, ge=1)


class Flux(_Pilots):
    """Pilot jobs through flux batch, inside a Flux instance."""

    kind: Literal["flux"] = "flux"
    queue: str | None = None
    bank: str | None = None


Site = Local | Slurm | Flux
KINDS: dict[str, type[Site]] = {"local": Local, "slurm": Slurm, "flux": Flux}
SECTIONS = ("engine", "executor")


def read_site(path: Path, kind: str) -> tuple[Site, bool]:
    """The executor of a configuration file, and whether the file has sections.

    A file with a mapping under ``engine`` or ``executor`` holds nothing but these two sections; any other
    holds the settings of the engine alone.
    """
    found = read_yaml(path)
    if not any(isinstance(found.get(name), dict) for name in SECTIONS):
        return load_site(kind, {}), False
    if unknown := sorted(set(found) - set(SECTIONS)):
        raise SmaxError(f"{path}: section {unknown[0]!r} is unknown, expected 'engine' and 'executor'")
    for name, section in found.items():
        if not isinstance(section, dict):
            raise SmaxError(f"{path}: section {name!r} is {section!r}, expected its settings")
    return load_site(kind, found.get("executor", {}), f"{path}: executor"), True


def read_site_alone(path: Path, kind: str) -> Site:
    """The executor of a file that holds nothing else, under ``executor`` or without a section."""
    found = read_yaml(path)
    return load_site(kind, found["executor"] if isinstance(found.get("executor"), dict) else found, f"{path}")


def load_site(kind: str, settings: dict[str, Any], where: str = "executor") -> Site:
    """Check the settings of an executor; SmaxError names the first that is wrong."""
    if kind not in KINDS:
        raise SmaxError(f"executor {kind!r} is unknown, expected one of {', '.join(KINDS)}")
    cls = KINDS[kind]
    if settings.get("kind", kind) != kind:
        raise SmaxError(f"{where}: kind is {settings['kind']!r}, but the executor asked for is {kind!r}")
    try:
        return cls.model_validate({**settings, "kind": kind})
    except ValidationError as e:
        first = e.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(cls.model_fields)
            raise SmaxError(f"{where}: {name!r} is unknown, expected one of {known}") from None
        raise SmaxError(
            f"{where}: {name}: {first['input']!r}: {first['msg'].removeprefix('Value error, ')}"
        ) from None
