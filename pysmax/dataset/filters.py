"""Which records of another dataset go with ours: the filters of arXiv 2602.23489, VII.3.1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pysmax.dataset.record import Record

STRESS_LIMIT = 0.084  # eV/A^3: the paper's, the standard deviation of the errors of its model on OMAT
OTHER_POTENTIALS = ("Eu", "Gd", "Yb")  # whose PAW sets differ
# the Materials Project computes oxides and fluorides of these with +U (pymatgen, MPRelaxSet)
HUBBARD_ANIONS = frozenset({"O", "F"})
HUBBARD_METALS = frozenset({"Co", "Cr", "Fe", "Mn", "Mo", "Ni", "V", "W"})

NO = ("", "F", "FALSE", "NO", "NONE", "0", "{}", "[]")  # as text


@dataclass(frozen=True)
class Filters:
    """What is left out; ``stress_limit`` in eV/A^3, None where no model is asked."""

    hubbard: bool = True
    elements: Sequence[str] = OTHER_POTENTIALS
    stress_limit: float | None = None

    def why(self, record: Record, stress_error: float = 0.0) -> str:
        """The first filter that leaves the record out, '' if none does. ``stress_error``: the largest."""
        if record.label is None:
            return record.status
        symbols = set(record.atoms.symbols)
        if self.hubbard and computed_with_u(record, symbols):
            return "+U"
        if found := sorted(symbols.intersection(self.elements)):
            return f"element {found[0]}"
        if self.stress_limit is not None and not stress_error <= self.stress_limit:
            return "stress not predicted" if math.isnan(stress_error) else "stress error"
        return ""


def computed_with_u(record: Record, symbols: set[str]) -> bool:
    """Does the record say so? Else: by the rule of the Materials Project."""
    for holder in (record.info, record.level.settings if record.level else {}):
        flag = _flag(holder)
        if flag is not None:
            return flag
    return bool(symbols & HUBBARD_ANIONS) and bool(symbols & HUBBARD_METALS)


def _flag(holder: Any) -> bool | None:
    """is_hubbard, hubbards, LDAU, run_type: as the Materials Project and VASP name it."""
    for name in ("is_hubbard", "hubbards", "LDAU", "ldau"):
        if name in holder and holder[name] is not None:
            value = holder[name]
            return value.strip(" .").upper() not in NO if isinstance(value, str) else bool(value)
    for name in ("run_type", "calc_type", "xc"):
        if isinstance(holder.get(name), str):
            return "+U" in holder[name].upper().replace("_U", "+U")
    return None
