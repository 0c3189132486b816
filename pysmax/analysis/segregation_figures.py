"""Figures of study ``segregation``."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.image
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pysmax.analysis.pictures import colours, picture
from pysmax.analysis.profiles import Segregation
from pysmax.moments import Array
from pysmax.report.plots import GREY, style

if TYPE_CHECKING:
    from ovito.data import DataCollection

Kinds = tuple[Sequence[str], Sequence[str]]  # metals; impurities
Colour = tuple[float, float, float]
PALE = (0.75, 0.75, 0.75)
LABEL = "concentration (at.%)"


def profile(
    found: Segregation,
    kinds: Kinds,
    boundary_A: float,
    bulk_A: float,
    reference: dict[str, Any] | None = None,
) -> Figure:
    """Against the distance from the nearer boundary; metals above, impurities below."""
    shown = palette([*kinds[0], *kinds[1]])
    with style():
        figure, panels = _panels(kinds, 6.0)
        end = float(found.distance[-1] + found.distance[0])
        for axes, elements in zip(panels, filter(None, kinds), strict=True):
            _draw(axes, found.elements, elements, shown, found.distance, found.profile, found.profile_error)
            axes.axvspan(0, boundary_A, color=GREY, alpha=0.15, lw=0)
            axes.axvspan(min(bulk_A, end), end, color=GREY, alpha=0.07, lw=0)
            axes.set_xlim(0, end)
            if reference and "Nb" in elements:
                for what, x0, x1 in (("boundary", 0, boundary_A), ("bulk", bulk_A, end)):
                    axes.plot([x0, x1], [reference[what]] * 2, color=shown["Nb"], ls=":", lw=2)
            axes.set_ylim(0, None)
        panels[-1].set_xlabel("distance from the boundary (Å)")
    return figure


def along(found: Segregation, kinds: Kinds) -> Figure:
    """Along the normal of the boundaries, over the whole cell."""
    shown = palette([*kinds[0], *kinds[1]])
    with style():
        figure, panels = _panels(kinds, 8.0)
        for axes, elements in zip(panels, filter(None, kinds), strict=True):
            _draw(axes, found.elements, elements, shown, found.normal, found.along, found.along_error)
            for z in found.places:
                axes.axvline(z, color=GREY, ls="--", lw=1)
            axes.margins(x=0)
            axes.set_ylim(0, None)
        panels[-1].set_xlabel("position along the normal (Å)")
    return figure


def convergence(tried: Array, each: Array, elements: Sequence[str], kinds: Kinds, used: range) -> Figure:
    """Composition of each boundary [f, b, e] (at.%) against moves per atom [f]."""
    shown = palette([*kinds[0], *kinds[1]])
    with style():
        figure, panels = _panels(kinds, 6.0)
        for axes, chosen in zip(panels, filter(None, kinds), strict=True):
            for e in chosen:
                c = each[:, :, list(elements).index(e)]
                axes.plot(tried, c, color=shown[e], lw=0.6, alpha=0.6)
                axes.plot(tried, c.mean(axis=1), color=shown[e], lw=1.8, label=e)
            axes.axvspan(tried[used.start], tried[-1], color=GREY, alpha=0.1, lw=0)
            axes.set_ylabel(f"boundary {LABEL}")
            axes.set_ylim(0, None)
            axes.margins(x=0)
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        panels[-1].set_xlabel("Monte Carlo moves tried per atom")
    return figure


def structure(
    data: DataCollection, elements: Sequence[str], shown: Mapping[str, Colour], impurities: Sequence[str]
) -> Figure:
    """Every atom; below, where there are impurities, those and the metals out of the crystal."""
    from matplotlib.patches import Patch

    lying = _lying(data)
    views = [lying, _sparse(lying, elements, impurities)] if impurities else [lying]
    colour = {e: shown.get(e, (0.5, 0.5, 0.5)) for e in elements}
    images = []
    for k, view in enumerate(views):
        used = colour if k == 0 else {e: colour[e] if e in impurities else PALE for e in elements}
        png = picture(
            view, elements, (900, 900), (-0.3, 1.0, -0.35), used, trim=True, samples=3, perspective=False
        )
        images.append(np.asarray(mpl.image.imread(io.BytesIO(png))))
    heights = [9.0 * im.shape[0] / im.shape[1] for im in images]
    with style():
        figure = Figure(figsize=(9.0, sum(heights) + 0.4))
        panels = figure.subplots(len(images), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, image in zip(panels, images, strict=True):
            axes.imshow(image, interpolation="bilinear")
            axes.set_axis_off()
        handles = [Patch(color=c, label=e) for e, c in shown.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def palette(order: Sequence[str]) -> dict[str, Colour]:
    """Colours that can be told apart, the same in every figure."""
    if len(order) > 11:
        return colours(order)
    cycle = [*mpl.colormaps["tab10"].colors, (0.0, 0.0, 0.0)]  # type: ignore[attr-defined]
    return dict(zip(order, cycle, strict=False))


def _sparse(data: DataCollection, elements: Sequence[str], impurities: Sequence[str]) -> DataCollection:
    """Without metals in the crystal; other metals small."""
    from ovito.modifiers import PolyhedralTemplateMatchingModifier

    types = np.asarray(data.particles.particle_types)
    kept = np.isin(types, [elements.index(e) + 1 for e in impurities if e in elements])
    bcc = np.asarray(data.particles["Structure Type"]) == int(PolyhedralTemplateMatchingModifier.Type.BCC)
    sparse = data.clone()
    particles: Any = sparse.particles_
    particles.create_property("Radius", data=np.where(kept, 1.2, 0.35))
    particles.delete_elements(bcc & ~kept)
    return sparse


def _lying(data: DataCollection) -> DataCollection:
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
    axes: Axes,
    known: Sequence[str],
    elements: Sequence[str],
    shown: Mapping[str, Colour],
    x: Array,
    c: Array,
    error: Array,
) -> None:
    look: dict[str, Any] = {"lw": 1.3, "marker": "o", "ms": 2.5, "capsize": 1.5, "elinewidth": 0.8}
    for e in elements:
        k = list(known).index(e)
        axes.errorbar(x, c[:, k], np.nan_to_num(error[:, k]), color=shown[e], label=e, **look)
    axes.set_ylabel(LABEL)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
