"""Where the two grain boundaries of a periodic cell are, in each frame by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pysmax.errors import SmaxError
from pysmax.moments import Array

if TYPE_CHECKING:
    from ovito.data import DataCollection

BIN_A = 1.0
SMOOTH_A = 2.0
WINDOW_A = 8.0  # around a peak: what its centre is taken from
CONTRAST = 0.2  # of a boundary's share of atoms out of the crystal above that of the grains


def modifiers(types: list[int], rmsd: float) -> list[Any]:
    """OVITO: polyhedral template matching of the lattice atoms alone, as if nothing else were there.

    P. M. Larsen et al., Model. Simul. Mater. Sci. Eng. 24, 055007 (2016), doi:10.1088/0965-0393/24/5/055007.
    """
    from ovito.modifiers import PolyhedralTemplateMatchingModifier, SelectTypeModifier

    return [
        SelectTypeModifier(property="Particle Type", types=set(types)),
        PolyhedralTemplateMatchingModifier(only_selected=True, rmsd_cutoff=rmsd),
    ]


def out_of_crystal(data: DataCollection) -> tuple[Array, Array]:
    """Of the selected atoms: fraction of z in the cell [n], and 1.0 where the packing is not bcc [n]."""
    from ovito.modifiers import PolyhedralTemplateMatchingModifier

    particles: Any = data.particles
    chosen = np.asarray(particles["Selection"]) == 1
    other = np.asarray(particles["Structure Type"]) != int(PolyhedralTemplateMatchingModifier.Type.BCC)
    return heights(data)[chosen], other[chosen].astype(float)


def heights(data: DataCollection) -> Array:
    """Fraction of z in the cell of each atom [n], in [0, 1)."""
    cell = np.asarray(data.cell)
    z: Array = (np.asarray(data.particles.positions)[:, 2] - cell[2, 3]) / cell[2, 2]
    return z % 1.0


def find(z: Array, other: Array, length: float) -> tuple[float, float]:
    """Fractions of z where ``other`` [n] (1: out of the crystal) is most frequent, lower one first.

    ``z``: fractions [n] of a period of ``length`` A. SmaxError if there are no two peaks.
    """
    n = max(8, round(length / BIN_A))
    bins = np.minimum((z * n).astype(int), n - 1)
    atoms, others = np.bincount(bins, minlength=n), np.bincount(bins, other, minlength=n)
    share = _smooth(others, n, length) / np.maximum(_smooth(atoms, n, length), 1e-12)
    background = float(np.quantile(share, 0.25))  # boundaries may take up half of a small cell
    centres = (np.arange(n) + 0.5) / n
    first = int(share.argmax())
    apart = np.abs(_wrapped(centres - centres[first]))
    second = int(np.where(apart > 1 / 6, share, -1.0).argmax())
    weak = float(share[second]) - background
    if weak < CONTRAST:
        some = "one" if share[first] - background >= CONTRAST else "no"
        raise SmaxError(
            f"found {some} grain boundary: "
            f"{100 * share[second]:.0f} % of the atoms at the second peak are out of the crystal, "
            f"{100 * background:.0f} % in the grains; expected two boundaries"
        )
    found = [_centre(centres, share - background, centres[k], length) for k in (first, second)]
    return min(found), max(found)


def follow(found: tuple[float, float], before: tuple[float, float]) -> tuple[float, float]:
    """The same boundaries in the order of an earlier frame, from which they are not far."""
    off = [np.abs(_wrapped(np.subtract(pair, before))).sum() for pair in (found, found[::-1])]
    return found if off[0] <= off[1] else found[::-1]


def check_start(
    found: tuple[float, float], expected_A: list[float], length: float, tolerance_A: float
) -> None:
    """SmaxError unless the boundaries of the first frame are where they were built."""
    off = np.abs(_wrapped(np.array(found) - np.array(expected_A) / length)) * length
    if off.max() > tolerance_A:
        places = ", ".join(f"{z * length:.1f}" for z in found)
        built = ", ".join(f"{z:.1f}" for z in expected_A)
        raise SmaxError(f"found the boundaries at z = {places} A, expected those built at {built} A")


def distances(
    z: Array, boundaries: tuple[float, float], length: float
) -> tuple[Array, np.ndarray[Any, np.dtype[np.int64]]]:
    """Distance (A) of each atom [n] from the nearer boundary, and which one that is (0, 1) [n]."""
    off = np.abs(_wrapped(z[:, None] - np.array(boundaries))) * length
    nearer = off.argmin(axis=1)
    return off[np.arange(len(z)), nearer], nearer


def _wrapped(x: Array) -> Array:
    found: Array = x - np.round(x)
    return found


def _smooth(x: np.ndarray[Any, Any], n: int, length: float) -> Array:
    from scipy.ndimage import gaussian_filter1d

    found: Array = gaussian_filter1d(np.asarray(x, dtype=float), SMOOTH_A * n / length, mode="wrap")
    return found


def _centre(centres: Array, excess: Array, peak: float, length: float) -> float:
    off = _wrapped(centres - peak)
    weight = np.where(np.abs(off) * length <= min(WINDOW_A, length / 8), np.maximum(excess, 0), 0.0)
    return float((peak + (weight * off).sum() / weight.sum()) % 1.0)
