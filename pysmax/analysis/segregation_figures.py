"""Figures of study ``segregation``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pysmax.analysis.pictures import colours
from pysmax.analysis.profiles import Segregation
from pysmax.moments import Array
from pysmax.report.plots import GREY, style

if TYPE_CHECKING:
    from ovito.data import DataCollection

Kinds = tuple[Sequence[str], Sequence[str]]  # metals; impurities
LABEL = "concentration (at.%)"


def profile(
    found: Segregation, kinds: Kinds, boundary_A: float, bulk_A: float, reference: dict[str, Any] | None = None
) -> Figure:
    """Against the distance from the nearer boundary; metals above, impurities below."""
    with style():
        figure, panels = _panels(kinds, 6.0)
        end = float(found.distance[-1] + found.distance[0])
        for axes, elements in zip(panels, filter(None, kinds), strict=True):
            _draw(axes, found, elements, found.distance, found.profile, found.profile_error)
            axes.axvspan(0, boundary_A, color=GREY, alpha=0.15, lw=0)
            axes.axvspan(min(bulk_A, end), end, color=GREY, alpha=0.07, lw=0)
            axes.set_xlim(0, end)
            if reference and "Nb" in elements:
                for what, x0, x1 in (("boundary", 0, boundary_A), ("bulk", bulk_A, end)):
                    axes.plot([x0, x1], [reference[what]] * 2, color=colours(elements)["Nb"], ls=":", lw=2)
        panels[-1].set_xlabel("distance from the boundary (Å)")
    return figure


def along(found: Segregation, kinds: Kinds) -> Figure:
    """Along the normal of the boundaries, over the whole cell."""
    with style():
        figure, panels = _panels(kinds, 8.0)
        for axes, elements in zip(panels, filter(None, kinds), strict=True):
            _draw(axes, found, elements, found.normal, found.along, found.along_error)
            for z in found.places:
                axes.axvline(z, color=GREY, ls="--", lw=1)
            axes.margins(x=0)
        panels[-1].set_xlabel("position along the normal (Å)")
    return figure


def convergence(
    tried: Array, each: Array, order: Sequence[str], which: Sequence[int], used: range
) -> Figure:
    """Composition of each boundary [f, b, e] (at.%) against moves per atom [f]."""
    with style():
        figure = Figure(figsize=(6.0, 3.8))
        axes = figure.subplots()
        for e, k in zip(order, which, strict=True):
            colour = colours(order)[e]
            axes.plot(tried, each[:, :, k], color=colour, lw=0.6, alpha=0.6)
            axes.plot(tried, each[:, :, k].mean(axis=1), color=colour, lw=1.8, label=e)
        axes.axvspan(tried[used.start], tried[-1], color=GREY, alpha=0.1, lw=0)
        axes.set(xlabel="Monte Carlo moves tried per atom", ylabel=f"boundary {LABEL}")
        axes.set_ylim(0, None)
        axes.margins(x=0)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def lying(data: DataCollection) -> DataCollection:
    """The frame turned so that z, the normal, lies along x."""
    from ovito.modifiers import AffineTransformationModifier

    turned = data.clone()
    turn: Any = [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
    turned.apply(AffineTransformationModifier(transformation=turn))
    return turned


def _panels(kinds: Kinds, width: float) -> tuple[Figure, list[Axes]]:
    n = sum(bool(k) for k in kinds)
    figure = Figure(figsize=(width, 1.2 + 2.6 * n))
    return figure, list(figure.subplots(n, 1, sharex=True, squeeze=False)[:, 0])


def _draw(
    axes: Axes, found: Segregation, elements: Sequence[str], x: Array, c: Array, error: Array
) -> None:
    chosen = colours(elements)
    for e in elements:
        k = list(found.elements).index(e)
        bars = np.nan_to_num(error[:, k])
        axes.errorbar(x, c[:, k], bars, color=chosen[e], label=e, lw=1.3, marker="o", ms=2.5, capsize=1.5, elinewidth=0.8)
    axes.set_ylabel(LABEL)
    axes.set_ylim(0, None)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
