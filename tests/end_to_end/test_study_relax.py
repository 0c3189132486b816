"""Study ``relax`` as a user runs it: against ASE, shared, killed, with structures that LAMMPS stops at."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.eam import EAM
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.filters import UnitCellFilter
from ase.optimize import FIRE
from deform_tools import analysed, example, killed, potential, pysmax, rendered, run, summary

from pysmax.enrich.relax_engine import EngineCalculator
from pysmax.errors import SmaxError
from pysmax.label.engine import Limits
from pysmax.label.engines.lammps import LammpsConfig, potentials_folder

EV_PER_ATOM = 1e-4


def shaken(atoms: ase.Atoms, rng: np.random.Generator, strain: float = 0.03) -> ase.Atoms:
    """Cell strained, atoms moved by 0.08 A."""
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, strain, (3, 3))), scale_atoms=True)
    atoms.positions += rng.normal(0, 0.08, (len(atoms), 3))
    return atoms


def copper() -> list[ase.Atoms]:
    """Cubic, primitive and far outside its cell, left-handed hexagonal, with a vacancy and labels."""
    rng = np.random.default_rng(11)
    primitive = shaken(bulk("Cu") * (2, 1, 1), rng)
    primitive.positions[0] += 3 * primitive.cell[0] - 2 * primitive.cell[1]
    primitive.rotate(40, (1, 2, 3), rotate_cell=True)
    hexagonal = shaken(bulk("Cu", "hcp", a=2.56, c=4.2), rng)
    hexagonal.set_cell(hexagonal.cell.array[[1, 0, 2]])
    vacancy = shaken(bulk("Cu", cubic=True) * 2, rng, 0.01)
    del vacancy[5]
    vacancy.info = {"name": "a vacancy", "k": 3}
    vacancy.arrays["site"] = np.arange(len(vacancy))
    vacancy.calc = SinglePointCalculator(vacancy, energy=-100.0, forces=0.1 * np.ones((len(vacancy), 3)))
    return [shaken(bulk("Cu", cubic=True), rng), primitive, hexagonal, vacancy]


def by_ase(atoms: ase.Atoms, calculator: Any, mode: str) -> float:
    """Energy of an atom (eV)."""
    atoms = atoms.copy()
    atoms.calc = calculator
    if mode != "single":
        FIRE(UnitCellFilter(atoms) if mode == "full" else atoms, logfile=None).run(fmax=0.003, steps=500)
    return float(atoms.get_potential_energy() / len(atoms))


def results(folder: Path) -> list[ase.Atoms]:
    return list(ase.io.read(folder / "analysis" / "relaxed.extxyz", ":"))


def per_atom(frames: list[ase.Atoms]) -> np.ndarray:
    return np.array([f.get_potential_energy() / len(f) for f in frames])


def engine(elements: tuple[str, ...], *commands: str) -> Any:
    return LammpsConfig.model_validate({"elements": elements, "commands": commands}).make()


@pytest.mark.parametrize("mode", ["single", "internal", "full"])
def test_copper_as_ase_relaxes_it(mode: str, tmp_path: Path) -> None:
    frames = copper()
    ase.io.write(tmp_path / "set.extxyz", frames)
    frames = ase.io.read(tmp_path / "set.extxyz", ":")
    source = potential("cu", tmp_path)
    folder = rendered("relax", tmp_path / mode, source, structures=str(tmp_path / "set.extxyz"), mode=mode)
    run(folder, ranks=2, partition="2x1")
    found = analysed("relax", folder)
    assert (found["mode"], found["structures"], found["converged"]) == (mode, 4, 4)
    check = engine(("Cu",), "pair_style eam/alloy", "pair_coeff * * Cu_mishin1.eam.alloy Cu")
    python = EAM(potential=str(potentials_folder() / "Cu_mishin1.eam.alloy"))  # slow: for the smallest
    quick = EngineCalculator(check, Limits())
    expected = [by_ase(f, python if len(f) < 4 and mode != "full" else quick, mode) for f in frames]
    relaxed = results(folder)
    assert per_atom(relaxed) == pytest.approx(np.array(expected), abs=EV_PER_ATOM)

    for before, after in zip(frames, relaxed, strict=True):
        label = check.compute(after, 0)  # what is written belongs together, in the structure's own axes
        assert after.get_potential_energy() == pytest.approx(label.energy, abs=1e-6)
        assert after.get_forces() == pytest.approx(label.forces, abs=2e-6)
        assert after.get_stress() == pytest.approx(label.stress, abs=1e-6)
        if mode == "full":
            assert np.abs(after.get_stress()).max() <= 0.04 / 160.2  # 0.02 GPa in LAMMPS's axes
        else:
            assert after.cell.array == pytest.approx(before.cell.array, abs=1e-9)
        if mode != "single":
            assert np.linalg.norm(after.get_forces(), axis=1).max() <= 0.0101
        else:
            assert after.positions == pytest.approx(before.positions, abs=1e-7)
        assert (
            np.abs(after.get_scaled_positions(wrap=False) - before.get_scaled_positions(wrap=False)).max()
            < 0.3
        )
    kept = relaxed[3]
    assert (kept.info["name"], kept.info["k"], kept.info["given_energy"]) == ("a vacancy", 3, -100.0)
    assert (kept.arrays["site"] == np.arange(31)).all() and (kept.arrays["given_forces"] == 0.1).all()
    assert kept.info["relax_mode"] == mode and kept.info["relax_converged"]


def test_silicon_and_ranks(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    frames = [shaken(bulk("Si", cubic=True), rng), shaken(bulk("Si") * (1, 2, 1), rng)]
    ase.io.write(tmp_path / "si.extxyz", frames)
    source = potential("si", tmp_path)
    energies = []
    for ranks in (1, 2):
        folder = rendered("relax", tmp_path / str(ranks), source, structures=str(tmp_path / "si.extxyz"))
        run(folder, ranks=ranks)
        analysed("relax", folder)
        energies.append(per_atom(results(folder)))
    assert energies[1] == pytest.approx(energies[0], abs=1e-6)
    silicon = engine(("Si",), "pair_style sw", "pair_coeff * * Si.sw Si")
    frames = ase.io.read(tmp_path / "si.extxyz", ":")
    expected = [by_ase(f, EngineCalculator(silicon, Limits()), "full") for f in frames]
    assert energies[0] == pytest.approx(np.array(expected), abs=EV_PER_ATOM)


def test_two_elements_a_slab_and_a_cluster(tmp_path: Path) -> None:
    """Atom types are the potential's; what is not periodic gets a vacuum and comes back without."""
    rng = np.random.default_rng(2)
    slab = shaken(bulk("Al", cubic=True) * (1, 1, 2), rng, 0.0)
    slab.pbc = (True, True, False)
    slab.symbols[2] = "Cu"
    cluster = ase.Atoms("CuAl3", 1.0 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) + 50)
    ase.io.write(tmp_path / "set.extxyz", [slab, cluster])
    frames = ase.io.read(tmp_path / "set.extxyz", ":")
    folder = rendered(
        "relax",
        tmp_path / "x",
        potential("al", tmp_path),
        structures=str(tmp_path / "set.extxyz"),
        mode="internal",
    )
    run(folder)
    assert analysed("relax", folder)["converged"] == 2
    both = engine(("Al", "Cu"), "pair_style eam/alloy", "pair_coeff * * AlCu.eam.alloy Al Cu")
    relaxed = results(folder)
    expected = [by_ase(f, EngineCalculator(both, Limits()), "internal") for f in frames]
    assert per_atom(relaxed) == pytest.approx(np.array(expected), abs=EV_PER_ATOM)
    for before, after in zip(frames, relaxed, strict=True):
        assert (after.pbc == before.pbc).all() and (after.cell.array == before.cell.array).all()
        assert (after.numbers == before.numbers).all() and "stress" not in after.calc.results
        assert after.get_forces() == pytest.approx(both.compute(after, 0).forces, abs=2e-6)
        assert np.abs(after.positions - before.positions).max() < 1.5


