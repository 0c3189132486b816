"""Study segregation inside LAMMPS: run by commands, killed, continued, refused, and against known answers."""

from __future__ import annotations

import csv
import itertools
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import ase.build
import ase.io
import numpy as np
import pytest
import study_tools
from conftest import ROOT, Finished, environment, run_program
from study_tools import analysed, pysmax, rendered, run

from pysmax.analysis import blocking, thermo
from pysmax.analysis.moves import last_counts
from pysmax.analysis.rendered import frame_files, open_study
from pysmax.studies import render, stand_in

METALS = ["W", "Nb", "Mo", "Ta", "V"]
BOLTZMANN = 8.617333262e-5  # eV/K
IDEAL = """\
commands:
  - pair_style morse/smooth/linear 4.0
  - pair_coeff * * 0.9 1.4 2.8 4.0
elements: [W, Nb, Mo, Ta]
"""


def table(folder: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "analysis" / name).open()))


def test_the_example_runs_as_it_says(tmp_path: Path) -> None:
    """All impurities, two ranks, by the script."""
    folder = Path(shutil.copytree(ROOT / "examples" / "segregation", tmp_path / "x"))
    done = run_program(["sh", "segregation.sh"], folder, env=environment())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    out = folder / "run"
    told = pysmax("watch", out, "--once", folder=folder).stdout
    assert re.search(r"segregation: step 400 of 400: .* accepted 0\.\d+, tried \d+", told)
    rows = table(out, "moves.csv")
    pairs = {r["elements"] for r in rows if r["move"] == "exchange"}
    wanted = {"-".join(p) for p in itertools.combinations([*METALS, "Si", "P"], 2)}
    assert pairs == wanted and all(int(r["tried"]) > 0 for r in rows)
    assert [r["elements"] for r in rows if r["move"] == "displacement"] == ["H", "B", "C", "N"]
    log = thermo.read(out / "log.segregation")
    assert sum(int(r["tried"]) for r in rows) == log["v_tried"][-1]
    share = sum(int(r["accepted"]) for r in rows) / sum(int(r["tried"]) for r in rows)
    assert log["v_accepted"][-1] == pytest.approx(share, rel=1e-5) and 0 < share < 1
    page = (out / "analysis" / "index.html").read_text()
    assert stand_in.LABEL in page and page.count("data:image/png") == 5
    compositions = table(out, "compositions.csv")
    for column in ("overall_at_percent", "boundary_at_percent", "bulk_at_percent"):
        assert sum(float(r[column]) for r in compositions) == pytest.approx(100, abs=0.01)
    assert abs(sum(float(r["excess_per_nm2"]) for r in compositions)) < 1e-3


def test_an_ideal_solution_does_not_segregate(tmp_path: Path) -> None:
    """Four names of one atom: every exchange is accepted, and the boundary is as the bulk."""
    (tmp_path / "ideal.yaml").write_text(IDEAL)
    words = ("n_steps=600", "frames=60", "mc_every=10", "mc_batches=60", "mc_range_A=4", "pressure=null")
    folder = rendered("segregation", tmp_path / "x", *words, potential=tmp_path / "ideal.yaml")
    run("segregation", folder)
    summary = analysed("segregation", folder, "--set", "discard=0")
    assert summary["note"] == "" and summary["exchanges"]["acceptance"] == 1.0
    assert summary["moves_per_atom"] > 8
    for e, found in summary["compositions"].items():
        assert found["overall_at_percent"] == 25
        assert abs(found["difference_at_percent"]) < 4 * found["difference_error"] < 20, e
        assert abs(found["excess_per_nm2"]) < 4 * found["excess_error"] < 20, e
    # each frame is a random draw: atoms of an element among those at the boundaries, without replacement
    rows = table(folder, "convergence.csv")[20:]
    for b in ("boundary_1", "boundary_2"):
        c = np.array([[float(r[f"{e}_at_percent_{b}"]) for e in METALS[:4]] for r in rows]) / 100
        n = 85  # atoms nearer than 5 A to one boundary, about
        wanted = (0.25 * 0.75 / n * (648 - n) / 647) ** 0.5
        assert c.std(axis=0).mean() == pytest.approx(wanted, rel=0.3)


