"""A structure in LAMMPS's box and back."""

from __future__ import annotations

import itertools

import ase
import numpy as np
import pytest

from pysmax.studies.relax_box import Placed


@pytest.mark.parametrize("pbc", list(itertools.product([True, False], repeat=3)))
def test_there_and_back(pbc: tuple[bool, bool, bool]) -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        cell = rng.normal(0, 4, (3, 3)) + np.diag([3, 4, 5])  # skewed, of either hand
        atoms = ase.Atoms("CuZnAgAu", rng.normal(0, 9, (4, 3)), cell=cell, pbc=pbc)
        placed = Placed.of(atoms, vacuum=12.0)
        assert (np.triu(placed.box.cell, 1) == 0).all() and (np.diag(placed.box.cell) > 0).all()
        back = placed.back(placed.box.cell, placed.box.positions, np.zeros((4, 3)))
        assert back.positions == pytest.approx(atoms.positions, abs=1e-9)
        assert back.cell.array == pytest.approx(cell, abs=1e-9)
        lengths = np.linalg.norm(placed.box.cell, axis=1)
        for k in np.flatnonzero(~np.array(pbc)):
            assert lengths.max() >= 12.0, k
        # an atom that LAMMPS has moved to an image is where it was
        moved = placed.box.positions - [[1], [0], [0], [2]] * placed.box.cell[0]
        images = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0], [2, 0, 0]])
        assert placed.back(placed.box.cell, moved, images).positions == pytest.approx(
            atoms.positions, abs=1e-9
        )


def test_a_cell_that_grows_carries_everything_in_the_axes_of_the_structure() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        cell = rng.normal(0, 2, (3, 3)) + np.diag([6, 7, 8])
        atoms = ase.Atoms("Cu3", rng.normal(0, 9, (3, 3)), cell=cell, pbc=True)
        placed = Placed.of(atoms, vacuum=12.0)
        back = placed.back(1.1 * placed.box.cell, 1.1 * placed.box.positions, np.zeros((3, 3)))
        assert back.cell.array == pytest.approx(1.1 * cell, abs=1e-9)
        assert back.positions == pytest.approx(1.1 * atoms.positions, abs=1e-9)


def test_the_images_of_a_cluster_are_a_vacuum_apart() -> None:
    atoms = ase.Atoms("Cu3", [[0, 0, 0], [2, 0, 0], [0, 3, 1]])
    placed = Placed.of(atoms, vacuum=15.0)
    assert np.sort(np.diag(placed.box.cell)) == pytest.approx([16.0, 17.0, 18.0])
    dump = placed.dump({"Cu": 2}).splitlines()
    assert dump[3] == "3" and [line.split()[1] for line in dump[9:]] == ["2", "2", "2"]
