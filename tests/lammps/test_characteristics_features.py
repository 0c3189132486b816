"""Components and coverage with the plugin's features, against stock LAMMPS and NumPy."""

from __future__ import annotations

import ase
import numpy as np

from pysmax.characteristics.projection import Settings, project
from pysmax.dataset.features import bispectrum
from pysmax.features import features
from pysmax.moments import Descriptor, Moments

DESCRIPTOR = Descriptor("atom", 8, 0.99363, 0.0, 3.0, 1, 1)
EMPTY = Moments(
    0, np.zeros(55), np.zeros((55, 55)), np.ones(55), 1e-6, DESCRIPTOR, 0, np.zeros(55), np.zeros((55, 55))
)


def frames(seed: int, n: int, spread: float) -> list[ase.Atoms]:
    """Shaken simple cubic cells of two elements, with effective radii that keep their mean."""
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(n):
        m = int(rng.integers(1, 4))
        place = np.arange(m)[:, None] * [0, 0, 2.6] + rng.normal(0, spread, (m, 3))
        a = ase.Atoms(rng.choice([6, 14], m), place, cell=[2.6, 2.7, 2.6 * m], pbc=True)
        a.arrays["r_eff"] = rng.uniform(0.9, 1.3, m)
        result.append(a)
    return result


def stock(structures: list[ase.Atoms]) -> tuple[np.ndarray, np.ndarray]:
    """The same features by compute sna/atom."""
    return features(structures, EMPTY), np.array([len(s) for s in structures])


def test_the_plugin_gives_the_report_of_stock_lammps() -> None:
    samples = [frames(1, 25, 0.3), frames(2, 25, 0.1)]
    settings = Settings(components=4, resamples=5, radii="stored", eps=1e-3)
    ours, theirs = (project(["a", "b"], samples, f, settings) for f in (bispectrum, stock))
    np.testing.assert_allclose(ours.components.shares[:10], theirs.components.shares[:10], rtol=1e-6)
    for a, b, x, y in zip(ours.coverage, theirs.coverage, ours.scores, theirs.scores, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5)
        np.testing.assert_allclose(a.entropy_nats, b.entropy_nats, rtol=1e-6)
    assert ours.coverage[0].entropy_nats.value > ours.coverage[1].entropy_nats.value + 5


def test_covalent_radii_are_those_of_the_elements() -> None:
    structures = frames(3, 4, 0.2)
    plain = [ase.Atoms(s.numbers, s.positions, cell=s.cell, pbc=True) for s in structures]
    found, natoms = bispectrum(plain)
    assert natoms.tolist() == [len(s) for s in structures]
    for s in structures:
        s.arrays["r_eff"] = np.where(s.numbers == 6, 0.75, 1.16)  # Pyykko and Atsumi 2009, single bonds
    np.testing.assert_allclose(found, stock(structures)[0], rtol=1e-6, atol=1e-8)
