"""Small systems whose Boltzmann distribution is known exactly, for the tests of fix swap/all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from fix_tools import HEAD, read_dump
from scipy.integrate import quad

Array = npt.NDArray[np.float64]
BOLTZMANN = 8.617333262e-5  # eV/K, as LAMMPS's metal units have it


def data_file(path: Path, box: Sequence[float], x: Array, types: Sequence[int], ntypes: int) -> str:
    """Write a data file of an orthogonal box that begins at 0; return the commands that read it."""
    lines = ["small system\n", f"{len(x)} atoms", f"{ntypes} atom types"]
    lines += [f"0 {edge:.17g} {a}lo {a}hi" for a, edge in zip("xyz", box, strict=True)]
    lines += ["\nAtoms # atomic\n"]
    lines += [
        f"{i} {t} {r[0]:.17g} {r[1]:.17g} {r[2]:.17g}"
        for i, (t, r) in enumerate(zip(types, x, strict=True), 1)
    ]
    path.write_text("\n".join(lines) + "\n")
    return f"{HEAD}atom_modify map array\nread_data {path.name}\nmass * 50.0\n"


def types_of_dump(path: Path) -> npt.NDArray[np.int64]:
    """[frames, atoms] of a dump ``id type`` that is sorted by ID."""
    return np.array([frame["type"] for frame in read_dump(path)], dtype=np.int64)


class Dimers:
    """Four pairs of atoms, far from each other; 3, 3 and 2 atoms of three types: 560 states.

    Bond lengths differ, so that no two pairs are alike. Atom IDs alternate between the pairs, types
    between the IDs.
    """

    BOX = (40.0, 10.0, 10.0)
    CUT = 3.2
    TYPES = (1, 2, 3, 1, 3, 2, 1, 2)
    BONDS = (2.6, 2.72, 2.85, 3.0)
    EPSILON: ClassVar = {(1, 1): 0.15, (2, 2): 0.05, (3, 3): 0.2, (1, 2): 0.3, (1, 3): 0.1, (2, 3): 0.02}
    SIGMA = 2.5
    TEMPERATURE = 2500.0

    def __init__(self) -> None:
        centres = np.array([[5.0 + 10.0 * k, 5.0, 5.0] for k in range(4)])
        along = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0.6, 0.8, 0]])
        half = 0.5 * np.array(self.BONDS)[:, None] * along
        self.x = np.concatenate([centres - half, centres + half])  # atoms k and k + 4 are a pair

    def commands(self, folder: Path) -> str:
        """Cell and pair style."""
        text = data_file(folder / "dimers.data", self.BOX, self.x, self.TYPES, 3)
        text += f"pair_style lj/cut {self.CUT}\n"
        for (a, b), e in self.EPSILON.items():
            text += f"pair_coeff {a} {b} {e} {self.SIGMA}\n"
        return text

    def energies(self, types: npt.NDArray[np.int64]) -> Array:
        """Energy [n] of rows of types [n, 8]: eV, by the formula."""
        table = np.zeros((4, 4))
        for (a, b), e in self.EPSILON.items():
            table[a, b] = table[b, a] = e
        s6 = (self.SIGMA / np.array(self.BONDS)) ** 6
        return (4.0 * table[types[:, :4], types[:, 4:]] * (s6**2 - s6)).sum(axis=1)

    def states(self) -> npt.NDArray[np.int64]:
        """Every arrangement, [560, 8]."""
        return np.array(list(arrangements(self.TYPES)))

    def probabilities(self) -> Array:
        """Boltzmann weights of states(), [560]."""
        e = self.energies(self.states())
        w = np.exp(-(e - e.min()) / (BOLTZMANN * self.TEMPERATURE))
        return w / w.sum()


class Guests:
    """Hosts of types 1 and 2 on a chain, two of them with a guest of type 3 in a well.

    E = - sum over guests of A_h exp(-B_h r^2), with h the type of the host. Weights and moments are
    integrals over one radius.
    """

    BOX = (48.0, 12.0, 12.0)
    CUT = 3.0
    TYPES = (1, 2, 2, 1, 3, 3)
    DEPTH: ClassVar = {1: 6.0, 2: 6.15}  # A, eV: escapes are never seen
    WIDTH: ClassVar = {1: 0.08, 2: 0.2}  # B, 1/A^2
    TEMPERATURE = 1000.0

    def __init__(self) -> None:
        # the first well lies across the faces of the box, the second where ranks meet
        hosts = np.array([[0.1, 0.1, 11.9], [12.0, 6.0, 6.0], [24.05, 6.0, 6.0], [36.0, 6.0, 6.0]])
        self.x = np.concatenate([hosts, hosts[[0, 2]] + [0.2, 0.1, 0.05]])

    def commands(self, folder: Path) -> str:
        """Cell and pair style."""
        text = data_file(folder / "guests.data", self.BOX, self.x, self.TYPES, 3)
        text += f"pair_style gauss {self.CUT}\npair_coeff * * 0.0 1.0\n"
        return text + "".join(f"pair_coeff {h} 3 {self.DEPTH[h]} {self.WIDTH[h]}\n" for h in self.DEPTH)

    def energies(self, hosts: npt.NDArray[np.int64], r: Array) -> Array:
        """Energy [n, 2] of each guest; types of its host [n, 2], distance to it [n, 2]."""
        depth, width = (np.array([0.0, t[1], t[2]]) for t in (self.DEPTH, self.WIDTH))
        return -depth[hosts] * np.exp(-width[hosts] * r**2)

    def moment(self, host: int, power: int) -> float:
        """Integral of r^power exp(-(E + 6 eV) / kT) over the well of one type of host."""
        kt = BOLTZMANN * self.TEMPERATURE
        depth, width = self.DEPTH[host], self.WIDTH[host]
        return float(
            quad(lambda r: r**power * np.exp((depth * np.exp(-width * r * r) - 6.0) / kt), 0, self.CUT)[0]
        )

    def softly_hosted(self) -> Array:
        """Probability that 0, 1, 2 guests have a host of type 1."""
        z1, z2 = (self.moment(h, 2) for h in (1, 2))
        # two hosts of each type on four sites: those without guests make the numbers up
        w = np.array([z2**2, 2 * 2 * z1 * z2, z1**2])
        return w / w.sum()


def arrangements(types: Sequence[int]) -> Iterable[tuple[int, ...]]:
    """All distinct orders of a list of types 1, 2, 3."""
    n, twos, threes = len(types), types.count(2), types.count(3)
    for at3 in combinations(range(n), threes):
        rest = [k for k in range(n) if k not in at3]
        for at2 in combinations(rest, twos):
            yield tuple(3 if k in at3 else 2 if k in at2 else 1 for k in range(n))


def deviations(samples: Array, exact: Array | float, blocks: int = 40) -> Array:
    """How many standard errors means of correlated series [n, ...] are off; errors from block averages."""
    means = np.array([block.mean(axis=0) for block in np.array_split(samples, blocks)])
    return np.asarray((samples.mean(axis=0) - exact) / (means.std(axis=0, ddof=1) / np.sqrt(blocks)))
