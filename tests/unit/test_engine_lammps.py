"""Engine lammps against finite differences, ASE's own potentials, and itself in other axes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.eam import EAM
from ase.calculators.lj import LennardJones
from ase.calculators.tersoff import Tersoff
from engine_tools import difference_forces, difference_stress, triclinic
from scipy.spatial.transform import Rotation

from pysmax.errors import SmaxError
from pysmax.label.engine import EngineFailure, Limits, compute_label
from pysmax.label.engines import load_config
from pysmax.label.engines.lammps import LammpsEngine, potentials_folder
from pysmax.label.engines.lammps_box import Box

TERSOFF = {"elements": ["C", "Si"], "commands": ["pair_style tersoff", "pair_coeff * * SiC.tersoff C Si"]}
EAM_AL = {"elements": ["Al"], "commands": ["pair_style eam/alloy", "pair_coeff * * Al_zhou.eam.alloy Al"]}
LJ = {"elements": ["Ar"], "commands": ["pair_style lj/cut 6.0", "pair_coeff * * 0.01 3.4"]}
SNAP_W = {
    "elements": ["W", "Be"],
    "commands": [
        "pair_style hybrid/overlay zbl 4.0 4.8 snap",
        "pair_coeff 1 1 zbl 74 74",
        "pair_coeff 1 2 zbl 74 4",
        "pair_coeff 2 2 zbl 4 4",
        "pair_coeff * * snap WBe_Wood_PRB2019.snapcoeff WBe_Wood_PRB2019.snapparam W Be",
    ],
}


def make(settings: dict[str, object]) -> LammpsEngine:
    engine = load_config("lammps", None, settings).make()
    assert isinstance(engine, LammpsEngine)
    return engine


def silicon_carbide() -> Atoms:
    return triclinic("SiC", "zincblende", 4.2)


@pytest.mark.parametrize(
    ("settings", "atoms"),
    [
        (TERSOFF, silicon_carbide()),
        (EAM_AL, triclinic("Al", "fcc", 3.9)),
        (SNAP_W, triclinic("WBe", "cesiumchloride", 2.9, size=2)),
    ],
    ids=["tersoff", "eam", "snap"],
)
def test_forces_and_stress_equal_finite_differences(settings: dict[str, object], atoms: Atoms) -> None:
    engine = make(settings)
    label = engine.compute(atoms, 0)
    assert label.stress is not None and np.abs(label.stress).min() > 1e-4
    pairs = [(i, k) for i in range(len(atoms)) for k in range(3)]
    np.testing.assert_allclose(
        difference_forces(engine, atoms, pairs, 1e-4), label.forces.ravel(), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        difference_stress(engine, atoms, range(6), 1e-5), label.stress, rtol=1e-5, atol=1e-7
    )


def test_compression_is_negative_stress_and_tension_positive() -> None:
    engine = make(TERSOFF)  # 4.32 A in this potential
    small, large = (engine.compute(bulk("SiC", "zincblende", a=a), 0).stress for a in (4.1, 4.5))
    assert max(small[:3]) < -0.1 and min(large[:3]) > 0.1


@pytest.mark.parametrize(
    ("settings", "atoms", "oracle", "rtol"),
    [
        (TERSOFF, silicon_carbide(), lambda p: Tersoff.from_lammps(p / "SiC.tersoff"), 1e-9),
        (EAM_AL, triclinic("Al", "fcc", 3.9, 2), lambda p: EAM(potential=str(p / "Al_zhou.eam.alloy")), 2e-4),
        (LJ, triclinic("Ar", "fcc", 5.0), lambda p: LennardJones(epsilon=0.01, sigma=3.4, rc=6.0), 1e-9),
    ],
    ids=["tersoff", "eam", "lj"],
)
def test_numbers_equal_ases_own_potential(settings, atoms, oracle, rtol) -> None:  # type: ignore[no-untyped-def]
    label = make(settings).compute(atoms, 0)
    folder = potentials_folder()
    assert folder is not None
    atoms = atoms.copy()
    atoms.calc = oracle(folder)
    shift = 0.0
    if isinstance(atoms.calc, LennardJones):  # ASE shifts the pair energy to zero at the cutoff; forces agree
        far = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 6.0 - 1e-9]])
        shift = make(LJ).compute(far, 0).energy * pairs_within(atoms, 6.0)
    assert label.energy - shift == pytest.approx(atoms.get_potential_energy(), rel=rtol)
    scale = np.abs(label.forces).max()
    np.testing.assert_allclose(label.forces, atoms.get_forces(), rtol=rtol, atol=10 * rtol * scale)
    if not isinstance(atoms.calc, EAM):
        scale = np.abs(label.stress).max()
        np.testing.assert_allclose(label.stress, atoms.get_stress(), rtol=rtol, atol=10 * rtol * scale)


def pairs_within(atoms: Atoms, cutoff: float) -> float:
    from ase.neighborlist import neighbor_list

    return len(neighbor_list("i", atoms, cutoff)) / 2


def test_rotation_rotates_forces_and_stress() -> None:
    engine, atoms = make(TERSOFF), silicon_carbide()
    label = engine.compute(atoms, 0)
    full = label.stress[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)
    for seed in range(4):
        r = Rotation.random(random_state=seed).as_matrix()
        if seed % 2:
            r = -r  # with a reflection: the cell is left-handed then
        turned = atoms.copy()
        turned.set_cell(atoms.cell.array @ r.T)
        turned.positions = atoms.positions @ r.T
        other = engine.compute(turned, 0)
        assert other.energy == pytest.approx(label.energy, rel=1e-12)
        np.testing.assert_allclose(other.forces, label.forces @ r.T, atol=1e-9)
        expected = (r @ full @ r.T)[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        np.testing.assert_allclose(other.stress, expected, atol=1e-10)


def test_order_cell_choice_and_images_do_not_matter() -> None:
    engine, atoms = make(TERSOFF), silicon_carbide()
    label = engine.compute(atoms, 0)
    rng = np.random.default_rng(3)
    order = rng.permutation(len(atoms))
    other = atoms[order]
    other.set_cell(
        np.array([[1, 3, -2], [0, 1, 4], [0, 0, 1]]) @ atoms.cell.array
    )  # the same lattice, sheared
    other.positions += rng.integers(-3, 4, (len(atoms), 3)) @ atoms.cell.array
    got = engine.compute(other, 0)
    assert got.energy == pytest.approx(label.energy, rel=1e-12)
    np.testing.assert_allclose(got.forces, label.forces[order], atol=1e-9)
    np.testing.assert_allclose(got.stress, label.stress, atol=1e-10)


def test_a_box_holds_the_structure() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        pbc = rng.random(3) < 0.5
        cell = rng.normal(size=(3, 3)) * 4
        atoms = Atoms("Si5", positions=rng.normal(size=(5, 3)) * 9, cell=cell, pbc=pbc)
        box = Box.of(atoms)
        np.testing.assert_allclose(box.rotation @ box.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(box.rotation) == pytest.approx(1) and np.all(np.diag(box.cell) > 0)
        np.testing.assert_array_equal(box.cell, np.tril(box.cell))
        inside = np.linalg.solve(box.cell.T, box.positions.T)
        assert inside.min() >= -1e-9 and inside.max() <= 1 + 1e-9
        if sum(pbc) == 3:  # brute force would have to reach too far, and ASE is right for these
            boxed = Atoms("Si5", positions=box.positions, cell=box.cell, pbc=pbc)
            found, expected = boxed.get_all_distances(mic=True), atoms.get_all_distances(mic=True)
        else:
            found, expected = shortest(box.cell, box.positions, pbc), shortest(cell, atoms.positions, pbc)
        np.testing.assert_allclose(found, expected, atol=1e-9)


def shortest(cell: np.ndarray, positions: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Shortest distances over images, one by one (ASE's mic is wrong where a free cell vector is skew)."""
    ranges = [range(-25, 26) if p else range(1) for p in pbc]
    images = np.array(list(itertools.product(*ranges))) @ cell
    d = positions[:, None] - positions[None]
    return np.array([[np.linalg.norm(x + images, axis=1).min() for x in row] for row in d])


