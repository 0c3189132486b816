"""Features of fix entropy against stock compute sna/atom with one type per atom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.data import atomic_numbers
from conftest import Finished
from fix_tools import (
    DESCRIPTOR,
    HEAD,
    Array,
    Cell,
    data_text,
    dump,
    empty_box,
    keywords,
    numbers,
    random_cell,
    read_dump,
    stock_compute,
    stock_features,
    symbols,
    system,
    write_frames,
)

Lmp = Callable[..., Finished]
SIZES = [1, 1, 2, 3, 5, 8, 13, 24, 40]
CASES: list[dict[str, float]] = [
    {},
    {"twojmax": 2},
    {"twojmax": 5, "bzeroflag": 0},
    {"twojmax": 11},
    {"rmin0": 0.5},
    {"rfac0": 0.8, "bzeroflag": 0, "rmin0": 0.2},
    {"switchflag": 0},
]
TYPES = ["O", "W", "H"]


def name_of(case: dict[str, float]) -> str:
    """Name of a parametrised test."""
    return keywords(case).replace(" ", "_") or "default"


def assert_close(got: Array, want: Array, tolerance: float = 1e-10) -> None:
    """Equal relative to each component's largest value in the cell."""
    assert got.shape == want.shape
    scale = np.abs(want).max(axis=0)
    assert np.max(np.abs(got - want) / np.where(scale > 0.0, scale, 1.0)) < tolerance


def with_reference(folder: Path, options: str) -> str:
    """Gives the dataset a reference: until then the fix has no entropy term to evaluate."""
    rng = np.random.default_rng(1)
    write_frames(folder / "ref.extxyz", [random_cell(rng, 9).atoms for _ in range(3)])
    return empty_box(options) + "entropy_dataset e reference ref.extxyz\n"


def shrunk(cell: Cell) -> Cell:
    """Every image distance of an atom to itself well inside its cutoff."""
    largest = np.linalg.norm(cell.h, axis=1).max()
    return replace(cell, r=cell.r * max(1.0, largest / (4.0 * cell.r.min())))


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_features_equal_stock(lmp: Lmp, tmp_path: Path, case: dict[str, float]) -> None:
    rng = np.random.default_rng(len(keywords(case)))
    p = DESCRIPTOR | case
    text = with_reference(tmp_path, keywords(p))
    for k, natoms in enumerate(SIZES):
        cell = random_cell(rng, natoms)
        if k == 2:
            cell = shrunk(cell)
        text += "clear\n" + system(cell, f"cell{k}.data", tmp_path, keywords(p))
        text += stock_compute(cell, p) + dump(f"d{k}", "c_s[*] f_e[*]") + "run 0\n"
    lmp(text)
    for k, natoms in enumerate(SIZES):
        frame = read_dump(tmp_path / f"d{k}.dump")[0]
        assert len(frame["c_s"]) == natoms
        assert_close(frame["f_e"][:, :-1], frame["c_s"])


def test_isolated_atom_has_no_neighbours(lmp: Lmp, tmp_path: Path) -> None:
    atom = Cell(np.eye(3) * 30.0, np.array([[1.0, 29.0, 15.0]]), np.array([74]), np.array([1.0]))
    text = with_reference(tmp_path, "")
    text += "clear\n" + system(atom, "atom.data", tmp_path) + dump("d", "f_e[*]") + "run 0\n"
    lmp(text)
    features = read_dump(tmp_path / "d.dump")[0]["f_e"]
    assert np.abs(features[0, :-1]).max() < 1e-14  # bzeroflag 1: the isolated atom is the origin
    assert features[0, -1] == 1.0


def check_against_stock(folder: Path, frame: dict[str, Array], h: Array) -> None:
    """Features of a dump with x, y, z and f_e against a stock run on one type per atom."""
    x = np.stack([frame["x"], frame["y"], frame["z"]], axis=1)
    cell = Cell(h, x, np.ones(len(x), dtype=np.int64), frame["f_e"][:, -1])
    assert_close(frame["f_e"][:, :-1], stock_features(folder, [cell])[0])


def box_of(log: str) -> list[Array]:
    """Boxes that PRINT_BOX printed."""
    rows = [np.array(line.split()[1:], dtype=float) for line in log.splitlines() if line.startswith("BOX ")]
    return [np.array([[r[0], 0, 0], [r[3], r[1], 0], [r[4], r[5], r[2]]]) for r in rows]


PRINT_BOX = 'print "BOX ' + " ".join(f"$({k}:%.17g)" for k in ("lx", "ly", "lz", "xy", "xz", "yz")) + '"\n'


