"""The numbers of a report: the tables of the page, summary.json and coverage.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from ase.data import chemical_symbols

from pysmax.characteristics.coverage import CELL, Coverage, Estimate
from pysmax.characteristics.projection import Projection, Settings
from pysmax.characteristics.statistics import Statistics


def summarise(
    statistics: Mapping[str, Statistics],
    levels: Mapping[str, Sequence[str]],
    projection: Projection | None,
    settings: Settings,
) -> dict[str, Any]:
    """Everything that summary.json holds."""
    datasets = {name: _dataset(s, levels[name]) for name, s in statistics.items()}
    result: dict[str, Any] = {"settings": settings.model_dump(), "datasets": datasets}
    if projection is not None:
        for i, d in enumerate(datasets.values()):
            d["projected_structures"] = projection.projected[i]
            d["projected_atoms"] = len(projection.scores[i])
            d["coverage"] = _coverage(projection.coverage[i])
        result["components"] = {
            "features": len(projection.components.unit),
            "fitted_structures_of_each": projection.fitted,
            "shares_of_variance": projection.components.shares.tolist(),
        }
        result["coverage_atoms_of_each"] = projection.coverage[0].atoms
        result["cell_width_in_standard_deviations"] = CELL
    return result


def _dataset(s: Statistics, levels: Sequence[str]) -> dict[str, Any]:
    return {
        "structures": s.structures,
        "atoms": s.atoms,
        "levels": list(levels),
        "labels": {name: h.summary() for name, h in s.histograms.items() if h.total},
        "structures_by_number_of_elements": {str(k): s.richness[k] for k in sorted(s.richness)},
        "structures_by_number_of_atoms": {str(k): s.sizes[k] for k in sorted(s.sizes)},
        "structures_with_element": _symbols(s.elements(s.structures_with)),
        "atoms_of_element": _symbols(s.elements(s.atoms_of)),
    }


def _symbols(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(chemical_symbols[z]): n for z, n in counts.items()}


def _coverage(c: Coverage) -> dict[str, Any]:
    def both(e: Estimate) -> dict[str, float]:
        return {"value": e.value, "error": e.error}

    return {
        "S_nats": both(c.entropy_nats),
        "cells_of_component": [both(e) for e in c.cells],
        "cells_of_pair": [both(e) for e in c.pair_cells],
    }


def coverage_rows(c: Coverage) -> list[tuple[str, Estimate]]:
    """Name and value of every measure."""
    rows = [("S (nats)", c.entropy_nats)]
    rows += [(f"cells of component {i + 1}", e) for i, e in enumerate(c.cells)]
    rows += [(f"cells of components {2 * i + 1} and {2 * i + 2}", e) for i, e in enumerate(c.pair_cells)]
    return rows


def coverage_csv(coverage: Mapping[str, Coverage]) -> str:
    """One row per dataset and measure."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["dataset", "atoms", "measure", "value", "error"])
    for name, c in coverage.items():
        for measure, e in coverage_rows(c):
            writer.writerow([name, c.atoms, measure, repr(e.value), repr(e.error)])
    return buffer.getvalue()
