"""A structure in LAMMPS's restricted box, and vectors and stresses back from there."""

from __future__ import annotations

from dataclasses import dataclass

import ase
import numpy as np

from pysmax.dataset.record import Array

MARGIN = 1.0  # A of empty box around the atoms where it is not periodic


@dataclass(frozen=True)
class Box:
    """LAMMPS's box and a structure in it.

    cell [3, 3] = (lx, 0, 0), (xy, ly, 0), (xz, yz, lz), its corner at the origin; positions [n, 3] in it;
    rotation [3, 3], orthogonal: row vectors v of the structure are v @ rotation.T in the box.
    """

    cell: Array
    positions: Array
    rotation: Array

    @classmethod
    def of(cls, atoms: ase.Atoms) -> Box:
        """The box of a structure: short vectors where it is periodic, around its atoms where it is not."""
        from ase.geometry.minkowski_reduction import minkowski_reduce

        pbc = np.asarray(atoms.pbc)
        cell, _ = minkowski_reduce(atoms.cell.array, pbc=pbc)  # type: ignore[no-untyped-call]
        cell = completed(cell, pbc)
        fractional = np.linalg.solve(cell.T, atoms.positions.T).T
        for k in np.flatnonzero(~pbc):
            x = fractional[:, k]
            length = np.ptp(x) + 2 * MARGIN
            fractional[:, k] = (x - x.min() + MARGIN) / length
            cell[k] *= length
        fractional[:, pbc] %= 1.0
        q, r = np.linalg.qr(cell.T)  # cell.T = q r, so cell = r.T q.T
        sign = np.sign(np.diag(r))
        lower: Array = np.tril((r * sign[:, None]).T)
        return cls(lower, fractional @ lower, (q * sign).T)

    def vectors_back(self, v: Array) -> Array:
        """Vectors [n, 3] of the box in the structure's axes."""
        result: Array = v @ self.rotation
        return result

    def stress_back(self, voigt: Array) -> Array:
        """Stress [6] of the box in the structure's axes, both xx yy zz yz xz xy."""
        xx, yy, zz, yz, xz, xy = voigt
        s = self.rotation.T @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ self.rotation
        result: Array = s[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        return result


def completed(cell: Array, pbc: Array) -> Array:
    """Right-handed cell [3, 3]: its periodic vectors, and unit vectors across them elsewhere."""
    cell = np.where(np.asarray(pbc, dtype=bool)[:, None], cell, 0.0)
    free = np.flatnonzero(~np.asarray(pbc, dtype=bool))
    if len(free):
        _, s, vt = np.linalg.svd(cell)
        cell[free] = vt[np.sum(s > 1e-12 * max(s[0], 1e-300)) :]
    if np.linalg.det(cell) < 0:
        # the same lattice, right-handed: turn one free direction round, or else all three
        cell[free[:1] if len(free) else slice(None)] *= -1
    return cell
