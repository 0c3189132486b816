"""pair_style grace/native against the models' own ASE calculator, in runs, and for errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from conftest import Finished, environment, lmp_command, run_program
from grace_models import GraceModels, Label
from grace_tools import alloy, case, cases, evaluation, read_evaluation, write_data
from test_pair_grace import compare
from test_pair_grace_runs import printed

Lmp = Callable[..., Finished]
TIMEOUT_S = 120


@pytest.fixture(scope="session", params=["1l", "2l"])
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def native(grace_models: GraceModels, family: str) -> Path:
    """The folder of a model of one or two layers, with its native.npz."""
    folder = grace_models[family]
    assert (folder / "native.npz").is_file()
    return folder


@pytest.fixture(scope="session")
def one_layer(grace_models: GraceModels) -> Path:
    return grace_models["1l"]


@pytest.fixture(scope="session")
def labels(grace_models: GraceModels, family: str, tmp_path_factory: pytest.TempPathFactory) -> list[Label]:
    """What TPCalculator says about cases()."""
    scratch = tmp_path_factory.mktemp("oracle")
    return grace_models.label(family, [c.as_model_sees for c in cases()], scratch)


def test_equals_ase(lmp: Lmp, tmp_path: Path, native: Path, labels: list[Label], ranks: int) -> None:
    lmp("".join(evaluation(c, native, "grace/native", tmp_path) for c in cases()), ranks=ranks)
    for this, label in zip(cases(), labels, strict=True):
        compare(this, label, tmp_path)


@pytest.mark.parametrize("isa", ["plain", "avx2", "avx512"])
def test_instruction_sets(lmp: Lmp, tmp_path: Path, native: Path, labels: list[Label], isa: str) -> None:
    script = "".join(
        evaluation(c, native / "native.npz", f"grace/native isa {isa}", tmp_path) for c in cases()
    )
    done = lmp(script, check=False)
    if "one that this processor runs" in done.stdout:
        assert isa != "plain"
        return
    assert f"instruction set {isa}" in done.stdout
    for this, label in zip(cases(), labels, strict=True):
        compare(this, label, tmp_path)


def start(native: Path, atoms: Atoms, folder: Path, style: str = "grace/native") -> str:
    write_data(folder / "cell.data", case("cell", atoms))
    return (
        "units metal\nread_data cell.data\nmass * 80.0\nneighbor 1.0 bin\n"
        f"pair_style {style}\npair_coeff * * {native} Ag Cu Pd\n"
    )


def test_energy_is_conserved(lmp: Lmp, tmp_path: Path, native: Path) -> None:
    """2 000 steps of 1 fs at about 300 K, on two ranks."""
    text = start(native, alloy(5, (2, 2, 2), 0.02), tmp_path)
    text += "velocity all create 600 7 loop geom\ntimestep 0.001\nfix n all nve\nvariable t equal etotal\n"
    text += (
        "fix e all ave/time 20 1 20 v_t file energy.txt format ' %.15g'\nthermo_modify lost error\nrun 2000\n"
    )
    lmp(text, ranks=2)
    step, total = np.loadtxt(tmp_path / "energy.txt").T
    drift = np.polyfit(step * 1e-3, total, 1)[0] / 32
    assert abs(drift) < 1e-5, f"{drift} eV/atom/ps"
    assert np.ptp(total) / 32 < 1e-3


def test_ranks_agree_in_dynamics(lmp: Lmp, tmp_path: Path, native: Path) -> None:
    """Hot atoms under NPT that change ranks, as on one rank."""
    found = []
    for ranks in (1, 4):
        text = start(native, alloy(5, (2, 2, 2), 0.02), tmp_path)
        text += "velocity all create 3000 7 loop geom\nfix n all npt temp 3000 3000 0.1 tri 0 0 1.0\n"
        text = text.replace("mass", "change_box all triclinic\nmass")
        text += "neigh_modify every 1 delay 0\nrun 60\n"
        text += f"write_dump all custom {ranks}.dump id x y z fx fy fz modify sort id format float %.17g\n"
        lmp(text, ranks=ranks)
        found.append(np.loadtxt(tmp_path / f"{ranks}.dump", skiprows=9))
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-7)


def test_box_relax(lmp: Lmp, tmp_path: Path, native: Path) -> None:
    text = start(native, alloy(9, (2, 1, 1), 0.05), tmp_path)
    text += "fix b all box/relax aniso 0.0 vmax 0.01\nmin_modify line quadratic\n"
    text += "thermo_style custom pe pxx pyy pzz\nrun 0\nvariable first equal $(pe)\n"
    text += 'minimize 0 1e-5 1000 5000\nprint "AFTER $(pe-v_first) $(pxx) $(pyy) $(pzz)"\n'
    gain, *pressure = printed(lmp(text), "AFTER")[0]
    assert gain < 0.0
    assert np.max(np.abs(pressure)) < 50.0  # bar


def test_references_and_the_sum_with_another_style(lmp: Lmp, tmp_path: Path, native: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "native.npz").symlink_to(native / "native.npz")
    (folder / "references.yaml").write_text("Ag: -1.5\nCu: -2.25\nPd: -4.0\n")
    atoms = alloy(8, (2, 2, 1), 0.1)
    runs = {name: case(name, atoms) for name in ("bare", "referred", "file", "soft", "overlay")}
    text = {n: evaluation(c, folder, "grace/native", tmp_path) for n, c in runs.items()}
    given = f"pair_style grace/native\npair_coeff * * {folder} Ag Cu Pd"
    text["referred"] = evaluation(runs["referred"], folder, "grace/native references yes", tmp_path)
    text["file"] = evaluation(runs["file"], folder / "native.npz", "grace/native references yes", tmp_path)
    text["soft"] = text["soft"].replace(given, "pair_style lj/cut 4.0\npair_coeff * * 0.01 2.2")
    both = (
        f"pair_style hybrid/overlay grace/native lj/cut 4.0\npair_coeff * * grace/native {folder} Ag Cu Pd\n"
    )
    text["overlay"] = text["overlay"].replace(given, f"{both}pair_coeff * * lj/cut 0.01 2.2")
    lmp("".join(text.values()), ranks=2)
    got = {n: read_evaluation(c, tmp_path) for n, c in runs.items()}
    reference = np.array([{"Ag": -1.5, "Cu": -2.25, "Pd": -4.0}[s] for s in atoms.symbols])
    for name in ("referred", "file"):
        np.testing.assert_allclose(got[name].energies, got["bare"].energies + reference, atol=1e-12)
    for name in ("energy", "forces", "stress", "energies"):
        total = getattr(got["bare"], name) + getattr(got["soft"], name)
        np.testing.assert_allclose(getattr(got["overlay"], name), total, rtol=0, atol=1e-10)


# ---- errors: one line, on all ranks ----

BAD = {
    "keyword": ("grace/native foo 1", "* * model Ag Cu Pd", ("unknown keyword 'foo'", "isa", "references")),
    "isa": ("grace/native isa neon", "* * model Ag Cu Pd", ("'neon'", "plain", "avx2")),
    "element": ("grace/native", "* * model Ag Xx Pd", ("element 'Xx'", "expected one of", " or NULL")),
    "too few": ("grace/native", "* * model Ag Cu", ("found 2 elements, expected 3",)),
    "no file": ("grace/native", "* * nowhere Ag Cu Pd", ("found no file 'nowhere'", "grace_native.md")),
    "no model": ("grace/native", "* * empty Ag Cu Pd", ("found no file 'empty/native.npz'",)),
    "not npz": ("grace/native", "* * cell.data Ag Cu Pd", ("cell.data",)),
    "other npz": ("grace/native", "* * other.npz Ag Cu Pd", ("other.npz", "format")),
    "references": ("grace/native references yes", "* * model Ag Cu Pd", ("references.yaml",)),
    "units": ("grace/native", "* * model Ag Cu Pd", ("found units real, expected metal",)),
}


@pytest.mark.parametrize("name", BAD)
def test_refused(tmp_path: Path, one_layer: Path, name: str) -> None:
    style, coeff, words = BAD[name]
    (tmp_path / "empty").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "native.npz").symlink_to(one_layer / "native.npz")
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    write_data(tmp_path / "cell.data", case("cell", alloy(1, (1, 1, 1), 0.05)))
    units = "real" if name == "units" else "metal"
    (tmp_path / "in.test").write_text(
        f"units {units}\nread_data cell.data\npair_style {style}\npair_coeff {coeff}\nrun 0\n"
    )
    done = run_program(lmp_command("in.test", ranks=2), tmp_path, TIMEOUT_S, environment())
    assert done.returncode != 0, done.stdout
    errors = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1, done.stdout + done.stderr
    for word in ("pair_style grace/native", *words):
        assert word in errors[0], errors[0]


def test_a_style_given_again_wants_its_model_again(tmp_path: Path, lmp: Lmp, one_layer: Path) -> None:
    """Else its keywords would be heeded in part."""
    text = start(one_layer, alloy(1, (1, 1, 1), 0.05), tmp_path)
    done = lmp(text + "run 0\npair_style grace/native isa plain\nrun 0\n", ranks=2, check=False)
    errors = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1 and "pair_style grace/native: found no pair_coeff" in errors[0], done.stdout


def test_positions_that_are_no_numbers(tmp_path: Path, native: Path) -> None:
    """An atom is lost on one rank of two: told by both."""
    write_data(tmp_path / "cell.data", case("cell", alloy(1, (2, 1, 1), 0.05)))
    (tmp_path / "in.test").write_text(
        "units metal\nread_data cell.data\nmass * 80.0\npair_style grace/native\n"
        f"pair_coeff * * {native} Ag Cu Pd\nneigh_modify delay 1000 every 1000 check no\n"
        "fix n all nve\nvelocity all set 0 0 0\ngroup one id 1\nrun 1\n"
        "fix k one addforce 1.0e308 1.0e308 0.0\ntimestep 1.0e4\nrun 3\n"
    )
    done = run_program(lmp_command("in.test", ranks=2), tmp_path, TIMEOUT_S, environment())
    assert done.returncode != 0
    errors = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1 and "number" in errors[0], done.stdout
