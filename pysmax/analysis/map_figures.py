"""Figures of energy maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pysmax.analysis.energy_map import EnergyMap
from pysmax.analysis.stationary import Stationary, Surface
from pysmax.moments import Array

LEVELS = 20  # colours, the finer the lower the energy
SMOOTH = 4  # points drawn for each interval
MARKERS = {"minimum": "o", "saddle": "X", "maximum": "^"}
X, Y = "scaling factor", "volume (Å³/atom)"


def energy(energies: EnergyMap, points: list[Stationary], names: list[str], window: float) -> Figure:
    """One map with its stationary points."""
    from pysmax.report.plots import style

    with style():
        figure = Figure(figsize=(6.4, 4.8))
        axes = figure.subplots()
        drawn = _contours(axes, energies, window)
        _colourbar(figure, drawn, axes)
        mark(axes, energies, points, names, window)
    return figure


def comparison(model: EnergyMap, other: EnergyMap, difference: Array, window: float) -> Figure:
    """Two maps on one scale, and their difference."""
    from pysmax.report.plots import style

    with style():
        figure = Figure(figsize=(11.0, 4.0))
        axes = figure.subplots(1, 3, sharex=True, sharey=True)
        for ax, energies, title in ((axes[0], model, "map"), (axes[1], other, "reference")):
            drawn = _contours(ax, energies, window)
            ax.set_title(f"{title}: {energies.name}"[:44], fontsize=10)
        _colourbar(figure, drawn, list(axes[:2]))
        near = np.isfinite(difference) & (other.energy - np.nanmin(other.energy) <= window)
        top = max(float(np.abs(difference[near]).max(initial=0.0)) * 1000, 1e-6)
        levels = MaxNLocator(LEVELS, symmetric=True).tick_values(-top, top)
        shown = axes[2].contourf(
            model.scalings, model.volumes, difference * 1000, levels, cmap="RdBu_r", extend="both"
        )
        ticks = levels[len(levels) // 2 % 4 :: 4]  # zero among them
        figure.colorbar(shown, ax=axes[2], label="difference (meV/atom)", ticks=ticks)
        axes[2].set_title("map - reference", fontsize=10)
        axes[2].set_xlabel(X)
        for ax in axes[1:]:
            ax.set_ylabel("")
            ax.grid(False)
    return figure


def path(rows: Array) -> Figure:
    """Rows [n, 3]: scaling, volume, energy."""
    from pysmax.report.plots import BLUE, ORANGE, style

    with style():
        figure = Figure(figsize=(6.0, 4.8))
        axes = figure.subplots(2, 1, sharex=True)
        for ax, column, colour, name in ((axes[0], 2, BLUE, "energy (eV/atom)"), (axes[1], 1, ORANGE, Y)):
            ax.plot(rows[:, 0], rows[:, column], color=colour)
            ax.set_ylabel(name)
        axes[1].set_xlabel(X)
    return figure


def mark(axes: Axes, energies: EnergyMap, points: list[Stationary], names: list[str], window: float) -> None:
    """Stationary points up to the window, with names."""
    from matplotlib.patheffects import withStroke

    lowest = float(np.nanmin(energies.energy))
    middle = float(energies.scalings.mean())
    for p, name in zip(points, names, strict=True):
        if p.z - lowest > window:
            continue
        axes.plot(p.y, p.x, MARKERS[p.kind], color="white", mec="black", ms=8, zorder=3)
        right = p.y < middle
        axes.annotate(
            name,
            (p.y, p.x),
            xytext=(7 if right else -7, 7 if p.kind == "minimum" else -15),
            textcoords="offset points",
            ha="left" if right else "right",
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )


def _contours(axes: Axes, energies: EnergyMap, window: float) -> Any:
    """Energy above the lowest point, by a spline where it is whole; a line at every second colour."""
    volumes, scalings, z = energies.volumes, energies.scalings, energies.energy
    if np.isfinite(z).all():
        surface = Surface(volumes, scalings, z)
        volumes, scalings = (np.linspace(a[0], a[-1], SMOOTH * (len(a) - 1) + 1) for a in (volumes, scalings))
        z = surface(volumes, scalings)
    z = np.maximum(z - np.nanmin(energies.energy), 0.0)
    levels = window * np.linspace(0, 1, LEVELS + 1) ** 2
    norm = PowerNorm(0.5, vmin=0, vmax=window)
    drawn = axes.contourf(scalings, volumes, z, levels, cmap="viridis", norm=norm, extend="max")
    axes.contour(scalings, volumes, z, levels[::2], colors="k", linewidths=0.4, alpha=0.5)
    axes.set(xlabel=X, ylabel=Y)
    axes.grid(False)
    return drawn


def _colourbar(figure: Figure, drawn: Any, axes: Any) -> None:
    figure.colorbar(drawn, ax=axes, label="energy (eV/atom)", ticks=drawn.levels[::4], format="%.3g")
