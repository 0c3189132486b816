"""A structure in LAMMPS's periodic box, and what LAMMPS made of it back in the structure's own axes."""

from __future__ import annotations

from dataclasses import dataclass

import ase
import numpy as np

from pysmax.label.engines.lammps_box import Box, completed
from pysmax.moments import Array


@dataclass(frozen=True)
class Placed:
    """``box``: LAMMPS's; ``vectors`` [3, 3], whole numbers: the box's cell is ``vectors`` @ the structure's.

    Where the structure is not periodic its cell is one with a vacuum, its atoms moved by ``offset`` [3] A.
    ``wraps`` [n, 3], whole numbers: lattice vectors of the box between atoms of the structure and of the box.
    """

    atoms: ase.Atoms
    box: Box
    vectors: Array
    wraps: Array
    offset: Array

    @classmethod
    def of(cls, atoms: ase.Atoms, vacuum: float) -> Placed:
        """``vacuum``: A between the images of atoms where the structure is not periodic."""
        padded, offset = _padded(atoms, vacuum)
        box = Box.of(padded)
        reduced = box.cell @ box.rotation
        vectors = np.rint(reduced @ np.linalg.inv(padded.cell.array))
        whole = padded.positions @ np.linalg.inv(reduced)
        wraps = np.rint(whole - box.positions @ np.linalg.inv(box.cell))
        return cls(atoms, box, vectors, wraps, offset)

    def back(self, cell: Array, positions: Array, images: Array) -> ase.Atoms:
        """The structure with what has moved.

        cell [3, 3]: of the box, its corner at the origin; positions [n, 3] A in it; images [n, 3].
        """
        reduced = cell @ self.box.rotation
        fractional = positions @ np.linalg.inv(cell) + images + self.wraps
        result: ase.Atoms = self.atoms.copy()  # type: ignore[no-untyped-call]
        if result.pbc.all():
            result.set_cell(np.linalg.solve(self.vectors, reduced))  # type: ignore[no-untyped-call]
        result.positions = fractional @ reduced - self.offset
        return result

    def dump(self, types: dict[str, int]) -> str:
        """A frame for read_dump; ``types``: atom type of each element."""
        (lx, _, _), (xy, ly, _), (xz, yz, lz) = self.box.cell.tolist()
        xs, ys = (0.0, xy, xz, xy + xz), (0.0, yz)
        lines = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", str(len(self.atoms))]
        lines += ["ITEM: BOX BOUNDS xy xz yz pp pp pp"]
        lines += [f"{min(xs)!r} {lx + max(xs)!r} {xy!r}", f"{min(ys)!r} {ly + max(ys)!r} {xz!r}"]
        lines += [f"0.0 {lz!r} {yz!r}", "ITEM: ATOMS id type x y z"]
        rows = zip(self.atoms.symbols, self.box.positions.tolist(), strict=True)
        lines += [f"{n} {types[e]} {x!r} {y!r} {z!r}" for n, (e, (x, y, z)) in enumerate(rows, 1)]
        return "\n".join(lines) + "\n"


def _padded(atoms: ase.Atoms, vacuum: float) -> tuple[ase.Atoms, Array]:
    pbc = np.asarray(atoms.pbc)
    plain = ase.Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    offset: Array = np.zeros(3)
    if not pbc.all():
        cell = completed(atoms.cell.array, pbc)
        along = atoms.positions @ np.linalg.inv(cell)
        for k in np.flatnonzero(~pbc):  # a unit vector across the others
            offset = offset + (vacuum / 2 - along[:, k].min()) * cell[k]
            cell[k] *= np.ptp(along[:, k]) + vacuum
        plain.set_cell(cell)  # type: ignore[no-untyped-call]
        plain.positions += offset
    return plain, offset
