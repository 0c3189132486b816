"""Bonds, domains, cylinders and communities of study quench, each against something known."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import ase.build
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from pysmax.analysis import quench_figures
from pysmax.analysis.bonds import bond_counts, bond_modifiers, bonded
from pysmax.analysis.communities import adjusted_rand_index, communities
from pysmax.analysis.cylinders import cut, shortest_axis
from pysmax.analysis.domains import METALLIC, OXIDE, domains
from pysmax.analysis.output import Output
from pysmax.analysis.quench import add_graph, compare
from pysmax.analysis.quench_options import QuenchOptions
from pysmax.analysis.rendered import Rendered
from pysmax.errors import SmaxError
from pysmax.studies.quench import QuenchParameters, random_places


def bonds_of(atoms: ase.Atoms, elements: list[str], factor: float = 1.2) -> Any:
    """A frame with bonds, types 1, 2, ... as ``elements``."""
    from ovito.io.ase import ase_to_ovito
    from ovito.pipeline import Pipeline, StaticSource

    data = ase_to_ovito(atoms)
    kind = data.particles_.create_property(
        "Particle Type", data=[elements.index(e) + 1 for e in atoms.symbols]
    )
    kind.types.clear()
    for k, e in enumerate(elements, 1):
        if e in atoms.symbols:  # as of a file: OVITO knows those that it has met
            kind.add_type_id(k, data.particles_, name=e)
    pipeline = Pipeline(source=StaticSource(data=data))
    pipeline.modifiers.extend(bond_modifiers(elements, factor))
    return pipeline.compute()


def test_bonds_against_ase() -> None:
    atoms = random_places({"H": 60, "O": 40, "Si": 40, "Cs": 8, "U": 12}, 0.3, 5)
    elements = ["Cs", "H", "Au", "O", "Si", "U"]
    frame = bonds_of(atoms, elements)
    i, j = neighbor_list("ij", atoms, list(1.2 * covalent_radii[atoms.numbers]))
    expected = sorted((a, b) for a, b in zip(i, j, strict=True) if a < b)
    assert sorted(map(tuple, np.sort(bonded(frame), axis=1))) == expected
    counts = bond_counts([frame, frame], len(elements))
    symbols = np.array(atoms.symbols)
    pairs = [tuple(sorted((symbols[a], symbols[b]))) for a, b in expected]
    assert ("H", "H") in pairs
    for a, x in enumerate(elements):
        for b, y in enumerate(elements):
            assert counts[a, b] == pairs.count(tuple(sorted((x, y))))


def test_planted_domains() -> None:
    """Two pieces of iron, of 59 and 27 atoms, in magnesia: sizes, and nothing else is metallic."""
    oxide = ase.build.bulk("MgO", "rocksalt", a=4.21, cubic=True) * (8, 8, 8)
    box = oxide.cell.lengths()[0]
    iron = ase.build.bulk("Fe", cubic=True, a=2.87) * (12, 12, 12)
    sizes = []
    for place, radius in ((0.25, 5.5), (0.75, 4.5)):
        centre = np.full(3, place * box)
        oxide = oxide[np.linalg.norm(oxide.positions - centre, axis=1) > radius + 2.3]
        core = iron.copy()
        core.positions += centre - 6 * np.full(3, 2.87)
        core = core[np.linalg.norm(core.positions - centre, axis=1) < radius]
        sizes.append(len(core))
        oxide += core
    assert sizes == [59, 27]
    elements = ["Au", "O", "Mg", "Fe"]
    found = domains(bonds_of(oxide, elements), elements, ["O"], 0.25)
    symbols = np.array(oxide.symbols)
    assert (found[METALLIC].inside == (symbols == "Fe")).all()
    assert (found[OXIDE].inside == (symbols != "Fe")).all()
    assert list(found[METALLIC].sizes) == [59, 27] and found[METALLIC].largest == 59
    assert found[METALLIC].typical == pytest.approx((59**2 + 27**2) / 86)
    assert (np.bincount(found[METALLIC].cluster[symbols == "Fe"]) == [0, 59, 27]).all()
    assert len(found[OXIDE].sizes) == 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_cylinder_out_of_a_lattice(axis: int) -> None:
    n = [10, 10, 10]
    n[axis] = 3
    atoms = ase.build.bulk("Po", "sc", a=2.5, cubic=True) * n
    centre = 0  # at a corner: the cylinder goes through the sides of the cell
    made = cut(atoms.positions, np.array(atoms.symbols), atoms.cell.array, centre=centre, axis=axis)
    points = [2.5 * np.hypot(i, j) for i in range(-5, 5) for j in range(-5, 5)]
    assert len(made) == 3 * sum(p < 7.0 for p in points)
    assert made.arrays["bulk"].sum() == 3 * sum(p < 1.0 for p in points) == 3
    assert np.allclose(made.cell.array, np.diag([24.0, 24.0, 7.5])) and made.pbc.all()
    away = np.linalg.norm(made.positions[:, :2] - 12.0, axis=1)
    assert away.max() < 7.0 and ((away < 1.0) == made.arrays["bulk"]).all()
    assert made.positions[:, 2].min() >= 0 and made.positions[:, 2].max() < 7.5
    assert shortest_axis(atoms.cell.array) == axis
    gap = 24.0 - np.ptp(made.positions[:, 0])
    assert gap >= 10.0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_cylinder_is_turned_not_mirrored(axis: int) -> None:
    corner = [[5.0, 5, 5], [6.0, 5, 5], [5.0, 7, 5], [5.0, 5, 8]]
    symbols = np.array(["C", "H", "N", "O"])
    made = cut(np.array(corner), symbols, np.eye(3) * 20.0, centre=0, axis=axis)
    x, y, z = (made.positions[1:] - made.positions[0]).tolist()
    assert np.dot(np.cross(x, y), z) == pytest.approx(6.0)


def test_cylinders_that_cannot_be() -> None:
    places, symbols = np.zeros((1, 3)), np.array(["C"])
    with pytest.raises(SmaxError, match=r"13\.00 A wide across its axis z, expected at least .* 14 A"):
        cut(places, symbols, np.diag([13.0, 30, 30]), centre=0)
    assert len(cut(places, symbols, np.diag([13.0, 30, 30]), centre=0, axis=0)) == 1
    with pytest.raises(SmaxError, match="tilted"):
        cut(places, symbols, np.array([[30.0, 0, 0], [3, 30, 0], [0, 0, 30]]), centre=0)


def planted(blocks: list[int], inside: float, between: float) -> tuple[np.ndarray, list[str], list[set[str]]]:
    label = np.repeat(np.arange(len(blocks)), blocks)
    order = np.random.default_rng(1).permutation(len(label))
    label = label[order]
    counts = np.where(np.equal.outer(label, label), inside, between)
    elements = [f"E{k}" for k in range(len(label))]
    members = [{e for e, b in zip(elements, label, strict=True) if b == k} for k in range(len(blocks))]
    return counts, elements, members


def test_planted_blocks_are_found() -> None:
    counts, elements, members = planted([5, 9], 100.0, 10.0)
    found = communities(counts, elements)
    assert [set(c.elements) for c in found] in (members, members[::-1])
    counts, elements, members = planted([30, 20, 14, 20, 10], 8.0, 1.0)
    assert {frozenset(c.elements) for c in communities(counts, elements)} == set(map(frozenset, members))


def test_significance_is_the_modularity_in_other_units() -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(6.0, (20, 20)).astype(float)
    counts += counts.T
    elements = [f"E{k}" for k in range(20)]
    found = communities(counts, elements)
    graph = nx.Graph()
    graph.add_weighted_edges_from(
        (elements[i], elements[j], counts[i, j]) for i in range(20) for j in range(i + 1)
    )
    total = np.triu(counts).sum()
    q = nx.community.modularity(graph, [set(c.elements) for c in found])
    assert sum(c.bonds - c.expected for c in found) / total == pytest.approx(q)
    rank = [c.significance for c in found]
    assert rank == sorted(rank, reverse=True)
    assert communities(counts, elements) == found


def test_a_small_tight_community_comes_before_a_large_loose_one() -> None:
    counts = np.full((12, 12), 10.0)
    counts[:3, :3] = 80.0
    counts[3:, 3:] = 16.0
    first = communities(counts, [f"E{k}" for k in range(12)])[0]
    assert set(first.elements) == {"E0", "E1", "E2"}
    assert first.bonds == 6 * 80
    ends = 3 * (3 * 80 + 80 + 90)
    total = np.triu(counts).sum()
    assert first.expected == pytest.approx(ends**2 / (4 * total))


def test_no_bonds_no_communities() -> None:
    found = communities(np.zeros((3, 3)), ["He", "Ne", "Ar"])
    assert [c.elements for c in found] == [("Ar",), ("He",), ("Ne",)]
    assert all(c.significance == 0 for c in found)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30))
def test_agreement_against_scikit_learn(labels: list[tuple[int, int]]) -> None:
    a, b = map(list, zip(*labels, strict=True))
    assert adjusted_rand_index(a, b) == pytest.approx(adjusted_rand_score(a, b))


def run_of(elements: dict[str, int], seed: int = 1) -> Rendered:
    p = QuenchParameters(seed=seed)
    place = Path(f"run{seed}")
    return Rendered(place, "quench", "mixture", "full", "some", False, tuple(elements), elements, p, {})


def output_of(counts: np.ndarray, elements: list[str]) -> Output:
    output = Output("")
    add_graph(output, counts, elements, QuenchOptions())
    output.summary["options"] = {}
    return output


def test_runs_are_compared() -> None:
    elements = ["C", "Hf", "Ta", "F", "Eu", "Yb"]
    counts = np.full((6, 6), 1.0)
    counts[:3, :3] = counts[3:, 3:] = 20.0
    other = counts.copy()
    other[2, :] = other[:, 2] = [1, 1, 20, 20, 20, 20]  # Ta with the fluorides
    runs = [run_of(dict.fromkeys(elements, 10), seed) for seed in (1, 2, 3)]
    same = compare(runs[:2], [output_of(counts, elements), output_of(2 * counts, elements)])
    assert same.summary["agreement_mean_adjusted_rand_index"] == 1
    found = compare(runs, (output_of(c, elements) for c in (counts, counts, other)))
    index = adjusted_rand_score([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1])
    assert found.summary["agreement_mean_adjusted_rand_index"] == pytest.approx((1 + 2 * index) / 3)
    assert found.summary["agreement_lowest"] == pytest.approx(index)
    rows = found.tables["communities"].rows
    assert {frozenset(str(r[1]).split()) for r in rows} == {frozenset(elements[:3]), frozenset(elements[3:])}
    kept = {frozenset(str(r[1]).split()): r[-1] for r in rows}
    assert kept[frozenset(elements[3:])] == 1 and kept[frozenset(elements[:3])] == pytest.approx(7 / 9)
    with pytest.raises(SmaxError, match=r"run2: Ta is in some runs alone"):
        compare([runs[0], run_of({"C": 1, "Hf": 1, "F": 1, "Eu": 1, "Yb": 1}, 2)], iter(()))


@pytest.mark.filterwarnings("error")
def test_legends_leave_the_pictures_their_place() -> None:
    """Ten clusters in a legend are wider than a picture; the layout collapsed, with a warning."""
    from pysmax.report import html

    image = io.BytesIO()
    plt.imsave(image, np.tile([[0.0], [1.0]], (50, 100)))
    elements = dict.fromkeys(["O", "Na", "Mg", "Al", "Si", "K", "Ca", "Ti", "Fe"], (0.0, 0.0, 1.0))
    clusters = {f"{k}: {1000 - k} atoms": (0.0, 1.0, 0.0) for k in range(1, 11)}
    figure = quench_figures.gallery(
        [("a picture", image.getvalue(), c) for c in (elements, {}, clusters) * 2]
    )
    html.png(figure)
    width = figure.get_figwidth() * figure.dpi
    assert all(ax.get_position().width > 0.25 for ax in figure.axes)
    for ax in figure.axes:
        box = ax.get_legend().get_window_extent()
        assert box.x0 >= 0 and box.x1 <= width


def test_a_history_of_one_frame_is_seen() -> None:
    columns = {d: dict.fromkeys(("atoms", "clusters", "largest", "typical"), np.ones(1)) for d in "ab"}
    figure = quench_figures.domain_figure(np.zeros(1), np.ones(1), columns)
    assert all(ax.lines[0].get_marker() == "o" for ax in figure.axes[:3])
