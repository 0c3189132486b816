"""Bispectrum features by stock LAMMPS (compute sna/atom, one type per atom): independent of the plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ase
import numpy as np
from ase.geometry.minkowski_reduction import minkowski_reduce

from pysmax.errors import SmaxError
from pysmax.inprocess import open_lammps
from pysmax.moments import Array, Descriptor, Moments


def features(frames: Sequence[ase.Atoms], moments: Moments) -> Array:
    """Feature vectors [m, n] of periodic frames with per-atom ``r_eff`` (Angstrom).

    Mode 'atom': one row per atom, frame after frame; mode 'config': one row per frame, their mean.
    """
    d = moments.descriptor
    lmp = open_lammps()
    try:
        per_frame = [atom_features(lmp, f, d) for f in frames]
    finally:
        lmp.close()
    if d.mode == "config":
        per_frame = [b.mean(axis=0, keepdims=True) for b in per_frame]
    return np.vstack(per_frame) if per_frame else np.empty((0, len(moments.mean)))


def restricted(frame: ase.Atoms) -> tuple[Array, Array]:
    """Reduced cell [3, 3], a = (lx, 0, 0), b = (xy, ly, 0), c = (xz, yz, lz), and positions [m, 3] in it."""
    if not all(frame.pbc):
        raise SmaxError(f"pbc is {frame.pbc.tolist()}, expected a frame periodic in all directions")
    cell, _ = minkowski_reduce(frame.cell.array)  # type: ignore[no-untyped-call]
    if np.linalg.det(cell) < 0:
        cell = -cell  # the same lattice, right-handed: no reflection
    fractional = np.linalg.solve(cell.T, frame.positions.T).T % 1.0
    lower: Array = np.linalg.cholesky(cell @ cell.T)
    return lower, fractional @ lower


def atom_features(lmp: Any, frame: ase.Atoms, d: Descriptor) -> Array:
    """Rows [m, n] in the order of the atoms."""
    if "r_eff" not in frame.arrays:
        raise SmaxError("a frame has no column r_eff, expected effective radii per atom (Angstrom)")
    radius = frame.arrays["r_eff"]
    cell, x = restricted(frame)
    m = len(frame)
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = cell.tolist()
    cutoff = float(2.0 * d.rcutfac * radius.max())
    snap = " ".join([*map(repr, radius.tolist()), *["1.0"] * m])
    lmp.commands_string(f"""clear
units metal
atom_style atomic
atom_modify map array sort 0 0.0
boundary p p p
box tilt large
region cell prism 0 {lx!r} 0 {ly!r} 0 {lz!r} {xy!r} {xz!r} {yz!r}
create_box {m} cell
mass * 1.0""")
    made = lmp.create_atoms(m, list(range(1, m + 1)), list(range(1, m + 1)), x.ravel().tolist())
    if made != m:
        raise SmaxError(f"LAMMPS placed {made} of the {m} atoms of a frame")
    lmp.commands_string(f"""pair_style zero {cutoff * 1.000001!r}
pair_coeff * *
neighbor 0.0 bin
neigh_modify one 100000 page 1000000
compute b all sna/atom {d.rcutfac!r} {d.rfac0!r} {d.twojmax} {snap} &
  rmin0 {d.rmin0!r} bzeroflag {d.bzeroflag} switchflag {d.switchflag} quadraticflag 0
run 0 post no""")
    b = np.array(lmp.numpy.extract_compute("b", 1, 2)[:m])
    order = np.argsort(lmp.numpy.extract_atom("id")[:m])
    result: Array = b[order]
    return result
