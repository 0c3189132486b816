"""Radial distribution functions against the shells of crystals; silicides recognised."""

from __future__ import annotations

from itertools import pairwise

import ase.build
import numpy as np
import pytest

from pysmax.analysis.rdf import Rdf, crystal_rdf, earth_mover, overlap, partial_rdf
from pysmax.analysis.silicides import BOND_A, PAIRS, likeness, reference_rdfs, references
from pysmax.errors import SmaxError

CU = 3.615


@pytest.mark.parametrize("sigma", [0.0, 0.04])
def test_shells_of_fcc_copper(sigma: float) -> None:
    rdf = crystal_rdf(ase.build.bulk("Cu", cubic=True, a=CU), [("Cu", "Cu")], 6.0, 1200, sigma)
    shells = [(np.sqrt(0.5), 12), (1.0, 6), (np.sqrt(1.5), 24), (np.sqrt(2.0), 12)]  # in lattice constants
    edges = [0.0, *(CU * (a[0] + b[0]) / 2 for a, b in pairwise(shells)), 1.54 * CU]
    g = rdf["Cu", "Cu"]
    for (distance, n), low, high in zip(shells, edges, edges[1:], strict=False):
        found = rdf.neighbours("Cu", "Cu", high) - rdf.neighbours("Cu", "Cu", low)
        assert found == pytest.approx(n, rel=2e-3)
        inside = (rdf.r > low) & (rdf.r < high)
        assert rdf.r[inside][g[inside].argmax()] == pytest.approx(distance * CU, abs=0.006)
        mean = (rdf.r**3 * g)[inside].sum() / (rdf.r**2 * g)[inside].sum()
        assert mean == pytest.approx(distance * CU, abs=0.003)


def test_partial_functions_of_rock_salt() -> None:
    salt = ase.build.bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    rdf = crystal_rdf(salt, [("Cl", "Na"), ("Cl", "Cl")], 5.0, 500, 0.02)
    assert rdf.neighbours("Na", "Cl", 3.5) == pytest.approx(6, rel=1e-3)
    assert rdf.neighbours("Cl", "Na", 3.5) == pytest.approx(6, rel=1e-3)
    assert rdf.neighbours("Cl", "Cl", 3.5) < 1e-9 and rdf.neighbours("Cl", "Cl", 4.5) == pytest.approx(
        12, 1e-3
    )
    assert rdf.density["Cl"] == pytest.approx(4 / 5.64**3)


def test_only_chosen_atoms_count() -> None:
    from ovito.io.ase import ase_to_ovito

    atoms = ase.build.bulk("Cu", cubic=True, a=CU) * (6, 6, 6)
    data = ase_to_ovito(atoms)
    near = atoms.positions[:, 2] < 0.1  # one square layer: 4 neighbours in it
    one = partial_rdf([data], ["Cu"], [("Cu", "Cu")], 3.0, 300, chosen=lambda _: near)
    assert one.neighbours("Cu", "Cu", 2.8) == pytest.approx(4, rel=2e-3)
    twice = partial_rdf([data, data], ["Cu"], [("Cu", "Cu")], 3.0, 300)
    assert twice.neighbours("Cu", "Cu", 2.8) == pytest.approx(12, rel=2e-3)  # a mean, not a sum


def test_pairs_are_checked() -> None:
    with pytest.raises(SmaxError, match="element Ag is not in this study, which has Cu Fe"):
        partial_rdf([], ["Cu", "Fe"], [("Cu", "Ag")], 5.0, 10)
    elements = [f"E{k}" for k in range(21)]
    with pytest.raises(SmaxError, match="found 21 elements, expected at most 20"):
        partial_rdf([], elements, [(e, "E0") for e in elements], 5.0, 10)


def test_measures_of_likeness() -> None:
    r = np.arange(0.05, 5, 0.1)
    peak = {at: Rdf(r, {("A", "B"): np.exp(-((r - at) ** 2) / 0.02)}, {}) for at in (1.55, 2.55, 4.05)}
    pair = ("A", "B")
    assert overlap(peak[1.55], peak[1.55], pair) == pytest.approx(1)
    assert overlap(peak[1.55], peak[4.05], pair) == pytest.approx(0, abs=1e-12)
    assert earth_mover(peak[1.55], peak[2.55], pair) == pytest.approx(1.0)
    assert earth_mover(peak[2.55], peak[4.05], ("B", "A")) == pytest.approx(1.5)


def test_reference_crystals() -> None:
    known = references()
    beta, alpha = known["FeSi2"], known["Fe2Si5"]
    assert str(beta.symbols.get_chemical_formula()) == "Fe16Si32"
    assert str(alpha.symbols.get_chemical_formula()) == "FeSi2"
    for crystal in known.values():
        d = crystal.get_all_distances(mic=True)[np.asarray(crystal.symbols) == "Fe"]
        assert d[d > 0].min() > 2.3
    rdfs = reference_rdfs(6.0, 1200, 0.03)
    for rdf in rdfs.values():  # iron in a cube of silicon in both
        assert rdf.neighbours("Fe", "Si", BOND_A) == pytest.approx(8, rel=5e-3)
    # beta: 2.33 to 2.44 A (Dusausoy et al.); alpha: one distance
    near = rdfs["FeSi2"].r[(rdfs["FeSi2"]["Fe", "Si"] > 1) & (rdfs["FeSi2"].r < BOND_A)]
    assert near.min() == pytest.approx(2.33, abs=0.08) and near.max() == pytest.approx(2.44, abs=0.08)
    exact = np.sqrt(2 * (2.69 / 2) ** 2 + (0.27 * 5.13) ** 2)
    top = rdfs["Fe2Si5"].r[rdfs["Fe2Si5"]["Fe", "Si"].argmax()]
    assert top == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("name", ["FeSi2", "Fe2Si5"])
def test_a_warm_strained_crystal_is_recognised(name: str) -> None:
    atoms = references()[name]
    atoms = atoms * ((2, 2, 2) if name == "FeSi2" else (5, 5, 4))
    if name == "Fe2Si5":  # a fifth of the iron is missing
        iron = np.flatnonzero(np.asarray(atoms.symbols) == "Fe")
        del atoms[np.random.default_rng(1).choice(iron, len(iron) // 5, replace=False)]
        assert str(atoms.symbols.get_chemical_formula()) == "Fe80Si200"
    atoms.set_cell(atoms.cell * 1.01, scale_atoms=True)
    atoms.rattle(0.1, seed=2)
    found = likeness(crystal_rdf(atoms, PAIRS, 6.0, 200, 0.0), reference_rdfs(6.0, 200, 0.1))
    other = next(n for n in found if n != name)
    assert found[name]["overlap_mean"] > max(0.75, found[other]["overlap_mean"] + 0.15)
    assert found[name]["earth_mover_A_mean"] < found[other]["earth_mover_A_mean"]
