"""The labelling engines by name; each is imported only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pysmax.errors import SmaxError
from pysmax.label.engine import EngineConfig
from pysmax.settings import read_yaml

ENGINES = {
    "xtb": "pysmax.label.engines.xtb:XtbConfig",
    "dft": "pysmax.label.engines.dft:DftConfig",
    "vasp": "pysmax.label.engines.vasp.config:VaspConfig",
    "lammps": "pysmax.label.engines.lammps:LammpsConfig",
    "ase": "pysmax.label.engines.ase:AseConfig",
}


def load_config(
    name: str, file: Path | None = None, overrides: Mapping[str, Any] | None = None, section: str = ""
) -> EngineConfig:
    """Settings of engine ``name``: its defaults, then a YAML file (or a section of it), then ``overrides``.

    A key of ``overrides`` may name a nested setting with dots (``limits.max_force_eV_per_A``). Relative names
    of files among the settings are looked up beside ``file`` first. Raises SmaxError.
    """
    settings = read_yaml(file) if file else {}
    settings = settings.get(section, {}) if section else settings
    for key, value in (overrides or {}).items():
        _set(settings, key, value)
    cls = config_class(name)
    try:
        return cls.model_validate(settings, context={"folder": Path(file).resolve().parent if file else None})
    except ValidationError as e:
        raise SmaxError(f"{file or f'engine {name}'}: {_sentence(e, cls)}") from None


def config_class(name: str) -> type[EngineConfig]:
    """The class of an engine's settings."""
    if name not in ENGINES:
        raise SmaxError(f"engine '{name}' is not known, expected one of {', '.join(ENGINES)}")
    module, _, attribute = ENGINES[name].partition(":")
    cls: type[EngineConfig] = getattr(importlib.import_module(module), attribute)
    return cls


def _set(settings: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        settings = settings.setdefault(parent, {})
        if not isinstance(settings, dict):
            raise SmaxError(f"setting '{key}': '{parent}' has no settings of its own")
    settings[last] = value


def _sentence(error: ValidationError, cls: type[EngineConfig]) -> str:
    """The first mistake, in words."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        known = f", expected one of {', '.join(cls.model_fields)}" if len(first["loc"]) == 1 else ""
        return f"setting '{where}' is not known{known}"
    if first["type"] == "missing":
        return f"setting '{where}' is missing"
    message = first["msg"].removeprefix("Value error, ")
    # validators of the whole model have no place and say all in their message
    return f"setting '{where}' is {first['input']!r}: {message}" if where else message
