"""One relaxation, in EMT: minima against ASE's and a scan of the lattice, limits, failures, frames."""

import ase
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.optimize import BFGS
from enrich_potential import PotentialConfig
from scipy.optimize import minimize_scalar

from pysmax.enrich.relax_engine import EngineCalculator, RelaxConfig
from pysmax.enrich.relax_settings import keep_every
from pysmax.errors import SmaxError
from pysmax.label.engine import EngineFailure, Limits, compute_label

OPTIMISERS = ["FIRE", "LBFGS", "BFGSLineSearch"]


def rattled(amplitude: float = 0.2, strain: float = 0.0, seed: int = 1) -> ase.Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(
        atoms.cell.array @ (np.eye(3) + strain * np.array([[1, 0.5, 0], [0, -0.7, 0], [0, 0, 1]])), True
    )
    atoms.rattle(amplitude, seed=seed)
    return atoms


def relax(atoms, potential=None, cell="fixed", **more):
    config = RelaxConfig(potential=potential or PotentialConfig(), cell=cell, **more)
    label = config.make().compute(atoms, 0)
    return label, label.extra["outcome"], label.extra["frames"]


def emt_of(frame, atoms) -> ase.Atoms:
    made = ase.Atoms(atoms.numbers, frame.positions, cell=frame.cell, pbc=True)
    made.calc = EMT()
    return made


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_fixed_cell_ends_in_the_minimum_that_ase_finds(optimiser):
    atoms = rattled()
    before = atoms.copy()
    label, outcome, frames = relax(atoms, optimiser=optimiser, fmax=1e-3)
    assert atoms == before  # not moved
    assert outcome == "converged" and len(frames) == 1 and frames[0].step > 3
    final = emt_of(frames[0], atoms)
    assert frames[0].force < 1e-3
    assert np.linalg.norm(final.get_forces(), axis=1).max() == pytest.approx(frames[0].force, rel=1e-6)
    assert frames[0].energy == label.energy == pytest.approx(final.get_potential_energy(), abs=1e-9)
    assert (frames[0].cell == before.cell.array).all()
    before.calc = EMT()
    BFGS(before, logfile=None).run(fmax=1e-3)
    assert label.energy == pytest.approx(before.get_potential_energy(), abs=1e-5)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_variable_cell_finds_the_lattice_constant_of_a_scan(optimiser):
    def energy(a: float) -> float:
        crystal = bulk("Cu", a=a)
        crystal.calc = EMT()
        return float(crystal.get_potential_energy())

    scan = minimize_scalar(energy, bounds=(3.4, 3.8), method="bounded", options={"xatol": 1e-6})
    atoms = rattled(0.05, strain=0.03)
    label, outcome, frames = relax(atoms, cell="variable", optimiser=optimiser, fmax=1e-3, steps=400)
    assert outcome == "converged"
    final = emt_of(frames[-1], atoms)
    assert final.get_volume() / 4 == pytest.approx(scan.x**3 / 4, rel=2e-3)
    assert label.energy / 4 == pytest.approx(scan.fun, abs=1e-4)
    assert np.abs(final.get_stress()).max() < 1e-3
    assert np.abs(label.stress).max() < 1e-3


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_relaxed_means_forces_and_virial_below_fmax_however_the_cell_has_changed(optimiser):
    rng = np.random.default_rng(0)
    swollen = bulk("Cu", a=3.0, cubic=True)  # to 3.59 A: in its first cell the forces are 1.2 times as large
    swollen.positions += rng.normal(scale=0.1, size=(4, 3))
    wide = bulk("Cu", a=4.4, cubic=True)
    wide.positions += rng.normal(scale=0.1, size=(4, 3))
    for atoms in (swollen, wide):
        ends = []
        for fmax in (0.2, 0.1, 0.05, 0.02):
            label, outcome, frames = relax(atoms, cell="variable", optimiser=optimiser, fmax=fmax)
            virial = label.stress[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]] * np.linalg.det(frames[-1].cell) / 4
            assert outcome == "converged" and frames[-1].force < fmax
            assert np.linalg.norm(virial, axis=1).max() < fmax
            ends.append(frames[-1].step)
        assert ends == sorted(ends)


def test_steps_are_counted_and_limited():
    _, outcome, frames = relax(rattled(), steps=3, fmax=1e-6)
    assert outcome == "out of steps" and [f.step for f in frames] == [3]
    _, outcome, frames = relax(bulk("Cu", a=3.6), fmax=0.1)
    assert outcome == "converged" and [f.step for f in frames] == [0]


def test_intermediate_frames_are_those_of_the_way():
    atoms = rattled(0.3)
    _, _, every = relax(atoms, keep_every=1, fmax=0.02)
    _, _, some = relax(atoms, keep_every=4, fmax=0.02)
    last = every[-1].step
    assert [f.step for f in every] == list(range(1, last + 1))
    assert [f.step for f in some] == sorted({*range(4, last + 1, 4), last})
    by_step = {f.step: f for f in every}
    for f in some:
        assert (f.positions == by_step[f.step].positions).all() and f.energy == by_step[f.step].energy
    for f in every:
        assert emt_of(f, atoms).get_potential_energy() == pytest.approx(f.energy, abs=1e-9)
    moves = np.diff([f.positions for f in every], axis=0)
    assert np.linalg.norm(moves, axis=2).max() <= 0.1 + 1e-9  # max_step


