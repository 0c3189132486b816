"""Histograms, components and coverage against NumPy, scikit-learn, brute force and closed forms."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import ase
import numpy as np
import pytest
from ase.units import GPa
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy.special import digamma, polygamma

from pysmax.characteristics import components, coverage, plots
from pysmax.characteristics.histogram import Histogram, Scale
from pysmax.characteristics.projection import Settings, project
from pysmax.characteristics.source import batch
from pysmax.characteristics.statistics import Statistics
from pysmax.errors import SmaxError

SCALE = Scale("x", "eV", 2.0)


def heavy(seed: int, n: int) -> np.ndarray:
    """Values with long tails of either sign."""
    return 3 * np.random.default_rng(seed).standard_t(1.2, n)


def test_a_streamed_histogram_is_that_of_all_data() -> None:
    x = heavy(1, 30_000)
    h = Histogram(SCALE)
    for part in np.array_split(x, 7):
        h.add(part)
    np.testing.assert_array_equal(h.counts[1:-1], np.histogram(x, h.edges)[0])
    assert h.counts.sum() == h.total == len(x)
    found = h.summary()
    assert (found["min"], found["max"], found["left_out"]) == (x.min(), x.max(), 0)
    assert found["mean"] == pytest.approx(x.mean(), rel=1e-9)
    assert found["standard_deviation"] == pytest.approx(x.std(), rel=1e-9)
    for key, q in (("q001", 0.001), ("median", 0.5), ("q999", 0.999)):
        exact = np.quantile(x, q, method="inverted_cdf")
        k = np.searchsorted(h.edges, exact, side="right")
        assert h.edges[k - 1] <= exact <= h.edges[k] and h.edges[k - 1] <= found[key] <= h.edges[k]


def test_quantiles_inside_one_bin() -> None:
    """Values that are small against the scale are not rounded to its bins."""
    h = Histogram(SCALE)
    width = float(h.edges[h.edges > 0][0])
    x = width * np.linspace(0, 0.999, 1001)
    h.add(x)
    assert h.counts.max() == 1001
    for q in (0.001, 0.25, 0.5, 0.999):
        assert h.quantile(q) == pytest.approx(np.quantile(x, q), abs=2e-3 * width)


def test_the_density_integrates_to_one_at_any_width() -> None:
    x = heavy(2, 5000)
    h = Histogram(SCALE)
    h.add(x)
    first, last = h.occupied()
    for merge in (1, 3, 10):
        end = first + merge * -(-(last - first) // merge)
        edges, density = h.density(first, end, merge)
        expected = np.histogram(x, edges, density=True)[0]
        np.testing.assert_allclose(density, expected, rtol=1e-12)
        assert (density * np.diff(edges)).sum() == pytest.approx(1, rel=1e-12)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30))
def test_every_float_is_counted_once(values: list[float]) -> None:
    h = Histogram(SCALE)
    h.add([v for v in values if not 1e150 < abs(v) < np.inf])  # whose square is no float
    assert h.counts.sum() == h.total
    assert h.total + h.left_out == sum(not 1e150 < abs(v) < np.inf for v in values)


def labelled(rng: np.random.Generator, n: int) -> ase.Atoms:
    """A random structure with random labels, as ASE gives it."""
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = ase.Atoms(rng.choice([1, 6, 26, 118], n), rng.random((n, 3)), cell=np.eye(3) * 5, pbc=True)
    labels = {"energy": rng.normal(), "forces": rng.normal(size=(n, 3)), "stress": rng.normal(size=6)}
    atoms.calc = SinglePointCalculator(atoms, **labels)
    return atoms


def test_statistics_are_those_of_single_structures() -> None:
    rng = np.random.default_rng(4)
    frames = [labelled(rng, int(n)) for n in rng.integers(1, 9, 60)]
    s = Statistics()
    for part in (frames[:1], frames[1:40], frames[40:]):
        s.add(batch(part))
    assert (s.structures, s.atoms) == (60, sum(map(len, frames)))
    assert s.sizes == Counter(map(len, frames))
    assert s.richness == Counter(len(set(f.numbers)) for f in frames)
    every = Counter(int(z) for f in frames for z in f.numbers)
    assert s.elements(s.atoms_of) == every
    assert s.elements(s.structures_with) == Counter(int(z) for f in frames for z in set(f.numbers))
    expected = {
        "energy": [f.get_potential_energy() / len(f) for f in frames],
        "force": [np.linalg.norm(v) for f in frames for v in f.get_forces()],
        "stress": [v / GPa for f in frames for v in f.get_stress()],
        "pressure": [-np.trace(f.get_stress(voigt=False)) / 3 / GPa for f in frames],
    }
    for name, values in expected.items():
        h = s.histograms[name]
        assert h.total == len(values)
        assert h.mean == pytest.approx(np.mean(values), rel=1e-10, abs=1e-12)
        assert (h.low, h.high) == pytest.approx((min(values), max(values)), rel=1e-12)


def test_missing_labels_are_left_out() -> None:
    frames = [labelled(np.random.default_rng(i), 3) for i in range(4)]
    frames[1].calc = None
    del frames[2].calc.results["stress"]
    s = Statistics()
    s.add(batch(frames))
    assert {k: (h.total, h.left_out) for k, h in s.histograms.items()} == {
        "energy": (3, 1),
        "force": (9, 3),
        "stress": (12, 12),
        "pressure": (2, 2),
    }


def cloud(seed: int, m: int) -> np.ndarray:
    """Correlated features [m, 6] of very different units, one of which is constant."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(5, 5)) * 10.0 ** np.arange(-2, 3)
    shift = rng.normal(size=5) @ mix
    return np.hstack([rng.normal(size=(m, 5)) @ mix + shift, np.full((m, 1), 0.1)])


