"""The VASP engine end to end on the stand-in: labels against finite differences, faults, restarts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ase
import numpy as np
import pytest
from label import fake_vasp
from label.fake_vasp import write_library

from pysmax.errors import SmaxError
from pysmax.label.engine import Limits, Outcome, compute_label
from pysmax.label.engines.vasp import VaspConfig, run
from pysmax.label.engines.vasp.folder import end_leftover

NO_LIMITS = Limits(max_force_eV_per_A=None)
COMMAND = (sys.executable, "-S", fake_vasp.__file__)


def crystal() -> ase.Atoms:
    """Strained and sheared, species interleaved: no component of the stress is small or equal to another."""
    strain = np.array([[0.95, 0.06, 0.0], [0.02, 1.04, -0.05], [0.08, 0.0, 0.9]])
    fractional = np.random.default_rng(1).random((5, 3))
    return ase.Atoms("FeOWFeO", cell=4.2 * np.eye(3) @ strain, scaled_positions=fractional, pbc=True)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Of a config; the stand-in does what fake_vasp.json says."""
    monkeypatch.delenv("FAKE_VASP", raising=False)
    site = [p for p in sys.path if p.endswith("site-packages")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(site))  # -S: the stand-in starts faster
    library = write_library(tmp_path / "library", "Fe", "O", "W_sv")
    return {"command": COMMAND, "potcar_dir": library, "work_dir": tmp_path / "jobs"}


def label(settings: dict[str, Any], atoms: ase.Atoms, **orders: object) -> Outcome:
    folder = Path(settings["work_dir"])
    folder.mkdir(exist_ok=True)
    (folder / "fake_vasp.json").write_text(json.dumps(orders))
    engine = VaspConfig(**settings).make()
    try:
        return compute_label(engine, atoms, NO_LIMITS)
    finally:
        engine.close()


def job(settings: dict[str, Any]) -> Path:
    """The only job folder."""
    (path,) = Path(settings["work_dir"]).glob("*/*/job.json")
    return path.parent


def energy(settings: dict[str, Any], atoms: ase.Atoms) -> float:
    found = label({**settings, "keep": "removed"}, atoms).label
    assert found is not None
    return found.energy


