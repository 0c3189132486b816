"""Effective radii belong to atoms: they survive whatever LAMMPS does to the atoms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Finished
from fix_tools import (
    HEAD,
    OUTPUT,
    Array,
    Cell,
    Dataset,
    core_energy,
    data_text,
    dump,
    make_dataset,
    random_cell,
    read_dump,
    spaced_cell,
    thermo,
)

Lmp = Callable[..., Finished]
FIX = "fix e all entropy entropy no twojmax 2 elements C W radii 0.75 1.37\n"
RADIUS = "f_e[6]"  # after the 5 features of twojmax 2


@pytest.fixture
def cell() -> Cell:
    """24 atoms whose radii tell nothing of their types."""
    return spaced_cell(np.random.default_rng(12), 24, 0.5, radii=(0.6, 1.1), volume=(2.5, 3.0))


def begin(folder: Path, cell: Cell) -> str:
    """Two types, radii by a variable."""
    (folder / "cell.data").write_text(data_text(cell, [1 + i % 2 for i in range(len(cell))], 2))
    rows = "".join(f"{i} {r:.17g}\n" for i, r in enumerate(cell.r, 1))
    (folder / "radii.txt").write_text(f"{len(cell)}\n{rows}")
    return (
        f"{HEAD}atom_modify map array\nread_data cell.data\nmass * 10.0\n{FIX}"
        "variable r atomfile radii.txt\nfix_modify e radius v_r\n" + OUTPUT
    )


def assert_radii(frame: dict[str, Array], cell: Cell) -> None:
    """Bit by bit, by atom ID."""
    assert np.array_equal(frame["f_e"][:, 0], cell.r[frame["id"].astype(int) - 1])


HOT = "velocity all create 30000.0 99 loop geom\nfix nve all nve\ntimestep 0.0005\nthermo 50\n"


def test_migration(lmp: Lmp, tmp_path: Path, cell: Cell, ranks: int) -> None:
    text = begin(tmp_path, cell) + HOT + dump("d", f"proc x y z {RADIUS}", 50) + "run 150\n"
    rows = thermo(lmp(text, ranks=ranks).log)
    frames = read_dump(tmp_path / "d.dump")
    assert len(frames) == 4
    for frame, row in zip(frames, rows, strict=True):
        assert_radii(frame, cell)
        x = np.stack([frame[k] for k in "xyz"], axis=1)
        assert row["f_e"] == pytest.approx(core_energy(replace(cell, x=x), 10.0), rel=1e-10)
    if ranks > 1:
        assert np.any(frames[0]["proc"] != frames[-1]["proc"])


def test_sorting(lmp: Lmp, tmp_path: Path, cell: Cell) -> None:
    text = begin(tmp_path, cell) + "atom_modify sort 10 1.0\n" + HOT
    text += f"dump d all custom 50 d.dump id x y z {RADIUS}\ndump_modify d format float %.17g\nrun 150\n"
    lmp(text)
    first, *_, last = read_dump(tmp_path / "d.dump")
    assert not np.array_equal(first["id"], last["id"])
    assert_radii(last, cell)


@pytest.mark.parametrize("ranks_after", [1, 2])
def test_restart(lmp: Lmp, tmp_path: Path, cell: Cell, ranks_after: int) -> None:
    text = begin(tmp_path, cell) + HOT + "run 20\nwrite_restart here.restart\nrun 0\n"
    before = thermo(lmp(text, ranks=2).log)[-1]
    text = f"read_restart here.restart\n{FIX}{OUTPUT}{dump('d', RADIUS)}run 0\n"
    after = thermo(lmp(text, ranks=ranks_after).log)[-1]
    assert_radii(read_dump(tmp_path / "d.dump")[0], cell)
    assert after["f_e"] == pytest.approx(before["f_e"], rel=1e-12)


def test_deleted_and_created_atoms(lmp: Lmp, tmp_path: Path, cell: Cell) -> None:
    """The last atom takes the place of a deleted one; a new one has the radius of its type."""
    text = begin(tmp_path, cell) + "group some id 3 7\ndelete_atoms group some compress no\n"
    text += "create_atoms 2 single 0.1 0.2 0.3\n" + dump("d", f"type {RADIUS}") + "run 0\n"
    lmp(text)
    frame = read_dump(tmp_path / "d.dump")[0]
    old = frame["id"] <= len(cell)
    assert np.sum(old) == len(cell) - 2 and np.sum(~old) == 1
    assert_radii({k: v[old] for k, v in frame.items()}, cell)
    assert frame["f_e"][~old, 0].tolist() == [1.37]


def test_replicate_before_the_fix(lmp: Lmp, tmp_path: Path, cell: Cell) -> None:
    """LAMMPS replicates no atoms that a fix has data of; a cell replicated before is the same one."""
    (tmp_path / "cell.data").write_text(data_text(cell))
    radii = " ".join(f"{r:.17g}" for r in cell.r)
    fix = f"fix e all entropy entropy no twojmax 2 elements {'C ' * len(cell)} radii {radii}\n{OUTPUT}"
    text = f"{HEAD}read_data cell.data\nmass * 1.0\n"
    one = thermo(lmp(f"{text}{fix}run 0\n").log)[0]
    eight = thermo(lmp(f"{text}replicate 2 2 2\n{fix}run 0\n").log)[0]
    assert eight["f_e"] == pytest.approx(8.0 * one["f_e"], rel=1e-12)
    assert eight["f_e[5]"] == pytest.approx(one["f_e[5]"], rel=1e-12)
    done = lmp(f"{text}{fix}replicate 2 2 2\n", check=False)
    assert done.returncode != 0
    assert "Cannot replicate with fixes that store per-atom quantities" in done.stdout


def test_replicated_cell_has_the_same_features(lmp: Lmp, tmp_path: Path) -> None:
    """Also for a cell far smaller than the cutoffs; forces too."""
    cell = random_cell(np.random.default_rng(6), 2)
    data = make_dataset(tmp_path, "config", twojmax=4)
    (tmp_path / "cell.data").write_text(data_text(replace(cell, z=np.array([6, 6]))))
    radii = " ".join(f"{r:.17g}" for r in cell.r)
    fix = f"fix e all entropy mode config twojmax 4 elements C C radii {radii}\n"
    fix += f"entropy_dataset e read {data.path}\n{OUTPUT}"
    frames, rows = [], []
    for k, replicate in enumerate(("", "replicate 3 2 2\n")):
        text = f"{HEAD}read_data cell.data\nmass * 1.0\n{replicate}{fix}"
        rows.append(thermo(lmp(text + dump(f"r{k}", "type f_e[*]") + "run 0\n").log)[0])
        frames.append(read_dump(tmp_path / f"r{k}.dump")[0])
    one, many = frames
    want = one["f_e"][many["type"].astype(int) - 1]
    assert np.abs(many["f_e"] - want).max() < 1e-11 * np.abs(want).max()
    assert rows[1]["f_e[3]"] == pytest.approx(rows[0]["f_e[3]"], rel=1e-9)


def test_dataset_outlives_clear(lmp: Lmp, tmp_path: Path) -> None:
    """clear takes the fix away, not what it has learnt; another name is another dataset."""
    data: Dataset = make_dataset(tmp_path, "atom", twojmax=2)
    (tmp_path / "one.data").write_text(data_text(random_cell(np.random.default_rng(1), 5)))
    box = f"{HEAD}read_data one.data\nmass * 1.0\n"
    fix = f"fix e all entropy twojmax 2 elements {'C ' * 5}"
    text = f"{box}{fix}\nentropy_dataset e read {data.path}\n{OUTPUT}run 0\nclear\n"
    text += f"{box}{fix}\n{OUTPUT}run 0\nclear\n{box}fix other all entropy dataset second twojmax 4\n"
    text += 'variable n equal f_other[6]\nprint "SECOND $(v_n)"\n'
    done = lmp(text)
    before, after = thermo(done.log)
    assert before["f_e[6]"] == 96 and after == before | {"Step": after["Step"]}
    assert "SECOND 0" in done.stdout
