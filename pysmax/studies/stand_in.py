"""One pair potential for all elements, to try a study without a model. It is no physics.

Morse bonds from tabulated sizes and cohesive energies, with a ZBL core:
``D_ij = sqrt(E_i E_j) / 6``, ``r_ij = r_i + r_j``, ``alpha_ij = 4 / r_ij``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

from pysmax.errors import SmaxError
from pysmax.studies.cohesive import COHESIVE_EV

LABEL = "stand-in: not a physical result"
CUTOFF = 7.5  # A, at most
ZBL = (0.4, 0.8)  # A, inner and outer

# nearest neighbours over lattice constant
_NEAREST = {"fcc": 0.5**0.5, "bcc": 0.75**0.5, "hcp": 1.0, "diamond": 3**0.5 / 4}


def commands(elements: Sequence[str]) -> list[str]:
    """pair_style and pair_coeff lines for atom types of these elements; SmaxError for an unknown one."""
    if unknown := [e for e in elements if e not in COHESIVE_EV]:
        raise SmaxError(f"element {unknown[0]}: the stand-in potential knows {', '.join(COHESIVE_EV)}")
    lines = [f"pair_style hybrid/overlay morse/smooth/linear {CUTOFF} zbl {ZBL[0]} {ZBL[1]}"]
    for (i, a), (j, b) in combinations_with_replacement(enumerate(elements, 1), 2):
        depth = math.sqrt(COHESIVE_EV[a] * COHESIVE_EV[b]) / 6
        r = radius(a) + radius(b)
        lines += [
            f"pair_coeff {i} {j} morse/smooth/linear {depth:.5f} {4 / r:.5f} {r:.4f} "
            f"{min(2 * r, CUTOFF):.4f}",
            f"pair_coeff {i} {j} zbl {_number(a)} {_number(b)}",
        ]
    return lines


def radius(element: str) -> float:
    """Half the distance of nearest neighbours in the element's crystal, or its covalent radius; A."""
    from ase.data import covalent_radii, reference_states

    state: Any = reference_states[_number(element)]
    if state and state["symmetry"] in _NEAREST:
        return float(state["a"] * _NEAREST[state["symmetry"]] / 2)
    return float(covalent_radii[_number(element)])


def _number(element: str) -> int:
    from ase.data import atomic_numbers

    return int(atomic_numbers[element])