def test_forces_and_stress_are_derivatives_of_the_energy(settings: dict[str, Any]) -> None:
    """Signs, units, Voigt order and the order of atoms at once; the stand-in speaks VASP's conventions."""
    atoms, h = crystal(), 1e-3
    found = label(settings, atoms).label
    assert found is not None and found.stress is not None
    for i, k in ((0, 0), (3, 2)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[i, k] += sign * h
            energies.append(energy(settings, moved))
        assert found.forces[i, k] == pytest.approx(-(energies[0] - energies[1]) / (2 * h), abs=1e-4)
    volume = atoms.get_volume()
    for voigt, (a, b) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * h / 2
            strain[b, a] += sign * h / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            energies.append(energy(settings, strained))
        # (1/V) dE/d(strain): both off-diagonal elements move by h / 2, so this is the Voigt component
        assert found.stress[voigt] == pytest.approx((energies[0] - energies[1]) / (2 * h) / volume, abs=1e-5)
    assert len(set(np.round(found.stress, 3))) == 6  # no order passes by chance


def test_compression_has_negative_stress(settings: dict[str, Any]) -> None:
    atoms = ase.Atoms("Fe", cell=[2.2] * 3, pbc=True)
    found = label(settings, atoms).label
    assert found is not None and found.stress is not None
    assert found.stress[:3].max() < 0


def test_same_crystal_otherwise_written(settings: dict[str, Any]) -> None:
    """Other order of atoms, left-handed cell, atoms moved by a vector: the same label, in its own order."""
    atoms = crystal()
    order = [3, 1, 4, 0, 2]
    other = atoms[order]
    other.set_cell(atoms.cell.array[[1, 0, 2]])
    other.positions += atoms.cell.array[2]
    one = label(settings | {"run_tags": {"LORBIT": 11}}, atoms).label
    two = label(settings | {"run_tags": {"LORBIT": 11}}, other).label
    assert one is not None and two is not None
    assert two.energy == pytest.approx(one.energy, abs=1e-6)
    np.testing.assert_allclose(two.forces, one.forces[order], atol=1e-6)
    np.testing.assert_allclose(two.stress, one.stress, atol=1e-8)
    assert one.magmoms is not None and two.magmoms is not None
    np.testing.assert_allclose(one.magmoms, [2.5, 1.0, 1.0, 2.5, 1.0])
    np.testing.assert_allclose(two.magmoms, [2.5, 1.0, 1.0, 2.5, 1.0])


@pytest.mark.parametrize(
    ("orders", "reason", "words"),
    [
        ({"mode": "crash"}, "crash", "SIGSEGV"),
        ({"mode": "garbage"}, "error", "XMLSyntaxError"),
        ({"mode": "truncated"}, "error", "XMLSyntaxError"),
        ({"mode": "nothing"}, "error", "no vasprun.xml"),
        ({"mode": "overflow"}, "not finite", "forces"),
        ({"mode": "error", "say": "out of luck"}, "error", "ended with code 1: out of luck"),
        ({"elements": {"W": "crash"}}, "crash", "SIGSEGV"),
        # custodian knows this one, and its mending is another smearing
        ({"mode": "error", "say": "Tetrahedron method fails"}, "error", "SIGMA 0.1 -> 0.05"),
        ({"mode": "error", "say": "while reading WAVECAR"}, "error", "could not mend it: coef"),
    ],
)
def test_faults(settings: dict[str, Any], orders: dict[str, object], reason: str, words: str) -> None:
    outcome = label(settings, crystal(), **orders)
    assert outcome.label is None and outcome.reason == reason
    assert words in outcome.attempts[0].detail
    if reason != "not finite":  # a whole calculation, but for its numbers
        assert (job(settings) / "vasp.out").exists()  # left as it is, to look at


def test_custodian_mends_the_scf(settings: dict[str, Any]) -> None:
    plain = label(settings, crystal()).label
    settings["work_dir"] = settings["work_dir"] / "other"
    found = label(settings, crystal(), modes=["unconverged", "ok"]).label
    assert found is not None and plain is not None
    assert found.extra["mended"] == "ALGO None -> All, ISEARCH None -> 1"
    assert found.energy == plain.energy and "mended" not in plain.extra
    assert label(settings, crystal(), mode="crash").label is not None  # the finished folder says the same
    again = label(settings, crystal(), mode="crash").label
    assert again is not None and again.extra == found.extra


def test_a_warning_does_no_harm(settings: dict[str, Any]) -> None:
    found = label(settings, crystal(), say="WARNING: Sub-Space-Matrix is not hermitian in DAV").label
    assert found is not None and "mended" not in found.extra


def test_custodian_gives_up_on_the_scf(settings: dict[str, Any]) -> None:
    outcome = label(settings | {"max_corrections": 1}, crystal(), mode="unconverged")
    assert outcome.reason == "scf" and "Unconverged" in outcome.attempts[0].detail
    assert (job(settings) / "fake_vasp.count").read_text() == "2"  # the first run and one mended


@pytest.mark.parametrize("deaf", [False, True])
def test_timeout(settings: dict[str, Any], deaf: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "TERMINATE_S", 0.5)
    start = time.monotonic()
    outcome = label(settings | {"timeout_s": 2.0}, crystal(), mode="hang", deaf=deaf)
    assert outcome.reason == "timeout"
    assert 2.0 < time.monotonic() - start < 12
    assert not alive(pid_of(settings))


def pid_of(settings: dict[str, Any]) -> int:
    return int((job(settings) / "vasp.pid").read_text().split()[1])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_killed_worker_takes_vasp_with_it(settings: dict[str, Any], tmp_path: Path) -> None:
    work = Path(settings["work_dir"])
    work.mkdir()
    (work / "fake_vasp.json").write_text('{"mode": "hang"}')
    script = tmp_path / "worker.py"
    plain = {**settings, "potcar_dir": str(settings["potcar_dir"]), "work_dir": str(work)}
    script.write_text(
        "import ase\nfrom pysmax.label.engines.vasp import VaspConfig\n"
        f"VaspConfig(**{plain!r}).make().compute(ase.Atoms('Fe', cell=[2.5] * 3, pbc=True), 0)\n"
    )
    root = str(Path(run.__file__).parents[4])
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([root, os.environ["PYTHONPATH"]]))
    worker = subprocess.Popen([sys.executable, script], env=env)
    try:
        wait_for(lambda: list(work.glob("*/*/vasp.pid")))
        pid = pid_of(settings)
        assert alive(pid)
    finally:
        worker.kill()
        worker.wait()
    wait_for(lambda: not alive(pid))
    (work / "fake_vasp.json").unlink()
    found = label(settings, ase.Atoms("Fe", cell=[2.5] * 3, pbc=True))
    assert found.label is not None


def test_two_workers_on_one_structure(settings: dict[str, Any]) -> None:
    """The second waits, then reads what the first has computed."""
    settings["keep"] = "all"
    work = Path(settings["work_dir"])
    work.mkdir()
    (work / "fake_vasp.json").write_text('{"seconds": 1}')
    with ThreadPoolExecutor(2) as pool:
        engines = [VaspConfig(**settings).make() for _ in range(2)]
        found = list(pool.map(lambda e: e.compute(crystal(), 0), engines))
    assert found[0].energy == found[1].energy
    assert (job(settings) / "fake_vasp.count").read_text() == "1"
    assert not list(work.glob("*/*.lock"))