def test_history_does_not_matter_and_boundaries_may_alternate() -> None:
    rng = np.random.default_rng(1)
    chain = Atoms("SiC", positions=[[0, 0, 0], [0, 0, 1.8]], cell=[0, 0, 3.7], pbc=[False, False, True])
    cluster = Atoms("Si2C2", positions=rng.random((4, 3)) * 4)
    structures = [
        silicon_carbide(),
        cluster,
        bulk("Si"),
        chain,
        silicon_carbide() * (1, 2, 1),
        bulk("C"),
        cluster,
    ]
    engine = make(TERSOFF)
    for atoms in structures:
        one, own = engine.compute(atoms, 0), make(TERSOFF).compute(atoms, 0)
        assert one.energy == own.energy
        np.testing.assert_array_equal(one.forces, own.forces)
        assert (one.stress is None) == (not all(atoms.pbc))


@pytest.mark.parametrize("pbc", [(0, 0, 0), (1, 0, 0), (0, 1, 1), (1, 1, 0), (1, 0, 1)])
def test_non_periodic_directions_equal_wide_vacuum(pbc: tuple[int, int, int]) -> None:
    engine, atoms = make(TERSOFF), silicon_carbide()
    atoms.pbc = pbc
    label = engine.compute(atoms, 0)
    wide = atoms.copy()
    for k in np.flatnonzero(np.logical_not(pbc)):
        cell = wide.cell.array.copy()
        cell[k] *= 1 + 20 * np.linalg.norm(np.linalg.inv(cell)[:, k])  # 20 A more of height
        wide.set_cell(cell)
    wide.pbc = True
    expected = engine.compute(wide, 0)
    assert label.energy == pytest.approx(expected.energy, rel=1e-10)
    np.testing.assert_allclose(label.forces, expected.forces, atol=1e-9)


