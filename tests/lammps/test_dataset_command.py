"""entropy_dataset against moments of the features that stock LAMMPS computes, by NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import pytest
from conftest import Finished
from fix_tools import (
    HEAD,
    MODES,
    OUTPUT,
    PRECISE,
    Array,
    Cell,
    empty_box,
    entropy,
    keywords,
    moments,
    random_cell,
    spaced_cell,
    stock_features,
    system,
    write_frames,
)

Lmp = Callable[..., Finished]
DESCRIPTOR = {"twojmax": 4, "rmin0": 0.1}


@pytest.fixture
def cells() -> list[Cell]:
    rng = np.random.default_rng(31)
    return [random_cell(rng, n, radii=(0.7, 1.3)) for n in (1, 2, 9, 4, 3, 7, 5)]


def vectors(folder: Path, cells: Sequence[Cell], mode: str) -> Array:
    """Feature vectors of all cells [m, n] by stock LAMMPS."""
    features = stock_features(folder, cells, **DESCRIPTOR)
    return np.vstack(features if mode == "atom" else [f.mean(axis=0, keepdims=True) for f in features])


def fix(mode: str = "atom", **more: object) -> str:
    return empty_box(keywords(DESCRIPTOR | {"mode": mode} | more))


def assert_moments(file: Any, rows: Array, prefix: str = "") -> None:
    count, mean, scatter = moments(rows)
    assert file[f"{prefix}count"] == count
    size = np.sqrt(np.diag(scatter) / count) + np.abs(mean)
    assert np.max(np.abs(file[f"{prefix}mean"] - mean) / size) < 1e-10
    assert np.max(np.abs(file[f"{prefix}scatter"] - scatter) / np.outer(size, size)) < 1e-9 * count
    assert np.array_equal(file[f"{prefix}scatter"], file[f"{prefix}scatter"].T)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", ["1", "2", "2x1", "2x2"])
def test_add_gives_the_moments_of_stock_features(
    lmp: Lmp, tmp_path: Path, cells: list[Cell], mode: str, layout: str
) -> None:
    write_frames(tmp_path / "set.extxyz", [c.atoms for c in cells])
    text = fix(mode) + "entropy_dataset e reference set.extxyz\nentropy_dataset e add set.extxyz\n"
    text += 'entropy_dataset e write a.moments\nprint "SN $(f_e[2]:%.17g) $(f_e[6])"\n'
    if "x" in layout:
        worlds, size = map(int, layout.split("x"))
        done = lmp(text, ranks=worlds * size, partition=layout)
        logs = [done.file(f"log.lammps.{p}") for p in range(worlds)]
    else:
        logs = [lmp(text, ranks=int(layout)).log]
    said = [[line for line in log.splitlines() if line.startswith("SN ")] for log in logs]
    assert len(said[0]) == 1 and said[0] == said[-1]  # every partition has the same dataset
    assert_moments(np.load(tmp_path / "a.moments"), vectors(tmp_path, cells, mode))


@pytest.mark.parametrize("layout", ["1", "2", "2x1", "2x2"])
def test_features_of_a_file(lmp: Lmp, tmp_path: Path, cells: list[Cell], layout: str) -> None:
    """Rows by atom, frame after frame, whatever the layout; no reference needed, nothing added."""
    write_frames(tmp_path / "set.extxyz", [c.atoms for c in cells])
    text = fix("atom", entropy="no") + "entropy_dataset e features set.extxyz b.npz\n"
    ranks = int(np.prod([int(n) for n in layout.split("x")]))
    done = lmp(text + 'print "N $(f_e[6])"\n', ranks=ranks, partition=layout if "x" in layout else "")
    log = done.file("log.lammps.0") if "x" in layout else done.log
    assert "\nN 0\n" in log and "31 vectors to b.npz" in log
    file = np.load(tmp_path / "b.npz")
    assert file["natoms"].tolist() == [len(c) for c in cells]
    want = vectors(tmp_path, cells, "atom")
    assert np.max(np.abs(file["features"] - want) / (np.abs(want) + want.std(axis=0))) < 1e-10


def test_file_is_one_of_numpy(lmp: Lmp, tmp_path: Path, cells: list[Cell]) -> None:
    write_frames(tmp_path / "ref.extxyz", [c.atoms for c in cells])
    write_frames(tmp_path / "set.extxyz", [c.atoms for c in cells[:3]])
    text = fix("atom", eps=1e-5) + "entropy_dataset e reference ref.extxyz\n"
    text += "entropy_dataset e add set.extxyz\nentropy_dataset e write a.moments\n"
    text += f'{OUTPUT}print "S $(f_e[2]:%.17g) N $(f_e[6])"\n'
    done = lmp(text)
    file = np.load(tmp_path / "a.moments", allow_pickle=False)
    assert str(file["format"]) == "smax-moments" and file["version"] == 1
    assert str(file["mode"]) == "atom"
    assert (file["twojmax"], file["rmin0"], file["rfac0"], file["rcutfac"]) == (4, 0.1, 0.99363, 3.0)
    assert (file["bzeroflag"], file["switchflag"], file["eps"]) == (1, 1, 1e-5)
    reference, rows = vectors(tmp_path, cells, "atom"), vectors(tmp_path, cells[:3], "atom")
    assert_moments(file, rows)
    assert_moments(file, reference, "ref_")
    assert file["variance"] == pytest.approx(reference.var(axis=0), rel=1e-9)
    words = next(line for line in done.stdout.splitlines() if line.startswith("S ")).split()
    assert float(words[1]) == pytest.approx(float(entropy(rows, reference.var(axis=0), 1e-5)), rel=1e-8)
    assert int(words[3]) == len(rows)


def test_halves_merge_to_the_whole(lmp: Lmp, tmp_path: Path, cells: list[Cell]) -> None:
    for name, part in {"one": cells[:4], "two": cells[4:], "whole": cells}.items():
        write_frames(tmp_path / f"{name}.extxyz", [c.atoms for c in part])
    text = fix() + "entropy_dataset e reference whole.extxyz\n"
    for name in ("one", "two", "whole"):
        text += f"entropy_dataset e add {name}.extxyz\nentropy_dataset e write {name}.moments\n"
        text += "entropy_dataset e clear\n"
    text += "entropy_dataset e write empty.moments\n"
    for name in ("two", "empty", "one"):
        text += f"entropy_dataset e read {name}.moments\n"
    lmp(text + "entropy_dataset e write merged.moments\n")
    merged, whole = np.load(tmp_path / "merged.moments"), np.load(tmp_path / "whole.moments")
    empty = np.load(tmp_path / "empty.moments")
    assert merged["count"] == whole["count"] == 31
    assert empty["count"] == 0 and not np.any(empty["scatter"])
    assert np.array_equal(empty["variance"], whole["variance"])  # clear keeps the reference
    sd = np.sqrt(np.diag(whole["scatter"]))
    assert np.abs((merged["mean"] - whole["mean"]) / sd).max() < 1e-12
    assert np.abs((merged["scatter"] - whole["scatter"]) / np.outer(sd, sd)).max() < 1e-12


def test_read_adopts_the_reference_of_the_file(lmp: Lmp, tmp_path: Path, cells: list[Cell]) -> None:
    write_frames(tmp_path / "set.extxyz", [c.atoms for c in cells])
    write_frames(tmp_path / "other.extxyz", [c.atoms for c in cells[1:]])
    lmp(
        fix() + "entropy_dataset e reference set.extxyz\nentropy_dataset e add set.extxyz\n"
        "entropy_dataset e write a.moments\n"
    )
    lmp(fix() + "entropy_dataset e read a.moments\nentropy_dataset e write b.moments\n")
    text = fix() + "entropy_dataset e reference other.extxyz\nentropy_dataset e read a.moments\n"
    lmp(text + "entropy_dataset e write c.moments\n")
    a, b, c = (np.load(tmp_path / f"{name}.moments") for name in "abc")
    assert np.array_equal(a["variance"], b["variance"])
    assert np.array_equal(a["scatter"], b["scatter"]) and a["count"] == b["count"]
    assert not np.allclose(a["variance"], c["variance"])  # what was there first stays
    assert np.array_equal(a["scatter"], c["scatter"])


def turned(atoms: ase.Atoms) -> Cell:
    """The same crystal in LAMMPS's frame; ASE does the turning."""
    cell, q = atoms.cell.standard_form()
    x = atoms.get_positions() @ q.T
    fractional = x @ np.linalg.inv(cell.array)
    return Cell(cell.array, (fractional % 1.0) @ cell.array, atoms.numbers, atoms.get_array("r_eff"))