def test_a_left_over_vasp_is_ended(tmp_path: Path) -> None:
    """Only one whose working folder is the job's: numbers of processes are used again."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    for cwd, ends in ((there, False), (here, True)):
        process = subprocess.Popen(["sleep", "60"], cwd=cwd, start_new_session=True)
        try:
            (here / "vasp.pid").write_text(f"{os.uname().nodename} {process.pid}\n")
            end_leftover(here)
            if ends:
                assert process.wait(5) == -signal.SIGKILL
            else:
                time.sleep(0.1)
                assert process.poll() is None
        finally:
            process.kill()
            process.wait()
    (here / "vasp.pid").write_text("nonsense")
    end_leftover(here)


@pytest.mark.parametrize("keep", ["all", "compressed", "removed"])
def test_finished_folders(settings: dict[str, Any], keep: str) -> None:
    settings["keep"] = keep
    first = label(settings, crystal()).label
    assert first is not None
    left = {p.name for p in Path(settings["work_dir"]).glob("*/*/*")}
    if keep == "removed":
        assert not left
    elif keep == "compressed":
        assert {"job.json", "POTCAR.spec", "vasprun.xml.gz", "OUTCAR.gz", "INCAR.gz"} <= left
        assert not {"POTCAR", "vasprun.xml", "POTCAR.orig"} & left
    else:
        assert {"POTCAR", "vasprun.xml", "OUTCAR"} <= left
    again = label(settings, crystal(), mode="crash")
    if keep == "removed":
        assert again.reason == "crash"
    else:
        assert again.label is not None and again.label.energy == first.energy
        np.testing.assert_array_equal(again.label.forces, first.forces)
        assert again.label.extra == first.extra


@pytest.mark.parametrize("fault", ["cut", "potential", "level", "job"])
def test_unfinished_or_other_folders_are_run_again(settings: dict[str, Any], fault: str) -> None:
    settings["keep"] = "all"
    assert label(settings, crystal()).label is not None
    folder = job(settings)
    if fault == "cut":
        text = (folder / "vasprun.xml").read_text()
        (folder / "vasprun.xml").write_text(text[: len(text) // 2])
    elif fault == "potential":
        path = settings["potcar_dir"] / "potpaw_PBE.54" / "Fe" / "POTCAR"
        path.write_text(path.read_text().replace("1.0 2.0", "1.0 2.1"))
        from pysmax.label.engines.vasp import potcar

        potcar.load.cache_clear()  # as in another process
    elif fault == "level":
        settings["incar"] = {"ENCUT": 400}
    else:
        (folder / "job.json").write_text("{")
    assert label(settings, crystal(), mode="crash").reason == "crash"
    found = label(settings, crystal())
    assert found.label is not None


def test_version_asked_for(settings: dict[str, Any]) -> None:
    assert label(settings | {"vasp_version": "6.3"}, crystal()).label is not None
    outcome = label(settings | {"vasp_version": "6.4"}, crystal())
    assert outcome.reason == "error" and "VASP is 6.3.0, expected 6.4" in outcome.attempts[0].detail


def test_a_potential_that_the_library_lacks(settings: dict[str, Any]) -> None:
    outcome = label(settings, ase.Atoms("Pu", cell=[3] * 3, pbc=True))
    assert outcome.reason == "structure" and "no POTCAR of Pu" in outcome.attempts[0].detail


def test_no_library(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VASP_PP_PATH", raising=False)
    monkeypatch.delenv("PMG_VASP_PSP_DIR", raising=False)
    with pytest.raises(SmaxError, match="no PAW library"):
        VaspConfig(**settings | {"potcar_dir": None}).make()


def test_no_vasp() -> None:
    with pytest.raises(SmaxError, match="'no_such_vasp' is not on PATH"):
        VaspConfig(command=("no_such_vasp",)).make()


def test_stand_in_by_sums_over_images() -> None:
    """Its pair sums, against ASE's neighbour list."""
    from ase.neighborlist import neighbor_list

    atoms = crystal()
    i, j, r = neighbor_list("ijd", atoms, fake_vasp.CUTOFF)
    s = np.array([fake_vasp.strength(x) for x in atoms.symbols])
    expected = 0.5 * (np.sqrt(s[i] * s[j]) * fake_vasp.pair(r)[0]).sum()
    found = fake_vasp.physics(fake_vasp.Poscar(list(atoms.symbols), atoms.cell.array, atoms.positions))
    assert found.energy == pytest.approx(expected, rel=1e-12)
