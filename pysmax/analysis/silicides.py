"""Fe-Si phase of a run against crystals of iron silicides (Fig. 18)."""

from __future__ import annotations

from typing import Any

import ase

from pysmax.analysis.rdf import Pair, Rdf, crystal_rdf, earth_mover, overlap

PAIRS: tuple[Pair, ...] = (("Fe", "Si"), ("Fe", "Fe"), ("Si", "Si"))
BOND_A = 2.8  # A: behind the first shell of Si around Fe in both crystals


def references() -> dict[str, ase.Atoms]:
    """FeSi2: beta, Cmce. Fe2Si5: alpha, P4/mmm, every site of iron filled.

    Fe2Si5 is alpha FeSi2 with a fifth of its iron missing at random: that changes its density, and no
    g(r). Sources: Dusausoy, Protas, Wandji, Roques, Acta Cryst. B27 (1971) 1209,
    doi:10.1107/S0567740871003765; Aronsson, Acta Chem. Scand. 14 (1960) 1414.
    """
    from ase.spacegroup import crystal

    beta: Any = crystal(
        ["Fe", "Fe", "Si", "Si"],
        [(0.2146, 0, 0), (0.5, 0.3086, 0.1851), (0.1282, 0.2746, 0.0512), (0.3727, 0.0450, 0.2261)],
        spacegroup=64,
        cellpar=[9.863, 7.791, 7.833, 90, 90, 90],
    )
    alpha: Any = crystal(
        ["Fe", "Si"], [(0, 0, 0), (0.5, 0.5, 0.27)], spacegroup=123, cellpar=[2.69, 2.69, 5.13, 90, 90, 90]
    )
    return {"FeSi2": beta, "Fe2Si5": alpha}


def reference_rdfs(cutoff: float, bins: int, sigma: float) -> dict[str, Rdf]:
    """Partial functions of each reference, shells ``sigma`` A wide."""
    return {name: crystal_rdf(c, PAIRS, cutoff, bins, sigma) for name, c in references().items()}


def likeness(run: Rdf, known: dict[str, Rdf]) -> dict[str, dict[str, float]]:
    """Overlap (0 to 1) and earth mover's distance (A) of each reference and pair, and their means."""
    found = {}
    for name, reference in known.items():
        row: dict[str, float] = {}
        for key, measure in (("overlap", overlap), ("earth_mover_A", earth_mover)):
            values = {f"{key}_{'-'.join(p)}": measure(run, reference, p) for p in PAIRS}
            row |= {f"{key}_mean": sum(values.values()) / len(values), **values}
        found[name] = row
    return found
