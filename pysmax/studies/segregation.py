"""``segregation``: molecular dynamics with Monte Carlo moves at grain boundaries of bcc alloys (II.5.3)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

import ase
import numpy as np
from pydantic import Field, model_validator

from pysmax.errors import SmaxError
from pysmax.moments import Array
from pysmax.studies.bicrystal import ANGLE_DEG, SIGMA, bicrystal, nearest
from pysmax.studies.study import Count, Dynamics, Element, Finite, Positive, Prepared, Study, System
from pysmax.studies.voids import choose, voids

Percent = Annotated[float, Field(gt=0, le=20, allow_inf_nan=False)]
NEAREST = 0.75**0.5  # neighbours in bcc, over the lattice constant


class SegregationParameters(Dynamics):
    """Of study ``segregation``."""

    composition: dict[Element, Positive] = Field(
        default_factory=lambda: dict.fromkeys(("W", "Nb", "Mo", "Ta"), 1.0),
        min_length=1,
        description="metals: parts, equal in the paper",
    )
    substitutional: dict[Element, Percent] = Field(
        default_factory=dict,
        description="on lattice sites in place of metals, % of the sites; not in the paper: as interstitials",
    )
    interstitial: dict[Element, Percent] = Field(
        default_factory=dict,
        description="in voids, % of the lattice sites; not in the paper: 0.5 % of each makes up its count of "
        "atoms, 20 016 sites and 4 times 100",
    )
    lattice_A: Annotated[
        float | None,
        Field(
            ge=1,
            le=20,
            description="lattice constant of bcc, A; null: Vegard's mean, which the barostat relaxes",
        ),
    ] = None
    cells: Annotated[
        int, Field(ge=1, le=200, description="Sigma7 cells of each grain along the normal of the boundary")
    ] = 10
    repeat: Annotated[
        tuple[Count, Count], Field(description="of [111]/2 and [5 -1 -4] in the plane of the boundary")
    ] = (7, 1)
    closest: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            description="least distance of lattice atoms, in nearest-neighbour distances; asserted",
        ),
    ] = 0.9
    void_A: Annotated[
        Positive, Field(description="least distance of an interstitial from lattice atoms, A; asserted")
    ] = 1.5
    void_apart_A: Annotated[
        Positive, Field(description="least distance of interstitials from each other, A; asserted")
    ] = 2.5

    relax_steps: Annotated[
        int, Field(ge=0, description="iterations of the minimisation before dynamics, at most")
    ] = 200
    relax_eV_per_A: Annotated[
        Positive, Field(description="norm of all forces at which the minimisation ends, eV/A")
    ] = 0.1
    temperature: Annotated[
        tuple[Positive, ...],
        Field(
            min_length=1, description="K, of dynamics and Monte Carlo; several: straight lines between them"
        ),
    ] = (300.0,)
    pressure: Annotated[
        tuple[Finite, ...] | None, Field(min_length=1, description="GPa; null: the cell is kept")
    ] = (0.0,)
    n_steps: Annotated[
        int, Field(ge=1, description="steps of dynamics in all, over every restart; not in the paper")
    ] = 500_000
    frames: Annotated[int, Field(ge=1, le=100_000, description="frames written after the first")] = 200

    mc_every: Annotated[
        int, Field(ge=1, description="steps of dynamics between stages of Monte Carlo; not in the paper")
    ] = 100
    mc_batches: Annotated[
        int,
        Field(ge=1, description="batches of moves in a stage, an evaluation each; not in the paper"),
    ] = 100
    mc_batch: Annotated[
        int,
        Field(ge=1, le=100_000, description="moves in a batch at most; those too close to others wait"),
    ] = 100
    mc_range_A: Annotated[
        Positive | None,
        Field(
            description="beyond it from a changed atom no energy of an atom changes, A; null: twice the "
            "cutoff, which is right for all; the cutoff will do for pair potentials and one-layer models"
        ),
    ] = None
    mc_displace_A: Annotated[
        Positive, Field(description="largest displacement of an interstitial, A; not in the paper")
    ] = 0.5
    mc_displace_share: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            description="share of displacements among the moves drawn, where there are interstitials; in a "
            "batch they find room more often than exchanges",
        ),
    ] = 0.2

    @model_validator(mode="after")
    def _sound(self) -> SegregationParameters:
        kinds = ("composition", "substitutional", "interstitial")
        found: dict[str, str] = {}
        for kind in kinds:
            for e in getattr(self, kind):
                if e in found:
                    raise ValueError(f"{kind}: {e} is in {found[e]} too, expected each element once")
                found[e] = kind
        if sum(self.substitutional.values()) >= 100:
            raise ValueError(
                f"substitutional: {sum(self.substitutional.values())} % in all, expected below 100"
            )
        if len(self.composition) + len(self.substitutional) < 2 and not self.interstitial:
            raise ValueError(
                "composition: found one element and no impurity, expected something to segregate"
            )
        return self


def _counts(parts: dict[str, float], n: int) -> dict[str, int]:
    """Whole numbers in these proportions that sum to n: the largest remainders go up."""
    total = sum(parts.values())
    exact = {e: n * x / total for e, x in parts.items()}
    counts = {e: int(x) for e, x in exact.items()}
    up = sorted(parts, key=lambda e: counts[e] - exact[e])
    for e in up[: n - sum(counts.values())]:
        counts[e] += 1
    return counts


def _lattice(p: SegregationParameters) -> float:
    """Vegard's mean of the cube roots of twice the volumes per atom: bcc metals count with their own a."""
    from ase.data import atomic_numbers, reference_states

    if p.lattice_A is not None:
        return p.lattice_A
    constants: dict[str, float] = {}
    for e in p.composition:
        state: Any = reference_states[atomic_numbers[e]]
        if not state or state["symmetry"] not in ("bcc", "fcc"):
            raise SmaxError(f"composition: {e} is not cubic, expected lattice_A for an alloy with it")
        constants[e] = state["a"] * (0.5 ** (1 / 3) if state["symmetry"] == "fcc" else 1.0)
    return sum(p.composition[e] * a for e, a in constants.items()) / sum(p.composition.values())


