"""VASP inputs: line by line the paper's, the recommended PAW set, and the order of the atoms."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import re
from pathlib import Path

import ase
import ase.io
import numpy as np
import pymatgen.io.vasp
import pytest
from ase.calculators.vasp.setups import get_default_setups
from label.fake_vasp import potcar, write_library
from pydantic import ValidationError
from pymatgen.io.vasp.inputs import Incar, Poscar

from pysmax.errors import SmaxError
from pysmax.label.engine import EngineFailure
from pysmax.label.engines import load_config
from pysmax.label.engines.magmoms import DEFAULT, TABLE_11
from pysmax.label.engines.vasp import VaspConfig
from pysmax.label.engines.vasp.config import recommended_potentials
from pysmax.label.engines.vasp.incar import changes, runs, same
from pysmax.label.engines.vasp.inputs import build, write_job

# Supplementary Material VII.4
PAPER = """ENCUT = 500.000000 SIGMA = 0.100000 EDIFF = 1.00e-06 EDIFFG = -5.00e-03 GGA = PE PREC = Accurate
IBRION = -1 ISIF = 2 ISMEAR = 0 ISPIN = 2 NELM = 120 NSW = 0 ADDGRID = .TRUE. LCHARG = .FALSE.
LWAVE = .FALSE. LREAL = .FALSE. KSPACING = 0.125"""
TABLE = """| Default | 1.00 | Ce | 5.00 | Co | 2.00 | Cr | 2.00 | Dy | 10.65 | Er | 9.58 | Eu | 10.00 |
Fe | 2.50 | Gd | 7.94 | Ho | 10.60 | Mn | 5.00 | Nd | 3.62 | Ni | 1.50 | Pm | 2.68 | Pr | 3.58 | Sm | 0.85 |
Tb | 9.72 | Tm | 7.56 | Yb | 4.54 |"""


@pytest.fixture(autouse=True)
def _no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VASP_PP_PATH", "PMG_VASP_PSP_DIR"):
        monkeypatch.delenv(name, raising=False)


def mixed() -> ase.Atoms:
    """Species interleaved, in a triclinic cell, one atom outside of it."""
    rng = np.random.default_rng(0)
    cell = 3.5 * np.eye(3) + rng.uniform(-0.4, 0.4, (3, 3))
    fractional = rng.random((5, 3)) + np.eye(3)[0]
    return ase.Atoms("WFeOFeW", cell=cell, scaled_positions=fractional, pbc=True)


def test_incar_is_the_papers(tmp_path: Path) -> None:
    write_job(VaspConfig(), tmp_path, mixed(), need_potcar=False)
    lines = (tmp_path / "INCAR").read_text().splitlines()
    assert lines[:-1] == [" = ".join(pair) for pair in re.findall(r"(\w+) = (\S+)", PAPER)]
    assert lines[-1] == "MAGMOM = 1*1.0 2*2.5 2*1.0"  # O, Fe, W
    assert not (tmp_path / "KPOINTS").exists()


def test_moments_are_table_11() -> None:
    cells = [c.strip() for c in TABLE.replace("\n", " ").split("|") if c.strip()]
    table = {name: float(value) for name, value in zip(cells[::2], cells[1::2], strict=True)}
    assert table.pop("Default") == DEFAULT
    assert table == TABLE_11
    config = VaspConfig(magmoms={"H": 0.0, "Fe": 4.0})
    text = build(config, ase.Atoms("HFeGd", cell=[3, 3, 3], pbc=True), need_potcar=False).files["INCAR"]
    assert text.endswith("MAGMOM = 1*0.0 1*4.0 1*7.94\n")
    assert VaspConfig().level().settings["magmoms"] == {"default": 1.0, **table}


def test_overrides_belong_to_the_level() -> None:
    plain = VaspConfig()
    assert VaspConfig(incar={"encut": 500, "NELM": "120", "ADDGRID": ".TRUE."}).level() == plain.level()
    for other in (
        VaspConfig(incar={"ENCUT": 520}),
        VaspConfig(incar={"ADDGRID": None}),
        VaspConfig(incar={"ALGO": "All"}),
        VaspConfig(magmoms={"Fe": 5.0}),
        VaspConfig(potentials={"Fe": "Fe_pv"}),
        VaspConfig(release="potpaw_PBE.64"),
    ):
        assert other.level().hash != plain.level().hash
    same_level = VaspConfig(
        command=("srun", "vasp_std"), run_tags={"NCORE": 4}, keep="all", work_dir=Path("x")
    )
    assert same_level.level() == plain.level()
    json.dumps(plain.level().settings, allow_nan=False)


def test_overrides_in_the_file() -> None:
    config = VaspConfig(
        incar={"ENCUT": 520, "ADDGRID": None, "ALGO": "All", "LASPH": True}, run_tags={"ncore": 4}
    )
    lines = build(config, mixed(), need_potcar=False).files["INCAR"].splitlines()
    assert lines[0] == "ENCUT = 520.0"
    assert {"ALGO = All", "LASPH = .TRUE.", "NCORE = 4"} <= set(lines)
    assert not any(line.startswith("ADDGRID") for line in lines)
    assert "MAGMOM" not in build(VaspConfig(incar={"ISPIN": 1}), mixed(), need_potcar=False).files["INCAR"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"incar": {"MAGMOM": "5*1"}}, "magmoms"),
        ({"incar": {"NSW": 10}}, "single point"),
        ({"incar": {"LSORBIT": True}}, "collinear"),
        ({"incar": {"LDAUU": 4}}, "species"),
        ({"incar": {"KSPACING": None}}, "KSPACING"),
        ({"incar": {"NCORE": 4}}, "run_tags"),
        ({"incar": {"ENCUT": "500\nISPIN = 1"}}, "cannot stand"),
        ({"incar": {"EN CUT": 500}}, "not the name"),
        ({"run_tags": {"ENCUT": 400}}, "incar"),
        ({"magmoms": {"Fee": 1}}, "not an element"),
        ({"potentials": {"Fe": "../Fe"}}, "not the name"),
        ({"command": ()}, "command"),
        ({"comand": ("vasp",)}, "comand"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        VaspConfig(**settings)


def test_the_paw_set_is_the_recommended_one() -> None:
    """Against ASE's copy of the manual's list, and pymatgen's catalogue of release 54."""
    table = recommended_potentials()
    listed = {s: s + suffix for s, suffix in get_default_setups()["recommended"].items()}
    listed |= {"W": "W_sv", "At": "At"}
    assert {s: table[s] for s in listed} == listed
    assert all(table[s] == s for s in set(table) - set(listed))
    catalogue = json.loads(
        bz2.decompress(
            (Path(pymatgen.io.vasp.__file__).parent / "potcar-summary-stats.json.bz2").read_bytes()
        )
    )["PBE_54"]
    names = {entry["symbol"] for entries in catalogue.values() for entry in entries}
    assert set(table.values()) <= names
    assert not {"W_pv", "At_d"} & names
    assert list(table) == [s for s in ase.data.chemical_symbols if s in table]
    assert set(ase.data.chemical_symbols[1:97]) <= set(table)  # all to Cm


