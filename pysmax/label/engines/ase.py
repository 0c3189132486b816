"""Any ASE calculator, by import path."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from typing import Any, Literal

import ase
from pydantic import Field, ValidationInfo, field_validator

from pysmax.dataset.record import Label, Level
from pysmax.errors import SmaxError
from pysmax.label.engine import Engine, EngineConfig, EngineFailure, failing_as
from pysmax.label.engines.shared import by_content, label_of, require_cell, resolve, version_of


class AseConfig(EngineConfig):
    """Settings of engine ase."""

    engine: Literal["ase"] = "ase"
    calculator: str = Field(
        pattern=r"^[\w.]+:\w+$", description="module:Class, or module:function returning one"
    )
    kwargs: dict[str, Any] = Field(default={}, description="arguments of the calculator; JSON")
    stress: bool = Field(default=True, description="ask for the stress of periodic structures")
    magmoms: bool = Field(default=False, description="ask for magnetic moments")

    @field_validator("kwargs")
    @classmethod
    def _find_files(cls, kwargs: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        folder = (info.context or {}).get("folder")
        return {k: resolve(v, [folder]) if isinstance(v, str) else v for k, v in kwargs.items()}

    def version(self) -> str:
        module = self.calculator.partition(":")[0]
        top = module.partition(".")[0]
        if top == "ase":
            return version_of("ase")
        own = _packages().get(top, [])[:1]
        version = version_of("ase", *own)
        if own:
            return version
        spec = _find(module)
        return f"{version}, {module} {by_content(spec.origin or '')}"

    def level(self) -> Level:
        """Files among the arguments count by their content."""
        level = super().level()
        kwargs = {k: by_content(v) if isinstance(v, str) else v for k, v in self.kwargs.items()}
        return Level(level.engine, level.version, {**level.settings, "kwargs": kwargs})

    def make(self) -> AseEngine:
        return AseEngine(self)


class AseEngine(Engine):
    """One calculator for all structures, made anew after an error."""

    def __init__(self, config: AseConfig) -> None:
        self.config = config
        self._make = _import(config.calculator)
        self._calculator: Any = self._new()

    def compute(self, atoms: ase.Atoms, attempt: int) -> Label:
        from ase.calculators.calculator import PropertyNotImplementedError, SCFError

        require_cell(atoms)
        if self._calculator is None:
            self._calculator = self._new()
        calculator, self._calculator = self._calculator, None
        with failing_as("scf", SCFError), failing_as("structure", NotImplementedError):
            try:
                label = label_of(atoms, calculator, stress=self.config.stress, magmoms=self.config.magmoms)
            except PropertyNotImplementedError as e:
                raise EngineFailure("error", f"{self.config.calculator} lacks a property: {e}") from e
        self._calculator = calculator
        return label

    def _new(self) -> Any:
        name = self.config.calculator
        try:
            calculator = self._make(**self.config.kwargs)
        except Exception as e:  # whatever a class of the user's own choice raises
            raise SmaxError(f"calculator {name} cannot be made from {self.config.kwargs}: {e}") from None
        lacking = {"energy", "forces"} - set(getattr(calculator, "implemented_properties", ()))
        if lacking or not hasattr(calculator, "get_potential_energy"):
            what = " and ".join(sorted(lacking)) or "get_potential_energy"
            raise SmaxError(
                f"calculator {name} lacks {what}, expected an ASE calculator of energy and forces"
            )
        return calculator


@functools.cache
def _packages() -> Mapping[str, list[str]]:
    """Packages by the modules they install; takes about a second."""
    return importlib.metadata.packages_distributions()


def _find(module: str) -> Any:
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        spec = None
    if spec is None:
        raise SmaxError(f"module {module} is not found, expected one that Python can import")
    return spec


def _import(path: str) -> Any:
    module, _, attribute = path.partition(":")
    _find(module)
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError as e:
        raise SmaxError(f"module {module} cannot be imported: {e}") from None
    if not callable(found):
        raise SmaxError(f"module {module} has no {attribute} to call, expected module:Class")
    return found
