"""Study ``deformation`` as a user runs it: against ASE, shared, killed, compared."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.eam import EAM
from deform_tools import analysed, example, killed, potential, pysmax, rendered, run, summary

from pysmax.errors import SmaxError
from pysmax.label.engines.lammps import LammpsConfig, potentials_folder

CU = {"element": "Cu", "crystal": "fcc", "n_volume": 5, "n_scaling": 6, "volume": [0.8, 1.3]}


def points(folder: Path) -> np.ndarray:
    """Every file of the folder, in order."""
    return np.array([np.loadtxt(p) for p in sorted((folder / "points").glob("*.txt"))])


def energies(folder: Path) -> np.ndarray:
    """eV/atom of map.csv, point by point."""
    with open(folder / "analysis" / "map.csv") as file:
        return np.array([float(row["energy_eV_per_atom"]) for row in csv.DictReader(file)])


@pytest.fixture(scope="module")
def copper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small map of Cu that has run on one rank."""
    base = tmp_path_factory.mktemp("copper")
    folder = rendered("deformation", base / "cu", potential("cu", base), **CU)
    run(folder)
    analysed("deformation", folder)
    return folder


def test_eam_gives_the_map_of_ase(copper: Path) -> None:
    calculator = EAM(potential=str(potentials_folder() / "Cu_mishin1.eam.alloy"))
    a = (bulk("Cu").get_volume() * 4) ** (1 / 3)
    expected = []
    for v in np.linspace(0.8, 1.3, 5):
        for s in np.linspace(0.5, 1.3, 6):
            side = a * (v / s) ** (1 / 3)
            atoms = bulk("Cu", cubic=True)
            atoms.set_cell([side, side, s * side], scale_atoms=True)
            atoms.calc = calculator
            expected.append(atoms.get_potential_energy() / 4)
    assert energies(copper) == pytest.approx(np.array(expected), abs=1e-6)


def test_sw_gives_the_map_of_structures_that_ase_builds(tmp_path: Path) -> None:
    settings = {"element": "Si", "crystal": "diamond", "scaling": [0.35, 1.2], "n_volume": 4, "n_scaling": 5}
    folder = rendered("deformation", tmp_path / "si", potential("si", tmp_path), **settings)
    run(folder, ranks=2)
    analysed("deformation", folder)
    config = {"elements": ("Si",), "commands": ("pair_style sw", "pair_coeff * * Si.sw Si")}
    engine = LammpsConfig.model_validate(config).make()
    found = ase.io.read(folder / "analysis" / "map.extxyz", ":")
    assert len(found) == 20
    for atoms in found:
        crystal = bulk("Si", cubic=True)
        v, s = atoms.info["volume_A3"] / (crystal.get_volume() / 8), atoms.info["scaling"]
        side = crystal.cell[0, 0] * (v / s) ** (1 / 3)
        crystal.set_cell([side, side, s * side], scale_atoms=True)
        label = engine.compute(crystal, 0)
        assert atoms.get_potential_energy() == pytest.approx(label.energy, abs=8e-6)
        assert atoms.get_stress() == pytest.approx(label.stress, abs=1e-7)
    engine.close()


def test_ranks_and_partitions_give_the_same_numbers(copper: Path, tmp_path: Path) -> None:
    expected = points(copper)
    for name, options in {"ranks": {"ranks": 2}, "shared": {"ranks": 2, "partition": "2x1"}}.items():
        folder = rendered("deformation", tmp_path / name, potential("cu", tmp_path), **CU)
        run(folder, **options)
        assert points(folder)[:, :5] == pytest.approx(expected[:, :5], rel=1e-12)
        assert points(folder)[:, 5:] == pytest.approx(expected[:, 5:], abs=1e-3)  # bar
        assert not list(folder.glob("tmp.lammps*"))
    old = {p: p.stat().st_mtime_ns for p in folder.glob("points/*.txt")}
    run(folder, variables={"restart": "no"})
    assert all(p.stat().st_mtime_ns > t for p, t in old.items())
    assert run(folder, variables={"restart": "maybe"}, check=False).returncode == 1
    done = run(folder, ranks=3, partition="1 2", check=False)
    assert done.returncode != 0
    assert "partition 2 is not as large as the first" in done.stdout + (folder / "screen.1").read_text()