def test_poscar_holds_the_same_crystal(tmp_path: Path) -> None:
    atoms = mixed()
    job = write_job(VaspConfig(), tmp_path, atoms, need_potcar=False)
    for found in (
        ase.io.read(tmp_path / "POSCAR"),
        Poscar.from_file(tmp_path / "POSCAR").structure.to_ase_atoms(),
    ):
        assert list(found.symbols) == ["O", "Fe", "Fe", "W", "W"]
        assert list(found.symbols) == list(atoms.symbols[job.order])
        np.testing.assert_allclose(found.cell.array, atoms.cell.array, atol=1e-12)
        off = np.linalg.solve(atoms.cell.array.T, (found.positions - atoms.positions[job.order]).T)
        np.testing.assert_allclose(off, np.rint(off), atol=1e-12)
    assert json.loads((tmp_path / "job.json").read_text())["order"] == [2, 1, 3, 0, 4]
    incar = Incar.from_file(tmp_path / "INCAR")
    assert incar["MAGMOM"] == [1.0, 2.5, 2.5, 1.0, 1.0]


def test_a_left_handed_cell_is_turned() -> None:
    atoms = mixed()
    left = atoms.copy()
    left.set_cell(atoms.cell.array[[1, 0, 2]])
    job = build(VaspConfig(), left, need_potcar=False)
    assert np.linalg.det(left.cell.array) < 0 < np.linalg.det(job.atoms.cell.array)
    np.testing.assert_array_equal(job.atoms.positions, atoms.positions[job.order])


