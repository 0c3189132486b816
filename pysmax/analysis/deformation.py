"""Study ``deformation``: the energy map, its minima and saddles, and how far it is from another map."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Annotated, Literal

import ase.io
import numpy as np
import numpy.typing as npt
from pydantic import Field

from pysmax.analysis import energy_map, map_figures
from pysmax.analysis.energy_map import EnergyMap
from pysmax.analysis.output import Output, Table
from pysmax.analysis.registry import Options
from pysmax.analysis.rendered import Rendered
from pysmax.analysis.stationary import Stationary, Surface
from pysmax.errors import SmaxError
from pysmax.moments import Array
from pysmax.studies.deformation import DeformationParameters
from pysmax.studies.study import Positive

# scaling where symmetry makes a point stationary, by crystal
KNOWN = {
    "fcc": {1.0: "fcc", math.sqrt(0.5): "bcc"},
    "bcc": {1.0: "bcc", math.sqrt(2.0): "fcc"},
    "sc": {1.0: "sc"},
    "diamond": {1.0: "diamond"},
}
STRESS = [f"stress_{c}_eV_per_A3" for c in ("xx", "yy", "zz", "yz", "xz", "xy")]


class MapOptions(Options):
    """Of the analysis of ``deformation``."""

    reference: Annotated[
        Path | None, Field(description="another run, or labelled structures of its grid.extxyz; to compare")
    ] = None
    align: Annotated[
        Literal["minimum", "mean", "none"],
        Field(description="before maps are compared: their lowest common points, or their means, agree"),
    ] = "minimum"
    window_eV: Annotated[
        Positive, Field(description="drawn, and compared apart: so far above the minimum, eV/atom")
    ] = 1.0
    tolerance_eV: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="a minimum less deep than that is noise, eV/atom")
    ] = 1e-4
    partial: Annotated[bool, Field(description="missing points are gaps in the map, no error")] = False


OPTIONS = MapOptions


def analyse(run: Rendered, options: MapOptions) -> Output:
    """Raises SmaxError for points that are missing, damaged, or of another study."""
    p = run.parameters
    assert isinstance(p, DeformationParameters)
    energies = energy_map.from_run(run, options.partial)
    output = Output("Energy over volume and uniaxial scaling")
    surface = None if energies.missing else Surface(energies.volumes, energies.scalings, energies.energy)
    points = surface.stationary(options.tolerance_eV) if surface else []
    names = [label(q, p.crystal, energies.scalings) for q in points]
    lowest = float(np.nanmin(energies.energy))
    _tables(output, energies, points, names)
    output.figures["map"] = map_figures.energy(energies, points, names, options.window_eV)
    output.captions["map"] = (
        f"Energy above the lowest point, up to {options.window_eV:g} eV/atom (spline). Scaling factor: c/a "
        "over that of the undeformed crystal. Circles: minima; crosses: saddles; triangles: maxima."
    )
    if surface:
        _path(output, surface, energies)
    i, j = np.unravel_index(int(np.nanargmin(energies.energy)), energies.energy.shape)
    on_edge = i in (0, len(energies.volumes) - 1) or j in (0, len(energies.scalings) - 1)
    output.summary |= {
        "points": energies.energy.size - len(energies.missing),
        "points_missing": len(energies.missing),
        "lowest_energy_eV_per_atom": lowest,
        "lowest_at": energies.point(int(i), int(j)) + (", on the edge: widen the grid" if on_edge else ""),
        "minima": sum(q.kind == "minimum" for q in points),
        "saddles": sum(q.kind == "saddle" for q in points),
    }
    text = io.StringIO()
    ase.io.write(text, energy_map.structures(energies, run), format="extxyz")
    output.files["map.extxyz"] = text.getvalue().encode()
    if options.reference is not None:
        _compare(output, energies, energy_map.reference(options.reference, run), options)
    return output


def label(point: Stationary, crystal: str, scalings: Array) -> str:
    """The crystal's name where symmetry makes it one; else bct of a cubic parent, or nothing."""
    near = max(0.01, float(scalings[1] - scalings[0]) / 2)
    for s, name in KNOWN.get(crystal, {}).items():
        if abs(point.y - s) <= near:
            return name
    return "bct" if crystal in ("fcc", "bcc", "diamond") else ""


