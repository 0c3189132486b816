"""Stationary points of surfaces whose stationary points are known."""

from __future__ import annotations

import numpy as np
import pytest

from pysmax.analysis.stationary import Surface


def double_well(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(x^2 - 1)^2 / 4 + x / 20 + y^2: minima and a saddle at the roots of x^3 - x + 1/20, y = 0."""
    return (x**2 - 1) ** 2 / 4 + x / 20 + y**2


def test_minima_and_saddle_are_found_where_they_were_planted() -> None:
    x, y = np.linspace(-1.6, 1.5, 32), np.linspace(-1.0, 1.2, 23)
    surface = Surface(x, y, double_well(x[:, None], y[None, :]))
    found = surface.stationary()
    left, middle, right = np.sort(np.roots([1, 0, -1, 0.05]))
    assert [p.kind for p in found] == ["minimum", "minimum", "saddle"]
    for point, root in zip(found, (left, right, middle), strict=True):
        assert point.x == pytest.approx(root, abs=1e-3)
        assert point.y == pytest.approx(0.0, abs=1e-3)
        assert point.z == pytest.approx(double_well(root, 0.0), abs=1e-4)
    assert found[0].depth == np.inf and np.isnan(found[2].depth)
    assert found[1].depth == pytest.approx(double_well(middle, 0.0) - double_well(right, 0.0), abs=1e-3)


def test_four_minima_four_saddles_one_maximum() -> None:
    x = y = np.linspace(-1.5, 1.5, 31)
    z = (x[:, None] ** 2 - 1) ** 2 + (y[None, :] ** 2 - 0.8) ** 2
    found = Surface(x, y, z).stationary()
    kinds = [p.kind for p in found]
    assert (kinds.count("minimum"), kinds.count("saddle"), kinds.count("maximum")) == (4, 4, 1)
    for p in found:
        a, b = abs(p.x), abs(p.y)
        expected = {"minimum": (1.0, 0.8**0.5), "maximum": (0.0, 0.0)}
        if p.kind == "saddle":
            assert min(abs(a - 1) + b, a + abs(b - 0.8**0.5)) < 4e-3
        else:
            assert (a, b) == pytest.approx(expected[p.kind], abs=2e-3)


def test_noise_below_the_tolerance_is_no_minimum_and_takes_its_saddle_along() -> None:
    x = y = np.linspace(-1.0, 1.0, 41)
    ripples = 2e-4 * np.cos(40 * x[:, None]) * np.cos(37 * y[None, :])
    z = x[:, None] ** 2 / 50 + y[None, :] ** 2 / 50 + ripples
    surface = Surface(x, y, z)
    assert len(surface.stationary()) > 5
    kept = surface.stationary(tolerance=1e-3)
    assert [p.kind for p in kept] == ["minimum"]
    assert abs(kept[0].x) < 0.1 and abs(kept[0].y) < 0.1


def test_a_wall_at_the_edge_leaves_no_ripples() -> None:
    x, y = np.linspace(0.5, 2.0, 31), np.linspace(-1.0, 1.0, 21)
    z = x[:, None] ** -12 - 2 * x[:, None] ** -6 + y[None, :] ** 2  # from 4000 down to -1
    found = Surface(x, y, z).stationary()
    assert [p.kind for p in found] == ["minimum"]
    assert (found[0].x, found[0].y, found[0].z) == pytest.approx((1.0, 0.0, -1.0), abs=2e-3)


def test_a_slope_has_none() -> None:
    x = y = np.linspace(0.0, 1.0, 5)
    assert Surface(x, y, x[:, None] + 2 * y[None, :]).stationary() == []


def test_a_flat_surface_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where atoms are too far apart to see each other; there Newton's method has nothing to do."""
    tried = []
    surface = Surface(np.linspace(0, 1, 21), np.linspace(0, 1, 21), np.full((21, 21), -3.0))
    monkeypatch.setattr("scipy.optimize.root", lambda *a, **k: tried.append(a))
    assert surface.stationary() == [] and tried == []
