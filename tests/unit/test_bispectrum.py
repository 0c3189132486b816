"""pysmax.dataset.features (the plugin, beside this process) against stock LAMMPS."""

from __future__ import annotations

import ase.build
import numpy as np
import pytest
from fix_tools import random_cell, stock_features

from pysmax.dataset.features import bispectrum
from pysmax.errors import SmaxError


@pytest.mark.parametrize("ranks", [1, 2])
def test_against_stock(tmp_path, ranks: int) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(5)
    cells = [random_cell(rng, n, radii=(0.7, 1.3)) for n in (3, 1, 6, 2, 8)]
    b, natoms = bispectrum([c.atoms for c in cells], ranks=ranks)
    assert natoms.tolist() == [3, 1, 6, 2, 8] and b.shape == (20, 55)
    want = np.vstack(stock_features(tmp_path, cells))
    assert np.max(np.abs(b - want) / (np.abs(want) + want.std(axis=0))) < 1e-10


def test_molecule_and_covalent_radii() -> None:
    """No cell: vacuum; a molecule alone is the molecule in a huge box, whatever the way it is turned."""
    water = ase.build.molecule("H2O")
    boxed = water.copy()
    boxed.rotate(40, "x")
    boxed.set_cell([40, 40, 40])
    boxed.center()
    boxed.pbc = True
    b, _ = bispectrum([water, boxed])
    assert b[:3] == pytest.approx(b[3:], rel=1e-9, abs=1e-9)


def test_nothing_and_no_volume() -> None:
    with pytest.raises(SmaxError, match="found no structures"):
        bispectrum([])
    with pytest.raises(SmaxError, match="no volume"):
        bispectrum([ase.Atoms("W", pbc=True)])


def test_error_of_lammps() -> None:
    flat = ase.Atoms("Cm2", positions=np.zeros((2, 3)), cell=[5, 5, 5], pbc=True)
    flat.numbers[:] = 104
    with pytest.raises(SmaxError, match=r"LAMMPS failed: .*Rf"):
        bispectrum([flat])