def test_short_range_order_is_that_of_all_arrangements(tmp_path: Path, lmp: Callable[..., Finished]) -> None:
    """Eight and eight atoms on a rigid bcc lattice that mixes with -0.012 eV a bond: 12 870 arrangements."""
    a, bond, T = 3.2, -0.012, 700.0
    atoms = ase.build.bulk("W", "bcc", a=a, cubic=True) * (2, 2, 2)
    atoms.symbols = ["W", "Ta"] * 8
    ase.io.write(tmp_path / "cell.data", atoms, format="lammps-data", specorder=["W", "Ta"], masses=True)
    i, j = ase.neighborlist.neighbor_list("ij", atoms, 0.9 * a)
    assert len(i) == 16 * 8
    first = np.array(list(itertools.combinations(range(16), 8)))
    states = np.zeros((len(first), 16), dtype=bool)
    states[np.arange(len(first))[:, None], first] = True
    unlike = (states[:, i] != states[:, j]).sum(axis=1) / 2  # bonds
    weight = np.exp(-bond * unlike / (BOLTZMANN * T))
    exact = 1 - 2 * (weight * unlike).sum() / weight.sum() / 64  # Warren-Cowley, first shell
    text = f"""\
units metal
atom_modify map yes
read_data cell.data
pair_style morse 2.9
pair_coeff 1 1 0.1 1.5 {a * 0.75**0.5}
pair_coeff 2 2 0.1 1.5 {a * 0.75**0.5}
pair_coeff 1 2 {0.1 - bond} 1.5 {a * 0.75**0.5}
fix mc all swap/all 1 20 7 {T} swap 1 2
thermo_style custom step pe f_mc
thermo_modify norm no
thermo 1
run 15000
"""
    done = lmp(text, ranks=1)
    log = thermo.read(done.folder / "log.lammps")
    bonds = (log["PotEng"][200:] + 0.1 * 64) / bond
    assert abs(bonds - np.round(bonds)).max() < 0.05
    order = 1 - 2 * bonds[:, None] / 64
    error = float(blocking.error(order))
    assert abs(order.mean() - exact) < 4 * error < 0.03
    assert exact < -0.1 and 0.1 < log["f_mc"][-1] < 0.9


def test_killed_it_goes_on_and_counts_on(tmp_path: Path) -> None:
    (tmp_path / "ideal.yaml").write_text(IDEAL)
    words = ("n_steps=200", "mc_batches=40", "frames=20", "thermo_lines=20", "restarts=10", "relax_steps=5")
    folder = rendered("segregation", tmp_path / "x", *words, potential=tmp_path / "ideal.yaml")
    study_tools.killed("segregation", folder, "frames/*100.dump", ranks=2)
    assert not (folder / "frames" / "segregation.0000000200.dump").exists()
    again = run("segregation", folder, ranks=2)
    assert "Reading restart file" in again.stdout and "minimization" not in again.stdout.lower()
    assert list(frame_files(open_study(folder))) == list(range(0, 201, 10))
    step, counted = last_counts(open_study(folder))
    log = thermo.read(folder / "log.segregation")
    assert (np.diff(log["v_tried"]) >= 0).all()
    # ten stages of forty batches, of one move or more
    assert 400 <= log["v_tried"][-1] == sum(tried for _, _, tried, _ in counted) and step == 200


def test_copies_of_types_are_refused(tmp_path: Path) -> None:
    """Under -suffix intel trial energies are those of the old types, in some releases."""
    (tmp_path / "intel.yaml").write_text(IDEAL + "before_box: [suffix intel]\n")
    folder = rendered("segregation", tmp_path / "x", "relax_steps=0", potential=tmp_path / "intel.yaml")
    told = run("segregation", folder, ranks=2, check=False)
    assert told.returncode != 0
    assert re.search(r"ERROR: fix swap/all: found suffix intel", told.stdout + told.stderr)


@pytest.mark.parametrize("system", ["wnbmota", "wnbmotav-impurities"])
def test_full_scale_starts(tmp_path: Path, system: str) -> None:
    folder = render("segregation", tmp_path / "x", potential="stand-in", system=system)
    done = run("segregation", folder, ranks=2, relax_steps=0, n_steps=1)
    natoms = {"wnbmota": 5838, "wnbmotav-impurities": 20416}[system]
    assert re.search(rf"with {natoms} atoms", done.stdout)
    assert "segregation: done, 1 steps" in done.stdout
    log = thermo.read(folder / "log.segregation")
    assert np.isfinite(log["PotEng"]).all() and log["PotEng"][0] < -6 * natoms
