"""Energies and forces of labelled cylinders against a reference, as in Table 10."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pysmax.analysis.output import Table
from pysmax.dataset.record import Record, structure_hash
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError

COLUMNS = (
    "labels",
    "cylinders",
    "energy_MAE_meV_per_atom",
    "force_MAE_meV_per_A",
    "bulk_force_MAE_meV_per_A",
)


def cylinder_errors(reference: Path, others: Sequence[Path]) -> Table:
    """Mean absolute errors of each dataset over the cylinders that both have, forces over components.

    Bulk: atoms deeper than 6 A below the open surface (VII.3.8). Raises SmaxError where there is nothing to
    compare, or labels of several levels.
    """
    known = _labelled(reference)
    rows = []
    for path in others:
        found = _labelled(path)
        common = [key for key in known if key in found]
        if not common:
            raise SmaxError(f"{path}: has no labelled cylinder that {reference} has")
        energy, forces, bulk = [], [], []
        for key in common:
            a, b = known[key].label, found[key].label
            assert a is not None and b is not None
            energy.append(abs(b.energy - a.energy) / len(known[key].atoms))
            difference = np.abs(np.asarray(b.forces) - np.asarray(a.forces))
            forces.append(difference)
            bulk.append(difference[bulk_atoms(known[key])])
        errors = (energy, np.concatenate(forces), np.concatenate(bulk))
        means = [1000 * float(np.mean(x)) if len(x) else None for x in errors]  # cylinders may have no bulk
        rows.append([path.name, len(common), *means])
    return Table(f"Errors of labelled cylinders against {reference.name}", COLUMNS, rows)


def bulk_atoms(record: Record) -> npt.NDArray[np.bool_]:
    """Atoms of a cylinder nearer to its axis, in the middle of the cell, than its info says [n]."""
    middle = record.atoms.cell.array.diagonal()[:2] / 2
    away = np.linalg.norm(record.atoms.positions[:, :2] - middle, axis=1)
    inside: npt.NDArray[np.bool_] = away < float(record.info["bulk_radius_A"])
    return inside


def _labelled(path: Path) -> dict[str, Record]:
    """Structure -> labelled cylinder."""
    found: dict[str, Record] = {}
    levels = set()
    for record in Dataset.open(path).records(status="ok"):
        if "bulk_radius_A" in record.info and record.level is not None:
            levels.add(record.level.hash)
            found[structure_hash(record.atoms)] = record
    if len(levels) > 1:
        raise SmaxError(f"{path}: has cylinders labelled at {len(levels)} levels, expected one")
    return found
