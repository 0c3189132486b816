"""Energies above the convex hull, recomputed with pymatgen from the entries given."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from pysmax.enrich.tally import progress

SLACK = 1e-6  # eV/atom: rounding of stored energies


@dataclass(frozen=True)
class Entry:
    """What a hull needs: composition (symbol: atoms) and energy, eV/atom."""

    composition: Mapping[str, int]
    energy: float


def above_hull(entries: Mapping[str, Entry]) -> dict[str, float]:
    """Distance (eV/atom, 0 on the hull) by id; those without all elemental references are left out.

    The hull of each chemical system is made of all entries inside it. A distance does not change when
    further elements are added, so each entry is compared in its own system.
    """
    systems: dict[frozenset[str], list[str]] = defaultdict(list)
    for id_, entry in entries.items():
        systems[frozenset(entry.composition)].append(id_)
    found: dict[str, float] = {}
    with progress("hulls of chemical systems", len(systems)) as bar, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No Pauling electronegativity")  # of noble gases
        for system, ids in systems.items():
            bar()
            if all(frozenset([element]) in systems for element in system):
                inside = [i for part in _parts(system) for i in systems.get(part, ())]
                found.update(_in_system(entries, ids, inside))
    return found


def _in_system(entries: Mapping[str, Entry], ids: list[str], inside: list[str]) -> dict[str, float]:
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram

    made: dict[str, Any] = {}
    for i in inside:
        atoms = sum(entries[i].composition.values())
        made[i] = PDEntry(dict(entries[i].composition), entries[i].energy * atoms, name=i)
    diagram = PhaseDiagram(list(made.values()))
    distances = ((i, diagram.get_e_above_hull(made[i], allow_negative=True)) for i in ids)
    return {i: max(0.0, float(d)) for i, d in distances if d is not None}


def _parts(system: frozenset[str]) -> Iterator[frozenset[str]]:
    for n in range(1, len(system) + 1):
        yield from map(frozenset, combinations(sorted(system), n))
