"""min_style lbfgs, and the stock styles, on the energy of fix entropy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Finished
from fix_tools import (
    OUTPUT,
    Cell,
    Dataset,
    core_energy,
    dump,
    forces,
    keywords,
    make_dataset,
    random_cell,
    read_dump,
    smallest_ratio,
    system,
    thermo,
)

Lmp = Callable[..., Finished]
FTOL = 1e-3


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("dataset"), "atom", twojmax=4)


def start(folder: Path, cell: Cell, dataset: Dataset, **options: object) -> str:
    text = system(cell, "cell.data", folder, keywords({"twojmax": 4} | options))
    return f"{text}entropy_dataset e read {dataset.path}\n{OUTPUT}"


def cell_of(natoms: int, seed: int = 5) -> Cell:
    return random_cell(np.random.default_rng(seed), natoms, radii=(0.7, 1.3), volume=(2.0, 2.5))


@pytest.mark.parametrize("style", ["cg", "fire", "lbfgs"])
def test_minimisers_lower_the_energy(
    lmp: Lmp, tmp_path: Path, dataset: Dataset, style: str, ranks: int
) -> None:
    text = start(tmp_path, cell_of(10), dataset, strength=0.1)
    text += f"min_style {style}\nminimize 0 0.05 30 80\n"
    first, *_, last = thermo(lmp(text, ranks=ranks).log)
    assert first["f_e[4]"] > 0.0
    assert last["PotEng"] < first["PotEng"] - 1.0
    assert last["f_e[3]"] > first["f_e[3]"]  # the entropy of the dataset with the cell grows


@pytest.mark.parametrize("ranks", [1, 2])
def test_lbfgs_and_cg_end_in_the_same_minimum(lmp: Lmp, tmp_path: Path, dataset: Dataset, ranks: int) -> None:
    text = start(tmp_path, cell_of(4), dataset, strength=0.1)
    text += "min_style cg\nmin_modify norm max\nminimize 0 1e-2 4000 20000\n"
    text += f"displace_atoms all random 0.01 0.01 0.01 77\n{dump('x', 'x y z')}"
    text += "run 0\nundump x\n"
    log = lmp(text, ranks=ranks).log
    minimum = thermo(log)[-2]["f_e"]
    frame = read_dump(tmp_path / "x.dump")[0]
    near = Cell(cell_of(4).h, np.stack([frame[k] for k in "xyz"], axis=1), cell_of(4).z, cell_of(4).r)
    ends = []
    for style in ("cg", "lbfgs"):
        text = start(tmp_path, near, dataset, strength=0.1)
        text += f"min_style {style}\nmin_modify norm max\nminimize 0 {FTOL * 1e-2} 20000 100000\n"
        text += dump("f", "fx fy fz") + "run 0\n"
        done = lmp(text, ranks=ranks)
        assert "Stopping criterion = force tolerance" in done.log
        f = forces(read_dump(tmp_path / "f.dump")[0])
        assert np.linalg.norm(f, axis=1).max() < FTOL * 1e-2
        ends.append(thermo(done.log)[-1]["f_e"])
    assert ends[1] == pytest.approx(ends[0], abs=1e-8)
    assert ends[1] < minimum + 1e-4


def test_lbfgs_needs_fewer_evaluations_than_cg(lmp: Lmp, tmp_path: Path, dataset: Dataset) -> None:
    """Summed over cells: of a single one either style may find the shorter way."""
    counts = {"cg": 0, "lbfgs": 0}
    for style in counts:
        for seed in (2, 3, 5):
            text = start(tmp_path, cell_of(12, seed), dataset, strength=0.1)
            text += f"min_style {style}\nmin_modify norm max\nminimize 0 {FTOL} 5000 50000\nrun 0\n"
            done = lmp(text)
            assert "Stopping criterion = force tolerance" in done.log
            line = next(x for x in done.log.splitlines() if "force evaluations" in x)
            counts[style] += int(line.split()[-1])
    assert counts["lbfgs"] < counts["cg"]


@pytest.mark.parametrize("norm", ["two", "max", "inf"])
def test_lbfgs_stops_at_the_norm_asked(lmp: Lmp, tmp_path: Path, dataset: Dataset, norm: str) -> None:
    text = start(tmp_path, cell_of(6), dataset, strength=0.1)
    text += f"min_style lbfgs\nmin_modify norm {norm}\nminimize 0 {FTOL} 5000 50000\n"
    text += dump("f", "fx fy fz") + "run 0\n"
    done = lmp(text)
    assert "Stopping criterion = force tolerance" in done.log
    f = forces(read_dump(tmp_path / "f.dump")[0])
    norms = {
        "two": np.linalg.norm(f),
        "max": np.linalg.norm(f, axis=1).max(),
        "inf": np.abs(f).max(),
    }
    assert norms[norm] < FTOL


def test_core_only_minimum_has_no_overlap(lmp: Lmp, tmp_path: Path, dataset: Dataset) -> None:
    text = start(tmp_path, cell_of(10), dataset, entropy="no")
    text += f"min_style lbfgs\nminimize 0 1e-10 2000 5000\n{dump('x', 'x y z')}run 0\n"
    last = thermo(lmp(text).log)[-1]
    frame = read_dump(tmp_path / "x.dump")[0]
    cell = cell_of(10)
    end = Cell(cell.h, np.stack([frame[k] for k in "xyz"], axis=1), cell.z, cell.r)
    assert last["f_e"] == pytest.approx(core_energy(end, 10.0), abs=1e-10)
    assert smallest_ratio(end) == pytest.approx(last["f_e[5]"], rel=1e-10)
    assert smallest_ratio(end) > smallest_ratio(cell)


@pytest.mark.parametrize("ranks", [1, 2])
def test_lbfgs_refuses_extra_degrees_of_freedom(
    lmp: Lmp, tmp_path: Path, dataset: Dataset, ranks: int
) -> None:
    text = start(tmp_path, cell_of(6), dataset) + "fix b all box/relax iso 0.0\nmin_style lbfgs\n"
    done = lmp(text + "minimize 0 0.01 10 10\n", ranks=ranks, check=False, timeout_s=60)
    assert done.returncode != 0
    assert done.stdout.count("ERROR") == 1
    assert "min_style lbfgs moves atoms only" in done.stdout