def test_a_displacement_beyond_the_limit_stops():
    label, outcome, frames = relax(rattled(), PotentialConfig(kind="push"), max_displacement=0.55)
    assert outcome == "runaway: displacement"
    assert label.extra["detail"].startswith("an atom moved 0.") and label.extra["detail"].endswith(
        "limit 0.55"
    )
    (last,) = frames
    assert np.linalg.norm(last.positions - rattled().positions, axis=1).max() <= 0.55


def test_atoms_carried_by_the_cell_are_not_displaced():
    """Swelling moves atoms by Angstroms, none against its cell: only the volume stops it."""
    atoms = bulk("Cu", cubic=True).repeat(2)
    potential = PotentialConfig(kind="swell")
    label, outcome, frames = relax(atoms, potential, "variable", max_displacement=0.01, max_volume_change=1.5)
    assert outcome == "runaway: volume" and label.extra["detail"].startswith("grew by a factor of 1.5")
    assert np.linalg.norm(frames[-1].positions - atoms.positions, axis=1).max() > 0.5
    assert 1.3 < np.linalg.det(frames[-1].cell) / atoms.get_volume() <= 1.5


def test_shrinking_stops_too():
    label, outcome, _ = relax(rattled(0), PotentialConfig(kind="shrink"), "variable", max_volume_change=1.5)
    assert outcome == "runaway: volume" and label.extra["detail"].startswith("shrank by a factor of 1.5")


def test_a_potential_that_fails_under_way_keeps_what_was_before():
    potential = PotentialConfig(kind="fails", calls=4)
    label, outcome, frames = relax(rattled(), potential, keep_every=1)
    assert outcome == "potential: scf" and "250 iterations" in label.extra["detail"]
    assert [f.step for f in frames] == [1, 2, 3]
    assert label.energy == frames[-1].energy


def test_limits_of_the_potential_hold_on_the_way():
    close = ase.Atoms("Cu2", [[0, 0, 0], [0, 0, 0.8]], cell=[8, 8, 8], pbc=True)
    with pytest.raises(EngineFailure, match="force"):
        relax(close, PotentialConfig(limits=Limits(max_force_eV_per_A=5.0)))


def test_a_failure_at_once_fails_the_structure():
    config = RelaxConfig(potential=PotentialConfig(kind="fails", calls=0), cell="fixed")
    outcome = compute_label(config.make(), rattled(), config.limits)
    assert outcome.label is None and outcome.reason == "scf"


def test_what_has_no_cell_or_no_stress_cannot_relax_it():
    config = RelaxConfig(potential=PotentialConfig(), cell="variable")
    assert compute_label(config.make(), molecule("H2O"), config.limits).reason == "structure"
    config = RelaxConfig(potential=PotentialConfig(stress=False), cell="variable")
    outcome = compute_label(config.make(), rattled(), config.limits)
    assert (outcome.label, outcome.reason) == (None, "structure") and "no stress" in outcome.attempts[
        0
    ].detail


def test_a_molecule_relaxes_without_a_cell():
    water = molecule("H2O")
    water.positions[1] *= 1.1
    _, outcome, frames = relax(water, PotentialConfig(stress=False), fmax=0.01)
    assert outcome == "converged" and frames[-1].force < 0.01


@pytest.mark.parametrize(("pbc", "cell"), [([0, 0, 1], [0, 0, 5]), ([1, 1, 0], [5, 5, 0])])
def test_a_wire_and_a_slab_relax_though_their_cell_has_no_volume(pbc, cell):
    atoms = ase.Atoms("Cu2", [[0, 0, 0], [0.3, 0, 2.2]], cell=cell, pbc=pbc)
    _, outcome, frames = relax(atoms, PotentialConfig(stress=False))
    assert outcome == "converged" and frames[-1].step > 0
    assert np.array_equal(frames[-1].cell, atoms.cell.array)


def test_settings_have_their_own_hash():
    def hash_of(**more) -> str:
        return RelaxConfig(**{"potential": PotentialConfig(), "cell": "fixed", **more}).level().hash

    different = [
        hash_of(),
        hash_of(cell="variable"),
        hash_of(fmax=0.1),
        hash_of(steps=7),
        hash_of(keep_every=1),
        hash_of(optimiser="LBFGS"),
        hash_of(max_displacement=2.0),
        hash_of(potential=PotentialConfig(calls=9)),
    ]
    assert len(set(different)) == len(different)
    assert hash_of(timeout_s=3.0) == hash_of()  # costs nothing in numbers


def test_calculator_gives_the_numbers_of_the_engine():
    atoms = rattled()
    mine, theirs = atoms.copy(), atoms.copy()
    mine.calc = EngineCalculator(PotentialConfig().make(), Limits())
    theirs.calc = EMT()
    assert mine.get_potential_energy() == theirs.get_potential_energy()
    assert (mine.get_forces() == theirs.get_forces()).all()
    assert (mine.get_stress() == theirs.get_stress()).all()


def test_keep():
    assert [keep_every(k) for k in ("final", "all", "every:7")] == [0, 1, 7]
    for wrong in ("", "every", "every:0", "every:x", "some"):
        with pytest.raises(SmaxError, match="expected final, all or every:N"):
            keep_every(wrong)
