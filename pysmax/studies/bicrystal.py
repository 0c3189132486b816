"""A periodic bicrystal with two Sigma7 (1 -3 2)[111] symmetric tilt boundaries of a bcc crystal."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import ase
import numpy as np

from pysmax.errors import SmaxError
from pysmax.moments import Array

AXIS = (1, 1, 1)
PLANE = (1, -3, 2)
SIGMA = 7
ANGLE_DEG = 38.2132107017  # 2 atan(sqrt(3) / 5)
PLANES_PER_CELL = 28  # spacings a / sqrt(14) in two grains of one CSL cell each
MERGE = 0.7  # of the nearest-neighbour distance: atoms of two grains that come closer become one
_TOLERANCE = 1e-6  # A


@dataclass(frozen=True)
class Bicrystal:
    """``atoms``: cell a, b, c along x, y, z; x is [111], z the normal. ``boundaries``: their z, A."""

    atoms: ase.Atoms
    boundaries: tuple[float, float]
    closest: float  # A


def bicrystal(element: str, a: float, cells: int, repeat: tuple[int, int], closest: float = 0.9) -> Bicrystal:
    """Two grains of ``cells`` CSL cells along the normal, ``repeat`` of [111]/2 and [5 -1 -4] in the plane.

    ``a``: lattice constant, A; 3 (28 cells - 2) repeat[0] repeat[1] atoms. pymatgen's generator makes one
    cell; boundaries lie at a quarter and three quarters of the normal.
    Raises SmaxError if two atoms come closer than ``closest`` nearest-neighbour distances, or the
    boundaries are no mirrors where they have to be.
    """
    unit = _orthogonal(_generate(element, a, cells))
    height = unit.cell.lengths()[2]
    unit.positions[:, 2] += height / 4
    unit.positions %= unit.cell.lengths()
    boundaries = (float(height / 4), float(3 * height / 4))
    for z in boundaries:
        if (off := _mirror_error(unit, z)) > 1e-3:
            raise SmaxError(
                f"grain boundary at z = {z:.2f} A: {off:.3f} A off a mirror, expected a symmetric tilt"
            )
    atoms = unit * (*repeat, 1)
    found = nearest(atoms)
    wanted = closest * a * 0.75**0.5
    if found < wanted:
        raise SmaxError(f"grain boundary: two atoms are {found:.3f} A apart, expected {wanted:.3f} A or more")
    return Bicrystal(atoms, boundaries, found)


def _generate(element: str, a: float, cells: int) -> Any:
    """pymatgen's bicrystal: one CSL cell in the plane, boundaries at the bottom and in the middle."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pymatgen.core import Lattice, Structure
        from pymatgen.core.interface import GrainBoundaryGenerator

        bcc = Structure(Lattice.cubic(a), [element] * 2, [[0, 0, 0], [0.5, 0.5, 0.5]])
        made = GrainBoundaryGenerator(bcc).gb_from_parameters(
            AXIS, ANGLE_DEG, expand_times=cells, plane=PLANE, normal=True, rm_ratio=MERGE
        )
    if made.sigma != SIGMA or len(made) != 2 * (PLANES_PER_CELL * cells - 2):
        raise SmaxError(
            f"pymatgen made {len(made)} atoms of Sigma{made.sigma}, "
            f"expected {2 * (PLANES_PER_CELL * cells - 2)} of Sigma{SIGMA}"
        )
    return made


def _orthogonal(made: Any) -> ase.Atoms:
    """The same atoms in the cell [111]/2, [5 -1 -4], normal; [111]/2 is a translation of both grains."""
    import ase.build
    from ase.geometry import cellpar_to_cell

    atoms = ase.Atoms(
        [str(s.specie) for s in made],
        scaled_positions=made.frac_coords,
        cell=cellpar_to_cell(made.lattice.parameters),  # type: ignore[no-untyped-call]
        pbc=True,
    )
    la, slant = atoms.cell.array[0, 0], atoms.cell.array[1, 0]
    turn = [[1, 0, 0], [round(-3 * slant / la), 3, 0], [0, 0, 1]]
    atoms = ase.build.make_supercell(atoms, turn)  # type: ignore[no-untyped-call]
    atoms.wrap(eps=_TOLERANCE)
    half: ase.Atoms = atoms[atoms.get_scaled_positions(wrap=False)[:, 0] < 0.5 - _TOLERANCE]
    half.cell = atoms.cell.lengths() * [0.5, 1, 1]
    if np.abs(atoms.cell.angles() - 90).max() > 1e-4 or 2 * len(half) != len(atoms):
        raise SmaxError(f"grain boundary: pymatgen's cell {made.lattice} is not the one expected")
    return half


def _mirror_error(atoms: ase.Atoms, z: float) -> float:
    """Largest distance from an atom's image in the plane z to an atom, A."""
    from scipy.spatial import cKDTree

    lengths = atoms.cell.lengths()
    tree = cKDTree(_inside(atoms.positions, lengths), boxsize=lengths)
    images = atoms.positions * [1, 1, -1] + [0, 0, 2 * z]
    return float(tree.query(_inside(images, lengths))[0].max())


def _inside(positions: Array, lengths: Array) -> Array:
    """In [0, length) also where rounding puts a remainder at the length itself."""
    x = positions % lengths
    return np.where(x >= lengths, 0.0, x)


def nearest(atoms: ase.Atoms) -> float:
    """Smallest distance of two atoms of an orthogonal periodic cell, A."""
    from scipy.spatial import cKDTree

    lengths = atoms.cell.lengths()
    tree = cKDTree(_inside(atoms.positions, lengths), boxsize=lengths)
    distances: Array = tree.query(tree.data, k=2)[0]
    return float(distances[:, 1].min())
