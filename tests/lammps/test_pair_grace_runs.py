"""pair_style grace as a run uses it: strain, dynamics, restarts, pieces, other styles beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from conftest import Finished
from grace_models import GraceModels
from grace_tools import NKTV2P, Case, alloy, case, evaluation, read_evaluation, write_data

Lmp = Callable[..., Finished]
HEAD = "units metal\nread_data cell.data\nmass * 80.0\nneighbor 1.0 bin\n"


def cell32() -> Atoms:
    return alloy(5, (2, 2, 2), 0.02)


def start(model: Path, style: str = "grace") -> str:
    return f"{HEAD}pair_style {style}\npair_coeff * * {model} Ag Cu Pd\n"


def printed(done: Finished, word: str) -> np.ndarray:
    """Numbers of each line that starts with a word."""
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(f"{word} ")]
    return np.array([[float(v) for v in line[1:]] for line in lines])


@pytest.mark.parametrize("family", ["1l", "2l"])
def test_virial_is_the_derivative_by_strain(
    lmp: Lmp, tmp_path: Path, grace_models: GraceModels, family: str
) -> None:
    """Central differences: xx, zz and the tilts xy, yz."""
    write_data(tmp_path / "cell.data", case("cell", alloy(6, (2, 1, 1), 0.12)))
    h = 2e-5
    text = start(grace_models[family]).replace("mass", "change_box all triclinic\nmass")
    text += "compute p all pressure NULL virial\nthermo_style custom pe c_p[*]\nrun 0 post no\n"
    text += 'print "P $(c_p[1]:%.17g) $(c_p[3]:%.17g) $(c_p[4]:%.17g) $(c_p[6]:%.17g) $(vol:%.17g)"\n'
    edges = {"x": "lx", "z": "lz", "xy": "ly", "yz": "lz"}
    for name, edge in edges.items():
        for sign in (1, -2, 1):
            delta = f"$({sign * h}*v_l:%.17g)"
            change = f"delta 0 {delta}" if len(name) == 1 else f"delta {delta}"
            text += f"variable l equal {edge}\n" if sign == 1 else ""
            text += f"variable l equal $(v_l:%.17g)\nchange_box all {name} {change} remap units box\n"
            text += 'run 0 post no\nprint "E $(pe:%.17g)"\n'
    done = lmp(text)
    *pressure, volume = printed(done, "P")[0]
    energy = printed(done, "E").reshape(-1, 3)
    slope = (energy[:, 0] - energy[:, 1]) / (2 * h) / volume
    np.testing.assert_allclose(-slope, np.array(pressure) / NKTV2P, atol=2e-8)


def test_energy_is_conserved_and_restarts_go_on(lmp: Lmp, tmp_path: Path, grace_models: GraceModels) -> None:
    """1 000 steps; the last 200 again from a restart file."""
    write_data(tmp_path / "cell.data", case("cell", cell32()))
    again = start(grace_models["1l"]).replace("read_data cell.data", "read_restart middle.restart")
    text = start(grace_models["1l"])
    text += "velocity all create 600 7 loop geom\ntimestep 0.001\nfix n all nve\nthermo 20\n"
    text += "fix e all ave/time 20 1 20 c_thermo_pe v_total file energy.txt format ' %.15g'\n"
    text = text.replace("fix e", "variable total equal etotal\nfix e")
    text += "run 800\nwrite_restart middle.restart\nrun 200\n"
    dump = "write_dump all custom {}.dump id x y z vx vy vz modify sort id format float %.17g\n"
    text += dump.format("first")
    text += f"clear\n{again}fix n all nve\nrun 200\n{dump.format('second')}"
    lmp(text)
    step, _, total = np.loadtxt(tmp_path / "energy.txt").T
    drift = np.polyfit(step * 1e-3, total, 1)[0] / 32
    assert abs(drift) < 1e-5, f"{drift} eV/atom/ps"
    assert np.ptp(total) / 32 < 1e-3
    first, second = (np.loadtxt(tmp_path / f"{n}.dump", skiprows=9) for n in ("first", "second"))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-8)


@pytest.mark.parametrize("family", ["1l", "2l"])
def test_ranks_agree_in_dynamics(lmp: Lmp, tmp_path: Path, grace_models: GraceModels, family: str) -> None:
    """Hot atoms that change ranks, as on one rank; one layer in chunks too."""
    write_data(tmp_path / "cell.data", case("cell", cell32()))
    found = []
    for ranks, style in ((1, "grace"), (2, "grace chunk 9" if family == "1l" else "grace")):
        text = start(grace_models[family], style)
        text += "velocity all create 2500 7 loop geom\nfix n all nve\nneigh_modify every 1 delay 0\nrun 60\n"
        text += f"write_dump all custom {ranks}.dump id x y z fx fy fz modify sort id format float %.17g\n"
        lmp(text, ranks=ranks)
        found.append(np.loadtxt(tmp_path / f"{ranks}.dump", skiprows=9))
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-8)


def test_chunks_references_and_styles_beside(lmp: Lmp, tmp_path: Path, grace_models: GraceModels) -> None:
    """One process: chunks change nothing, references add up, hybrid/overlay is the sum."""
    folder = tmp_path / "model"
    folder.mkdir()
    for part in grace_models["1l"].iterdir():
        (folder / part.name).symlink_to(part)
    (folder / "references.yaml").write_text("Ag: -1.5\nCu: -2.25\nPd: -4.0\n")
    atoms = alloy(8, (2, 2, 1), 0.1)
    names = ("whole", "chunks", "referred", "soft", "overlay", "parts", "unseen", "rest")
    runs = {n: case(n, atoms) for n in names}
    soft = "pair_style lj/cut 4.0\npair_coeff * * 0.01 2.2"
    style = {"chunks": "grace chunk 5", "referred": "grace references yes"}
    text = {n: evaluation(runs[n], folder, style.get(n, "grace"), tmp_path) for n in names}
    given = f"pair_style grace\npair_coeff * * {folder} Ag Cu Pd"
    text["soft"] = text["soft"].replace(given, soft)
    both = f"pair_style hybrid/overlay grace lj/cut 4.0\npair_coeff * * grace {folder} Ag Cu Pd\n"
    text["overlay"] = text["overlay"].replace(given, f"{both}pair_coeff * * lj/cut 0.01 2.2")
    # under hybrid, NULL leaves a type to the other style
    alone = f"pair_style hybrid grace lj/cut 4.0\npair_coeff * * grace {folder} Ag Cu NULL\n"
    text["parts"] = text["parts"].replace(
        given, f"{alone}pair_coeff 3 3 lj/cut 0.01 2.2\npair_coeff 1*2 3 none"
    )
    text["unseen"] = text["unseen"].replace("Ag Cu Pd", "Ag Cu NULL")
    rest = "pair_style lj/cut 4.0\npair_coeff * * 0.0 2.2\npair_coeff 3 3 0.01 2.2"
    text["rest"] = text["rest"].replace(given, rest)
    done = lmp("".join(text.values()), ranks=2)
    got = {n: read_evaluation(runs[n], tmp_path) for n in names}
    whole = got["whole"]
    for name in ("energy", "forces", "stress", "energies"):
        want = getattr(whole, name)
        np.testing.assert_allclose(getattr(got["chunks"], name), want, rtol=0, atol=1e-12)
        total = want + getattr(got["soft"], name)
        np.testing.assert_allclose(getattr(got["overlay"], name), total, rtol=0, atol=1e-10)
        parts = getattr(got["unseen"], name) + getattr(got["rest"], name)
        np.testing.assert_allclose(getattr(got["parts"], name), parts, rtol=0, atol=1e-10)
    reference = np.array([{"Ag": -1.5, "Cu": -2.25, "Pd": -4.0}[s] for s in atoms.symbols])
    np.testing.assert_allclose(got["referred"].energies, whole.energies + reference, atol=1e-12)
    assert got["referred"].energy == pytest.approx(whole.energy + reference.sum(), abs=1e-11)
    (told,) = (line for line in done.stdout.splitlines() if "reference energies are added" in line)
    for word in ("eV per atom:", " Ag -1.5", " Cu -2.25", " Pd -4"):
        assert word in told


def test_two_layers_in_chunks(lmp: Lmp, tmp_path: Path, grace_models: GraceModels) -> None:
    """On one rank: layer by layer, equal to the whole model."""
    whole, chunks = (Case(n, c.atoms, c.types) for n in ("whole", "chunks") for c in [case("", cell32())])
    model = grace_models["2l"]
    text = evaluation(whole, model, "grace", tmp_path) + evaluation(chunks, model, "grace chunk 10", tmp_path)
    lmp(text)
    one, other = (read_evaluation(c, tmp_path) for c in (whole, chunks))
    for name in ("energy", "forces", "stress", "energies", "stress_of_atoms"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=0, atol=1e-12)


def test_two_layers_on_ranks_beside_another_style(
    lmp: Lmp, tmp_path: Path, grace_models: GraceModels
) -> None:
    """hybrid/overlay must have room for the messages of its styles."""
    both, layers, soft = (
        Case(n, c.atoms, c.types) for n in ("both", "layers", "soft") for c in [case("", cell32())]
    )
    model = grace_models["2l"]
    given = f"pair_style grace\npair_coeff * * {model} Ag Cu Pd"
    lj = "pair_coeff * * {}0.01 2.2"
    overlay = f"pair_style hybrid/overlay lj/cut 4.0 grace\npair_coeff * * grace {model} Ag Cu Pd\n"
    text = evaluation(layers, model, "grace", tmp_path)
    text += evaluation(both, model, "grace", tmp_path).replace(given, overlay + lj.format("lj/cut "))
    text += evaluation(soft, model, "grace", tmp_path).replace(
        given, f"pair_style lj/cut 4.0\n{lj.format('')}"
    )
    lmp(text, ranks=2)
    got, one, other = (read_evaluation(c, tmp_path) for c in (both, layers, soft))
    for name in ("energy", "forces", "stress", "energies", "stress_of_atoms"):
        total = getattr(one, name) + getattr(other, name)
        np.testing.assert_allclose(getattr(got, name), total, rtol=0, atol=1e-10)


def test_box_relax(lmp: Lmp, tmp_path: Path, grace_models: GraceModels) -> None:
    write_data(tmp_path / "cell.data", case("cell", alloy(9, (2, 1, 1), 0.05)))
    text = start(grace_models["1l"]) + "fix b all box/relax aniso 0.0 vmax 0.01\n"
    text += "thermo_style custom pe pxx pyy pzz\nmin_modify line quadratic\n"
    text += 'print "BEFORE 0"\nrun 0\nvariable a equal pe\nvariable first equal $(pe)\n'
    text += 'minimize 0 1e-5 100 500\nprint "AFTER $(pe-v_first) $(pxx) $(pyy) $(pzz)"\n'
    gain, *pressure = printed(lmp(text), "AFTER")[0]
    assert gain < 0.0
    assert max(abs(p) for p in pressure) < 500.0  # bar
