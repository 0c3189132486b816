"""Cutoffs of bonds: means of those of the elements, Table 9 of arXiv 2602.23489."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pysmax.errors import SmaxError

# every element of the table that is not 6.0 A
_OTHERS = {
    "Ar": 6.2, "B": 5.5, "Ba": 6.6, "Be": 5.0, "C": 5.0, "Ca": 6.1, "Cs": 7.5, "Eu": 6.2, "Fr": 7.5, "K": 7.0,
    "Kr": 6.8, "P": 5.5, "Ra": 6.8, "Rb": 7.3, "Rn": 7.5, "S": 5.5, "Sb": 5.5, "Se": 5.5, "Si": 5.5,
    "Sr": 6.5, "Xe": 7.1, "Yb": 6.1,
}  # fmt: skip
_AT_6 = (
    "Ag Al As Au Bi Br Cd Ce Cl Co Cr Cu Dy Er F Fe Ga Gd Ge H He Hf Hg Ho I In Ir La Li Lu Mg Mn Mo N Na Nb "
    "Nd Ne Ni O Os Pb Pd Pm Po Pr Pt Re Rh Ru Sc Sm Sn Ta Tb Tc Te Ti Tl Tm V W Y Zn Zr"
).split()
TABLE_9: dict[str, float] = {s: _OTHERS.get(s, 6.0) for s in sorted([*_AT_6, *_OTHERS])}


def of_elements(elements: Sequence[str], given: Mapping[str, float] | float | str) -> dict[str, float]:
    """Cutoff in A of each element: ``given`` is one number, ``paper``, or values that win over Table 9."""
    if isinstance(given, (int, float)):
        return dict.fromkeys(elements, float(given))
    table = dict(TABLE_9) if isinstance(given, str) else {**TABLE_9, **given}
    missing = [s for s in elements if s not in table]
    if missing:
        raise SmaxError(
            f"cutoffs: Table 9 has none for {' '.join(missing)}, expected one in the configuration"
        )
    return {s: table[s] for s in elements}


def pairs(elements: Sequence[str], cutoffs: Mapping[str, float]) -> dict[str, float]:
    """``{'MoNb': 6.0, ...}``, every ordered pair: of a table that is given, gracemaker takes no mean."""
    return {a + b: round(0.5 * (cutoffs[a] + cutoffs[b]), 10) for a in elements for b in elements}