def test_smoke_in_two_partitions_is_killed_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "sn"
    command = "render deformation --system sn-diamond --potential stand-in --scale smoke -o sn"
    pysmax(tmp_path, *command.split())
    killed(folder, "points/*.txt", 10, ranks=2, partition="2x1")
    there = {p: p.stat().st_mtime_ns for p in folder.glob("points/*.txt")}
    assert 10 <= len(there) < 117
    refused = pysmax(tmp_path, "analyse", "deformation", folder, check=False)
    assert refused.returncode != 0 and f"{117 - len(there)} of 117 points are missing" in refused.stderr
    partial = analysed("deformation", folder, partial=True)
    assert partial["points_missing"] == 117 - len(there)

    run(folder, ranks=2)
    assert all(p.stat().st_mtime_ns == t for p, t in there.items())
    pysmax(tmp_path, "analyse", "deformation", "sn")
    found = summary(folder)
    assert found["points"] == 117 and found["points_missing"] == 0
    assert found["note"] == "stand-in: not a physical result"
    assert "item 117 of 117" in pysmax(tmp_path, "watch", folder).stdout


def test_minima_and_saddle_of_copper(tmp_path: Path) -> None:
    """Mishin's Cu: a = 3.615 A, -3.54 eV, bcc 0.046 eV above (Phys. Rev. B 63, 224106, tables II and IV)."""
    settings = {"element": "Cu", "crystal": "fcc", "n_volume": 21, "n_scaling": 41}
    folder = rendered("deformation", tmp_path / "cu", potential("cu", tmp_path), **settings)
    run(folder, ranks=2, partition="2x1")
    analysed("deformation", folder)
    with open(folder / "analysis" / "stationary.csv") as file:
        rows = {(r["kind"], r["crystal"]): r for r in csv.DictReader(file)}
    fcc, bcc = rows["minimum", "fcc"], rows["saddle", "bcc"]
    assert float(fcc["scaling"]) == pytest.approx(1.0, abs=1e-3)
    assert float(bcc["scaling"]) == pytest.approx(0.5**0.5, abs=1e-3)
    assert float(fcc["volume_A3_per_atom"]) == pytest.approx(3.615**3 / 4, rel=2e-3)
    assert float(fcc["energy_eV_per_atom"]) == pytest.approx(-3.54, abs=1e-3)
    assert float(bcc["above_lowest_eV_per_atom"]) == pytest.approx(0.046, abs=1e-3)


def test_a_labelled_grid_is_a_reference(copper: Path, tmp_path: Path) -> None:
    labelled = [f for k, f in enumerate(ase.io.read(copper / "analysis" / "map.extxyz", ":")) if k != 7]
    for frame in labelled:  # another zero of energy, and 0.01 eV/atom more at s = 1.3
        shift = 8.0 + 0.04 * (frame.info["scaling"] > 1.29)
        frame.calc.results["energy"] += shift
    ase.io.write(tmp_path / "dft.extxyz", labelled)
    found = analysed("deformation", copper, reference=str(tmp_path / "dft.extxyz"))["reference"]
    assert found["common_points"] == 29
    assert found["shift_eV_per_atom"] == pytest.approx(-2.0, abs=1e-9)
    assert found["largest_eV_per_atom"] == pytest.approx(0.01, abs=1e-9)
    assert found["mae_eV_per_atom"] == pytest.approx(0.05 / 29, abs=1e-9)
    assert found["rmse_eV_per_atom"] == pytest.approx(0.01 * (5 / 29) ** 0.5, abs=1e-9)

    none = analysed("deformation", copper, reference=str(copper))["reference"]
    assert none["common_points"] == 30 and none["largest_eV_per_atom"] == 0.0
    for frame in labelled:
        frame.symbols = "Ni4"
    ase.io.write(tmp_path / "ni.extxyz", labelled)
    with pytest.raises(SmaxError, match="is Ni4, expected Cu4"):
        analysed("deformation", copper, reference=str(tmp_path / "ni.extxyz"))


