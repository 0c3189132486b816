"""Study anneal, the base of the others: rendered, run, killed, continued, watched and analysed."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
import study_tools
import yaml
from conftest import ROOT, Finished, environment, run_program
from study_tools import analysed, pysmax, rendered, run

from pysmax.analysis.registry import analyse
from pysmax.analysis.rendered import frame_files, open_study
from pysmax.errors import SmaxError
from pysmax.studies import render, stand_in
from pysmax.studies.cohesive import COHESIVE_EV

SHORT = ("repeat=[3,3,3]", "n_steps=200", "frames=10", "thermo_lines=20", "restarts=5")
STEPS = list(range(0, 201, 20))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on two ranks, moved elsewhere before and after it ran."""
    base = tmp_path_factory.mktemp("anneal")
    folder = rendered("anneal", base / "x", *SHORT, "temperature=[300,900]", "pressure=[0]")
    folder = folder.rename(base / "moved")
    run("anneal", folder, ranks=2)
    return folder.rename(base / "done")


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done, tmp_path / "copy", ignore=shutil.ignore_patterns("analysis")))


def test_it_runs_and_is_analysed(done: Path) -> None:
    summary = analysed("anneal", done)
    assert summary["note"] == stand_in.LABEL and summary["elements"] == {"Cu": 108}
    assert summary["steps"] == summary["steps_wanted"] == 200 and summary["frames"] == 11
    assert stand_in.LABEL in (done / "analysis" / "index.html").read_text()
    rows = list(csv.DictReader((done / "analysis" / "thermo.csv").open()))
    assert [float(r["time_ps"]) for r in rows] == pytest.approx(np.arange(0, 0.201, 0.01))
    assert list(frame_files(open_study(done))) == STEPS


def test_temperature_follows_its_ramp(tmp_path: Path) -> None:
    words = ("repeat=[5,5,5]", "n_steps=6000", "temperature=[200,800,200]", "frames=1", "thermo_lines=600")
    folder = rendered("anneal", tmp_path / "x", *words)
    run("anneal", folder, ranks=2)
    analysed("anneal", folder)
    rows = list(csv.DictReader((folder / "analysis" / "thermo.csv").open()))
    t = np.array([float(r["temperature_K"]) for r in rows])
    wanted = np.interp(np.arange(601), [0, 300, 600], [200, 800, 200])
    blocks = (t - wanted)[1:].reshape(6, 100).mean(axis=1)
    # sqrt(2/3N) T: 4 % of T for one sample of 500 atoms; the first block also takes up the crystal's energy
    assert abs(blocks[1:]).max() < 40 and abs(blocks[0]) < 80


@pytest.mark.parametrize("ranks", [1, 2])
def test_killed_it_goes_on_and_has_the_same_frames(tmp_path: Path, ranks: int) -> None:
    words = ("repeat=[5,5,5]", "n_steps=1000", "frames=50", "thermo_lines=100", "restarts=20")
    folder = rendered("anneal", tmp_path / "x", *words)
    study_tools.killed("anneal", folder, "frames/*300.dump", ranks=ranks)
    assert not (folder / "frames" / "anneal.0000001000.dump").exists()
    # as if the kill had torn the frame that was being written
    (folder / "frames" / "anneal.0000000320.dump").write_text("ITEM: TIMESTEP\n320\n")
    again = run("anneal", folder, ranks=ranks)
    assert "Reading restart file" in again.stdout
    assert list(frame_files(open_study(folder))) == list(range(0, 1001, 20))
    summary = analysed("anneal", folder)
    assert summary["frames"] == 51 and summary["steps"] == 1000
    steps = [line.split()[0] for line in (folder / "analysis" / "thermo.csv").read_text().splitlines()]
    assert len(steps) == 1 + 101
    # n_steps is the total: nothing is left to do, and more can be asked for
    assert "Loop time" not in run("anneal", folder).stdout
    run("anneal", folder, n_steps=1100)
    assert list(frame_files(open_study(folder)))[-1] == 1100


def test_restart_says_what_it_expects(copy: Path) -> None:
    assert "found maybe, expected auto, yes or no" in run("anneal", copy, check=False, restart="maybe").stdout
    run("anneal", copy, restart="no")
    (copy / "state" / "newest.restart").unlink()
    told = run("anneal", copy, check=False, restart="yes", ranks=2)
    assert told.returncode != 0 and "found no state/newest.restart" in told.stdout


def test_a_new_run_leaves_nothing_of_the_old_one(copy: Path) -> None:
    run("anneal", copy, ranks=2, restart="no", n_steps=30)
    assert list(frame_files(open_study(copy))) == [0, 20]
    (copy / "in.anneal").write_text((copy / "in.anneal").read_text().replace("every 40", "every 4000"))
    run("anneal", copy)
    assert list(frame_files(open_study(copy))) == STEPS