@pytest.mark.parametrize(
    "layout", ["potpaw_PBE.54/{}/POTCAR", "{}/POTCAR.gz", "POT_GGA_PAW_PBE_54/POTCAR.{}.gz"]
)
@pytest.mark.parametrize("how", ["potcar_dir", "VASP_PP_PATH", "PMG_VASP_PSP_DIR"])
def test_potcar_comes_from_the_users_library(
    tmp_path: Path, layout: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    for name in ("O", "Fe", "W_sv"):
        path = library / layout.format(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        data = potcar(name).encode()
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    if how == "potcar_dir":
        config = VaspConfig(potcar_dir=library)
    else:
        monkeypatch.setenv(how, str(library))
        config = VaspConfig()
    job = write_job(config, tmp_path / "job", mixed())
    assert (tmp_path / "job" / "POTCAR").read_text() == potcar("O") + potcar("Fe") + potcar("W_sv")
    assert (tmp_path / "job" / "POTCAR.spec").read_text() == "O\nFe\nW_sv\n"
    assert job.description["potentials"][2] == {
        "name": "W_sv",
        "titel": "PAW_PBE W_sv 01Jan2000",
        "sha256": hashlib.sha256(potcar("W_sv").encode()).hexdigest(),
    }


def test_missing_and_wrong_potcars_are_named(tmp_path: Path) -> None:
    config = VaspConfig(potcar_dir=write_library(tmp_path, "O", "Fe"))
    missing = tmp_path / "potpaw_PBE.54" / "W_sv" / "POTCAR"
    with pytest.raises(SmaxError, match=f"no POTCAR of W_sv: looked for {re.escape(str(missing))}"):
        build(config, mixed())
    with pytest.raises(SmaxError, match="set potcar_dir, or one of VASP_PP_PATH"):
        build(VaspConfig(), mixed())
    missing.parent.mkdir()
    for text, words in (
        (potcar("W_pv"), "is the potential 'PAW_PBE W_pv 01Jan2000', expected W_sv"),
        (potcar("W_sv", lexch="CA"), "LEXCH is CA, expected PE"),
        (potcar("W_sv")[:-10], "not a whole POTCAR"),
        (potcar("W_sv") * 2, "several"),
        ("", "not a whole POTCAR"),
    ):
        missing.write_text(text)
        with pytest.raises(SmaxError, match=re.escape(words)):
            build(config, mixed())
    missing.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SmaxError, match="cannot be read"):
        build(config, mixed())


def test_dry_run_writes_the_tree(tmp_path: Path) -> None:
    folder = VaspConfig().dry_run(mixed(), tmp_path)
    assert folder.parent.parent == tmp_path
    assert sorted(p.name for p in folder.iterdir()) == ["INCAR", "POSCAR", "POTCAR.spec", "job.json"]
    library = write_library(tmp_path / "library", "O", "Fe", "W_sv")
    with_library = VaspConfig(potcar_dir=library).dry_run(mixed(), tmp_path)
    assert with_library == folder and (folder / "POTCAR").exists()
    with pytest.raises(SmaxError, match="needs a cell"):
        VaspConfig().dry_run(ase.Atoms("H"), tmp_path)


def test_settings_from_a_file(tmp_path: Path) -> None:
    write_library(tmp_path / "paw", "H")
    file = tmp_path / "vasp.yaml"
    file.write_text(
        "command: [srun, -n, '8', vasp_std]\npotcar_dir: paw\nincar: {ENCUT: 520}\nkeep: removed\n"
    )
    config = load_config("vasp", file, {"run_tags.NCORE": 4})
    assert isinstance(config, VaspConfig)
    assert config.potcar_dir == tmp_path / "paw" and config.work_dir == Path("vasp_jobs").absolute()
    assert config.command == ("srun", "-n", "8", "vasp_std") and config.tags()["ENCUT"] == 520.0
    assert "NCORE = 4" in build(config, ase.Atoms("H", cell=[3, 3, 3], pbc=True)).files["INCAR"]
    file.write_text("incar: {NSW: 5}\n")
    with pytest.raises(SmaxError, match="NSW is refused: a label is a single point"):
        load_config("vasp", file)


@pytest.mark.parametrize(
    ("atoms", "words"),
    [
        (ase.Atoms(cell=[3, 3, 3]), "no atoms"),
        (ase.Atoms("H"), "needs a cell"),
        (ase.Atoms("H", positions=[[np.nan, 0, 0]], cell=[3, 3, 3]), "not finite"),
        (ase.Atoms("Lr", cell=[3, 3, 3], pbc=True), "no recommended PAW potential of Lr"),
        (ase.Atoms("X", cell=[3, 3, 3], pbc=True), "no recommended PAW potential of X"),
        (ase.Atoms("H", cell=[3, 3, 3]), "3 A from its images in VASP's periodic cell, expected at least 5"),
        (ase.Atoms("H2", [[0, 0, 0], [0, 0, 4]], cell=[9, 9, 8], pbc=[1, 1, 0]), "4 A from its images"),
    ],
)
def test_structures_that_vasp_cannot_take(atoms: ase.Atoms, words: str) -> None:
    with pytest.raises(EngineFailure, match=words) as e:
        build(VaspConfig(), atoms, need_potcar=False)
    assert e.value.reason == "structure"


def test_vacuum_counts_where_a_structure_is_not_periodic() -> None:
    skew = [[9, 0, 0], [8, 9, 0], [0, 0, 3]]
    atoms = ase.Atoms("H2", [[0, 0, 0], [0, 3, 0]], cell=skew, pbc=[True, False, True])
    build(VaspConfig(), atoms, need_potcar=False)  # 6 A between wires
    atoms.positions[1] = [4.5, 0, 0]  # along a periodic direction
    build(VaspConfig(), atoms, need_potcar=False)
    atoms.positions[1] = [0, 4.5, 0]
    with pytest.raises(EngineFailure, match=r"4\.5 A from its images"):
        build(VaspConfig(), atoms, need_potcar=False)


def test_compare_incars() -> None:
    assert runs([1.0, 2.5, 2.5, 1.0]) == "1*1.0 2*2.5 1*1.0"
    assert same("Accurate", "accura") and not same("", "PE") and not same("Normal", "Fast")
    assert same(0.1, 0.10000000001) and not same(0.1, 0.05) and not same(None, "All")
    assert same([1, 2.5], [1.0, 2.5]) and not same([1.0], [1.0, 1.0])
    assert changes({"A": 1, "B": 2}, {"B": 3, "C": True}) == {"A": (1, None), "B": (2, 3), "C": (None, True)}
