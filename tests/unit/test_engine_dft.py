"""Engine dft: GPAW at reduced settings against finite differences, and VII.4 of the paper in its terms."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from engine_tools import difference_forces, difference_stress

from pysmax.label.engine import Engine, Limits, compute_label
from pysmax.label.engines import load_config
from pysmax.label.engines.dft import k_grid

GAMMA = {"kspacing_per_A": 10.0}


def make(**overrides: object) -> Engine:
    return load_config("dft", None, {**GAMMA, **overrides}).make()


def helium(scale: float = 1.0) -> Atoms:
    cell = scale * np.array([[2.4, 0, 0], [0.3, 2.2, 0], [0, 0.2, 2.3]])
    return Atoms("He2", positions=[[0, 0, 0], scale * np.array([1.3, 1.0, 1.2])], cell=cell, pbc=True)


def test_the_defaults_are_those_of_the_paper() -> None:
    config = load_config("dft")
    # VII.4: ENCUT 500, GGA PE, ISPIN 2, SIGMA 0.1, EDIFF 1e-6, NELM 120, KSPACING 0.125
    settings = config.level().settings
    expected = {"cutoff_eV": 500, "xc": "PBE", "spin": True, "width_eV": 0.1, "energy_tolerance_eV": 1e-6}
    assert expected.items() <= settings.items()
    assert (settings["max_iterations"], settings["kspacing_per_A"]) == (120, 0.125)
    assert config.version() == "gpaw 26.7.0, gpaw-data 1.2.1" or "gpaw-data" in config.version()


def test_k_points_are_counted_as_vasp_does() -> None:
    # cubic, 2 pi / (a KSPACING): 3.165 A gives 15.88, 5.43 A 9.26
    assert k_grid(bulk("W", a=3.165, cubic=True), 0.125) == (16, 16, 16)
    assert k_grid(bulk("Si", a=5.43, cubic=True), 0.125) == (10, 10, 10)
    assert k_grid(Atoms("H", cell=[60, 3, 3], pbc=True), 0.125) == (1, 17, 17)
    # fcc primitive: |b| = sqrt(3) / a
    n = int(np.ceil(np.sqrt(3) / 4.05 * 2 * np.pi / 0.125))
    assert k_grid(bulk("Al", a=4.05), 0.125) == (n, n, n)
    # hexagonal: |b1| = 2 / (sqrt(3) a)
    a, c = 3.2, 5.2
    flat, tall = (int(np.ceil(x * 2 * np.pi / 0.5)) for x in (2 / (np.sqrt(3) * a), 1 / c))
    assert k_grid(bulk("Mg", "hcp", a=a, c=c), 0.5) == (flat, flat, tall)


def test_forces_and_stress_equal_finite_differences() -> None:
    # the cutoff is fixed, so a strained cell has other plane waves (Pulay): converged at 400 eV to 5 meV/A^3
    engine = make(cutoff_eV=400, spin=False)
    label = engine.compute(helium(), 0)
    assert label.stress is not None and label.magmoms is None
    pairs = [(1, 1)]
    found = [label.forces[p] for p in pairs]
    np.testing.assert_allclose(difference_forces(engine, helium(), pairs, 0.01), found, atol=2e-3)
    components = [1, 5]
    np.testing.assert_allclose(
        difference_stress(engine, helium(), components, 0.005), label.stress[components], atol=8e-3
    )
    assert np.abs(label.stress[components]).min() > 0.1


def test_compression_is_negative_stress_and_tension_positive() -> None:
    engine = make(cutoff_eV=200, spin=False)
    small, large = (engine.compute(bulk("LiH", "rocksalt", a=a), 0).stress[:3] for a in (2.6, 4.2))
    assert max(small) < -0.1 and min(large) > 0.02


def test_smearing_is_gaussian_and_the_energy_that_of_zero_width() -> None:
    # one electron in a level of both spins, half filled: by hand F = E - w / sqrt(pi), and E0 = (E + F) / 2
    width = 0.1
    label = make(cutoff_eV=200, spin=False, width_eV=width).compute(Atoms("H", cell=[4, 4, 4], pbc=True), 0)
    assert label.energy - label.extra["free_energy_eV"] == pytest.approx(width / np.sqrt(np.pi) / 2, rel=1e-6)


def test_spin_starts_from_table_11_and_its_moments_are_kept() -> None:
    label = make(cutoff_eV=200).compute(Atoms("H", cell=[4, 4, 4], pbc=True), 0)
    paired = make(cutoff_eV=200, spin=False).compute(Atoms("H", cell=[4, 4, 4], pbc=True), 0)
    assert label.magmoms.shape == (1,) and label.magmoms[0] > 0.2  # in its sphere
    assert label.energy < paired.energy - 0.1


def test_scf_failures_are_tried_in_order_and_recorded(capfd: pytest.CaptureFixture[str]) -> None:
    engine = make(cutoff_eV=150, spin=False, max_iterations=2)
    done = compute_label(engine, helium(), Limits())
    assert done.label is None and done.reason == "scf"
    assert [(a.settings, a.reason) for a in done.attempts] == [("default", "scf"), ("slow mixing", "scf")]
    assert "2 iterations" in done.attempts[0].detail
    out, err = capfd.readouterr()
    assert out == "" and err == ""


@pytest.mark.parametrize(
    ("atoms", "said"),
    [
        (Atoms("U", cell=[4, 4, 4], pbc=True), "element U has no PAW set"),
        (molecule("H2"), "not periodic in all directions"),
        (Atoms("H", cell=[4, 4, 0], pbc=True), "do not span a cell"),
    ],
)
def test_structures_it_cannot_take_are_tried_once(atoms: Atoms, said: str) -> None:
    done = compute_label(make(), atoms, Limits())
    assert done.reason == "structure" and len(done.attempts) == 1 and said in done.attempts[0].detail


@pytest.mark.slow
def test_bcc_iron_at_the_papers_cutoff() -> None:
    # PBE has its minimum at 2.83 A, with 2.2 Bohr magnetons an atom
    engine = make(kspacing_per_A=0.5)
    label = engine.compute(bulk("Fe", a=2.83), 0)
    assert 2.1 < label.magmoms[0] < 2.35
    np.testing.assert_allclose(label.forces, 0, atol=1e-3)
    assert np.abs(label.stress[:3]).max() < 0.03  # within 5 GPa of equilibrium