def test_general_cells(lmp: Lmp, tmp_path: Path, cells: list[Cell]) -> None:
    """Turned, not reduced, left-handed, atoms outside: the same features as the oracle's frame."""
    rng = np.random.default_rng(2)
    general = [c.rotated(rng) for c in cells]
    for atoms in general:
        atoms.positions += rng.integers(-3, 4, (len(atoms), 3)) @ atoms.cell.array
    assert all(np.linalg.det(a.cell.array) != pytest.approx(0) for a in general)
    write_frames(tmp_path / "set.extxyz", general)
    lmp(fix() + "entropy_dataset e add set.extxyz\nentropy_dataset e write a.moments\n")
    right_handed = [c.atoms for c in cells]
    rows = vectors(tmp_path, [turned(a) for a in right_handed], "atom")
    file = np.load(tmp_path / "a.moments")
    # mirror images have the same bispectrum
    assert_moments(file, rows)


def test_molecule_slab_and_default_radii(lmp: Lmp, tmp_path: Path) -> None:
    """Without a cell, or with an open direction, nothing is repeated there; radii are the types'."""
    rng = np.random.default_rng(9)
    radii = {"C": 0.8, "W": 1.2, "H": 0.4}
    names = ["C", "W", "H", "H", "C"]
    r = np.array([radii[s] for s in names])
    x = rng.uniform(0.0, 4.0, (5, 3))
    molecule = ase.Atoms(names, positions=x)
    slab_h = np.array([[4.0, 0.0, 0.0], [1.5, 4.5, 0.0], [0.0, 0.0, 40.0]])
    slab = ase.Atoms(names, positions=x, cell=np.diag([1.0, 1.0, 0.2]) @ slab_h, pbc=[True, True, False])
    write_frames(tmp_path / "set.extxyz", [molecule, slab])
    text = f"{HEAD}region box prism 0 9 0 9 0 9 0 0 0\ncreate_box 3 box\nmass * 1.0\n"
    text += f"fix e all entropy {keywords(DESCRIPTOR)} elements {' '.join(radii)}"
    text += f" radii {' '.join(map(str, radii.values()))}\n"
    lmp(text + "entropy_dataset e add set.extxyz\nentropy_dataset e write a.moments\n")
    alone = Cell(np.eye(3) * 40.0, x + 10.0, molecule.numbers, r)
    surface = Cell(slab_h, x + np.array([0.0, 0.0, 10.0]), slab.numbers, r)
    assert_moments(np.load(tmp_path / "a.moments"), vectors(tmp_path, [alone, surface], "atom"))


