"""Study quench through its commands: rendered, run, killed, analysed, compared."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from conftest import BIN, ROOT, Finished, environment, lmp_command, run_program
from run_tools import run_until

from pysmax.analysis import thermo
from pysmax.analysis.frames import Frames
from pysmax.analysis.output import Output
from pysmax.analysis.quench_cylinders import cut_cylinders
from pysmax.analysis.quench_options import QuenchOptions
from pysmax.analysis.rendered import frame_files, open_study
from pysmax.dataset.contacts import closest
from pysmax.dataset.store import Dataset
from pysmax.studies.quench import LAVA, MENDELEEV


def pysmax(folder: Path, *args: object, fails: bool = False) -> Finished:
    done = run_program([BIN / "pysmax", *map(str, args)], folder)
    assert (done.returncode != 0) == fails, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    return done


def render(folder: Path, name: str, *args: str) -> Path:
    pysmax(folder, "render", "quench", "--potential", "stand-in", "-o", name, *args)
    return folder / name


def run(folder: Path, ranks: int = 1) -> None:
    done = run_program(lmp_command("in.quench", ranks=ranks), folder)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, run as it says: lava on 2 ranks, analysed; two seeds of a mixture compared."""
    folder = tmp_path_factory.mktemp("example") / "quench"
    shutil.copytree(ROOT / "examples" / "quench", folder)
    done = run_program(["sh", "quench.sh"], folder, env=environment())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "quench: step 2000 of 2000: T " in done.stdout
    return folder


def test_analysis_of_lava(example: Path) -> None:
    page = example / "lava" / "analysis"
    summary = json.loads((page / "summary.json").read_text())
    assert summary["steps"] == 2000 and summary["frames"] == 21
    assert sum(summary["elements"].values()) == summary["atoms"] == 400 and len(summary["elements"]) == 9
    assert summary["note"] == "stand-in: not a physical result"
    figures = ("thermo", "rdf", "domains", "structure", "bonds", "communities")
    assert all((page / f"{f}.png").stat().st_size > 5000 for f in figures)
    html = (page / "index.html").read_text()
    assert html.count("data:image/png") >= len(figures) and "stand-in: not a physical result" in html
    assert (page / "rdf.csv").read_text().startswith("r_A,Si-O,Fe-Si\n")
    rows = np.genfromtxt(page / "domains.csv", delimiter=",", names=True)
    assert len(rows) == 21 and rows["set_temperature_K"][[0, -1]].tolist() == [5000, 300]
    assert (rows["metallic_atoms"] + rows["oxide_atoms"] <= 400).all()
    assert (rows["oxide_atoms"] >= summary["elements"]["O"]).all()
    assert (rows["metallic_largest"] <= rows["metallic_atoms"]).all()
    bonds = (page / "bonds.csv").read_text().splitlines()[1:]
    assert len(bonds) == 45 and sum(float(b.split(",")[2]) for b in bonds) > 400


def test_bonds_and_cylinders_against_the_frames(example: Path) -> None:
    study = open_study(example / "lava")
    files = frame_files(study)
    cut = ase.io.read(example / "lava" / "analysis" / "cylinders.extxyz", index=":")
    assert [a.info["step"] for a in cut] == [1000, 1000, 2000, 2000]
    for atoms in cut:
        frame = ase.io.read(files[int(atoms.info["step"])], format="lammps-dump-text")
        centre = int(re.sub(r"^[A-Z][a-z]?", "", atoms.info["centre"]))
        lengths = frame.cell.lengths()
        axis = int(lengths.argmin())
        assert atoms.cell.lengths() == pytest.approx([24.0, 24.0, lengths[axis]])
        away = frame.get_distances(centre - 1, range(400), mic=True, vector=True)  # frames are sorted by id
        distance = np.linalg.norm(np.delete(away, axis, axis=1), axis=1)
        assert len(atoms) == (distance < 7.0).sum()
        assert atoms.arrays["bulk"].sum() == (distance < 1.0).sum() >= 1
        assert atoms.info["bulk_radius_A"] == 1.0