def test_components_are_those_of_a_weighted_singular_value_decomposition() -> None:
    samples = [cloud(1, 300), cloud(2, 120), cloud(3, 77)]
    c = components.fit(samples)
    weight = np.concatenate([np.full(len(x), 1 / len(x) / 3) for x in samples])
    rows = np.concatenate(samples)
    mean = weight @ rows
    unit = np.sqrt(weight @ (rows - mean) ** 2)
    unit[5] = 1
    z = (rows - mean) / unit
    _, s, vt = np.linalg.svd(np.sqrt(weight)[:, None] * z, full_matrices=False)
    np.testing.assert_allclose(c.spread, s[:5], rtol=1e-9)
    np.testing.assert_allclose(c.shares, (s**2 / (s**2).sum())[:5], rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(c.axes.T * vt[:5], axis=1)), 1, rtol=1e-9)
    scores = c.scores(c.standardise(rows), 3)
    np.testing.assert_allclose(weight @ scores, 0, atol=1e-9)
    np.testing.assert_allclose((weight[:, None] * scores).T @ scores, np.eye(3), atol=1e-9)


def test_components_of_equal_samples_are_those_of_scikit_learn() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    samples = [cloud(1, 200)[:, :5], cloud(2, 200)[:, :5]]
    c = components.fit(samples)
    pca = decomposition.PCA().fit(c.standardise(np.concatenate(samples)))
    np.testing.assert_allclose(c.shares, pca.explained_variance_ratio_, rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(c.axes.T * pca.components_, axis=1)), 1, rtol=1e-9)


def test_equal_features_have_no_components() -> None:
    with pytest.raises(SmaxError, match="no feature varies"):
        components.fit([np.full((20, 3), 0.1), np.full((10, 3), 0.1)])


def test_entropy_is_that_of_the_eigenvalues() -> None:
    x = np.random.default_rng(0).normal(size=(300, 7)) * np.arange(1, 8)
    x[:, 6] = x[:, 5]  # singular: eps alone keeps S finite
    centred = x - x.mean(axis=0)
    eigenvalues = np.linalg.eigvalsh(centred.T @ centred / 300)
    expected = 0.5 * np.log(np.maximum(eigenvalues, 0) + 1e-3).sum()
    assert coverage.half_log_det(x, 1e-3) == pytest.approx(expected, rel=1e-9)
    assert coverage.half_log_det(x[:, :1], 1e-3) == pytest.approx(0.5 * np.log(x[:, 0].var() + 1e-3))


