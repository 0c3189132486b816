"""Studies as they are rendered: what goes into the folder, and every mistake by name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import ase
import ase.build
import ase.io
import pytest
import yaml

from pysmax.errors import SmaxError
from pysmax.label.engines.lammps import potentials_folder
from pysmax.studies import describe, potential, render, stand_in
from pysmax.studies.registry import STUDIES

CUNI = "pair_coeff * * CuNi.eam.alloy {elements}"


def setfl(folder: Path, line: str = "2 Ni Cu") -> Path:
    """The head of an eam/alloy file: rendering reads its elements and copies it."""
    path = folder / "CuNi.eam.alloy"
    path.write_text(f"a\nb\nc\n{line}\n")
    return path


def written(folder: Path, **settings: object) -> Path:
    path = folder / "potential.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def eam(folder: Path, **more: object) -> Path:
    setfl(folder)
    return written(folder, commands=["pair_style eam/alloy", CUNI], **more)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_is_complete_and_the_same_each_time(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "cell.extxyz", ase.build.bulk("Cu", cubic=True) + ase.Atoms("Ni", [[1, 1, 1]]))
    given = {"structure": str(tmp_path / "cell.extxyz"), "repeat": [2, 1, 1]}
    one = render("anneal", tmp_path / "one", potential=eam(tmp_path), settings=given)
    two = render("anneal", tmp_path / "two", potential=eam(tmp_path), settings=given)
    assert tree(one) == tree(two)
    assert set(tree(one)) == {
        "in.anneal", "potential.mod", "potential/CuNi.eam.alloy", "study.yaml", "system.data",
    }  # fmt: skip
    # in the order of the model: Ni first, though Cu comes first in the structure
    assert (one / "potential.mod").read_text().endswith("pair_coeff * * potential/CuNi.eam.alloy Ni Cu\n")
    note = yaml.safe_load((one / "study.yaml").read_text())
    assert note["elements"] == ["Ni", "Cu"] and note["counts"] == {"Ni": 2, "Cu": 8}
    assert "element Ni Cu" in (one / "in.anneal").read_text()
    assert not list(tmp_path.glob(".*")), "a temporary folder was left"


def test_only_elements_that_are_there_become_types(tmp_path: Path) -> None:
    folder = render("anneal", tmp_path / "x", potential=eam(tmp_path), settings={"structure": "Cu"})
    assert "CuNi.eam.alloy Cu\n" in (folder / "potential.mod").read_text()


def test_commands_without_a_place_for_elements_keep_all_types(tmp_path: Path) -> None:
    commands = ["pair_style lj/cut 6.0", "pair_coeff * * 0.01 2.5"]
    path = written(tmp_path, commands=commands, elements=["Ag", "Cu"])
    folder = render("anneal", tmp_path / "x", potential=path, settings={"structure": "Cu"})
    note = yaml.safe_load((folder / "study.yaml").read_text())
    assert note["elements"] == ["Ag", "Cu"]
    assert set(ase.io.read(folder / "system.data", format="lammps-data").symbols) == {"Cu"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"study": "melt"}, "study melt: unknown, expected one of segregation"),
        ({"system": "all"}, "system all: unknown, study anneal has any"),
        ({"settings": {"steps": 3}}, "setting steps: unknown, expected one of seed, n_steps"),
        (
            {"settings": {"n_steps": 0}},
            "setting n_steps: found 0; input should be greater than or equal to 1",
        ),
        ({"settings": {"n_steps": True}}, "setting n_steps: found True; yes, no, on, off"),
        ({"settings": {"temperature": [True]}}, r"setting temperature: found \[True\]; yes, no, on, off"),
        ({"settings": {"repeat": [1000, 1000, 1000]}}, r"found 4e\+09 atoms, expected 2 to 2e\+07"),
        ({"settings": {"n_steps": "many"}}, "setting n_steps: found 'many'; input should be a valid integer"),
        ({"settings": {"temperature": [300, -1]}}, r"setting temperature\.1: found -1; "),
        ({"settings": {"temperature": [float("nan")]}}, r"setting temperature\.0: found nan"),
        ({"settings": {"pressure": [1, 2]}}, "pressure: found 2 values for 1 temperatures"),
        ({"settings": {"barostat": "some"}}, "setting barostat: found 'some'"),
        ({"settings": {"structure": "Qq"}}, "structure Qq: no such file, and no element"),
        ({"settings": {"structure": "B"}}, "structure B: ASE knows no crystal of it"),
        ({"settings": {"structure": "Ag"}}, "element Ag: not known to the potential potential"),
        ({"potential": "no.yaml"}, "no.yaml: not there; expected a potential.yaml"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(tmp_path: Path, arguments: dict, said: str) -> None:
    arguments = {"study": "anneal", "potential": eam(tmp_path), **arguments}
    with pytest.raises(SmaxError, match=said):
        render(to=tmp_path / "x", **arguments)
    assert not (tmp_path / "x").exists() and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["torn.cif", "empty.xyz", "molecule.xyz"])
def test_a_file_without_a_crystal_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "torn.cif").write_text("data_x\n_cell_length_a ?\n")
    (tmp_path / "empty.xyz").write_text("0\n\n")
    (tmp_path / "molecule.xyz").write_text("1\n\nCu 0 0 0\n")
    with pytest.raises(SmaxError, match=f"structure .*{name}: "):
        render("anneal", tmp_path / "x", potential="stand-in", settings={"structure": str(tmp_path / name)})


BAD = {
    "nan": (ase.Atoms("Cu2", [[0, 0, 0], [float("nan"), 1, 1]], cell=[3] * 3), "places that are no numbers"),
    "flat": (ase.Atoms("Cu2", [[0, 0, 0], [1, 1, 0]], cell=[[3, 0, 0], [0, 3, 0], [3, 3, 1e-9]]), "no cell"),
    "one": (ase.Atoms("Cu", cell=[3] * 3), "found 1 atoms, expected 2 to 2e+07"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_a_structure_that_cannot_move_is_refused(tmp_path: Path, name: str) -> None:
    atoms, said = BAD[name]
    ase.io.write(tmp_path / "x.extxyz", atoms)
    given = {"structure": str(tmp_path / "x.extxyz"), "repeat": [1, 1, 1]}
    with pytest.raises(SmaxError, match=re.escape(said)):
        render("anneal", tmp_path / "x", potential="stand-in", settings=given)


@pytest.mark.filterwarnings("ignore:crystal system")
def test_a_shared_site_is_refused(tmp_path: Path) -> None:
    head = "".join(
        f"_cell_length_{x} 4\n_cell_angle_{a} 90\n"
        for x, a in zip("abc", ("alpha", "beta", "gamma"), strict=True)
    )
    labels = "loop_\n" + "".join(
        f"_atom_site_{x}\n" for x in ("type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
    )
    cif = tmp_path / "x.cif"
    given = {"structure": str(cif), "repeat": [2, 2, 2]}
    cif.write_text(f"data_x\n{head}{labels}Cu 0 0 0 0.5\nNi 0 0 0 0.5\nCu .5 .5 .5 1.0\n")
    with pytest.raises(SmaxError, match=r"site 0 has .* 0\.5, expected one whole atom"):
        render("anneal", tmp_path / "x", potential="stand-in", settings=given)
    cif.write_text(f"data_x\n{head}{labels}Ni 0 0 0 1.0\nCu .5 .5 .5 1.0\n")
    render("anneal", tmp_path / "x", potential="stand-in", settings=given)


def test_cells_that_may_be_given(tmp_path: Path) -> None:
    """A left-handed cell, and a name with @ and a space, keep their distances."""
    cell = [[0, 8.0, 0], [9.0, 0, 0], [0.3, 0.2, 10.0]]
    atoms = ase.Atoms("Cu3", [[0, 0, 0], [2, 1, 0], [1, 3, 2]], cell=cell, pbc=True)
    ase.io.write(tmp_path / "a.extxyz", atoms)
    path = (tmp_path / "a.extxyz").rename(tmp_path / "a @1.extxyz")
    given = {"structure": str(path), "repeat": [1, 1, 1]}
    folder = render("anneal", tmp_path / "x", potential="stand-in", settings=given)
    written = ase.io.read(folder / "system.data", format="lammps-data")
    assert written.get_all_distances(mic=True) == pytest.approx(atoms.get_all_distances(mic=True))


def test_a_cell_that_may_tilt_is_a_tilted_one(tmp_path: Path) -> None:
    for barostat in ("aniso", "tri"):
        given = {"barostat": barostat, "pressure": [0]}
        folder = render("anneal", tmp_path / barostat, potential="stand-in", settings=given)
        assert ("xy xz yz" in (folder / "system.data").read_text()) == (barostat == "tri")


def test_a_folder_with_something_in_it_is_kept(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "mine").write_text("kept")
    with pytest.raises(SmaxError, match="x: holds something already"):
        render("anneal", tmp_path / "x", potential="stand-in")
    assert tree(tmp_path / "x") == {"mine": b"kept"}


def test_the_current_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SmaxError, match="is the current folder, expected a new one in it"):
        render("anneal", ".", potential="stand-in")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "expected one of stand_in: true, model: FOLDER, commands"),
        ({"stand_in": True, "model": "m"}, "expected one of stand_in: true"),
        ({"comands": ["x"]}, "comands: unknown, expected one of stand_in"),
        ({"commands": ["pair_coeff * *"], "elements": ["Cu"]}, "commands: found no pair_style"),
        ({"commands": ["pair_style lj/cut 5"]}, "elements: not given"),
        ({"commands": ["pair_style lj/cut 5"], "elements": ["Cu", "Qq"]}, "elements: 'Qq' is no element"),
        ({"commands": ["pair_style lj/cut 5"], "elements": ["Cu", "Cu"]}, "elements: Cu Cu has one twice"),
        ({"commands": ["pair_style eam/alloy", CUNI], "elements": ["Ag"]}, "elements: Ag is not in CuNi"),
        ({"model": "nowhere"}, "found no saved_model.pb"),
        (
            {"commands": ["pair_style eam/alloy", "pair_coeff * * no.alloy {elements}"]},
            "found no file of eam",
        ),
        ({"commands": ["pair_style grace", "pair_coeff * * ../m {elements}"]}, r"\.\./m is not there"),
        ({"commands": ["pair_style lj/cut 5"], "elements": ["X"]}, "elements: 'X' is no element"),
    ],
)
def test_a_wrong_potential_file_is_named(tmp_path: Path, settings: dict, said: str) -> None:
    setfl(tmp_path)
    with pytest.raises(SmaxError, match=said):
        potential.load(written(tmp_path, **settings))


@pytest.mark.parametrize("line", ["", "x", "3 Ni Cu", "Ni Cu"])
def test_a_broken_setfl_file_is_named(tmp_path: Path, line: str) -> None:
    setfl(tmp_path, line)
    with pytest.raises(SmaxError, match=r"CuNi\.eam\.alloy: line 4 is"):
        potential.load(written(tmp_path, commands=["pair_style eam/alloy", CUNI]))


def test_files_of_lammps_are_found_and_go_along(tmp_path: Path) -> None:
    path = written(
        tmp_path, commands=["pair_style eam/alloy", "pair_coeff * * Cu_mishin1.eam.alloy {elements}"]
    )
    folder = render("anneal", tmp_path / "x", potential=path)
    copied = folder / "potential" / "Cu_mishin1.eam.alloy"
    assert copied.read_bytes() == (potentials_folder() / copied.name).read_bytes()


def test_a_model_in_a_hybrid_style_goes_along(tmp_path: Path) -> None:
    model = tmp_path / "my" / "grace"
    model.mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "uses").mkdir()
    commands = [
        "pair_style hybrid/overlay grace zbl 0.4 .8",
        "pair_coeff * * grace ../my/grace {elements}",
        "pair_coeff 1 1 zbl 29 29",
        "pair_coeff * * zbl .5 .5",
    ]
    path = written(tmp_path / "uses", commands=commands, elements=["Cu"])
    folder = render("anneal", tmp_path / "x", potential=path)
    assert "pair_coeff * * grace potential/grace Cu\n" in (folder / "potential.mod").read_text()
    assert (folder / "potential" / "grace" / "saved_model.pb").read_bytes() == b"graph"


def test_a_grace_model_brings_its_elements_and_files(tmp_path: Path) -> None:
    model = tmp_path / "run" / "model"
    model.mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "metadata.yaml").write_text("chemical_symbols: [Pd, Cu, Ag]\ncutoff: 6.0\n")
    (model / "evaluation").mkdir()
    (model / "references.yaml").write_text("Ag: -1.0\nCu: -2.0\nPd: -3.0\n")
    ase.io.write(
        tmp_path / "AgPd.extxyz", ase.Atoms("AgPd", [[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    )
    given = {"structure": str(tmp_path / "AgPd.extxyz")}
    folder = render("anneal", tmp_path / "x", potential=tmp_path / "run", settings=given)
    assert (folder / "potential.mod").read_text().splitlines()[1:] == [
        "pair_style grace references yes",
        "pair_coeff * * potential/model Pd Ag",
    ]
    assert (folder / "potential" / "model" / "saved_model.pb").read_bytes() == b"graph"
    assert not (folder / "potential" / "model" / "evaluation").exists()
    shutil.copy(model / "saved_model.pb", model / "native.npz")
    assert potential.load(model).commands[0] == "pair_style grace/native references yes"
    assert potential.load(written(tmp_path, model="run", native=False)).commands[0].split()[1] == "grace"
    (model / "native.npz").unlink()
    with pytest.raises(SmaxError, match=r"has no native\.npz"):
        potential.load(written(tmp_path, model="run", native=True))


def test_what_the_stand_in_made_says_so(tmp_path: Path) -> None:
    folder = render("anneal", tmp_path / "x", potential="stand-in")
    for name in ("in.anneal", "potential.mod"):
        assert stand_in.LABEL in (folder / name).read_text()
    assert yaml.safe_load((folder / "study.yaml").read_text())["stand_in"] is True


def test_every_study_is_listed_with_its_parameters() -> None:
    lines = describe.studies()
    for name, study in STUDIES.items():
        assert any(line.startswith(f"{name}: ") for line in lines)
        told = "\n".join(describe.parameters(name))
        assert all(f"  {key} = " in told for key in study.parameters.model_fields)