def _tables(output: Output, energies: EnergyMap, points: list[Stationary], names: list[str]) -> None:
    lowest = min([float(np.nanmin(energies.energy)), *(q.z for q in points)])
    output.tables["stationary"] = Table(
        "Minima, saddles and maxima",
        [
            "kind",
            "crystal",
            "volume_A3_per_atom",
            "scaling",
            "energy_eV_per_atom",
            "above_lowest_eV_per_atom",
            "depth_eV_per_atom",
        ],
        [[q.kind, n, q.x, q.y, q.z, q.z - lowest, _depth(q)] for q, n in zip(points, names, strict=True)],
    )
    rows = []
    for i, v in enumerate(energies.volumes):
        for j, s in enumerate(energies.scalings):
            if not np.isnan(energies.energy[i, j]):
                stress = map(float, energies.stress[i, j])
                rows.append([float(v), float(s), repr(float(energies.energy[i, j])), *stress])
    columns = ["volume_A3_per_atom", "scaling", "energy_eV_per_atom", *STRESS]
    output.tables["map"] = Table("Energy and stress of every point", columns, rows, page=False)


def _depth(point: Stationary) -> object:
    """Below the pass to a deeper minimum; empty where there is none, or no minimum."""
    return float(point.depth) if math.isfinite(point.depth) else ""


def _path(output: Output, surface: Surface, energies: EnergyMap) -> None:
    """At each scaling, the lowest energy over volume, on the spline; none where that is at an edge."""
    v = np.linspace(energies.volumes[0], energies.volumes[-1], 20 * len(energies.volumes))
    s = np.linspace(energies.scalings[0], energies.scalings[-1], 4 * len(energies.scalings) - 3)
    rows = []
    for scaling, column in zip(s, surface(v, s).T, strict=True):
        k = int(column.argmin())
        if 0 < k < len(v) - 1:
            a, b, c = np.polyfit(v[k - 1 : k + 2] - v[k], column[k - 1 : k + 2], 2)
            rows.append([float(scaling), float(v[k] - b / (2 * a)), float(c - b * b / (4 * a))])
    output.tables["path"] = Table(
        "Lowest energy over volume", ["scaling", "volume_A3_per_atom", "energy_eV_per_atom"], rows, page=False
    )
    if rows:
        output.figures["path"] = map_figures.path(np.array(rows))
        output.captions["path"] = "Lowest energy over volume at each scaling factor, and the volume there."


def _compare(output: Output, model: EnergyMap, other: EnergyMap, options: MapOptions) -> None:
    both = np.isfinite(model.energy) & np.isfinite(other.energy)
    if not both.any():
        raise SmaxError(f"reference {other.name}: has none of the points that have run")
    shifts = [_zero(m.energy, both, options.align) for m in (model, other)]
    difference = np.where(both, (model.energy - shifts[0]) - (other.energy - shifts[1]), np.nan)
    near = both & (other.energy - other.energy[both].min() <= options.window_eV)
    rows = [
        [name, int(where.sum()), *_errors(difference[where])]
        for name, where in (("all", both), (f"up to {options.window_eV:g} eV/atom in the reference", near))
    ]
    columns = [
        "points",
        "number",
        "mae_eV_per_atom",
        "rmse_eV_per_atom",
        "largest_eV_per_atom",
        "mean_eV_per_atom",
    ]
    output.tables["errors"] = Table("Errors against the reference", columns, rows)
    output.figures["comparison"] = map_figures.comparison(model, other, difference, options.window_eV)
    aligned = {
        "minimum": "after their lowest common points were set to zero",
        "mean": "after their means were set to zero",
        "none": "of energies as they are",
    }[options.align]
    output.captions["comparison"] = f"The map, its reference, and their difference {aligned}."
    output.tables["difference"] = Table(
        "Difference, point by point",
        ["volume_A3_per_atom", "scaling", "difference_eV_per_atom"],
        [
            [float(model.volumes[i]), float(model.scalings[j]), repr(float(difference[i, j]))]
            for i, j in np.argwhere(both)
        ],
        page=False,
    )
    output.summary["reference"] = {
        "name": other.name,
        "align": options.align,
        "shift_eV_per_atom": shifts[0] - shifts[1],
        "common_points": int(both.sum()),
        **dict(zip(columns[2:], rows[0][2:], strict=True)),
        "within_window": dict(zip(columns[1:], rows[1][1:], strict=True)),
    }


def _zero(energy: Array, both: npt.NDArray[np.bool_], align: str) -> float:
    if align == "none":
        return 0.0
    return float(energy[both].min() if align == "minimum" else energy[both].mean())


def _errors(d: Array) -> list[float]:
    """MAE, RMSE, largest, mean."""
    return [float(np.abs(d).mean()), float(np.sqrt((d**2).mean())), float(np.abs(d).max()), float(d.mean())]
