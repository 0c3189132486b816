"""Energy, forces and virial of fix entropy against finite differences and NumPy and ASE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Finished
from fix_tools import (
    BAR_A3_PER_EV,
    MODES,
    OUTPUT,
    Array,
    Cell,
    Dataset,
    core_energy,
    dump,
    entropy,
    forces,
    make_dataset,
    random_cell,
    read_dump,
    smallest_ratio,
    spaced_cell,
    stock_features,
    system,
    thermo,
)

Lmp = Callable[..., Finished]
STEP = 5e-4  # Angstrom, of five-point differences
STRAIN = 1e-4
STENCIL = {-2: 1.0 / 12.0, -1: -2.0 / 3.0, 1: 2.0 / 3.0, 2: -1.0 / 12.0}
CASES = [
    "mode atom",
    "mode config",
    "mode atom scale constant strength 300 core 3",
    "mode config scale constant strength 50 core 0",
    "mode atom entropy no",
]


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    return {mode: make_dataset(tmp_path_factory.mktemp(mode), mode) for mode in MODES}


def crowded_cell(natoms: int, seed: int = 21) -> Cell:
    """Cores overlap, and the cell is smaller than the cutoffs."""
    cell = spaced_cell(np.random.default_rng(seed), natoms, 0.55, volume=(1.3, 2.0))
    assert 0.55 < smallest_ratio(cell) < 0.95
    return cell


def start(folder: Path, cell: Cell, datasets: dict[str, Dataset], options: str, mass: float = 1.0) -> str:
    """The cell with its fix and the dataset read."""
    dataset = datasets["config" if "mode config" in options else "atom"]
    text = system(cell, "cell.data", folder, options, mass)
    return f"{text}entropy_dataset e read {dataset.path}\n{OUTPUT}"


def moved(cell: Cell, direction: Array) -> str:
    """Evaluates the five-point stencil along a direction [n, 3], then puts the atoms back."""
    text = ""
    for k in (*STENCIL, 0):
        for i in np.flatnonzero(np.any(direction != 0.0, axis=1)):
            x = cell.x[i] + k * STEP * direction[i]
            text += f"set atom {i + 1} x {x[0]:.17g} y {x[1]:.17g} z {x[2]:.17g}\n"
        if k:
            text += "run 0 post no\n"
    return text


def derivatives(values: Array, step: float) -> Array:
    """Five-point first derivatives of rows [m, 4]."""
    return values @ np.array(list(STENCIL.values())) / step


def directions(natoms: int, ranks: int) -> Array:
    """Every coordinate on one rank; a few random directions on more, which take longer."""
    if ranks == 1:
        return np.eye(3 * natoms).reshape(-1, natoms, 3)
    u = np.random.default_rng(ranks).standard_normal((6 // ranks, natoms, 3))
    return u / np.linalg.norm(u, axis=(1, 2), keepdims=True)


@pytest.mark.parametrize(
    ("options", "ranks"), [(c, 1) for c in CASES] + [(c, n) for c in CASES[:2] for n in (2, 4)]
)
def test_forces_equal_finite_differences(
    lmp: Lmp, tmp_path: Path, datasets: dict[str, Dataset], options: str, ranks: int
) -> None:
    cell = crowded_cell(6)
    lines = directions(len(cell), ranks)
    text = start(tmp_path, cell, datasets, options) + dump("d", "fx fy fz") + "run 0\nundump d\n"
    text += "".join(moved(cell, u) for u in lines)
    rows = thermo(lmp(text, ranks=ranks).log)
    energy = np.array([row["f_e"] for row in rows])
    assert len(energy) == 1 + 4 * len(lines)
    if "core 0" not in options:
        assert rows[0]["f_e[4]"] > 1.0
    f = forces(read_dump(tmp_path / "d.dump")[0])
    slopes = -np.einsum("kia,ia->k", lines, f)
    error = np.abs(derivatives(energy[1:].reshape(-1, 4), STEP) - slopes)
    assert error.max() < 1e-6 * np.abs(f).max()
    assert rows[0]["PotEng"] == rows[0]["f_e"] == rows[0]["f_e[1]"]


def strained(cell: Cell, a: int, b: int, e: float) -> Cell:
    """x -> (1 + e |a><b|) x, a <= b: stays in LAMMPS's frame."""
    f = np.eye(3)
    f[a, b] += e
    return replace(cell, h=cell.h @ f.T, x=cell.x @ f.T)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ranks", [1, 2])