def test_cylinders_are_labelled_and_compared(example: Path, tmp_path: Path) -> None:
    """One potential is half as strong again as the other: so are all errors of Table 10."""
    source = example / "lava" / "analysis" / "cylinders.extxyz"
    elements = "elements: [O, Na, Mg, Al, Si, K, Ca, Ti, Fe]"
    for name, depth in (("dft", 1.0), ("model", 1.5)):
        config = tmp_path / f"{name}.yaml"
        config.write_text(f"{elements}\ncommands: [pair_style soft 3.0, pair_coeff * * {depth}]\n")
        pysmax(tmp_path, "label", source, "--engine", "lammps", "--config", config, "--to", name)
    records = list(Dataset.open(tmp_path / "dft").records())
    assert [r.status for r in records] == ["ok"] * 4
    assert all(r.info["radius_A"] == 7.0 and r.info["bulk_radius_A"] == 1.0 for r in records)
    study, output = open_study(example / "lava"), Output("")
    options = QuenchOptions(labels=(tmp_path / "dft", tmp_path / "model"))
    cut_cylinders(study, options, Frames(study), output)
    errors = output.summary["cylinder_errors"]["model"]
    labels = [r.label for r in records if r.label]
    energy = [abs(x.energy) / len(x.forces) for x in labels]
    forces = np.concatenate([np.abs(x.forces) for x in labels])
    bulk = np.concatenate([np.linalg.norm(r.atoms.positions[:, :2] - 12, axis=1) < 1 for r in records])
    assert errors["cylinders"] == 4 and 4 <= bulk.sum() < len(bulk) / 10
    assert errors["energy_MAE_meV_per_atom"] == pytest.approx(500 * np.mean(energy))
    assert errors["force_MAE_meV_per_A"] == pytest.approx(500 * forces.mean())
    assert errors["bulk_force_MAE_meV_per_A"] == pytest.approx(500 * forces[bulk].mean())
    assert len(ase.io.read(source, index=":")) == 4 and output.summary["cylinders"] == 38


def test_comparison_of_seeds(example: Path) -> None:
    summary = json.loads((example / "compared" / "summary.json").read_text())
    assert summary["runs"] == 2 and summary["seeds"] == [1, 2]
    assert -1 <= summary["agreement_mean_adjusted_rand_index"] <= 1
    rows = (example / "compared" / "agreement.csv").read_text().splitlines()
    assert rows[0] == "run_1,run_2,adjusted_rand_index" and rows[1].startswith("seed1,seed2,")
    assert (example / "compared" / "together.png").stat().st_size > 5000
    other = pysmax(example, "analyse", "quench", "seed1", "lava", "-o", "none", fails=True)
    assert "expected runs of the same elements" in other.stderr and not (example / "none").exists()


def test_a_comparison_with_a_stand_in_says_so(example: Path, tmp_path: Path) -> None:
    """And a run is not compared with itself."""
    shutil.copytree(example / "seed1", tmp_path / "real")
    note = tmp_path / "real" / "study.yaml"
    text = note.read_text().replace("potential: stand-in", "potential: model")
    note.write_text(text.replace("stand_in: true", "stand_in: false"))
    pysmax(tmp_path, "analyse", "quench", "real", example / "seed2", "-o", "compared")
    summary = json.loads((tmp_path / "compared" / "summary.json").read_text())
    assert summary["potential"] == "model, stand-in" and summary["note"] == "stand-in: not a physical result"
    assert json.loads((tmp_path / "real" / "analysis" / "summary.json").read_text())["note"] == ""
    twice = pysmax(tmp_path, "analyse", "quench", "real", "real/../real", "-o", "none", fails=True)
    assert "is there twice, expected runs that differ" in twice.stderr


def test_a_torn_frame_is_an_error_wherever_it_is(example: Path, tmp_path: Path) -> None:
    shutil.copytree(example / "seed1", tmp_path / "torn")
    frame = tmp_path / "torn" / "frames" / "quench.0000001000.dump"
    frame.write_text(frame.read_text()[:3000])
    told = pysmax(tmp_path, "analyse", "quench", "torn", "-o", "none", fails=True)
    assert "quench.0000001000.dump: has " in told.stderr and "truncated" in told.stderr


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--set", "pairs=[Fe-Au]"), "element Au is not in this study"),
        (("--set", "pairs=[FeSi]"), "'FeSi' is no pair, expected two elements such as Fe-Si"),
        (("--set", "cylinder_radius_A=30"), "expected at least twice the radius, 60 A"),
        (("--set", "colour=red"), "option colour: unknown, expected one of pairs"),
        (("--set", "anions=[Q]"), "'Q' is no element"),
    ],
)
def test_options_are_checked(args: tuple[str, str], told: str, example: Path) -> None:
    done = pysmax(example, "analyse", "quench", "lava", "-o", "refused", *args, fails=True)
    assert told in done.stderr and not (example / "refused").exists()


