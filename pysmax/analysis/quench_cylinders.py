"""Cylinders of study ``quench``: cut at random out of its middle and its last frame (Table 10)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import ase
import ase.io
import numpy as np

from pysmax.analysis.cylinder_errors import cylinder_errors
from pysmax.analysis.cylinders import BULK_DEPTH_A, cut, shortest_axis
from pysmax.analysis.frames import Frames, elements_of
from pysmax.analysis.output import Output, Table
from pysmax.analysis.quench_options import QuenchOptions
from pysmax.analysis.rendered import Rendered
from pysmax.errors import SmaxError

if TYPE_CHECKING:
    from ovito.data import DataCollection


def cut_cylinders(run: Rendered, options: QuenchOptions, frames: Frames, output: Output) -> None:
    if options.labels:
        table = cylinder_errors(options.labels[0], options.labels[1:])
        output.tables["cylinder_errors"] = table
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        output.summary["cylinder_errors"] = {str(row.pop("labels")): row for row in rows}
    wanted = {len(frames) // 2: options.cylinders_middle, len(frames) - 1: options.cylinders_last}
    read = {k: (frames[k], n) for k, n in wanted.items()}
    try:
        made = [a for k, (data, n) in read.items() for a in _cut(run, options, data, frames.steps[k], n)]
    except SmaxError as e:
        if "cylinder_radius_A" in options.model_fields_set:
            raise
        output.summary["cylinders"] = f"none: {e}"
        return
    listed = [
        [k, a.info["step"], a.info["centre"], len(a), int(a.arrays["bulk"].sum()), _formula(a)]
        for k, a in enumerate(made)
    ]
    names = ["cylinder", "step", "atom_on_its_axis", "atoms", "bulk_atoms", "formula"]
    output.tables["cylinders"] = Table("Cylinders in cylinders.extxyz", names, listed)
    output.summary["cylinders"] = len(made)
    if made:
        text = io.StringIO()
        ase.io.write(text, made, format="extxyz")
        output.files["cylinders.extxyz"] = text.getvalue().encode()


def _cut(run: Rendered, options: QuenchOptions, data: DataCollection, step: int, n: int) -> list[ase.Atoms]:
    """Around ``n`` atoms of a frame, drawn at random, each once: a cylinder has an atom on its axis."""
    symbols, cell = elements_of(data, run), np.asarray(data.cell)[:, :3].T
    axis = shortest_axis(cell)
    if options.cylinder_axis != "shortest":
        axis = "xyz".index(options.cylinder_axis)
    ids = np.asarray(data.particles.identifiers)
    draw = np.random.default_rng([options.seed, step]).permutation(len(symbols))[:n]
    found = []
    for centre in draw:
        atoms = cut(
            np.asarray(data.particles.positions),
            symbols,
            cell,
            centre=int(centre),
            axis=axis,
            radius=options.cylinder_radius_A,
            vacuum=options.cylinder_vacuum_A,
        )
        atoms.info |= {
            "source": f"quench {run.system}, {run.potential}",
            "step": step,
            "centre": f"{symbols[centre]}{ids[centre]}",
            "radius_A": options.cylinder_radius_A,
            # of array "bulk"; a labelled record keeps what is in info alone
            "bulk_radius_A": max(0.0, options.cylinder_radius_A - BULK_DEPTH_A),
        }
        found.append(atoms)
    return found


def _formula(atoms: ase.Atoms) -> str:
    return str(atoms.symbols.get_chemical_formula())