def test_pressure_equals_finite_strain(
    lmp: Lmp, tmp_path: Path, datasets: dict[str, Dataset], mode: str, ranks: int
) -> None:
    cell = crowded_cell(5)
    options = f"mode {mode}"
    text = start(tmp_path, cell, datasets, options) + "run 0\n"
    components = {"Pxx": (0, 0), "Pyy": (1, 1), "Pzz": (2, 2), "Pxy": (0, 1), "Pxz": (0, 2), "Pyz": (1, 2)}
    for a, b in components.values():
        for k in STENCIL:
            name = f"{a}{b}{k}.data"
            text += "clear\n" + system(strained(cell, a, b, k * STRAIN), name, tmp_path, options)
            text += f"{OUTPUT}run 0 post no\n"
    rows = thermo(lmp(text, ranks=ranks).log)
    energy = np.array([row["f_e"] for row in rows[1:]]).reshape(-1, 4)
    want = -derivatives(energy, STRAIN) / rows[0]["Volume"] * BAR_A3_PER_EV
    got = np.array([rows[0][name] for name in components])
    assert np.abs(got - want).max() < 1e-6 * np.abs(got).max()


@pytest.mark.parametrize("mode", MODES)
def test_energy_and_outputs(lmp: Lmp, tmp_path: Path, datasets: dict[str, Dataset], mode: str) -> None:
    """E = - K N' dS + core, or - K dS with scale constant; features by stock LAMMPS, S in long double."""
    cell, k, strength = crowded_cell(7), 1.7, 6.0
    text = ""
    for scale in ("count", "constant"):
        options = f"mode {mode} scale {scale} strength {k} core {strength}"
        text += "clear\n" + start(tmp_path, cell, datasets, options) + "run 0\n"
        text += "entropy_dataset e clear\n"
    count, constant = thermo(lmp(text).log)

    reference, rows = datasets[mode].rows(tmp_path, mode)
    features = stock_features(tmp_path, [cell])[0]
    vectors = features if mode == "atom" else features.mean(axis=0, keepdims=True)
    variance = reference.var(axis=0)
    old = entropy(rows, variance)
    change = float(entropy(np.vstack([rows, vectors]), variance) - old)
    core = core_energy(cell, strength)
    for row in (count, constant):
        assert row["f_e[2]"] == pytest.approx(float(old), rel=1e-8)
        assert row["f_e[3]"] == pytest.approx(change, rel=1e-7)
        assert row["f_e[4]"] == pytest.approx(core, rel=1e-12)
        assert row["f_e[5]"] == pytest.approx(smallest_ratio(cell), rel=1e-12)
        assert row["f_e[6]"] == len(rows)
    assert count["f_e"] == pytest.approx(core - k * (len(rows) + len(vectors)) * change, rel=1e-7)
    assert constant["f_e"] == pytest.approx(core - k * change, rel=1e-7)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("natoms", [3, 300])
def test_ranks_agree(lmp: Lmp, tmp_path: Path, datasets: dict[str, Dataset], mode: str, natoms: int) -> None:
    radii = (0.5, 1.5) if natoms < 10 else (0.9, 1.1)
    cell = random_cell(np.random.default_rng(8), natoms, radii=radii, volume=(2.0, 2.1))
    cell = replace(cell, z=np.full(natoms, 6))
    text = start(tmp_path, cell, datasets, f"mode {mode}") + dump("d", "fx fy fz f_e[*]") + "run 0\n"
    energies, frames = [], []
    for ranks in (1, 2, 4):
        energies.append(thermo(lmp(text, ranks=ranks).log)[0])
        frames.append(read_dump(tmp_path / "d.dump")[0])
    for energy, frame in zip(energies[1:], frames[1:], strict=True):
        for key in ("f_e", "f_e[3]", "f_e[4]", "f_e[5]"):
            assert energy[key] == pytest.approx(energies[0][key], rel=1e-10)
        difference = np.abs(forces(frame) - forces(frames[0])).max()
        assert difference < 1e-10 * np.abs(forces(frames[0])).max()
        assert np.abs(frame["f_e"] - frames[0]["f_e"]).max() < 1e-10 * np.abs(frame["f_e"]).max()