def test_smoke_is_killed_and_goes_on(tmp_path: Path) -> None:
    pysmax(tmp_path, *"render relax --potential stand-in --scale smoke --set samples=40 -o cu".split())
    folder = tmp_path / "cu"
    killed(folder, "results/*.txt", 2, ranks=2)
    there = {p: p.stat().st_mtime_ns for p in folder.glob("results/*.txt")}
    assert 2 <= len(there) < 40
    refused = pysmax(tmp_path, "analyse", "relax", "cu", check=False)
    assert refused.returncode != 0 and f"{40 - len(there)} of 40 structures have no result" in refused.stderr
    folder = folder.rename(tmp_path / "moved")
    run(folder, ranks=2, partition="2x1")
    assert all((folder / "results" / p.name).stat().st_mtime_ns == t for p, t in there.items())
    pysmax(tmp_path, "analyse", "relax", "moved")
    found = summary(folder)
    assert (found["structures"], found["converged"], found["missing"]) == (40, 40, 0)
    assert found["note"] == "stand-in: not a physical result"
    assert [f.info["sample"] for f in results(folder)] == list(range(40))


def test_a_structure_that_stops_lammps_does_not_stop_the_rest(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    frames = [shaken(bulk("Cu", cubic=True), rng) for _ in range(5)]
    frames[1].set_cell([1e8] * 3)  # LAMMPS: too many bins
    frames[3].positions[1] = frames[3].positions[0]
    ase.io.write(tmp_path / "set.extxyz", frames)
    folder = rendered(
        "relax", tmp_path / "x", potential("cu", tmp_path), structures=str(tmp_path / "set.extxyz")
    )
    assert run(folder, check=False).returncode != 0
    (folder / "tried" / "000004.txt").write_text("3\n")  # as after three runs that were killed in it
    run(folder)
    found = analysed("relax", folder)
    assert (found["converged"], found["failed"], found["missing"]) == (3, 2, 0)
    with open(folder / "analysis" / "failures.csv") as file:
        reasons = {r["structure"]: r["reason"] for r in csv.DictReader(file)}
    assert reasons["2"].startswith("LAMMPS stopped: ERROR") and "Too many atom sorting bins" in reasons["2"]
    assert reasons["4"] == "LAMMPS ended 3 times in it without a word"
    relaxed = results(folder)
    assert [f.info["relax_converged"] for f in relaxed] == [True, False, True, False, True]
    assert relaxed[3].calc is None and relaxed[3].positions == pytest.approx(frames[3].positions, abs=1e-7)

    (folder / "tried" / "000004.txt").write_text("0\n")
    run(folder)
    analysed("relax", folder)
    with open(folder / "analysis" / "failures.csv") as file:
        reasons = {r["structure"]: r["reason"] for r in csv.DictReader(file)}
    assert reasons["4"] == "the energy is not finite after 0 steps"


def test_a_mark_that_a_kill_left_empty_does_not_stop_lammps(tmp_path: Path) -> None:
    folder = rendered("relax", tmp_path / "x", potential("cu", tmp_path), structures="Cu", samples=2)
    (folder / "tried").mkdir()
    (folder / "tried" / "000002.txt").write_text("")
    run(folder)
    assert analysed("relax", folder)["converged"] == 2


def test_a_run_that_another_structure_stopped_does_not_count(tmp_path: Path) -> None:
    folder = rendered("relax", tmp_path / "x", potential("cu", tmp_path), structures="Cu", samples=2)
    for name in ("tried", "logs"):
        (folder / name).mkdir()
    mark, log = folder / "tried" / "000002.txt", folder / "logs" / "000001.log"
    mark.write_text("3\n")  # structure 2 was under way for the third time ...
    log.write_text("ERROR: of structure 1\n")  # ... when 1 stopped LAMMPS
    os.utime(mark, (log.stat().st_mtime - 10,) * 2)
    run(folder)
    found = analysed("relax", folder)
    assert (found["converged"], found["failed"]) == (1, 1)
    with open(folder / "analysis" / "failures.csv") as file:
        assert [r["structure"] for r in csv.DictReader(file)] == ["1"]


def test_what_came_with_three_atoms_is_kept_as_it_was(tmp_path: Path) -> None:
    """A dipole has three numbers, whatever the number of atoms; magnetic moments are of atoms."""
    atoms = ase.Atoms("Cu3", 2.5 * np.eye(3), cell=[9] * 3, pbc=True)
    numbers = np.array([1.0, 2.0, 3.0])
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, dipole=numbers, magmoms=numbers)
    ase.io.write(tmp_path / "three.extxyz", atoms)
    given = {"structures": str(tmp_path / "three.extxyz"), "mode": "single"}
    folder = rendered("relax", tmp_path / "x", potential("cu", tmp_path), **given)
    run(folder)
    analysed("relax", folder)
    found = results(folder)[0]
    assert (found.info["given_dipole"] == numbers).all() and "given_dipole" not in found.arrays
    assert (found.arrays["given_magmoms"] == numbers).all()