def test_another_n_steps_cuts_the_ramp_or_holds_its_end(tmp_path: Path) -> None:
    words = ("repeat=[4,4,4]", "n_steps=600", "temperature=[900,300,600]", "frames=6", "restarts=6")
    folder = rendered("anneal", tmp_path / "x", *words)
    runs = r"^fix md all nvt temp (\S+) (\S+) 0.1$|^run (\d+) upto start (\d+) stop (\d+) "
    found = {}
    for n_steps in (450, 600, 700):
        run("anneal", folder, n_steps=n_steps)
        text = (folder / "log.anneal").read_text().split("variable        n_steps")[-1]
        found[n_steps] = [m.expand(r"\1 \2\3 \4 \5") for m in re.finditer(runs, text, re.MULTILINE)]
    assert found == {
        450: ["900.0 300.0  ", " 300 0 300", "300.0 600.0  ", " 450 300 600"],
        600: ["300.0 600.0  ", " 600 300 600"],
        700: ["600.0 600.0  ", " 700 600 700"],
    }
    assert list(frame_files(open_study(folder))) == list(range(0, 701, 100))


def test_watch_tells_where_it_is(copy: Path) -> None:
    told = pysmax("watch", copy, "--once", folder=copy).stdout
    assert told.startswith("anneal: step 200 of 200: T ") and "GPa" in told
    (copy / "log.anneal").unlink()
    assert "waiting for thermo output" in pysmax("watch", copy, folder=copy).stdout


def frame(folder: Path, step: int = 60) -> Path:
    return folder / "frames" / f"anneal.{step:010d}.dump"


def cut(folder: Path) -> None:
    path = frame(folder, 200)
    path.write_text(path.read_text()[:-30])


def row(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    """One line of an atom changed."""
    path = frame(folder, 200)
    lines = path.read_text().splitlines()
    lines[50] = " ".join(change(lines[50].split()))
    path.write_text("\n".join(lines) + "\n")


def swap_elements(folder: Path) -> None:
    path = frame(folder, 200)
    path.write_text(path.read_text().replace(" Cu ", " Ag "))


def fewer_atoms(folder: Path) -> None:
    path = frame(folder, 200)
    path.write_text(path.read_text().replace("108", "107", 1))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "has 107 whole lines of atoms, expected 108: truncated"),
        (lambda f: row(f, lambda w: w[:2]), "has 107 whole lines of atoms, expected 108: truncated"),
        (lambda f: row(f, lambda w: [*w[:3], "nan", *w[4:]]), "has places of atoms that are no numbers"),
        (lambda f: row(f, lambda w: ["1", *w[1:]]), "has 107 ids for 108 atoms, expected one each"),
        (lambda f: frame(f, 200).write_text("ITEM: TIMESTEP\nITEM: ATOMS id\n"), "not a whole frame"),
        (lambda f: shutil.copy(frame(f, 180), frame(f, 200)), "is of step 180, expected 200"),
        (swap_elements, "atom type 1 is Ag, expected types 1, 2, ... to be Cu"),
        (fewer_atoms, "has 107 atoms, expected the 108"),
        (lambda f: frame(f, 200).write_text(""), "not a whole frame"),
        (lambda f: frame(f, 200).write_bytes(b"\x00\xff"), "not a text file"),
        (lambda f: frame(f).unlink(), "has no frame of step 60, expected one every 20 steps"),
        (lambda f: shutil.rmtree(f / "frames"), "expected frames: has lmp -in in.anneal run?"),
        (lambda f: (f / "log.anneal").write_text("LAMMPS\n"), "has no thermo output"),
        (lambda f: (f / "log.anneal").unlink(), "log.anneal: No such file"),
        (lambda f: (f / "study.yaml").unlink(), "has no study.yaml"),
        (lambda f: (f / "study.yaml").write_text("a: ["), "not YAML"),
        (lambda f: (f / "study.yaml").write_text("study: anneal\n"), "has no system"),
        (lambda f: edit(f, study="melt"), "study melt, expected anneal"),
        (lambda f: edit(f, counts=3), "expected what pysmax render wrote"),
        (lambda f: edit(f, parameters={"n_steps": -1}), "parameter n_steps: found -1"),
    ],
)
def test_what_is_wrong_with_a_run_is_named(copy: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(copy)
    with pytest.raises(SmaxError, match=re.escape(said)):
        analyse("anneal", copy)
    assert not (copy / "analysis").exists()


def test_a_mistake_is_one_line(copy: Path) -> None:
    cut(copy)
    told = pysmax("analyse", "anneal", copy, folder=copy, check=False)
    assert told.returncode == 2 and len(told.stderr.splitlines()) == 1 and "truncated" in told.stderr


def edit(folder: Path, **changed: object) -> None:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changed}))