def test_a_skewed_cell_from_a_file_keeps_its_axes(tmp_path: Path) -> None:
    """Hexagonal, a turned away from x: LAMMPS has another frame, stresses come back in this one."""
    atoms = bulk("Cu", "hcp", a=2.56, c=4.3)
    atoms.rotate(25, "z", rotate_cell=True)
    atoms.positions[1] += [0.05, 0.1, 0.02]
    ase.io.write(tmp_path / "hex.extxyz", atoms)
    settings = {
        "crystal": str(tmp_path / "hex.extxyz"),
        "n_volume": 4,
        "n_scaling": 4,
        "volume": [0.9, 1.1],
        "scaling": [0.9, 1.2],
    }
    folder = rendered("deformation", tmp_path / "hex", potential("cu", tmp_path), **settings)
    (tmp_path / "hex.extxyz").unlink()  # the run has all it needs
    folder = folder.rename(tmp_path / "moved")
    run(folder)
    analysed("deformation", folder)
    config = {
        "elements": ("Cu",),
        "commands": ("pair_style eam/alloy", "pair_coeff * * Cu_mishin1.eam.alloy Cu"),
    }
    engine = LammpsConfig.model_validate(config).make()
    found = ase.io.read(folder / "analysis" / "map.extxyz", ":")
    assert len(found) == 16
    for frame in found:
        v, s = frame.get_volume() / atoms.get_volume(), frame.info["scaling"]
        stretch = v ** (1 / 3) * np.array([s ** (-1 / 3), s ** (-1 / 3), s ** (2 / 3)])
        assert frame.cell.array == pytest.approx(atoms.cell.array * stretch, abs=1e-7)
        label = engine.compute(frame, 0)
        assert frame.get_potential_energy() == pytest.approx(label.energy, abs=2e-6)
        assert frame.get_stress() == pytest.approx(label.stress, abs=1e-6)
        assert np.abs(label.stress[3:]).max() > 1e-4  # the test sees the turn
    engine.close()


def test_mistakes_are_one_sentence(copper: Path, tmp_path: Path) -> None:
    ase.io.write(tmp_path / "primitive.extxyz", bulk("Cu"))
    for wrong, message in (
        ({"scaling": [1.2, 0.8]}, "expected the first below the last"),
        ({"crystal": "B8"}, "crystal B8: no such file, expected one of fcc"),
        ({"element": "Xx"}, "'Xx' is no element"),
        ({"element": "P", "crystal": "fcc"}, "element P: ASE has no volume of its crystal"),
        ({"crystal": str(tmp_path / "primitive.extxyz")}, "third vector along z"),
        ({"n_volume": 3}, "n_volume: found 3"),
    ):
        with pytest.raises(SmaxError, match=message):
            rendered("deformation", tmp_path / "x", "stand-in", **wrong)
        assert not (tmp_path / "x").exists()

    torn = copper / "points" / "000003.txt"
    text = torn.read_text()
    for damage, message in (
        ("3 0.8", "expected number V/V0"),
        (text.replace("3 0.8", "4 0.8", 1), "another grid"),
        (text.replace(text.split()[3], "nan"), "not finite"),
    ):
        torn.write_text(damage)
        with pytest.raises(SmaxError, match=message):
            analysed("deformation", copper)
    torn.write_text(text)


def test_runs_without_a_common_point_or_a_window_are_one_sentence(copper: Path, tmp_path: Path) -> None:
    for name, kept in (("first", range(1, 10)), ("rest", range(10, 31))):
        shutil.copytree(copper, tmp_path / name)
        for path in (tmp_path / name / "points").glob("*.txt"):
            if int(path.stem) not in kept:
                path.unlink()
    with pytest.raises(SmaxError, match="has none of the points that have run"):
        analysed("deformation", tmp_path / "first", partial=True, reference=str(tmp_path / "rest"))
    with pytest.raises(SmaxError, match="window_eV: found inf"):
        analysed("deformation", copper, window_eV=float("inf"))


def test_a_run_of_another_ratio_is_compared_where_the_cells_agree(tmp_path: Path) -> None:
    """s is over each crystal's own c/a: of a cell 1.2 times as long, 1 is 1.2 of the other."""
    folders = []
    for stretch in (1.0, 1.2):
        atoms = bulk("Cu", cubic=True)
        atoms.set_cell(
            atoms.cell.array * ([stretch ** (-1 / 3)] * 2 + [stretch ** (2 / 3)]), scale_atoms=True
        )
        ase.io.write(tmp_path / f"{stretch}.extxyz", atoms)
        given = {"crystal": str(tmp_path / f"{stretch}.extxyz"), "n_volume": 4, "n_scaling": 4}
        given |= {"scaling": [0.6 / stretch, 1.2 / stretch], "volume": [0.9, 1.2]}
        folders.append(rendered("deformation", tmp_path / f"{stretch}", potential("cu", tmp_path), **given))
        run(folders[-1])
    found = analysed("deformation", folders[0], reference=str(folders[1]))["reference"]
    assert found["common_points"] == 16 and found["largest_eV_per_atom"] < 1e-6


def test_the_example(tmp_path: Path) -> None:
    folder = example("deformation", tmp_path)
    assert summary(folder / "tin")["points"] == 117
    found = summary(folder / "copper")
    assert found["reference"]["common_points"] == found["points"] == 13 * 25
    assert 0.001 < found["reference"]["within_window"]["rmse_eV_per_atom"] < 0.2
