"""Study ``strain``: stress against strain, and the modulus at its beginning."""

from __future__ import annotations

import re
from typing import Annotated

import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from pysmax.analysis.anneal import BAR_PER_GPA, history, last_frame
from pysmax.analysis.output import Output, Table
from pysmax.analysis.registry import Options
from pysmax.analysis.rendered import Rendered
from pysmax.errors import SmaxError
from pysmax.files import read_text
from pysmax.moments import Array
from pysmax.studies.strain import StrainParameters, sample_steps
from pysmax.studies.study import Positive

COMPONENTS = ("xx", "yy", "zz", "yz", "xz", "xy")
COLUMNS = ("step", "temp", *(f"p{c}" for c in COMPONENTS), "lx", "ly", "lz")


class StrainOptions(Options):
    """Of the analysis of ``strain``."""

    fit_strain: Annotated[
        Positive, Field(description="the modulus is the slope at zero of a parabola up to this strain")
    ] = 0.02


OPTIONS = StrainOptions


def analyse(run: Rendered, options: StrainOptions) -> Output:
    """Raises SmaxError for output that is missing, damaged, or ends before the strain begins."""
    p = run.parameters
    assert isinstance(p, StrainParameters)
    output = Output("Uniaxial strain" if p.mode == "uniaxial" else "Simple shear")
    table = means(run)
    strain, time = _strain(run, p, table)
    stress = {c: -table[f"p{c}"] / BAR_PER_GPA for c in COMPONENTS}
    columns = {"strain": strain, "time_ps": time, "temperature_K": table["temp"]}
    columns |= {f"stress_{c}_GPa": s for c, s in stress.items()}
    rows = [list(map(float, r)) for r in zip(*columns.values(), strict=True)]
    output.tables["stress"] = Table("Stress (positive: tension) and strain", list(columns), rows, page=False)
    along = "xy" if p.mode == "shear" else p.axis * 2
    fit = _modulus(strain, stress[along], options.fit_strain)
    top = int(np.abs(stress[along]).argmax())
    name = "shear_modulus" if p.mode == "shear" else "young_modulus"
    output.summary |= {
        "mode": p.mode,
        "strain_rate_per_s": p.rate_per_ps * 1e12,
        "strain_reached": float(strain[-1]),
        f"{name}_GPa": None if fit is None else fit[0],
        f"{name}_standard_error_GPa": None if fit is None else fit[1],
        "largest_stress_GPa": float(stress[along][top]),
        "strain_at_largest_stress": float(strain[top]),
        "mean_temperature_K": float(table["temp"].mean()),
    }
    output.figures["stress"] = _figure(strain, stress, along, fit, options.fit_strain)
    output.captions["stress"] = (
        "Stress against engineering strain"
        + ("" if fit is None else f"; dashed: the modulus, {fit[0]:.4g} ± {fit[1]:.2g} GPa")
        + "."
    )
    history(run, output)
    last_frame(run, output)
    return output


def means(run: Rendered) -> dict[str, Array]:
    """Column -> values of ``means.dat`` after the equilibration, by step; of lines written twice, the later.

    Pressures in bar, lengths in A. What a killed run left of a line is no line.
    """
    p = run.parameters
    assert isinstance(p, StrainParameters)
    path = run.folder / "means.dat"
    rows: dict[int, list[float]] = {}
    for line in read_text(path).splitlines():
        words = line.split()
        if len(words) == len(COLUMNS) and re.fullmatch(r"\d+", words[0]):
            try:
                rows[int(words[0])] = [float(w) for w in words]
            except ValueError:
                raise SmaxError(f"{path}: found '{line[:60]}', expected numbers") from None
    begin = p.equilibration_steps + p.every(p.thermo_lines)
    kept = [rows[s] for s in sorted(rows) if s >= begin]
    if not kept:
        raise SmaxError(f"{path}: has no line after step {begin - 1}: the strain has not begun")
    table = np.array(kept)
    if not np.isfinite(table).all():
        raise SmaxError(f"{path}: holds numbers that are not finite")
    return {name: table[:, k] for k, name in enumerate(COLUMNS)}


def _strain(run: Rendered, p: StrainParameters, table: dict[str, Array]) -> tuple[Array, Array]:
    """Engineering strain and time since it began (ps), means of each line."""
    every = p.every(p.thermo_lines)
    steps = table["step"] - p.equilibration_steps - (every - sample_steps(every)) / 2
    time = steps * p.timestep_fs / 1000
    if p.mode == "shear":
        return p.rate_per_ps * time, time
    path = run.folder / "state" / "reference.mod"
    found = re.fullmatch(r"variable reference index (\S+)\s*", read_text(path))
    if found is None:
        raise SmaxError(f"{path}: damaged, expected the length that the strain began with")
    length = float(found[1])
    strain: Array = (table[f"l{p.axis}"] - length) / length
    return strain, time


def _modulus(strain: Array, stress: Array, limit: float) -> tuple[float, float, float] | None:
    """Slope at zero strain, its standard error, and stress there (GPa), of a parabola; None: too few."""
    near = np.abs(strain) <= limit
    if near.sum() < 6:
        return None
    powers = np.vander(strain[near], 3, increasing=True)
    solved, *_ = np.linalg.lstsq(powers, stress[near], rcond=None)
    rest = stress[near] - powers @ solved
    variance = rest @ rest / (near.sum() - 3)
    error = float(np.sqrt(variance * np.linalg.inv(powers.T @ powers)[1, 1]))
    return float(solved[1]), error, float(solved[0])


def _figure(
    strain: Array, stress: dict[str, Array], along: str, fit: tuple[float, float, float] | None, limit: float
) -> Figure:
    from pysmax.report.plots import BLUE, GREEN, GREY, ORANGE, style

    others = [c for c in ("xx", "yy", "zz") if c != along]
    with style():
        figure = Figure(figsize=(6.0, 4.2))
        axes = figure.subplots()
        for c, colour in zip(others, (ORANGE, GREEN, GREY), strict=False):
            axes.plot(strain, stress[c], color=colour, lw=1, label=f"σ{c}")
        axes.plot(strain, stress[along], color=BLUE, lw=1.6, label=f"σ{along}")
        if fit is not None:
            end = 2 * limit * np.sign(strain[-1])
            axes.plot([0, end], [fit[2], fit[2] + fit[0] * end], "k--", lw=1)
        axes.set(xlabel="engineering strain", ylabel="stress (GPa)")
        axes.legend()
    return figure