def test_occupied_cells_are_counted_one_by_one() -> None:
    x = heavy(3, 400).reshape(200, 2)
    width = coverage.CELL
    assert coverage.occupied(x[:, :1]) == len({int(v // width) for v in x[:, 0]})
    assert coverage.occupied(x) == len({(int(a // width), int(b // width)) for a, b in x})


def test_draws_are_whole_structures_without_repeats() -> None:
    natoms = np.array([3, 1, 4, 1, 5, 9, 2, 6])
    owner = np.repeat(np.arange(8), natoms)
    draws = list(coverage.draws(natoms, 15, 200, np.random.default_rng(1)))
    for rows in draws:
        assert len(rows) == len(set(rows)) == 15
        runs = [rows[0], *(b for a, b in pairwise(rows) if owner[a] != owner[b])]
        starts = np.cumsum(natoms) - natoms
        assert set(runs) <= set(starts)  # every structure from its first atom
        counts = Counter(owner[rows].tolist())
        assert sum(n < natoms[i] for i, n in counts.items()) <= 1
    assert set(np.concatenate(draws)) == set(range(31))


def test_error_bars_of_a_gaussian_are_the_known_ones() -> None:
    # log det of a Wishart matrix of M - 1 degrees of freedom: a sum of logarithms of independent chi-squares
    n, p, atoms, resamples = 4000, 4, 1000, 400
    x = np.random.default_rng(5).normal(size=(n, p))
    degrees = (atoms - 1 - np.arange(p)) / 2
    mean = 0.5 * (digamma(degrees) + np.log(2 / atoms)).sum()
    deviation = 0.5 * np.sqrt(polygamma(1, degrees).sum())
    found = coverage.measure(x, x[:, :2], np.ones(n, int), atoms, resamples, 0, 1e-12)
    assert found.entropy_nats.error == pytest.approx(deviation, rel=4 / np.sqrt(2 * resamples))
    whole = 0.5 * np.sqrt(p * 2 / n)  # by how much these 4000 points themselves may be off
    assert abs(found.entropy_nats.value - mean) < 4 * whole
    # occupied cells: independent draws from the same Gaussian
    rng = np.random.default_rng(6)
    cells = [coverage.occupied(rng.normal(size=(atoms, 1))) for _ in range(400)]
    assert found.cells[0].value == pytest.approx(np.mean(cells), abs=3 * np.std(cells))
    assert found.cells[0].error == pytest.approx(np.std(cells), rel=0.35)
    assert len(found.cells) == 2 and len(found.pair_cells) == 1


def test_correlated_atoms_of_a_structure_widen_the_error() -> None:
    rng = np.random.default_rng(7)
    x = np.repeat(rng.normal(size=(500, 2)), 8, axis=0) + 1e-3 * rng.normal(size=(4000, 2))
    together = coverage.measure(x, x, np.full(500, 8), 1000, 100, 0, 1e-9).entropy_nats.error
    apart = coverage.measure(x, x, np.full(4000, 1), 1000, 100, 0, 1e-9).entropy_nats.error
    assert together / apart == pytest.approx(np.sqrt(8), rel=0.35)  # an eighth of the independent atoms


def gaussian_features(structures: list[ase.Atoms]) -> tuple[np.ndarray, np.ndarray]:
    """Features that only depend on the positions: their own coordinates."""
    return np.concatenate([s.positions for s in structures]), np.array([len(s) for s in structures])


def points(seed: int, structures: int, scale: float) -> list[ase.Atoms]:
    rng = np.random.default_rng(seed)
    return [ase.Atoms("H3", scale * rng.normal(size=(3, 3))) for _ in range(structures)]


def test_a_set_twice_as_wide_has_three_log_two_more_nats() -> None:
    samples = [points(1, 900, 1.0), points(1, 700, 2.0)]
    found = project(["a", "b"], samples, gaussian_features, Settings(fit=600, components=2, resamples=50))
    a, b = found.coverage
    assert found.fitted == 600 and found.projected == (900, 700)
    assert [s.shape for s in found.scores] == [(2700, 2), (2100, 2)]
    assert a.atoms == b.atoms == 900
    # the same draws of the same points at twice the width: exactly 3 log 2, but for eps
    assert b.entropy_nats.value - a.entropy_nats.value == pytest.approx(3 * np.log(2), abs=1e-4)
    assert b.cells[0].value > 1.5 * a.cells[0].value


def test_wrong_features_are_refused() -> None:
    samples = [points(1, 5, 1.0), points(2, 5, 1.0)]

    def fails(change: object, match: str) -> None:
        with pytest.raises(SmaxError, match=match):
            project(["a", "b"], samples, change, Settings())  # type: ignore[arg-type]

    fails(lambda s: (np.ones((15, 2)), np.full(5, 2)), "other atoms")
    fails(lambda s: (np.ones((14, 2)), np.full(5, 3)), "14 vectors, expected 15")
    fails(lambda s: (np.full((15, 2), np.nan), np.full(5, 3)), "not finite")
    with pytest.raises(SmaxError, match="b has 1 structure"):
        project(["a", "b"], [samples[0], samples[1][:1]], gaussian_features, Settings())


@pytest.mark.parametrize(("low", "high"), [(3, 3), (1, 20), (1, 121), (1, 2000), (40, 90_000)])
def test_every_integer_has_one_bin(low: int, high: int) -> None:
    edges = plots.integer_edges(low, high)
    assert (edges[0], edges[-1]) == (low, high + 1)
    assert (np.diff(edges) >= 1).all() and (edges == np.round(edges)).all()
    assert len(edges) <= plots.MANY + 2


def test_datasets_look_different() -> None:
    assert len(set(plots.looks(49))) == 49
    assert len({colour for colour, _ in plots.looks(7)}) == 7


@pytest.mark.parametrize(
    ("width", "low", "high", "powers"),
    [
        (1, 0, 3e4, True),
        (10, -2e3, 5e5, True),
        (1, -0.4, 0.3, False),
        (10, -9, -2, False),
        (10, -130, -40, False),
    ],
)
def test_asinh_axes_have_ticks_for_any_range(width: float, low: float, high: float, powers: bool) -> None:
    axes = Figure().subplots()
    plots.asinh_axis(axes, "x", width, np.float64(low), np.float64(high))
    ticks = axes.get_xticks()
    inside = ticks[(ticks >= low) & (ticks <= high)]
    assert 3 <= len(inside) <= 12
    logarithms = np.log10(np.abs(inside[inside != 0]))
    assert np.allclose(logarithms, np.round(logarithms), atol=1e-9) == powers
    written = [label.get_text() for label in axes.get_xticklabels()]
    assert len(written) == len(set(written)) and "" not in written
