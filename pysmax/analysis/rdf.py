"""Partial radial distribution functions by OVITO, averaged over frames, and how near two of them are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ase
import numpy as np
import numpy.typing as npt

from pysmax.errors import SmaxError
from pysmax.moments import Array

if TYPE_CHECKING:
    from ovito.data import DataCollection

Pair = tuple[str, str]
Mask = npt.NDArray[np.bool_]
MOST_ELEMENTS = 20  # of OVITO's partial functions


@dataclass(frozen=True)
class Rdf:
    """``r`` [k], A, middles of the bins; ``g``: pair -> g(r) [k]; ``density``: atoms of an element / A^3."""

    r: Array
    g: dict[Pair, Array]
    density: dict[str, float]

    def __getitem__(self, pair: Pair) -> Array:
        return self.g[pair] if pair in self.g else self.g[pair[::-1]]

    def neighbours(self, centre: str, other: str, within: float) -> float:
        """Mean number of ``other`` around ``centre`` nearer than ``within`` A: integral of 4 pi r^2 rho g."""
        near = self.r < within
        r, g = self.r[near], self[centre, other][near]
        return float((4 * np.pi * r**2 * g).sum() * (self.r[1] - self.r[0]) * self.density[other])

    def shape(self, pair: Pair) -> Array:
        """g(r) over its sum [k], so that densities do not count; zeros where there are no pairs."""
        total = self[pair].sum()
        share: Array = self[pair] / total if total > 0 else self[pair]
        return share


def partial_rdf(
    frames: Iterable[DataCollection],
    elements: Sequence[str],
    pairs: Sequence[Pair],
    cutoff: float,
    bins: int,
    chosen: Callable[[DataCollection], Mask] | None = None,
) -> Rdf:
    """Mean over the frames; ``elements``: of atom types 1, 2, ...; ``chosen``: only these atoms.

    Raises SmaxError for a pair of unknown elements, or more than 20 elements in all pairs.
    """
    wanted = list(dict.fromkeys(e for pair in pairs for e in pair))
    if unknown := [e for e in wanted if e not in elements]:
        raise SmaxError(f"pairs: element {unknown[0]} is not in this study, which has {' '.join(elements)}")
    if len(wanted) > MOST_ELEMENTS:
        raise SmaxError(
            f"pairs: found {len(wanted)} elements, expected at most {MOST_ELEMENTS} in one analysis"
        )
    number = np.array([wanted.index(e) + 1 if e in wanted else 0 for e in elements])
    total: dict[Pair, Array] = {pair: np.zeros(bins) for pair in pairs}
    density, n = dict.fromkeys(wanted, 0.0), 0
    for data in frames:
        types = number[np.asarray(data.particles.particle_types) - 1]
        keep = (types > 0) if chosen is None else (types > 0) & chosen(data)
        g = _one(data, types, keep, wanted, cutoff, bins)
        for pair in pairs:
            total[pair] += g[tuple(sorted((wanted.index(pair[0]), wanted.index(pair[1]))))]
        volume = float(data.cell.volume)
        for k, e in enumerate(wanted, 1):
            density[e] += int((types[keep] == k).sum()) / volume
        n += 1
    r = (np.arange(bins) + 0.5) * cutoff / bins
    n = max(n, 1)
    return Rdf(r, {p: g / n for p, g in total.items()}, {e: d / n for e, d in density.items()})


def crystal_rdf(crystal: ase.Atoms, pairs: Sequence[Pair], cutoff: float, bins: int, sigma: float) -> Rdf:
    """Of a perfect crystal, each shell a Gaussian of width ``sigma`` A in r^2 g (area is kept)."""
    elements = list(dict.fromkeys(crystal.symbols))
    types = np.array([elements.index(e) + 1 for e in crystal.symbols])
    data = _collection(crystal.positions, crystal.cell.array.T, types, elements)
    sharp = partial_rdf([data], elements, pairs, cutoff + 4 * sigma, _more(bins, cutoff, sigma))
    r = (np.arange(bins) + 0.5) * cutoff / bins
    if sigma <= 0:
        return Rdf(r, sharp.g, sharp.density)
    kernel = np.exp(-((r[:, None] - sharp.r) ** 2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    kernel *= sharp.r[1] - sharp.r[0]
    g = {pair: kernel @ (sharp.r**2 * values) / r**2 for pair, values in sharp.g.items()}
    return Rdf(r, g, sharp.density)


def overlap(a: Rdf, b: Rdf, pair: Pair) -> float:
    """Common area of two g(r) of area 1: 1 if they are equal, 0 if they do not meet."""
    return float(np.minimum(a.shape(pair), b.shape(pair)).sum())


def earth_mover(a: Rdf, b: Rdf, pair: Pair) -> float:
    """Mean way, A, that the area of one g(r) has to go to become the other, both of area 1."""
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(a.r, b.r, a.shape(pair), b.shape(pair)))


def _more(bins: int, cutoff: float, sigma: float) -> int:
    """Bins of a longer range, as wide as those of the shorter one or narrower."""
    return bins if sigma <= 0 else int(np.ceil(bins * (cutoff + 4 * sigma) / cutoff))


def _one(
    data: DataCollection, types: npt.NDArray[np.intp], keep: Mask, wanted: list[str], cutoff: float, bins: int
) -> dict[tuple[int, ...], Array]:
    """g(r) of one frame, by indices i <= j of ``wanted``."""
    from ovito.modifiers import CoordinationAnalysisModifier

    g: dict[tuple[int, ...], Array] = {
        (i, j): np.zeros(bins) for i in range(len(wanted)) for j in range(i, len(wanted))
    }
    present = np.unique(types[keep])
    if not len(present):
        return g
    few = _collection(
        np.asarray(data.particles.positions)[keep], np.asarray(data.cell)[:, :3], types[keep], wanted
    )
    few.apply(CoordinationAnalysisModifier(cutoff=cutoff, number_of_bins=bins, partial=len(present) > 1))
    y = np.asarray(few.tables["coordination-rdf"].y).reshape(bins, -1)
    columns = [(int(i) - 1, int(j) - 1) for a, i in enumerate(present) for j in present[a:]]
    for column, ij in enumerate(columns):
        g[ij] = y[:, column]
    return g


def _collection(
    positions: Array, vectors: Array, types: npt.NDArray[np.intp], elements: Sequence[str]
) -> DataCollection:
    """Atoms [n, 3], A, of the elements of types 1, 2, ... in a periodic cell with these columns [3, 3]."""
    from ovito.data import DataCollection

    data = DataCollection()
    data.create_cell(vectors, pbc=(True, True, True))
    particles = data.create_particles(count=len(positions))
    particles.create_property("Position", data=positions)
    kind = particles.create_property("Particle Type", data=types)
    for k in np.unique(types):
        kind.add_type_id(int(k), particles, name=elements[k - 1])
    return data
