"""What the panels show: ticks, labels, ranges, legends."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from pysmax.report import plots
from pysmax.report.build import captions


def drawn(figure: Figure) -> Figure:
    figure.draw_without_rendering()
    return figure


def labels(axis: Axis) -> list[str]:
    """Of the ticks in view."""
    low, high = sorted(axis.get_view_interval())
    return [
        text.get_text()
        for at, text in zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
        if low <= at <= high and text.get_text()
    ]


def legend(figure: Figure, panel: int = 0) -> list[str]:
    box = figure.axes[panel].get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def points(limit: float) -> np.ndarray:
    """From -limit to limit, both axes."""
    x = np.sinh(np.linspace(-1, 1, 60) * np.arcsinh(limit))
    return np.column_stack([x, x[::-1]])


def test_ticks_of_the_components_are_powers_of_ten() -> None:
    with plots.style():
        figure = drawn(plots.components(points(300.0), points(2.0), np.array([0.3, 0.1])))
    axes = figure.axes[0]
    expected = ["\u2212100", "\u221210", "\u22121", "0", "1", "10", "100"]
    assert labels(axes.xaxis) == labels(axes.yaxis) == expected


@pytest.mark.parametrize("limit", [1e-6, 0.3, 1.5, 40.0, 3e4, 1e9, 1e30])
def test_no_tick_labels_of_the_components_overlap(limit: float) -> None:
    with plots.style():
        figure = drawn(plots.components(points(limit), points(limit / 7), np.array([0.3, 0.1])))
        for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
            assert len(labels(axis)) >= 3
            boxes = [
                t.get_window_extent() for t in axis.get_majorticklabels() if t.get_text() in labels(axis)
            ]
            side = "x" if axis is figure.axes[0].xaxis else "y"
            boxes.sort(key=lambda b: getattr(b, f"{side}0"))
            assert all(getattr(a, f"{side}1") < getattr(b, f"{side}0") for a, b in pairwise(boxes))


def test_the_entropy_starts_at_none_accepted() -> None:
    with plots.style():
        figure = drawn(plots.entropy_growth(np.array([2.0, 3.0, 4.0]), 1.0, 1.0, "random cells + accepted"))
    curve = figure.axes[0].lines[0]
    np.testing.assert_array_equal(curve.get_xdata(), [0, 1, 2, 3])
    np.testing.assert_array_equal(curve.get_ydata(), [1, 2, 3, 4])
    assert legend(figure) == ["random cells + accepted", "random cells alone"]
    assert all(label.lstrip("\u2212").isdigit() for label in labels(figure.axes[0].xaxis))
    with plots.style():
        without = plots.entropy_growth(np.array([2.0, 3.0]), None, None)
    np.testing.assert_array_equal(without.axes[0].lines[0].get_xdata(), [1, 2])


@pytest.mark.parametrize(
    ("hidden", "said"), [(0, ""), (1, "The first point is"), (3, "The first 3 points are")]
)
def test_the_caption_says_what_the_range_leaves_out(hidden: int, said: str) -> None:
    entropies = np.concatenate([np.linspace(-900, -800, hidden), np.linspace(10, 12, 100)])
    with plots.style():
        text = captions({"entropy": plots.entropy_growth(entropies, None, None)})["entropy"]
    assert ("below the range" in text) == bool(hidden)
    assert said in text


@pytest.mark.parametrize(("tried", "lines"), [(3, 1), (50, 1), (51, 2)])
def test_progress_has_no_line_twice(tried: int, lines: int) -> None:
    accepted = np.arange(tried) % 3 == 0
    with plots.style():
        figure = drawn(plots.progress(accepted.astype(float), np.full(tried, 90.0)))
    upper, lower = figure.axes
    assert len(upper.lines) == len(legend(figure)) == lines
    assert legend(figure, 1) == [
        "one candidate",
        "mean of the last 50" if lines == 2 else "mean since the start",
    ]
    assert all(label.lstrip("\u2212").isdigit() for a in (lower.xaxis, lower.yaxis) for label in labels(a))


def test_counts_have_whole_ticks() -> None:
    with plots.style():
        axes = drawn(plots.sizes([2, 3, 3])).axes[0]
    assert all(label.isdigit() for axis in (axes.xaxis, axes.yaxis) for label in labels(axis))