@pytest.fixture(scope="module", params=["lava", "mendeleev"])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system of the paper, pushed apart, with one step of heat-up and one of the quench."""
    folder = render(
        tmp_path_factory.mktemp("full"), request.param, "--system", request.param, "--set", "n_steps=1",
        "--set", "heat_up_steps=1", "--set", "frames=1",
    )  # fmt: skip
    run(folder, ranks=2)
    return folder


def test_full_scale_starts_with_the_counts_of_the_paper(full: Path) -> None:
    """No overlaps, nothing lost, all finite."""
    counts = LAVA if full.name == "lava" else MENDELEEV
    folder = full
    study = open_study(folder)
    assert study.counts == {e: counts[e] for e in study.elements} and len(study.elements) == len(counts)
    frame = ase.io.read(frame_files(study)[0], format="lammps-dump-text")
    symbols = list(frame.symbols)
    assert {e: symbols.count(e) for e in counts} == counts
    start = ase.io.read(folder / "system.data", format="lammps-data", atom_style="atomic")
    assert closest(start, 1.0) < 0.2 < 0.7 < closest(frame, 1.0)
    log = thermo.read(study.log)
    assert all(np.isfinite(v).all() for v in log.values()) and log["Step"].tolist() == [0, 1]


STREAM = """
import resource, sys
from pysmax.analysis.bonds import bond_modifiers
from pysmax.analysis.domains import domains
from pysmax.analysis.frames import Frames
from pysmax.analysis.rendered import open_study
run = open_study(sys.argv[1])
frames = Frames(run, bond_modifiers(run.elements, 1.2))
for k, data in enumerate(frames):
    domains(data, run.elements, ["O"], 0.25)
    if k in (4, len(frames) - 1):
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_frames_do_not_stay_in_memory(full: Path, tmp_path: Path) -> None:
    """Fifty frames at the scale of the paper need no more than five of them."""
    shutil.copytree(full, tmp_path / "x")
    note = tmp_path / "x" / "study.yaml"
    text = note.read_text().replace("n_steps: 1\n", "n_steps: 50\n").replace(" frames: 1\n", " frames: 50\n")
    note.write_text(text)
    frame = tmp_path / "x" / "frames" / "quench.0000000001.dump"
    head = "ITEM: TIMESTEP\n1\n"
    text = frame.read_text()
    assert text.startswith(head)
    for step in range(2, 51):
        frame.with_name(f"quench.{step:010d}.dump").write_text(
            text.replace(head, f"ITEM: TIMESTEP\n{step}\n", 1)
        )
    done = run_program([sys.executable, "-c", STREAM, tmp_path / "x"], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    few_MiB, all_MiB = map(float, done.stdout.split())
    assert all_MiB < few_MiB + 30 and all_MiB < 1024


@pytest.mark.parametrize("when", ["heat-up", "quench"])
def test_killed_and_run_again(when: str, tmp_path: Path) -> None:
    steps = {"heat-up": ("200", "4000"), "quench": ("1500", "50")}[when]
    folder = render(
        tmp_path, "x", "--system", "mendeleev", "--scale", "smoke", "--set", f"n_steps={steps[0]}",
        "--set", f"heat_up_steps={steps[1]}", "--set", "frames=10",
    )  # fmt: skip
    prepare, restart = folder / "log.prepare", folder / "state" / "newest.restart"
    stop = {
        "heat-up": lambda: prepare.exists() and "nve/limit" in prepare.read_text(),
        "quench": restart.exists,
    }[when]
    assert run_until(folder, lmp_command("in.quench"), stop, environment())
    assert restart.exists() == (when == "quench")
    if when == "heat-up":
        watch = pysmax(tmp_path, "watch", "x", "--once").stdout
        assert "step 0 of 200: waiting for thermo output" in watch
    run(folder)
    study = open_study(folder)
    log = thermo.read(study.log)
    assert log["Step"][-1] == int(steps[0]) and len(frame_files(study)) == 11
    text = study.log.read_text()
    assert text.count("read_restart state/newest.restart") == (when == "quench")
    assert np.isfinite(log["PotEng"]).all()