def test_the_stand_in_runs_with_every_element(tmp_path: Path, lmp: Callable[..., Finished]) -> None:
    elements = list(COHESIVE_EV)
    rng = np.random.default_rng(3)
    grid = 3.0 * np.array(np.unravel_index(np.arange(125), (5, 5, 5))).T
    atoms = ase.Atoms(
        elements, (grid + rng.uniform(-0.2, 0.2, grid.shape))[: len(elements)], cell=[15] * 3, pbc=True
    )
    ase.io.write(tmp_path / "all.extxyz", atoms)
    given = {
        "structure": str(tmp_path / "all.extxyz"),
        "repeat": [1, 1, 1],
        "n_steps": 20,
        "timestep_fs": 0.1,
    }
    folder = render("anneal", tmp_path / "x", potential="stand-in", settings=given)
    lmp(folder / "in.anneal", folder=folder, ranks=2)
    assert np.isfinite(ase.io.read(folder / "frames" / "anneal.0000000020.dump").positions).all()


def test_a_tilted_cell_keeps_its_shape(tmp_path: Path) -> None:
    cell = (
        np.array([[7.0, 0, 0], [5.5, 8.0, 0], [-4.0, 3.0, 9.0]])
        @ np.linalg.qr(np.ones((3, 3)) + np.eye(3))[0]
    )
    scaled = np.random.default_rng(1).uniform(size=(4, 3)) * 0.1 + [
        [0, 0, 0],
        [0.5, 0.5, 0],
        [0, 0.5, 0.5],
        [0.5, 0, 0.5],
    ]
    atoms = ase.Atoms("Cu4", scaled_positions=scaled, cell=cell, pbc=True)
    ase.io.write(tmp_path / "tilted.extxyz", atoms)
    given = {"structure": str(tmp_path / "tilted.extxyz"), "repeat": [2, 2, 2], "n_steps": 1}
    folder = render("anneal", tmp_path / "x", potential="stand-in", settings=given)
    run("anneal", folder)
    first = ase.io.read(frame(folder, 0), format="lammps-dump-text")
    wanted = atoms * (2, 2, 2)
    assert first.cell.cellpar() == pytest.approx(wanted.cell.cellpar())
    distances = [np.sort(a.get_all_distances(mic=True), axis=None) for a in (first, wanted)]
    assert distances[0] == pytest.approx(distances[1], abs=1e-4)


def test_the_example(tmp_path: Path) -> None:
    """Copper expands: 3.615 A at 0 K by this potential; 2 % more volume by 900 K at the least, and back."""
    folder = tmp_path / "anneal"
    shutil.copytree(ROOT / "examples" / "anneal", folder)
    told = run_program(["sh", "anneal.sh"], folder, env=environment())
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr
    assert "anneal: step 6000 of 6000" in told.stdout and "not a physical result" not in told.stdout
    rows = list(csv.DictReader((folder / "run" / "analysis" / "thermo.csv").open()))
    volume = np.array([float(r["volume_A3_per_atom"]) for r in rows])
    cold, hot = volume[-10:].mean(), volume[90:110].mean()
    assert 3.615**3 / 4 < cold < 1.025 * 3.615**3 / 4 and 1.02 < hot / cold < 1.06


def test_another_study_is_refused(done: Path) -> None:
    with pytest.raises(SmaxError, match="is of study anneal, expected quench"):
        open_study(done, "quench")


def test_a_grace_model_runs_in_it(tmp_path: Path, grace_models) -> None:
    """The energy of the first step, references and all, is that of the calculator."""
    from pysmax.calculators import grace
    from pysmax.grace.model import Model

    model = Model.open(grace_models["1l"])
    ase.io.write(tmp_path / "cell.extxyz", ase.build.bulk("Ag", cubic=True))
    given = {"structure": str(tmp_path / "cell.extxyz"), "repeat": [2, 2, 2], "n_steps": 10}
    folder = render("anneal", tmp_path / "x", potential=model.folder, settings=given)
    run("anneal", folder, ranks=2)
    summary = analysed("anneal", folder)
    atoms = ase.build.bulk("Ag", cubic=True) * (2, 2, 2)
    atoms.calc = grace(model.folder)
    rows = list(csv.DictReader((folder / "analysis" / "thermo.csv").open()))
    assert float(rows[0]["potential_energy_eV_per_atom"]) == pytest.approx(
        atoms.get_potential_energy() / len(atoms), abs=1e-5
    )
    assert summary["note"] == ""