def _structure(p: SegregationParameters, facts: dict[str, object]) -> ase.Atoms:
    rng = np.random.default_rng(p.seed)
    a = _lattice(p)
    made = bicrystal(next(iter(p.composition)), a, p.cells, p.repeat, p.closest)
    atoms, n = made.atoms, len(made.atoms)
    impurities = {e: round(n * x / 100) for e, x in p.substitutional.items()}
    counts = {**_counts(p.composition, n - sum(impurities.values())), **impurities}
    inserted = {e: round(n * x / 100) for e, x in p.interstitial.items()}
    if none := [e for e, k in {**counts, **inserted}.items() if k == 0]:
        raise SmaxError(f"{none[0]}: its share of {n} lattice sites is no atom, expected one or more")
    atoms.symbols = rng.permutation(np.repeat(list(counts), list(counts.values())))
    if total := sum(inserted.values()):
        lengths: Array = atoms.cell.lengths()
        places = choose(voids(atoms, p.void_A), lengths, total, p.void_apart_A, rng)
        atoms += ase.Atoms(np.repeat(list(inserted), list(inserted.values())), positions=places)
    closest = nearest(atoms)
    if closest < min(p.closest * a * NEAREST, p.void_A) - 1e-6:
        raise SmaxError(f"two atoms are {closest:.3f} A apart, expected void_A = {p.void_A} or more")
    facts |= {
        "boundary": f"Sigma{SIGMA} (1 -3 2)[1 1 1] symmetric tilt, {ANGLE_DEG:.2f} deg",
        "boundaries_A": list(made.boundaries),
        "lattice_A": round(a, 6),
        "closest_contact_A": round(closest, 4),
        "sites": n,
    }
    return atoms


def _mc_temperature(temperature: tuple[float, ...]) -> str:
    """A number, or a formula of LAMMPS for the ramp: of step and the variable n_steps."""
    if len(set(temperature)) == 1:
        return str(temperature[0])
    n = len(temperature) - 1
    done = f"(step*{n}/v_n_steps)"
    pieces = [
        f"({done}>={k})*({done}<{k + 1})*({t0}+({t1 - t0})*({done}-{k}))"
        for k, (t0, t1) in enumerate(pairwise(temperature))
    ]
    return "+".join([*pieces, f"({done}>={n})*{temperature[-1]}"])


def _prepare(p: SegregationParameters) -> Prepared:
    facts: dict[str, object] = {}
    atoms = _structure(p, facts)
    facts["swapped"] = [*p.composition, *p.substitutional]
    facts["displaced"] = list(p.interstitial)
    values = {"mc_temperature": _mc_temperature(p.temperature)}
    return Prepared(structures={"system.data": atoms}, values=values, facts=facts)


STUDY = Study(
    name="segregation",
    about="Molecular dynamics with Monte Carlo exchanges at grain boundaries of refractory alloys (II.5.3).",
    parameters=SegregationParameters,
    prepare=_prepare,
    systems={
        "wnbmota": System("5 838 atoms, equimolar W-Nb-Mo-Ta"),
        "wnbmotav-impurities": System(
            "20 416 atoms, W-Nb-Mo-Ta-V with Si and P, and H, B, C, N in voids",
            {
                "composition": {"W": 1, "Nb": 1, "Mo": 1, "Ta": 1, "V": 1},
                "substitutional": {"Si": 0.5, "P": 0.5},
                "interstitial": {"H": 0.5, "B": 0.5, "C": 0.5, "N": 0.5},
                "repeat": (12, 2),
            },
        ),
    },
    smoke={
        "cells": 2,
        "repeat": (4, 1),
        "n_steps": 400,
        "frames": 20,
        "relax_steps": 40,
        "mc_every": 20,
        "mc_batches": 20,
        "thermo_lines": 20,
        "restarts": 4,
    },
)
