"""From the command line to RelaxConfigs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from pysmax.enrich.relax_engine import RelaxConfig
from pysmax.errors import SmaxError
from pysmax.label.engine import EngineConfig


def configs(potential: EngineConfig, cell: str, keep: str, settings: Mapping[str, Any]) -> list[RelaxConfig]:
    """One config per kind of cell, fixed first. Raises SmaxError naming the setting."""
    cells: tuple[Any, ...] = ("fixed", "variable") if cell == "both" else (cell,)
    try:
        return [
            RelaxConfig(
                potential=potential, cell=c, keep_every=keep_every(keep), limits=potential.limits, **settings
            )
            for c in cells
        ]
    except ValidationError as e:
        first = e.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise SmaxError(
            f"{name} is {first.get('input')!r}: {first['msg'][:1].lower()}{first['msg'][1:]}"
        ) from None


def keep_every(keep: str) -> int:
    """0 for final, 1 for all, N for every:N."""
    if keep in ("final", "all"):
        return int(keep == "all")
    kind, _, count = keep.partition(":")
    if kind != "every" or not count.isdecimal() or int(count) < 1:
        raise SmaxError(f"keep is '{keep}', expected final, all or every:N")
    return int(count)
