"""Figures of study ``quench``."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from pysmax.analysis.communities import Community
from pysmax.analysis.rdf import Pair, Rdf
from pysmax.moments import Array
from pysmax.report.plots import BLUE, GREEN, GREY, ORANGE, style

FRAME = "#0033CC"
SHOWN = 4  # communities that are framed, listed and rendered
SMALL = (640, 480)  # pixels of a picture in a gallery
Colours = Mapping[str, tuple[float, float, float]]
Panel = tuple[str, bytes, Colours]  # title, PNG, legend


def rdf_figure(rdf: Rdf) -> Figure:
    """One panel per pair."""
    with style():
        rows = -(-len(rdf.g) // 2)
        figure = Figure(figsize=(7.0, 1.0 + 1.9 * rows))
        axes = np.atleast_1d(figure.subplots(rows, min(2, len(rdf.g)), sharex=True, squeeze=False)).ravel()
        for ax, (pair, g) in zip(axes, rdf.g.items(), strict=False):
            ax.plot(rdf.r, g, color=BLUE, lw=1.2)
            ax.axhline(1, color=GREY, lw=0.6, ls=":")
            ax.text(0.97, 0.9, "–".join(pair), transform=ax.transAxes, ha="right", va="top")
            ax.set(xlim=(0, rdf.r[-1]), ylim=(0, None))
        for ax in axes[len(rdf.g) :]:
            ax.axis("off")
        axes[len(rdf.g) - 1].tick_params(labelbottom=True)
        axes[max(0, len(rdf.g) - 2)].tick_params(labelbottom=True)
        figure.supxlabel("r (Å)", fontsize=11)
        figure.supylabel("g(r)", fontsize=11)
    return figure


def silicide_figure(run: Rdf, known: Mapping[str, Rdf], pairs: Sequence[Pair]) -> Figure:
    """g(r) of area 1: the run filled, each reference a line."""
    with style():
        figure = Figure(figsize=(6.0, 6.0))
        axes = figure.subplots(len(pairs), 1, sharex=True)
        for ax, pair in zip(axes, pairs, strict=True):
            width = run.r[1] - run.r[0]
            ax.fill_between(run.r, run.shape(pair) / width, color=GREY, alpha=0.45, lw=0, label="this run")
            for (name, reference), colour in zip(known.items(), (BLUE, ORANGE, GREEN), strict=False):
                ax.plot(reference.r, reference.shape(pair) / width, color=colour, lw=1.2, label=name)
            ax.text(0.02, 0.9, "–".join(pair), transform=ax.transAxes, va="top")
            ax.set(xlim=(0, run.r[-1]), ylim=(0, None))
        axes[0].legend(loc="upper center", ncols=3, bbox_to_anchor=(0.5, 1.28))
        axes[-1].set_xlabel("r (Å)")
        figure.supylabel("g(r), scaled to area 1 (1/Å)", fontsize=11)
    return figure


def domain_figure(ps: Array, temperature: Array, columns: Mapping[str, Mapping[str, Array]]) -> Figure:
    """``columns``: domain -> "atoms", "clusters", "largest", "typical" in time."""
    with style():
        figure = Figure(figsize=(6.0, 6.4))
        axes = figure.subplots(3, 1, sharex=True)
        dot = "o" if len(ps) == 1 else ""  # a line of one point is not seen
        for (name, c), colour in zip(columns.items(), (ORANGE, BLUE), strict=False):
            axes[0].plot(ps, c["atoms"], color=colour, label=name, marker=dot)
            axes[1].plot(ps, c["clusters"], color=colour, marker=dot)
            axes[2].plot(ps, c["largest"], color=colour, marker=dot)
            axes[2].plot(ps, c["typical"], color=colour, ls="--", lw=1)
        for ax, label in zip(axes, ("atoms", "clusters", "atoms of a cluster"), strict=True):
            ax.set_ylabel(label)
            ax.set_ylim(bottom=0)
        axes[0].legend(ncols=2, loc="lower left", bbox_to_anchor=(0.0, 1.12))
        styles = [
            Line2D([], [], color=GREY, ls=ls, label=t)
            for ls, t in (("-", "largest"), ("--", "that of an atom"))
        ]
        axes[2].legend(handles=styles, loc="best")
        axes[2].set_xlabel("time (ps)")
        top = axes[0].secondary_xaxis("top", functions=(lambda x: x, lambda x: x))
        ticks = np.linspace(ps[0], ps[-1], 6)
        top.set_xticks(ticks, [f"{t:.0f}" for t in np.interp(ticks, ps, temperature)])
        top.set_xlabel("T set (K)")
    return figure


def bond_figure(counts: Array, elements: Sequence[str], found: Sequence[Community], label: str) -> Figure:
    """Heat map of ``counts`` [n, n], elements in the order of the communities, the first four framed."""
    positive = counts[counts > 0]
    low, high = (float(positive.min()), float(positive.max())) if len(positive) else (1.0, 1.0)
    shown = np.ma.masked_less_equal(counts, 0)
    return _map(
        shown, elements, found, label, {"cmap": "YlOrRd", "norm": LogNorm(low, max(high, 1.01 * low))}
    )


def together_figure(together: Array, elements: Sequence[str], found: Sequence[Community]) -> Figure:
    """Share of the runs in which two elements are together [n, n]."""
    colours = {"cmap": "Blues", "vmin": 0.0, "vmax": 1.0}
    return _map(together, elements, found, "share of the runs", colours)


def _map(
    values: Array,
    elements: Sequence[str],
    found: Sequence[Community],
    label: str,
    colours: dict[str, Any],
) -> Figure:
    order = [elements.index(e) for c in found for e in c.elements]
    n = len(order)
    with style():
        edge = min(11.0, 3.4 + 0.085 * n)
        figure = Figure(figsize=(edge + 0.9, edge), layout="compressed")  # constrained cuts the names off
        ax = figure.subplots()
        image = ax.imshow(values[np.ix_(order, order)], **colours)
        size = max(4.0, min(9.0, 520 / n))
        names = [elements[k] for k in order]
        ax.set_xticks(range(n), names, fontsize=size, rotation=90 if n > 20 else 0)
        ax.set_yticks(range(n), names, fontsize=size)
        ax.tick_params(length=0, pad=1.5)
        ax.grid(False)
        start = 0
        for k, c in enumerate(found[:SHOWN], 1):
            m = len(c.elements)
            corner = (start - 0.5, start - 0.5)
            ax.add_patch(Rectangle(corner, m, m, fill=False, ec=FRAME, lw=1.8, clip_on=False))
            ax.text(start + m - 0.4, start - 0.4, str(k), color=FRAME, weight="bold", va="top")
            start += m
        figure.colorbar(image, ax=ax, shrink=0.75, pad=0.02, label=label)
    return figure


def gallery(panels: Sequence[Panel], columns: int = 2) -> Figure:
    """Rendered pictures with a title and a legend each."""
    with style():
        rows = -(-len(panels) // columns)
        columns = min(columns, len(panels))
        # padding keeps legends off the titles below
        figure = Figure(figsize=(4.2 * columns, 4.1 * rows), layout=ConstrainedLayoutEngine(h_pad=0.12))
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, (title, png, colours) in zip(axes, panels, strict=False):
            _picture(ax, png)
            ax.set_title(title, fontsize=10)
            dots = [Line2D([], [], ls="", marker="o", ms=5, color=c, label=e) for e, c in colours.items()]
            ax.legend(
                handles=dots,
                loc="upper center",
                bbox_to_anchor=(0.5, 0.0),
                ncols=max(1, min(45 // (3 + max(map(len, colours), default=0)), len(dots))),  # as fit below
                fontsize=8,
                handletextpad=0.0,
                columnspacing=0.6,
            )
        for ax in axes:
            ax.axis("off")
    return figure


def _picture(ax: Axes, png: bytes) -> None:
    from matplotlib.image import imread

    image = imread(io.BytesIO(png), format="png")
    rows, columns = np.nonzero((image[:, :, :3] < 1).any(axis=2))
    if len(rows):  # without its white margins
        image = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    ax.imshow(image)
    ax.grid(False)
