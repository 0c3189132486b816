"""``quench``: a mixture of any elements, from random places, cooled from the melt (II.7, VII.3.8)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import ase
import numpy as np
from ase.data import chemical_symbols
from pydantic import Field, model_validator

from pysmax.studies.stand_in import radius
from pysmax.studies.study import Count, Dynamics, Element, Positive, Prepared, Study, System, countable

# Table 8
LAVA: dict[str, float] = {
    "O": 2305,
    "Si": 1410,
    "Al": 412,
    "Fe": 282,
    "Ca": 208,
    "Na": 118,
    "Mg": 116,
    "K": 104,
    "Ti": 28,
}
MENDELEEV: dict[str, float] = dict.fromkeys(chemical_symbols[1:95], 106)  # H ... Pu


class QuenchParameters(Dynamics):
    """Of study ``quench``."""

    composition: Annotated[
        dict[Element, Positive],
        Field(description="atoms of each element; with atoms=N: proportions of any scale"),
    ] = LAVA
    atoms: Annotated[
        Count | None, Field(description="atoms in all, shared out by composition, each element at least once")
    ] = None
    n_steps: Annotated[int, Field(ge=1, description="steps of the quench in all, over every restart")] = (
        4_000_000
    )
    temperature: Annotated[
        tuple[Positive, ...],
        Field(min_length=1, description="K; several: straight lines between them, over equal steps"),
    ] = (5000.0, 300.0)
    pressure: Annotated[
        tuple[Annotated[float, Field(allow_inf_nan=False)], ...] | None,
        Field(min_length=1, description="GPa; one, or as many as temperatures; null: the cell is kept"),
    ] = (1.0, 0.0)
    frames: Annotated[int, Field(ge=1, le=100_000, description="frames written after the first")] = 200
    thermo_lines: Annotated[int, Field(ge=1, description="lines of thermo output")] = 2000
    restarts: Annotated[int, Field(ge=1, description="restart files written, each over the last")] = 100
    packing: Annotated[
        Positive,
        Field(
            lt=0.6,
            description="share of the first, cubic box that is inside the spheres of its atoms; "
            "not in the paper: with 0.5, lava starts near the density it ends with",
        ),
    ] = 0.5
    heat_up_steps: Annotated[
        int,
        Field(
            ge=1,
            description="steps of half a fs ahead of the quench, from 300 K to its first temperature, "
            "Langevin, no move above heat_up_limit_A; not in the paper",
        ),
    ] = 5000
    heat_up_limit_A: Annotated[
        Positive, Field(le=0.5, description="A, largest move of an atom in a step of the heat-up")
    ] = 0.1

    @model_validator(mode="after")
    def _countable(self) -> QuenchParameters:
        if not self.composition:
            raise ValueError("composition: found no element; expected such as {Fe: 100, Si: 200}")
        if self.atoms is None:
            for element, n in self.composition.items():
                if n != round(n):
                    raise ValueError(
                        f"composition: found {element}: {n}; expected whole numbers of atoms, "
                        "or proportions together with atoms=N"
                    )
        elif self.atoms < len(self.composition):
            raise ValueError(
                f"atoms: found {self.atoms} for {len(self.composition)} elements; expected as many or more"
            )
        return self

    def counts(self) -> dict[str, int]:
        """Atoms of each element."""
        if self.atoms is None:
            return {e: round(n) for e, n in self.composition.items()}
        return shared_out(self.composition, self.atoms)


def shared_out(proportions: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers >= 1 with sum ``total``, as near to the proportions as can be; total >= their number."""
    scale = total / sum(proportions.values())
    quota = {e: p * scale for e, p in proportions.items()}
    n = {e: max(1, math.floor(q)) for e, q in quota.items()}
    while (missing := total - sum(n.values())) != 0:
        if missing > 0:
            n[max(n, key=lambda e: quota[e] - n[e])] += 1
        else:
            n[max((e for e in n if n[e] > 1), key=lambda e: n[e] - quota[e])] -= 1
    return n


def random_places(counts: Mapping[str, int], packing: float, seed: int) -> ase.Atoms:
    """Atoms at random in a cube, in random order; spheres of their radii would fill ``packing`` of it."""
    symbols = [e for e, n in counts.items() for _ in range(n)]
    spheres = 4 / 3 * math.pi * sum(n * radius(e) ** 3 for e, n in counts.items())
    edge = (spheres / packing) ** (1 / 3)
    rng = np.random.default_rng(seed)
    rng.shuffle(symbols)
    return ase.Atoms(symbols, rng.random((len(symbols), 3)) * edge, cell=[edge] * 3, pbc=True)


def _prepare(p: QuenchParameters) -> Prepared:
    countable(p.atoms or sum(p.composition.values()), "composition and atoms")
    atoms = random_places(p.counts(), p.packing, p.seed)
    return Prepared(
        structures={"system.data": atoms},
        values={"radii": {e: radius(e) for e in chemical_symbols[1:]}},
        facts={"first_box_A": float(atoms.cell.lengths()[0])},
    )


STUDY = Study(
    name="quench",
    about="A mixture of any elements, from random places, cooled from the melt under falling pressure.",
    parameters=QuenchParameters,
    prepare=_prepare,
    systems={
        "lava": System("the nine most abundant elements of the Earth's crust, 4983 atoms (Table 8)"),
        "mendeleev": System(
            "94 elements, H to Pu, 106 atoms of each; the paper has five seeds",
            {"composition": MENDELEEV, "pressure": (2.0, 0.0)},
            {"atoms": 376},
        ),
        "mixture": System("any: give composition", {"composition": {}}),
    },
    smoke={
        "atoms": 400,
        "n_steps": 2000,
        "heat_up_steps": 500,
        "frames": 20,
        "thermo_lines": 40,
        "restarts": 4,
    },
)