def test_few_steps_are_told(tmp_path: Path) -> None:
    folder = rendered(
        "relax", tmp_path / "x", potential("cu", tmp_path), structures="Cu", samples=2, steps=1, rounds=2
    )
    run(folder)
    found = analysed("relax", folder)
    assert (found["converged"], found["not_converged"]) == (0, 2)
    assert [f.info["relax_reason"] for f in results(folder)] == ["not converged"] * 2


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "cluster.extxyz", ase.Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]]))
    ase.io.write(tmp_path / "flat.extxyz", ase.Atoms("Cu", cell=[[3, 0, 0], [0, 3, 0], [3, 3, 0]], pbc=True))
    ase.io.write(tmp_path / "w.extxyz", bulk("W"))
    (tmp_path / "text.extxyz").write_text("no\nframe\n")
    held = bulk("Cu")
    held.set_constraint(FixAtoms([0]))
    ase.io.write(tmp_path / "held.extxyz", held, columns=["symbols", "positions", "move_mask"])
    lattice = 'Lattice="nan 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3 pbc="T T T"'
    (tmp_path / "nan.extxyz").write_text(f"1\n{lattice}\nCu 0 0 0\n")
    for name, mode, message in (
        ("held", "internal", r"structure 0: has atoms that are held \(move_mask\)"),
        ("nan", "single", "structure 0: has positions or a cell that are not finite"),
        ("cluster", "full", "structure 0: not periodic in all directions"),
        ("flat", "single", "structure 0: its periodic cell is flat"),
        ("w", "full", "element W: not known to the potential cu"),
        ("text", "full", "not readable as extended XYZ"),
        ("none", "full", "no such file, and no element"),
    ):
        given = {"structures": str(tmp_path / f"{name}.extxyz"), "mode": mode}
        with pytest.raises(SmaxError, match=message):
            rendered("relax", tmp_path / "x", potential("cu", tmp_path), **given)
        assert not (tmp_path / "x").exists()
    folder = rendered("relax", tmp_path / "x", potential("cu", tmp_path), samples=1, mode="single")
    run(folder)
    path = folder / "results" / "000001.txt"
    text = path.read_text()
    for damaged in (text[: len(text) // 2], text.replace(" y ", " q ")):
        path.write_text(damaged)
        with pytest.raises(SmaxError, match="damaged"):
            analysed("relax", folder)


def test_the_example(tmp_path: Path) -> None:
    folder = example("relax", tmp_path)
    frames = {mode: results(folder / mode) for mode in ("single", "internal", "full")}
    names = [f.info["name"] for f in ase.io.read(folder / "structures.extxyz", ":")]
    assert all([f.info["name"] for f in found] == names for found in frames.values())
    assert all(summary(folder / mode)["converged"] == len(names) for mode in frames)
    single, internal, full = map(per_atom, frames.values())
    assert (internal <= single + 1e-6).all() and (full <= internal + 1e-6).all()
    assert full[0] == pytest.approx(-8.90, abs=0.1)  # W: minus its cohesive energy
