"""The panels: data in, a matplotlib figure out. Colours from Okabe and Ito, legible without colour vision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator, ScalarFormatter

from pysmax.moments import Array
from pysmax.report.periodic_table import place, symbol

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#7F7F7F"
SIZE = (6.0, 3.8)  # inch

STYLE = {
    "font.size": 10,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
}


@contextmanager
def style() -> Iterator[None]:
    """The look of every panel; nothing outside is changed."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        yield


def entropy_growth(
    entropies: Array, start: float | None, random_entropy: float | None, label: str = "this run"
) -> Figure:
    """S [nats] against the number of accepted configurations; ``start``: that of none, where known."""
    figure = Figure(figsize=SIZE)
    axes = figure.subplots()
    values = entropies if start is None else np.concatenate([[start], entropies])
    first = 1 if start is None else 0
    axes.plot(np.arange(first, first + len(values)), values, color=BLUE, label=label)
    if random_entropy is not None:
        axes.axhline(random_entropy, color=ORANGE, ls="--", label="random cells alone")
    axes.set(xlabel="accepted configurations", ylabel="feature entropy S (nats)")
    axes.xaxis.set_major_locator(_whole())
    axes.legend(loc="upper left")
    # The first few vectors span no volume yet: their S would hide all the rest.
    shown = [float(np.quantile(values, 0.05)), float(values.max())]
    if random_entropy is not None:
        shown.append(random_entropy)
    low, top = min(shown), max(shown)
    if low - values.min() < 0.5 * (top - low):
        low = float(values.min())
    margin = 0.05 * max(top - low, 1.0)
    axes.set_ylim(low - margin, top + margin)
    return figure


def points_below(figure: Figure) -> int:
    """Points of the first curve that lie below the shown range."""
    axes = figure.axes[0]
    return int(np.sum(np.asarray(axes.lines[0].get_ydata()) < axes.get_ylim()[0]))


def progress(accepted: Array, evaluations: Array, window: int = 50) -> Figure:
    """Acceptance and evaluations of the candidates, as running means over ``window``."""
    figure = Figure(figsize=SIZE)
    upper, lower = figure.subplots(2, 1, sharex=True)
    tried = np.arange(1, len(accepted) + 1)
    since = np.cumsum(accepted) / tried
    lower.plot(tried, evaluations, ".", ms=2, color=GREY, alpha=0.4, rasterized=True, label="one candidate")
    if len(accepted) > window:
        upper.plot(tried, since, color=GREY, ls=":", label="since the start")
        upper.plot(tried, running_mean(accepted, window), color=BLUE, label=f"last {window}")
        lower.plot(tried, running_mean(evaluations, window), color=ORANGE, label=f"mean of the last {window}")
    else:  # both means would be the same
        upper.plot(tried, since, color=BLUE, label="since the start")
        lower.plot(tried, running_mean(evaluations, window), color=ORANGE, label="mean since the start")
    upper.set(ylabel="acceptance", ylim=(-0.03, 1.03))
    room = 1.35  # for the legend
    lower.set(xlabel="candidates tried", ylabel="evaluations", ylim=(0, room * max(evaluations.max(), 1.0)))
    _legend(upper, loc="lower right", ncols=2)
    _legend(lower, loc="upper right", ncols=2, markerscale=3)
    lower.xaxis.set_major_locator(_whole())
    lower.yaxis.set_major_locator(_whole(4))
    figure.align_ylabels()
    return figure


