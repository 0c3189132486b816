"""Engine xtb: derivatives, supercells, and what it cannot label."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from engine_tools import difference_forces, difference_stress, triclinic

from pysmax.label.engine import EngineFailure, Limits, compute_label
from pysmax.label.engines import load_config
from pysmax.label.engines.xtb import repetitions

TIGHT = {"accuracy": 1e-3}


def make(**overrides: object):  # type: ignore[no-untyped-def]
    return load_config("xtb", None, overrides).make()


def small() -> Atoms:
    return triclinic("SiC", "zincblende", 4.2, cubic=False)


def test_forces_and_stress_equal_finite_differences() -> None:
    engine, atoms = make(**TIGHT), small()
    label = engine.compute(atoms, 0)
    assert label.stress is not None and np.abs(label.stress).min() > 1e-3
    pairs = [(0, 0), (1, 2)]
    found = [label.forces[p] for p in pairs]
    np.testing.assert_allclose(difference_forces(engine, atoms, pairs, 1e-3), found, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        difference_stress(engine, atoms, range(6), 1e-4), label.stress, rtol=1e-4, atol=1e-5
    )


def test_compression_is_negative_stress_and_tension_positive() -> None:
    engine = make()  # diamond has 3.57 A
    small, large = (engine.compute(bulk("C", "diamond", a=a, cubic=True), 0).stress[:3] for a in (3.2, 4.0))
    assert max(small) < -1 and min(large) > 0.2


def test_one_molecule_equals_tblites_documentation() -> None:
    # https://tblite.readthedocs.io: water at GFN1-xTB, 300 K
    label = make(electronic_temperature_K=300).compute(molecule("H2O"), 0)
    assert label.energy == pytest.approx(-156.96750590276173, abs=1e-6)
    assert label.forces[0, 2] == pytest.approx(-0.784252969, abs=1e-5)
    assert label.stress is None


def test_a_repeated_cell_is_that_supercell_divided() -> None:
    atoms = bulk("LiH", "rocksalt", a=4.0)
    atoms.rattle(0.1, seed=1)
    label = make(repeat=[1, 2, 1], **TIGHT).compute(atoms, 0)
    big = make(**TIGHT).compute(atoms * (1, 2, 1), 0)
    n = len(atoms)
    assert label.energy == pytest.approx(big.energy / 2, abs=1e-9)
    for image in (big.forces[:n], big.forces[n:]):
        np.testing.assert_allclose(label.forces, image, atol=1e-4)
    np.testing.assert_allclose(label.stress, big.stress, atol=1e-9)


def test_forces_of_a_repeated_cell_equal_finite_differences() -> None:
    engine, atoms = make(repeat=[2, 1, 1], accuracy=0.1), bulk("LiH", "rocksalt", a=4.0)
    atoms.rattle(0.1, seed=1)
    label = engine.compute(atoms, 0)
    pairs = [(0, 0), (1, 2)]
    found = [label.forces[p] for p in pairs]
    np.testing.assert_allclose(difference_forces(engine, atoms, pairs, 1e-3), found, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        difference_stress(engine, atoms, [0, 5], 1e-4), label.stress[[0, 5]], rtol=1e-3
    )


def test_min_length_repeats_until_every_height_is_reached() -> None:
    atoms = Atoms("W", cell=[[3, 0, 0], [2.9, 3, 0], [0, 0, 7]], pbc=True)
    times = repetitions(atoms, 6.0)
    assert times == (3, 2, 1)
    heights = 1 / np.linalg.norm((atoms * times).cell.reciprocal().array, axis=1)
    assert heights.min() > 6 - 1e-6 and heights[0] * 2 / 3 < 6 and heights[1] / 2 < 6
    assert repetitions(atoms, None) == (1, 1, 1)
    assert repetitions(molecule("H2O"), 50.0) == (1, 1, 1)


def test_the_last_structure_leaves_no_trace() -> None:
    engine, one = make(), small()
    first = engine.compute(one, 0)
    engine.compute(one * (1, 1, 1), 1)
    other = one.copy()
    other.rattle(0.2, seed=8)
    engine.compute(other, 0)
    again = engine.compute(one, 0)
    assert again.energy == first.energy
    np.testing.assert_array_equal(again.forces, first.forces)


def test_scf_failures_are_tried_in_order_and_recorded(capfd: pytest.CaptureFixture[str]) -> None:
    one = {"max_iterations": 2}
    engine = make(solvers=[{"name": "a", **one}, {"name": "b", **one}, {"name": "c"}])
    atoms = small()
    done = compute_label(engine, atoms, Limits())
    assert [(a.settings, a.reason) for a in done.attempts] == [("a", "scf"), ("b", "scf"), ("c", "")]
    assert "not converged in 2" in done.attempts[0].detail and done.reason == ""
    assert done.label.energy == pytest.approx(make().compute(atoms, 0).energy, abs=1e-6)
    never = compute_label(make(solvers=[{"name": "a", **one}]), atoms, Limits())
    assert never.label is None and never.reason == "scf" and len(never.attempts) == 1
    out, err = capfd.readouterr()
    assert out == "" and err == ""


@pytest.mark.parametrize(
    ("atoms", "said"),
    [
        (Atoms("WU", positions=[[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True), "element U has no"),
        (Atoms("X", cell=[4, 4, 4], pbc=True), "element X has no"),
        (Atoms("W", cell=[4, 4, 4], pbc=[True, True, False]), "some directions only"),
        (Atoms("W", cell=[4, 4, 0], pbc=True), "do not span a cell"),
        (Atoms("W", positions=[[np.nan, 0, 0]], cell=[4, 4, 4], pbc=True), "not finite"),
        (Atoms("W", cell=[4, 4, np.inf], pbc=True), "not finite"),
        (Atoms("H2", positions=[[0, 0, 0]] * 2, cell=[4, 4, 4], pbc=True), "Too close"),
        (Atoms(cell=[4, 4, 4], pbc=True), "no atoms"),
    ],
)
def test_structures_it_cannot_take_are_tried_once(atoms: Atoms, said: str) -> None:
    done = compute_label(make(), atoms, Limits())
    assert done.reason == "structure" and len(done.attempts) == 1
    assert said in done.attempts[0].detail


def test_limits_refuse_a_label_and_say_which() -> None:
    atoms = bulk("LiH", "rocksalt", a=4.0)
    atoms.rattle(0.1, seed=1)
    engine = make(solvers=[{"name": "only"}])
    energy = abs(engine.compute(atoms, 0).energy) / len(atoms)
    for limits, said in (
        (Limits(max_energy_eV_per_atom=energy * 0.999), "energy per atom"),
        (Limits(max_force_eV_per_A=1e-3), "force"),
        (Limits(max_stress_eV_per_A3=1e-5), "stress"),
    ):
        done = compute_label(engine, atoms, limits)
        assert done.reason == "limits" and said in done.attempts[-1].detail
    assert compute_label(engine, atoms, Limits(max_energy_eV_per_atom=energy * 1.001)).reason == ""


def test_engine_failures_name_their_reason() -> None:
    with pytest.raises(EngineFailure) as e:
        make().compute(Atoms("U", cell=[4, 4, 4], pbc=True), 0)
    assert e.value.reason == "structure"