def levels() -> list[str]:
    """Levels of the dispatch that this processor runs."""
    path = Path("/proc/cpuinfo")
    words = set(path.read_text().split()) if path.exists() else set()
    out = ["plain"]
    if {"avx2", "fma"} <= words:
        out.append("avx2")
    if {"avx2", "fma", "avx512f", "avx512dq", "avx512vl"} <= words:
        out.append("avx512")
    return out


@pytest.mark.parametrize("twojmax", [3, 8])
def test_dispatch_levels_agree(lmp: Lmp, tmp_path: Path, twojmax: int) -> None:
    data = make_dataset(tmp_path, "atom", twojmax=twojmax)
    cell = crowded_cell(11)
    frames, energies = [], []
    for level in levels():
        text = system(cell, "cell.data", tmp_path, f"twojmax {twojmax} isa {level}")
        text += f"entropy_dataset e read {data.path}\n{OUTPUT}{dump('d', 'fx fy fz f_e[*]')}run 0\n"
        log = lmp(text).log
        assert f"kernel {level}\n" in log
        energies.append(thermo(log)[0]["f_e"])
        frames.append(read_dump(tmp_path / "d.dump")[0])
    for energy, frame in zip(energies, frames, strict=True):
        assert energy == pytest.approx(energies[0], rel=1e-12)
        want = forces(frames[0])
        assert np.abs(forces(frame) - want).max() < 1e-12 * np.abs(want).max()
        scale = np.abs(frames[0]["f_e"]).max(axis=0)
        assert (np.abs(frame["f_e"] - frames[0]["f_e"]) / scale).max() < 1e-12


def trajectory(lmp: Lmp, start_text: str, dt: float, steps: int, ranks: int) -> Array:
    """Total energy along NVE MD; writes t.dump."""
    text = f"{start_text}velocity all create 600.0 4711 loop geom\nfix nve all nve\n"
    text += f"timestep {dt}\nthermo {steps // 50}\n{dump('t', 'x y z', steps // 2)}run {steps}\n"
    return np.array([[row["TotEng"], row["f_e"]] for row in thermo(lmp(text, ranks=ranks).log)])


@pytest.mark.parametrize("ranks", [1, 2])
def test_dynamics_conserve_energy(lmp: Lmp, tmp_path: Path, datasets: dict[str, Dataset], ranks: int) -> None:
    """The error of velocity Verlet is of second order in the step; the lists keep up with the atoms."""
    cell = spaced_cell(np.random.default_rng(3), 8, 0.85, volume=(2.5, 3.0))
    text = start(tmp_path, cell, datasets, "mode atom", mass=40.0)
    whole = trajectory(lmp, text, 0.0004, 100, ranks)
    half = trajectory(lmp, text, 0.0002, 200, ranks)
    errors = [np.std(e[:, 0] - e[0, 0]) for e in (whole, half)]
    assert np.ptp(whole[:, 1]) > 100.0 * errors[1]
    assert 3.0 < errors[0] / errors[1] < 5.0

    frames = read_dump(tmp_path / "t.dump")
    again = ""
    for k, frame in enumerate(frames):
        x = np.stack([frame["x"], frame["y"], frame["z"]], axis=1)
        again += "clear\n" + system(replace(cell, x=x), f"again{k}.data", tmp_path)
        again += ("" if k else f"entropy_dataset e read {datasets['atom'].path}\n") + f"{OUTPUT}run 0\n"
    fresh = [row["f_e"] for row in thermo(lmp(again).log)]
    assert fresh == pytest.approx([half[k, 1] for k in (0, 25, 50)], rel=1e-10)