def running_mean(values: Array, window: int) -> Array:
    """Mean of each value and the up to ``window`` - 1 before it."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - window, 0)
    mean: Array = (total[end] - total[start]) / (end - start)
    return mean


def composition(counts: Mapping[int, int], what: str = "atoms", most: int = 0, title: str = "") -> Figure:
    """Counts of each element as a periodic table; colour logarithmic, up to ``most`` or the largest."""
    figure = Figure(figsize=(8.2, 4.2))
    axes = figure.subplots()
    axes.set_title(title)
    scale = LogNorm(1, max(most, max(counts.values(), default=0), 2))
    colours = mpl.colormaps["cividis"]
    for z in range(1, 97):
        column, row = place(z)
        n = counts.get(z, 0)
        face = colours(scale(n)) if n else (1.0, 1.0, 1.0, 1.0)
        dark = n > 0 and 0.3 * face[0] + 0.6 * face[1] + 0.1 * face[2] < 0.5
        ink = "white" if dark else "black" if n else "#999999"
        axes.add_patch(Rectangle((column, -row), 0.94, 0.94, fc=face, ec="#BBBBBB", lw=0.5))
        axes.text(column + 0.47, -row + 0.58, symbol(z), ha="center", va="center", color=ink, fontsize=9)
        if n:
            axes.text(column + 0.47, -row + 0.22, short(n), ha="center", va="center", color=ink, fontsize=5.5)
    axes.set(xlim=(0.9, 19.0), ylim=(-9.6, 0.1), aspect="equal")
    axes.axis("off")
    mappable = ScalarMappable(norm=scale, cmap=colours)
    figure.colorbar(mappable, ax=axes, label=what, shrink=0.7, pad=0.01)
    return figure


def short(n: int) -> str:
    """At most five characters: 99999, 123k, 1.23M."""
    if n < 100_000:
        return str(n)
    return f"{n / 1e3:.0f}k" if n < 999_500 else f"{n / 1e6:.3g}M"


def sizes(natoms: Sequence[int]) -> Figure:
    """Histogram of atoms per configuration."""
    figure = Figure(figsize=SIZE)
    axes = figure.subplots()
    step = max(1, int(np.ceil((max(natoms) - min(natoms) + 1) / 50)))
    edges = np.arange(min(natoms), max(natoms) + 1 + step, step) - 0.5
    axes.hist(natoms, bins=edges.tolist(), color=BLUE, ec="white", lw=0.4)
    axes.axvline(float(np.mean(natoms)), color=ORANGE, ls="--", label=f"mean {np.mean(natoms):.1f}")
    axes.set(xlabel="atoms in a configuration", ylabel="configurations")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(_whole())
    axes.margins(y=0.15)  # room for the legend
    axes.legend(loc="upper right")
    return figure


def components(run: Array, random: Array, fractions: Array) -> Figure:
    """First two principal components: run [m, 2] over random cells [k, 2]; shares of the variance [2]."""
    figure = Figure(figsize=(5.0, 4.6))
    axes = figure.subplots()
    sets = [(run, BLUE, "this run"), (random, ORANGE, "random cells")]
    for points, colour, label in sorted(sets, key=lambda s: -len(s[0])):  # the smaller on top
        if len(points):
            axes.scatter(
                points[:, 0], points[:, 1], s=5, c=colour, alpha=0.4, lw=0, rasterized=True, label=label
            )
    # far outliers are the point of such a dataset: show them and the bulk
    axes.set_xscale("asinh", linear_width=1.0)
    axes.set_yscale("asinh", linear_width=1.0)
    for axis in (axes.xaxis, axes.yaxis):
        _asinh_ticks(axis)
    axes.set(
        xlabel=f"principal component 1 ({fractions[0]:.0%})",
        ylabel=f"principal component 2 ({fractions[1]:.0%})",
    )
    _legend(axes, loc="best", markerscale=3)
    return figure


def _whole(most: int = 9) -> MaxNLocator:
    """Ticks at whole numbers."""
    return MaxNLocator(most, steps=[1, 2, 5, 10], integer=True)


def asinh_ticks(low: float, high: float, most: int = 9) -> list[float]:
    """0, +-1, +-10, +-100, ... within low..high, of equal steps, at most about ``most``."""
    limit = max(abs(low), abs(high), 1.0)
    decades = int(np.floor(np.log10(limit))) + 1
    step = int(np.ceil(2 * decades / most))
    powers = [10.0**k for k in range(step - 1, decades, step)]
    return [t for t in (*(-p for p in reversed(powers)), 0.0, *powers) if low <= t <= high]


def _asinh_ticks(axis: Axis) -> None:
    low, high = axis.get_view_interval()
    ticks = asinh_ticks(low, high)
    if len(ticks) < 3:  # nearly linear there
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(ScalarFormatter())
    else:
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FuncFormatter(_tick_label))
    axis.set_minor_locator(NullLocator())


def _tick_label(value: float, _: int) -> str:
    sign = "\u2212" if value < 0 else ""
    size = abs(value)
    return f"{sign}{size:g}" if size < 10000 else f"{sign}$10^{{{np.log10(size):.0f}}}$"


def _legend(axes: Axes, **options: Any) -> None:
    """The legend, its samples opaque."""
    for handle in axes.legend(**options).legend_handles:
        if handle is not None:
            handle.set_alpha(1)
