"""The panels of a comparison: data in, a matplotlib figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from pysmax.characteristics.coverage import Coverage
from pysmax.characteristics.histogram import Histogram
from pysmax.moments import Array
from pysmax.report.plots import SIZE

# Okabe and Ito; the line style changes too, for print in grey and for more datasets than colours
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
FEWEST_BINS = 12
BINS = 160  # at most, over the occupied range of a distribution
MANY = 120  # integers: more of them share bins


def looks(n: int) -> list[tuple[str, object]]:
    """Colour and line style of n datasets."""
    pairs = [
        (COLOURS[i % len(COLOURS)], LINES[(i + i // len(COLOURS)) % len(LINES)])
        for i in range(len(COLOURS) * len(LINES))
    ]
    return list(islice(cycle(pairs), n))


def distribution(histograms: Mapping[str, Histogram | None]) -> Figure:
    """Densities of one quantity, one line per dataset that has it; both axes show long tails."""
    figure = Figure(figsize=SIZE)
    axes = figure.subplots()
    filled = [h for h in histograms.values() if h is not None and h.total]
    first = min(h.occupied()[0] for h in filled)
    last = max(h.occupied()[1] for h in filled)
    # few values, wide bins: else each stands alone
    bins = int(np.clip(2 * np.sqrt(min(h.total for h in filled)), FEWEST_BINS, BINS))
    merge = max(1, -(-(last - first) // bins))
    last = first + merge * -(-(last - first) // merge)
    scale, lowest = filled[0].scale, np.inf
    for (name, h), (colour, line) in zip(histograms.items(), looks(len(histograms)), strict=True):
        if h is None or not h.total:
            continue
        edges, density = h.density(first, last, merge)
        lowest = min(lowest, density[density > 0].min())
        shown = np.where(density > 0, density, np.nan)
        axes.stairs(shown, edges, color=colour, ls=line, lw=1.3, label=name, baseline=None)
    axes.set_yscale("log")
    asinh_axis(axes, "x", scale.width, edges[0], edges[-1])
    axes.set(xlabel=f"{scale.label} ({scale.unit})", ylabel=f"density per {scale.unit}")
    axes.set_ylim(lowest / 2, None)
    _legend(figure, axes)
    return figure


def asinh_axis(axes: Axes, which: str, width: float, low: float, high: float) -> None:
    """Linear within ``width``, logarithmic beyond; ticks at 0 and at powers of ten if enough are in sight."""
    side = axes.xaxis if which == "x" else axes.yaxis
    getattr(axes, f"set_{which}scale")("asinh", linear_width=width)
    getattr(axes, f"set_{which}lim")(low, high)
    span = np.arcsinh(high / width) - np.arcsinh(low / width)
    most = max(abs(low), abs(high))
    powers = [10.0**p for p in range(int(np.floor(np.log10(width))), int(np.log10(max(most, width))) + 1)]
    step = max(1, int(np.ceil(span / 2.3 / 7)))
    powers = powers[::step]
    ticks = [t for p in powers for t in (-p, p) if low <= t <= high] + [0.0] * int(low <= 0 <= high)
    if len(ticks) < 3:  # too narrow a range for powers of ten
        side.set_major_locator(MaxNLocator(6))
        side.set_minor_locator(NullLocator())
        side.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}".replace("-", "−")))
        return
    inner = [s * m * p for p in powers for m in range(2, 10) for s in (-1, 1)] if step == 1 else []
    side.set_major_locator(FixedLocator(ticks))
    side.set_minor_locator(FixedLocator([t for t in inner if low <= t <= high]))
    side.set_major_formatter(FuncFormatter(lambda x, _: _number(x)))


def _number(x: float) -> str:
    if x and (abs(x) >= 1e5 or abs(x) < 1e-2):
        return f"{'−' if x < 0 else ''}$10^{{{round(np.log10(abs(x)))}}}$"
    return f"{x:g}".replace("-", "−")


def integers(counts: Mapping[str, Mapping[int, int]], label: str) -> Figure:
    """Share of the structures with each integer, one line per dataset, on a logarithmic scale."""
    figure = Figure(figsize=SIZE)
    axes = figure.subplots()
    low, high = min(map(min, counts.values())), max(map(max, counts.values()))
    edges, lowest = integer_edges(low, high), 1.0
    for (name, c), (colour, line) in zip(counts.items(), looks(len(counts)), strict=True):
        weights = np.array(list(c.values())) / sum(c.values())
        share = np.histogram(list(c), bins=edges, weights=weights)[0] / np.diff(edges)
        lowest = min(lowest, share[share > 0].min())
        middle = (edges[:-1] + edges[1:] - 1)[share > 0] / 2
        axes.plot(middle, share[share > 0], "o", ms=3, lw=1.0, ls=line, color=colour, label=name)
    axes.set_yscale("log")
    axes.set_ylim(min(lowest / 2, 0.1), 1.2)
    if high - low > MANY:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=label, ylabel="share of the structures")
    _legend(figure, axes)
    return figure


def integer_edges(low: int, high: int) -> Array:
    """Edges of bins that hold low..high: of one integer each, or if these are many, wider and wider."""
    if high - low <= MANY:
        return np.arange(low, high + 2, dtype=float)
    edges: Array = np.unique(np.round(np.geomspace(low, high + 1, MANY)))
    return edges


def component_pair(scores: Mapping[str, Array], first: int, shares: Array, bins: int = 120) -> Figure:
    """Density of components ``first`` and first + 1 (from 0), one panel per dataset, on common axes.

    Grey: where any dataset is.
    """
    columns = 2 if len(scores) == 4 else min(len(scores), 3)
    rows = -(-len(scores) // columns)
    figure = Figure(figsize=(1.2 + 2.9 * columns, 0.7 + 2.7 * rows))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    edges = [_common_edges([s[:, first + j] for s in scores.values()], bins) for j in (0, 1)]
    images = [np.histogram2d(s[:, first], s[:, first + 1], bins=edges)[0] / len(s) for s in scores.values()]
    norm = LogNorm(min(i[i > 0].min() for i in images), max(i.max() for i in images))
    anywhere = np.ma.masked_equal(np.any([i.T > 0 for i in images], axis=0), False)
    for panel, (name, image) in zip(panels.flat, zip(scores, images, strict=True), strict=False):
        panel.pcolormesh(*edges, anywhere, cmap=ListedColormap(["#DDDDDD"]), rasterized=True, lw=0)
        shown = np.ma.masked_equal(image.T, 0)
        mesh = panel.pcolormesh(*edges, shown, norm=norm, cmap="viridis", rasterized=True, lw=0)
        for j, which in enumerate("xy"):
            asinh_axis(panel, which, 1.0, edges[j][0], edges[j][-1])
        panel.set_title(name)
    for panel in list(panels.flat)[len(scores) :]:
        panel.set_axis_off()
    for column in range(columns):
        lowest = panels[(len(scores) - 1 - column) // columns, column]
        lowest.set_xlabel(component_label(first, shares))
        lowest.tick_params(labelbottom=True)
    for row in panels:
        row[0].set_ylabel(component_label(first + 1, shares))
    figure.colorbar(mesh, ax=panels, label="share of the atoms per cell", shrink=0.9, pad=0.01)
    return figure


def component_label(i: int, shares: Array) -> str:
    """``component 1 (38 %)``."""
    return f"component {i + 1} ({100 * shares[i]:.2g} %)"


def _common_edges(columns: Sequence[Array], bins: int) -> Array:
    """Edges equidistant in asinh that hold all values."""
    low, high = (f(f(c) for c in columns) for f in (min, max))
    margin = 0.02 * (np.arcsinh(high) - np.arcsinh(low)) + 1e-9
    edges: Array = np.sinh(np.linspace(np.arcsinh(low) - margin, np.arcsinh(high) + margin, bins + 1))
    return edges


def explained(shares: Array, shown: int = 20) -> Figure:
    """Share of the variance of each of the first components, and the running sum."""
    figure = Figure(figsize=SIZE)
    axes = figure.subplots()
    n = np.arange(1, min(shown, len(shares)) + 1)
    axes.bar(n, shares[: len(n)], color=COLOURS[0], label="one component")
    axes.plot(n, np.cumsum(shares)[: len(n)], "o-", ms=3.5, lw=1.2, color=COLOURS[1], label="all up to it")
    axes.set(xlabel="principal component", ylabel="share of the variance", ylim=(0, 1.03))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center right")
    return figure


def covered(coverage: Mapping[str, Coverage]) -> Figure:
    """Entropy of each dataset and occupied cells of each component, with error bars."""
    figure = Figure(figsize=(9.6, 3.8))
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.7))
    look = {"fmt": "o", "ms": 4, "capsize": 3, "lw": 1.2}
    for i, (c, (colour, line)) in enumerate(zip(coverage.values(), looks(len(coverage)), strict=True)):
        left.errorbar(i, *c.entropy_nats, color=colour, **look)
        n = np.arange(1, len(c.cells) + 1)
        values, errors = np.array(c.cells).T
        right.errorbar(n, values, errors, ls=line, color=colour, label=list(coverage)[i], **look)
    many = len(coverage) > 3
    left.set_xticks(
        range(len(coverage)), list(coverage), rotation=30 * many, ha="right" if many else "center"
    )
    left.set(xlim=(-0.6, len(coverage) - 0.4), ylabel="S of the features (nats)")
    cells = [e.value for c in coverage.values() for e in c.cells]
    if max(cells) > 20 * min(cells):
        right.set_yscale("log")
    else:
        right.set_ylim(0, None)
    right.set(xlabel="principal component", ylabel="occupied cells")
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(figure, right)
    return figure


def _legend(figure: Figure, axes: Axes) -> None:
    """Above the axes, where no curve can be hidden."""
    handles, names = axes.get_legend_handles_labels()
    room = figure.get_figwidth() / (0.5 + 0.085 * max(map(len, names)))  # inch: line, characters
    figure.legend(handles, names, loc="outside upper center", ncols=max(1, min(len(names), int(room))))