@pytest.mark.parametrize("mode", MODES)
def test_accept_adds_the_present_cell(lmp: Lmp, tmp_path: Path, cells: list[Cell], mode: str) -> None:
    """The entropy that entropy_accept says is that of the features by stock LAMMPS."""
    write_frames(tmp_path / "ref.extxyz", [c.atoms for c in cells])
    good = spaced_cell(np.random.default_rng(4), 6, 0.95, radii=(0.7, 1.3), volume=(2.5, 3.0))
    text = fix(mode) + "entropy_dataset e reference ref.extxyz\nentropy_dataset e add ref.extxyz\nclear\n"
    options = keywords(DESCRIPTOR | {"mode": mode})
    text += system(good, "good.data", tmp_path, options) + f"thermo_style custom step f_e\n{PRECISE}"
    text += "entropy_accept e closest 0.9 0.6 out run\nentropy_dataset e write a.moments\n"
    done = lmp(text)
    rows = vectors(tmp_path, [*cells, good], mode)
    old, new = vectors(tmp_path, cells, mode), np.load(tmp_path / "a.moments")
    before, after = (float(entropy(b, old.var(axis=0))) for b in (old, rows))
    accepted = after > before
    assert ("accepted" in done.stdout) == accepted
    assert_moments(new, rows if accepted else old)
    frames = ase.io.read(tmp_path / "run.extxyz", ":") if accepted else []
    for frame in frames:
        assert frame.info["S"] == pytest.approx(after, rel=1e-8)
        assert frame.info["dS"] == pytest.approx(after - before, rel=1e-6)
        assert frame.get_array("r_eff") == pytest.approx(good.r, abs=0)
    assert len(frames) == int(accepted)


def test_accept_rejects_close_pairs(lmp: Lmp, tmp_path: Path, cells: list[Cell]) -> None:
    write_frames(tmp_path / "ref.extxyz", [c.atoms for c in cells])
    text = fix() + "entropy_dataset e reference ref.extxyz\nentropy_dataset e add ref.extxyz\nclear\n"
    text += system(cells[2], "close.data", tmp_path, keywords(DESCRIPTOR)) + "entropy_accept e\n"
    done = lmp(text + "entropy_dataset e write a.moments\n")
    assert "rejected: closest pair" in done.stdout
    assert np.load(tmp_path / "a.moments")["count"] == 31
