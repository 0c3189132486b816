"""Studies, systems and parameters in words."""

from __future__ import annotations

from pydantic import BaseModel

from pysmax.studies.registry import STUDIES, find


def studies() -> list[str]:
    """One line per study, and one per system."""
    lines = []
    for study in STUDIES.values():
        lines.append(f"{study.name}: {study.about}")
        lines += [f"  --system {name}: {system.about}" for name, system in study.systems.items()]
    return lines


def parameters(name: str) -> list[str]:
    """One line per parameter: default and meaning; then what each system and scale smoke set."""
    study = find(name)
    lines = [f"{study.name}: {study.about}"]
    lines += fields(study.parameters)
    for system in study.systems:
        for scale in ("full", "smoke"):
            if chosen := study.values(system, scale):
                words = ", ".join(f"{k}={_shown(v)}" for k, v in chosen.items())
                lines.append(f"  --system {system} --scale {scale}: {words}")
    return lines


def fields(model: type[BaseModel]) -> list[str]:
    """One line per field: default and meaning."""
    lines = []
    for key, info in model.model_fields.items():
        default = "required" if info.is_required() else _shown(info.get_default(call_default_factory=True))
        lines.append(f"  {key} = {default}" + (f"    # {info.description}" if info.description else ""))
    return lines


def _shown(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {_shown(v)}' for k, v in value.items())}}}"
    return "null" if value is None else str(value)
