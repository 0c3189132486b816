"""INCAR: the paper's tags, how values are written, and which tags may differ at one level of theory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

Value = bool | int | float | str

# VII.4, as printed there
_PAPER_TEXT = {
    "ENCUT": "500.000000",
    "SIGMA": "0.100000",
    "EDIFF": "1.00e-06",
    "EDIFFG": "-5.00e-03",
    "GGA": "PE",
    "PREC": "Accurate",
    "IBRION": "-1",
    "ISIF": "2",
    "ISMEAR": "0",
    "ISPIN": "2",
    "NELM": "120",
    "NSW": "0",
    "ADDGRID": ".TRUE.",
    "LCHARG": ".FALSE.",
    "LWAVE": ".FALSE.",
    "LREAL": ".FALSE.",
    "KSPACING": "0.125",
}

# Parallelisation and output: no number depends on them.
RUN_TAGS = frozenset(
    "KPAR LASYNC LORBIT LPLANE LSCALAPACK LSCALU LELF LVHAR LVTOT NCORE NEDOS NPAR NSIM NWRITE".split()
)

# The way to self-consistency, and which symmetries save work on it: a fix that changes only these arrives at
# the same functional, basis, k-points and smearing. Bands beyond the occupied ones only help; POTIM has no
# use at NSW 0.
SAME_LEVEL = RUN_TAGS | frozenset(
    "ALGO AMIN AMIX AMIX_MAG BMIX BMIX_MAG IALGO ICHARG IMIX INIMIX ISEARCH ISTART ISYM MAXMIX MIXPRE NBANDS "
    "NELM NELMDL NELMIN POTIM SYMPREC TIME WC".split()
)


def typed(value: Any) -> Value:
    """A value as VASP reads it: '.TRUE.' is true, '500' is 500.0 if written with a point or exponent."""
    if not isinstance(value, str):
        return value  # type: ignore[no-any-return]
    text = value.strip()
    if text.upper() in (".TRUE.", ".FALSE."):
        return text.upper() == ".TRUE."
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


PAPER: Mapping[str, Value] = {name: typed(text) for name, text in _PAPER_TEXT.items()}


def normal(name: str, value: Value) -> Value:
    """The value in the type of the paper's, so that 500 and 500.0 are one setting."""
    paper = PAPER.get(name)
    if isinstance(paper, bool) or isinstance(value, str | bool):
        return paper if paper is not None and value == paper else value
    return float(value) if isinstance(paper, float) else value


def show(name: str, value: Value) -> str:
    """The value as text; as the paper prints it where it is the paper's."""
    if name in PAPER and value == PAPER[name]:
        return _PAPER_TEXT[name]
    if isinstance(value, bool):
        return ".TRUE." if value else ".FALSE."
    return str(value)


def runs(values: Sequence[float]) -> str:
    """``2*2.5 1*1.0``: equal neighbours as VASP abbreviates them."""
    return " ".join(f"{len(list(group))}*{value}" for value, group in groupby(values))


def render(tags: Mapping[str, Value], magmoms: Sequence[float]) -> str:
    """The file, one tag a line; MAGMOM last, where ISPIN is 2."""
    lines = [f"{name} = {show(name, value)}" for name, value in tags.items()]
    if tags.get("ISPIN") == 2:
        lines.append(f"MAGMOM = {runs(magmoms)}")
    return "\n".join(lines) + "\n"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Tags of two INCARs that differ -> (before, after), None where a tag is missing."""
    names = sorted(set(before) | set(after))
    return {n: (before.get(n), after.get(n)) for n in names if not same(before.get(n), after.get(n))}


def same(a: Any, b: Any, absolute: float = 0.0) -> bool:
    """Equal up to VASP's output format: numbers to 1e-6 or ``absolute``, words in any case and cut short."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same(x, y, absolute) for x, y in zip(a, b, strict=True))
    if isinstance(a, str) and isinstance(b, str):
        x, y = sorted((a.strip().lower(), b.strip().lower()), key=len)
        return y.startswith(x) and bool(x) == bool(y)
    if isinstance(a, int | float) and isinstance(b, int | float):
        return abs(a - b) <= max(1e-6 * max(abs(a), abs(b)), absolute)
    return bool(a == b)