def test_features_of_candidates_equal_stock(lmp: Lmp, tmp_path: Path, ranks: int) -> None:
    text = with_reference(tmp_path, "")
    for k in range(3):
        text += f"entropy_candidate e seed 11 index {k} natoms 1 1 7 3 20 3\n"
        text += dump(f"c{k}", "x y z f_e[*]") + f"run 0\n{PRINT_BOX}undump c{k}\n"
    boxes = box_of(lmp(text, ranks=ranks).log)
    assert len(boxes) == 3
    for k, h in enumerate(boxes):
        check_against_stock(tmp_path, read_dump(tmp_path / f"c{k}.dump")[0], h)


def typed(rng: np.random.Generator, natoms: int) -> tuple[Cell, Sequence[int]]:
    """A cell of three elements, and its types."""
    types = rng.integers(1, 4, natoms).tolist()
    z = np.array([atomic_numbers[TYPES[t - 1]] for t in types])
    return replace(random_cell(rng, natoms), z=z), types


def test_radii_by_type(lmp: Lmp, tmp_path: Path) -> None:
    cell, types = typed(np.random.default_rng(2), 12)
    (tmp_path / "typed.data").write_text(data_text(cell, types, 3))
    options = f"elements {' '.join(TYPES)} radii 0.6 1.4 0.35"
    text = with_reference(tmp_path, "") + f"clear\n{HEAD}read_data typed.data\nmass * 1.0\n"
    text += f"fix e all entropy {options}\n" + dump("d", "x y z f_e[*]") + f"run 0\n{PRINT_BOX}"
    log = lmp(text).log
    frame = read_dump(tmp_path / "d.dump")[0]
    assert frame["f_e"][:, -1].tolist() == [(0.6, 1.4, 0.35)[t - 1] for t in types]
    check_against_stock(tmp_path, frame, box_of(log)[0])


def test_default_radii_are_single_bond_radii(lmp: Lmp, tmp_path: Path) -> None:
    """Pyykko & Atsumi, Chem. Eur. J. 15, 186 (2009), Table 2."""
    want = {"H": 0.32, "Be": 1.02, "C": 0.75, "O": 0.63, "Fe": 1.16, "Cs": 2.32, "W": 1.37, "Rn": 1.42}
    rng = np.random.default_rng(3)
    cell = replace(random_cell(rng, len(want)), z=np.array([atomic_numbers[s] for s in want]))
    (tmp_path / "own.data").write_text(data_text(cell))
    text = f"{HEAD}read_data own.data\nmass * 1.0\nfix e all entropy entropy no elements {symbols(cell)}\n"
    lmp(text + dump("d", "f_e[56]") + "run 0\n")
    assert read_dump(tmp_path / "d.dump")[0]["f_e"][:, 0].tolist() == list(want.values())


def test_features_without_entropy(lmp: Lmp, tmp_path: Path, ranks: int) -> None:
    """entropy no: the energy is the core's alone, f_ID[*] holds the features all the same."""
    cell, types = typed(np.random.default_rng(6), 9)
    (tmp_path / "typed.data").write_text(data_text(cell, types, 3))
    text = f"{HEAD}read_data typed.data\nmass * 1.0\n"
    text += f"fix e all entropy entropy no elements {' '.join(TYPES)}\n" + dump("d", "x y z f_e[*]")
    log = lmp(text + f'run 0\nprint "ENERGY $(f_e-f_e[4]:%.17g)"\n{PRINT_BOX}', ranks=ranks).log
    assert "ENERGY 0\n" in log
    check_against_stock(tmp_path, read_dump(tmp_path / "d.dump")[0], box_of(log)[0])


@pytest.mark.parametrize("style", ["atomfile", "formula"])
def test_radii_of_a_variable(lmp: Lmp, tmp_path: Path, ranks: int, style: str) -> None:
    cell, types = typed(np.random.default_rng(4), 10)
    (tmp_path / "typed.data").write_text(data_text(cell, types, 3))
    rows = "".join(f"{i} {r:.17g}\n" for i, r in enumerate(cell.r, 1))
    (tmp_path / "radii.txt").write_text(f"{len(cell)}\n{rows}")
    variable = "atomfile radii.txt" if style == "atomfile" else "atom 0.4+0.07*id"
    want = cell.r if style == "atomfile" else 0.4 + 0.07 * np.arange(1, len(cell) + 1)
    text = with_reference(tmp_path, "") + f"clear\n{HEAD}atom_modify map array\n"
    text += "read_data typed.data\nmass * 1.0\n"
    text += f"fix e all entropy elements {' '.join(TYPES)} radii {numbers([1.0] * 3)}\n"
    text += f"variable r {variable}\nfix_modify e radius v_r\n"
    log = lmp(text + dump("d", "x y z f_e[*]") + f"run 0\n{PRINT_BOX}", ranks=ranks).log
    frame = read_dump(tmp_path / "d.dump")[0]
    assert np.max(np.abs(frame["f_e"][:, -1] - want)) < 1e-15
    check_against_stock(tmp_path, frame, box_of(log)[0])
