"""The random recipe against SciPy's distributions, and lattice reduction against NumPy and ASE."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from ase.data import chemical_symbols
from ase.geometry import Cell, minkowski_reduce
from numpy.typing import NDArray
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent))
from cxx import Program, recipe_io  # noqa: F401

Array = NDArray[np.float64]
COUNT = 20000
P_MIN = 1e-4  # fixed seeds: a p-value below this is a wrong distribution, not bad luck
NELEMENTS = dict(
    zip(
        range(1, 21),
        [0.5, 1, 2, 2, 2, 2, 1.5, 1, 1, 0.5, 0.2, 0.1, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01],
        strict=True,
    )
)


@dataclass
class Drawn:
    """One candidate: z [n], radius [n] Angstrom, cell [3, 3] rows, x [n, 3]."""

    z: NDArray[np.int64]
    radius: Array
    cell: Array
    x: Array


def draw(program: Program, seed: int, count: int, **keywords: str) -> list[Drawn]:
    out = []
    arguments = [f"{key}={value}" for key, value in keywords.items()]
    for line in program.out("candidates", seed, count, *arguments).splitlines():
        c = json.loads(line)
        lx, ly, lz, xy, xz, yz = c["cell"]
        cell = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])
        z = np.array(c["z"], dtype=np.int64)
        out.append(Drawn(z, np.array(c["radius"]), cell, np.array(c["x"]).reshape(-1, 3)))
    return out


@pytest.fixture(scope="module")
def default(recipe_io: Program) -> list[Drawn]:  # noqa: F811
    return draw(recipe_io, 11, COUNT)


def default_weight(z: int) -> float:
    """The table of the recipe, written a second time."""
    symbol = chemical_symbols[z]
    if symbol in ("H", "C"):
        return 10
    if symbol in "Li Be B N O F Na Mg Al Si P S Cl".split():
        return 5
    if symbol in "Zn Ga Ge As Se Br".split():
        return 2
    return 0.5 if 55 <= z <= 71 or z > 86 else 1


def pyykko(program: Program) -> Array:
    """Radii [97] from single-atom candidates without width."""
    out = np.zeros(97)
    for z in range(1, 97):
        (c,) = draw(program, 1, 1, elements=chemical_symbols[z], natoms="1", radius_width="0")
        assert c.z.tolist() == [z]
        out[z] = c.radius[0]
    return out


@pytest.fixture(scope="module")
def covalent(recipe_io: Program) -> Array:  # noqa: F811
    return pyykko(recipe_io)


def chi2_p(observed: Counter[int], weights: dict[int, float]) -> float:
    """p-value of counts against weights, rare classes put together."""
    assert set(observed) <= {k for k, w in weights.items() if w > 0}
    total = sum(observed.values())
    expected = np.array([w for w in weights.values()]) * total / sum(weights.values())
    found = np.array([observed[k] for k in weights], dtype=float)
    rare = expected < 10
    if rare.any():
        expected = np.append(expected[~rare], expected[rare].sum())
        found = np.append(found[~rare], found[rare].sum())
    return float(stats.chisquare(found, expected).pvalue)


def test_radii_are_those_of_pyykko(covalent: Array) -> None:
    # doi:10.1002/chem.200800987, one or more of every row and block
    some = {"H": 0.32, "He": 0.46, "Li": 1.33, "C": 0.75, "O": 0.63, "F": 0.64, "Ne": 0.67, "Na": 1.55,
            "Si": 1.16, "Cl": 0.99, "K": 1.96, "Fe": 1.16, "Cu": 1.12, "Br": 1.14, "Rb": 2.10, "Zr": 1.54,
            "Ag": 1.28, "I": 1.33, "Cs": 2.32, "La": 1.80, "Ce": 1.63, "Lu": 1.62, "W": 1.37, "Au": 1.24,
            "Pb": 1.44, "Rn": 1.42, "Fr": 2.23, "U": 1.70, "Cm": 1.66}  # fmt: skip
    for symbol, radius in some.items():
        assert covalent[chemical_symbols.index(symbol)] == radius


def test_radii_follow_the_beta_distribution(default: list[Drawn], covalent: Array) -> None:
    ratio = np.concatenate([c.radius / covalent[c.z] for c in default])
    u = (ratio - 1) / 0.6 + 0.5
    assert stats.kstest(u[:100000], stats.beta(1.25, 1.25).cdf).pvalue > P_MIN


@pytest.mark.parametrize(("a", "b"), [(0.3, 0.7), (1, 1), (5, 0.5), (40, 60)])
def test_beta_of_any_parameters(recipe_io: Program, covalent: Array, a: float, b: float) -> None:  # noqa: F811
    cells = draw(recipe_io, 3, 2000, radius_beta=f"{a} {b}", radius_width="0.5", natoms="10", elements="W")
    u = np.concatenate([c.radius for c in cells]) / covalent[74] - 0.5
    assert stats.kstest(u, stats.beta(a, b).cdf).pvalue > P_MIN


def test_atom_counts(default: list[Drawn]) -> None:
    n = Counter(len(c.z) for c in default)
    edges = {(1, 4): 1, (5, 9): 2, (10, 15): 3, (16, 25): 1.5, (26, 50): 0.03, (51, 100): 0.003}
    weights = {k: w for (lo, hi), w in edges.items() for k in range(lo, hi + 1)}
    assert chi2_p(n, weights) > P_MIN
    mean = sum(k * w for k, w in weights.items()) / sum(weights.values())
    assert mean == pytest.approx(13.6, abs=0.1)


def test_element_counts(default: list[Drawn]) -> None:
    # cells with room for every count follow the table itself, the others its head
    large = Counter(len(set(c.z)) for c in default if len(c.z) >= 20)
    assert chi2_p(large, NELEMENTS) > P_MIN
    four = Counter(len(set(c.z)) for c in default if len(c.z) == 4)
    assert chi2_p(four, {k: NELEMENTS[k] for k in range(1, 5)}) > P_MIN


def test_element_weights(recipe_io: Program, default: list[Drawn]) -> None:  # noqa: F811
    seen = {int(z) for c in default for z in c.z}
    assert seen == set(range(1, 87))
    one = draw(recipe_io, 5, COUNT, nelements="1 1", natoms="1")
    assert chi2_p(Counter(int(c.z[0]) for c in one), {z: default_weight(z) for z in range(1, 87)}) > P_MIN
    some = draw(recipe_io, 5, 5000, elements="H O Fe U", natoms="1", weights="O 2.5")
    assert chi2_p(Counter(int(c.z[0]) for c in some), {1: 10, 8: 2.5, 26: 1, 92: 0.5}) > P_MIN


def test_elements_are_drawn_without_repetition(recipe_io: Program) -> None:  # noqa: F811
    weights = {1: 10.0, 26: 1.0, 30: 2.0}
    pairs = draw(recipe_io, 6, 20000, elements="H Fe Zn", nelements="2 1", natoms="2")
    found = Counter(int(min(c.z)) * 100 + int(max(c.z)) for c in pairs)
    total = sum(weights.values())
    expected = {
        i * 100 + j: weights[i] * weights[j] * (1 / (total - weights[i]) + 1 / (total - weights[j]))
        for i, j in ((1, 26), (1, 30), (26, 30))
    }
    assert chi2_p(found, expected) > P_MIN


def test_stoichiometry_is_uniform_over_multisets(recipe_io: Program) -> None:  # noqa: F811
    cells = draw(recipe_io, 7, 20000, elements="H C O", nelements="3 1", natoms="7")
    found = Counter(int(np.sum(c.z == 1)) * 10 + int(np.sum(c.z == 6)) for c in cells)
    every = {h * 10 + c: 1.0 for h, c in product(range(1, 6), range(1, 6)) if 7 - h - c >= 1}
    assert len(every) == 15
    assert chi2_p(found, every) > P_MIN


def test_fixed_stoichiometry(recipe_io: Program) -> None:  # noqa: F811
    cells = draw(recipe_io, 8, 4000, stoichiometry="W 3 Be 1", natoms="4 1 8 2 9-11 5 12 1")
    assert all(np.sum(c.z == 74) == 3 * np.sum(c.z == 4) for c in cells)
    assert chi2_p(Counter(len(c.z) for c in cells), {4: 1, 8: 2, 12: 1}) > P_MIN
    assert {len(c.z) for c in draw(recipe_io, 8, 50, stoichiometry="W 3 Be 1", natoms="5")} == {4}


def test_volume_is_uniform(default: list[Drawn]) -> None:
    ratio = [np.linalg.det(c.cell) / np.sum(4 / 3 * np.pi * c.radius**3) for c in default]
    assert stats.kstest(ratio, stats.uniform(1, 2.5).cdf).pvalue > P_MIN


def test_atoms_are_uniform_in_the_cell(default: list[Drawn]) -> None:
    s = np.concatenate([c.x @ np.linalg.inv(c.cell) for c in default])[:100000]
    assert s.min() > -1e-12
    assert s.max() < 1 + 1e-12
    for k in range(3):
        assert stats.kstest(s[:, k], stats.uniform(0, 1).cdf).pvalue > P_MIN


def oracle_shapes(count: int) -> Array:
    """Reduced edges over cbrt(volume) [count, 3], by NumPy and ASE alone."""
    rng = np.random.default_rng(1)
    out = []
    shapes = np.array([[1, 1, 1], [2, 1, 1], [2, 2, 1]])
    while len(out) < count:
        edges = shapes[rng.integers(3)] + rng.random(3)
        cell = Cell.fromcellpar([*edges, *rng.uniform(60, 90, 3)])
        reduced, _ = minkowski_reduce(cell)
        out.append(np.sort(np.linalg.norm(reduced, axis=1)) / cell.volume ** (1 / 3))
    return np.array(out)


def test_shapes_match_an_independent_draw(recipe_io: Program) -> None:  # noqa: F811
    cells = draw(recipe_io, 9, 3000, natoms="1")
    mine = np.array([np.linalg.norm(c.cell, axis=1) / np.linalg.det(c.cell) ** (1 / 3) for c in cells])
    theirs = oracle_shapes(3000)
    for k in (0, 1):  # the third is bound by tilts here, by length there
        assert stats.ks_2samp(mine[:, k], theirs[:, k]).pvalue > P_MIN


def test_candidates_are_a_function_of_seed_and_index(recipe_io: Program) -> None:  # noqa: F811
    one, two = (recipe_io.out("candidates", 1, n) for n in (5, 10))
    assert two.startswith(one)
    assert len(set(two.splitlines())) == 10
    assert recipe_io.out("candidates", 2, 5) != one


def test_reduction_against_ase(recipe_io: Program) -> None:  # noqa: F811
    rng = np.random.default_rng(2)
    cells = rng.uniform(-4, 4, (400, 3, 3))
    cells = cells[np.abs(np.linalg.det(cells)) > 1]
    cells[:, 2] += rng.integers(-30, 30, (len(cells), 1)) * cells[:, 0]
    lines = recipe_io.out("reduce", stdin="\n".join(" ".join(map(repr, c.ravel().tolist())) for c in cells))
    for cell, line in zip(cells, lines.splitlines(), strict=True):
        h, q = (np.array(part).reshape(3, 3) for part in json.loads(line))
        assert np.allclose(q @ q.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(q) == pytest.approx(1)
        assert np.linalg.det(h) == pytest.approx(abs(np.linalg.det(cell)), rel=1e-9)
        combination = h @ q @ np.linalg.inv(cell)
        assert np.allclose(combination, np.round(combination), atol=1e-7)
        assert abs(round(np.linalg.det(np.round(combination)))) == 1
        lengths = np.sort(np.linalg.norm(minkowski_reduce(cell)[0], axis=1))
        assert np.linalg.norm(h, axis=1)[:2] == pytest.approx(lengths[:2], rel=1e-9)
        assert np.linalg.norm(h[2]) < 1.5 * lengths[2]
        assert abs(h[1, 0]) <= h[0, 0] * 0.5000001
        assert abs(h[2, 0]) <= h[0, 0] * 0.5000001
        assert abs(h[2, 1]) <= h[1, 1] * 0.5000001


def test_describe_reads_back(recipe_io: Program, tmp_path: Path) -> None:  # noqa: F811
    first = tmp_path / "first.recipe"
    first.write_text("elements: [W, Be]\nstoichiometry: {W: 3, Be: 1}\nnatoms: 4-20 1  # comment\n")
    text = recipe_io.out("recipe", first)
    assert "stoichiometry: W 3 Be 1" in text
    second = tmp_path / "second.recipe"
    second.write_text(text)
    assert recipe_io.out("recipe", second) == text


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("elements H Xx", "'Xx'"),
        ("colour blue", "unknown, expected one of elements"),
        ("volume 3 1", "'volume' has 3 above 1"),
        ("angles 10 90", "'angles' has '10'"),
        ("weights H nan", "'weights' has 'nan'"),
        ("volume 0.1 2", "cannot hold its atoms"),
    ],
)
def test_errors_are_one_sentence(recipe_io: Program, tmp_path: Path, line: str, part: str) -> None:  # noqa: F811
    path = tmp_path / "bad.recipe"
    path.write_text(f"# first line\n{line}\n")
    done = recipe_io.run("recipe", path)
    assert done.returncode == 1
    assert part in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_program_itself(recipe_io: Program) -> None:  # noqa: F811
    done = recipe_io.run()
    assert done.returncode == 0, done.stderr