def test_molecules_and_slabs_have_energy_and_forces_but_no_stress() -> None:
    slab = fcc111("Al", (2, 2, 3), vacuum=None)
    label = make(EAM_AL).compute(slab, 0)
    assert label.stress is None and np.abs(label.forces.sum(axis=0)).max() < 1e-9
    one = make(EAM_AL).compute(Atoms("Al"), 0)
    assert abs(one.energy) < 1e-12 and one.forces.shape == (1, 3)


def test_real_units_are_converted() -> None:
    kcal = 23.060547830619  # kcal/mol in an eV
    real = {
        "units": "real",
        "elements": ["Ar"],
        "commands": ["pair_style lj/cut 6.0", f"pair_coeff * * {0.01 * kcal!r} 3.4"],
    }
    atoms = triclinic("Ar", "fcc", 5.0)
    metal, other = make(LJ).compute(atoms, 0), make(real).compute(atoms, 0)
    assert other.energy == pytest.approx(metal.energy, rel=1e-9)
    np.testing.assert_allclose(other.forces, metal.forces, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(other.stress, metal.stress, rtol=1e-8, atol=1e-12)


def test_charges_and_kspace_give_the_madelung_energy() -> None:
    settings = {
        "elements": ["Na", "Cl"],
        "atom_style": "charge",
        "charges": {"Na": 1.0, "Cl": -1.0},
        "commands": ["pair_style coul/long 8.0", "pair_coeff * *", "kspace_style ewald 1e-8"],
    }
    label = make(settings).compute(bulk("NaCl", "rocksalt", a=5.64, cubic=True), 0)
    e2 = 14.3996454784  # eV A
    expected = -4 * 1.7475645946 * e2 / 2.82
    assert label.energy == pytest.approx(expected, rel=1e-5)
    # a Coulomb energy scales as 1 / a, so the trace of the stress is -E / V
    assert label.stress[:3].sum() * 5.64**3 == pytest.approx(-expected, rel=1e-4)


def test_an_error_of_lammps_is_recorded_and_the_next_structure_is_fine() -> None:
    settings = {**LJ, "commands": [*LJ["commands"], "kspace_style ewald 1e-4"]}  # type: ignore[misc]
    with pytest.raises(SmaxError, match="LAMMPS"):
        make({**LJ, "commands": ["pair_style lj/cut"]})
    engine = make(settings)
    done = compute_label(engine, bulk("Ar"), Limits())
    assert done.reason == "error" and done.attempts[0].detail.startswith("LAMMPS: ERROR")
    engine = make(
        {
            **LJ,
            "commands": [
                "pair_style lj/cut 6.0",
                "pair_coeff * * 0.01 3.4",
                "neigh_modify one 1000 page 100000",
            ],
        }
    )
    crowded = Atoms("Ar40", positions=np.random.default_rng(0).random((40, 3)), cell=[1, 1, 1], pbc=True)
    wide = bulk("Ar", a=8.0)
    before = engine.compute(wide, 0)
    assert compute_label(engine, crowded, Limits()).reason == "error"
    after = engine.compute(wide, 0)
    assert after.energy == before.energy


@pytest.mark.parametrize(
    ("more", "atoms", "kept"),
    [
        (
            "neigh_modify one 1000 page 100000",
            Atoms("Ar40", positions=np.random.default_rng(0).random((40, 3)), cell=[1, 1, 1], pbc=True),
            0,
        ),
        ("kspace_style ewald 1e-4", bulk("Ar"), 1),  # nothing ever runs, and closing would crash
    ],
)
def test_failures_in_a_row_keep_no_instances(more: str, atoms: Atoms, kept: int) -> None:
    engine = make({**LJ, "commands": [*LJ["commands"], more]})  # type: ignore[misc]
    for _ in range(4):
        done = compute_label(engine, atoms, Limits())
        assert done.reason == "error" and done.attempts[0].detail.startswith("LAMMPS: ERROR")
    assert len(engine._abandoned) == kept
    cluster = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 4]])
    assert compute_label(engine, cluster, Limits()).reason == ("error" if kept else "")


def test_what_it_cannot_take() -> None:
    engine = make(LJ)
    with pytest.raises(EngineFailure, match="element Si is not among") as e:
        engine.compute(bulk("Si"), 0)
    assert e.value.reason == "structure"
    assert compute_label(engine, molecule("H2O"), Limits()).reason == "structure"
    clash = Atoms("Ar2", positions=[[0, 0, 0]] * 2, cell=[9, 9, 9], pbc=True)
    assert compute_label(engine, clash, Limits()).reason in ("not finite", "error")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"elements": ["Si"], "commands": ["mass 1 2"]}, "no pair_style"),
        ({"elements": ["Sj"], "commands": ["pair_style zero 3"]}, "'Sj' is no element"),
        ({"elements": ["Si"], "commands": ["pair_style zero 3"], "charges": {"C": 1}}, "charges"),
        ({"elements": ["Si"], "commands": ["pair_style zero 3"], "units": "lj"}, "units"),
    ],
)
def test_mistakes_in_the_settings_are_named(settings: dict[str, object], said: str) -> None:
    with pytest.raises(SmaxError, match=said):
        load_config("lammps", None, settings)
    with pytest.raises(SmaxError, match=r"does not take the settings: LAMMPS: ERROR.*pair_style nonesuch"):
        make({"elements": ["Si"], "commands": ["pair_style nonesuch"]})


def test_a_level_knows_the_potential_by_content(tmp_path: Path) -> None:
    folder = potentials_folder()
    assert folder is not None
    text = (folder / "SiC.tersoff").read_text()
    levels = []
    for name, more in (("a", ""), ("b", ""), ("c", "# another\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "my.tersoff").write_text(text + more)
        file = tmp_path / name / "lammps.yaml"
        file.write_text("elements: [Si]\ncommands: [pair_style tersoff, pair_coeff * * my.tersoff Si]\n")
        config = load_config("lammps", file)
        levels.append(config.level())
        config.make().close()  # found beside the file of settings
    assert levels[0].hash == levels[1].hash != levels[2].hash
    assert str(tmp_path) not in str(levels[0].settings)
