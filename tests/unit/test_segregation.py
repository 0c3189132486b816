"""Bicrystals, voids, boundaries and profiles of study segregation, against what is known of them."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import ase
import ase.build
import numpy as np
import pytest
from ase.io.lammpsdata import read_lammps_data
from ase.neighborlist import neighbor_list
from matplotlib.figure import Figure
from segregation_tools import STEP, Planted

from pysmax.analysis import blocking, boundaries, segregation_figures
from pysmax.analysis.moves import by_pair
from pysmax.analysis.output import Output
from pysmax.analysis.registry import analyse
from pysmax.analysis.rendered import open_study
from pysmax.errors import SmaxError
from pysmax.studies import render
from pysmax.studies.bicrystal import ANGLE_DEG, bicrystal
from pysmax.studies.voids import choose, voids

A = 3.2


@pytest.fixture(scope="module", autouse=True)
def _no_pictures() -> Iterator[None]:
    """They take most of the time of an analysis; those of tests/end_to_end are drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segregation_figures, "structure", lambda *_: Figure())
        yield


def nearest(atoms: ase.Atoms) -> float:
    """Smallest distance, by OVITO."""
    from ovito.data import NearestNeighborFinder
    from ovito.io.ase import ase_to_ovito

    _, vectors = NearestNeighborFinder(1, ase_to_ovito(atoms)).find_all()
    return float(np.linalg.norm(vectors, axis=-1).min())


@pytest.fixture(scope="module")
def small():
    return bicrystal("W", A, 2, (4, 1))


def test_the_bicrystal_is_two_bcc_grains_turned_by_sigma7(small) -> None:
    """By polyhedral template matching: its orientations differ by the angle, about [111], and change at z."""
    from ovito.io.ase import ase_to_ovito
    from ovito.modifiers import PolyhedralTemplateMatchingModifier
    from ovito.pipeline import Pipeline, StaticSource
    from scipy.spatial.transform import Rotation

    pipeline = Pipeline(source=StaticSource(data=ase_to_ovito(small.atoms)))
    pipeline.modifiers.append(PolyhedralTemplateMatchingModifier(output_orientation=True, rmsd_cutoff=0.02))
    data = pipeline.compute()
    crystal = np.asarray(data.particles["Structure Type"]) == 3
    turn = Rotation.from_quat(np.asarray(data.particles["Orientation"])[crystal])
    z = small.atoms.positions[crystal, 2]
    inside = (z > small.boundaries[0]) & (z < small.boundaries[1])
    cubic = Rotation.create_group("O")

    def apart(a: Rotation, b: Rotation) -> Rotation:
        each = [a * g * b.inv() for g in cubic]
        return min(each, key=lambda r: r.magnitude())

    first, second = turn[inside][0], turn[~inside][0]
    between = apart(first, second)
    assert np.degrees(between.magnitude()) == pytest.approx(ANGLE_DEG, abs=0.05)
    assert abs(between.as_rotvec() / between.magnitude()) == pytest.approx([1, 0, 0], abs=1e-3)
    assert all(np.degrees(apart(r, first).magnitude()) < 0.1 for r in turn[inside])
    assert all(np.degrees(apart(r, second).magnitude()) < 0.1 for r in turn[~inside])
    height = first.inv().apply([0, 0, 1])  # of the boundary, in the crystal
    assert sorted(abs(height) * 14**0.5) == pytest.approx([1, 2, 3], abs=0.01)
    # the edges along x and y in the crystal, and the plane, as they are named; perpendicular to each other
    along = first.inv().apply([[1, 0, 0], [0, 1, 0]]) * [[3**0.5], [42**0.5]]
    for found, named in zip(along, ([1, 1, 1], [5, -1, -4]), strict=True):
        assert sorted(abs(found)) == pytest.approx(sorted(np.abs(named)), abs=0.02)


def test_the_bicrystal_has_its_atoms_and_distances(small) -> None:
    atoms = small.atoms
    assert len(atoms) == 3 * (28 * 2 - 2) * 4
    assert atoms.cell.lengths() == pytest.approx([4 * A * 0.75**0.5, A * 42**0.5, 4 * A * 14**0.5], abs=1e-5)
    nearest = neighbor_list("d", atoms, 1.1 * A).min()
    assert nearest == pytest.approx(small.closest, abs=1e-6) and nearest > 0.9 * A * 0.75**0.5
    with pytest.raises(SmaxError, match=r"two atoms are 2\.\d+ A apart, expected 2\.7"):
        bicrystal("W", A, 1, (1, 1), closest=0.99)


def test_voids_of_bcc_are_its_tetrahedral_sites() -> None:
    crystal = ase.build.bulk("W", "bcc", a=A, cubic=True) * (3, 4, 5)
    found = voids(crystal, 1.0)
    assert len(found) == 12 * 60
    scaled = np.sort(np.round(np.mod(found, A) / A, 6) % 1.0, axis=1)
    wanted = {(0.0, 0.25, 0.5), (0.0, 0.5, 0.75), (0.25, 0.5, 1.0)}
    assert {tuple(x) for x in scaled} <= wanted
    assert len(voids(crystal, A * 5**0.5 / 4 + 1e-3)) == 0


def test_chosen_voids_keep_their_distance_across_the_cell() -> None:
    rng = np.random.default_rng(0)
    cell = np.array([9.0, 10.0, 30.0])
    found = choose(rng.uniform(size=(5000, 3)) * cell, cell, 60, 2.5, rng)
    d = neighbor_list("d", ase.Atoms(f"H{len(found)}", found, cell=cell, pbc=True), 4.0)
    assert 2.5 <= d.min() < 2.7
    with pytest.raises(SmaxError, match=r"found room for \d+ at 2.50 A from each other, expected 4000"):
        choose(rng.uniform(size=(5000, 3)) * cell, cell, 4000, 2.5, rng)


@pytest.mark.parametrize(
    ("system", "wanted"),
    [
        ("wnbmota", {"W": 1460, "Nb": 1460, "Mo": 1459, "Ta": 1459}),
        (
            "wnbmotav-impurities",
            {"W": 3964, **dict.fromkeys(("Nb", "Mo", "Ta", "V"), 3963)}
            | dict.fromkeys(("Si", "P", "H", "B", "C", "N"), 100),
        ),
    ],
)
def test_full_scale_has_the_papers_atoms(tmp_path: Path, system: str, wanted: dict[str, int]) -> None:
    folder = render("segregation", tmp_path / "x", potential="stand-in", system=system)
    atoms = read_lammps_data(folder / "system.data", atom_style="atomic")
    assert Counter(atoms.symbols) == wanted
    assert len(atoms) == {"wnbmota": 5838, "wnbmotav-impurities": 20416}[system]
    light = np.isin(atoms.symbols, ["H", "B", "C", "N"])
    assert nearest(atoms[~light]) > 0.9 * 3.188 * 0.75**0.5
    if light.any():
        assert nearest(atoms) > 1.5 and nearest(atoms[light]) > 2.5
    z = atoms.positions[:, 2] / atoms.cell[2, 2]
    for e in wanted:
        # at random over the cell: the mean of n uniform numbers
        assert abs(z[atoms.symbols == e].mean() - 0.5) < 5 * (12 * wanted[e]) ** -0.5


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    given = {"interstitial": {"C": 1.0}, "substitutional": {"Si": 1.0}}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        settings = {**given, "seed": seed}
        render("segregation", tmp_path / name, potential="stand-in", scale="smoke", settings=settings)
    files = {name: (tmp_path / name / "system.data").read_text() for name in "abc"}
    assert files["a"] == files["b"] != files["c"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"composition": {"W": 1, "Xx": 1}}, "'Xx' is no element"),
        ({"composition": {"W": -1, "Nb": 1}}, "composition.W: found -1"),
        ({"composition": {"W": 1}}, "found one element and no impurity"),
        ({"substitutional": {"W": 1}}, "substitutional: W is in composition too"),
        ({"interstitial": {"H": 0}}, "interstitial.H: found 0"),
        ({"interstitial": {"H": 20}, "void_apart_A": 6}, "found room for"),
        ({"composition": {"W": 1, "Ti": 1}}, "Ti is not cubic, expected lattice_A"),
        ({"lattice_A": 0.1}, "lattice_A: found 0.1"),
        ({"substitutional": {"Si": 0.01}}, "Si: its share of 648 lattice sites is no atom"),
        ({"interstitial": {"H": 0.01}}, "H: its share of 648 lattice sites is no atom"),
        ({"composition": {"W": 1e-9, "Nb": 1, "Mo": 1}}, "W: its share of 648 lattice sites is no atom"),
        ({"closest": 0.97}, "two atoms are 2.6"),
        ({"mc_batches": 0}, "mc_batches: found 0"),
        ({"mc_moves": 5}, "mc_moves: unknown, expected one of"),
        ({"repeat": [4]}, "repeat"),
    ],
)
def test_impossible_parameters_are_refused(tmp_path: Path, given: dict[str, object], said: str) -> None:
    with pytest.raises(SmaxError, match=re.escape(said)):
        render("segregation", tmp_path / "x", potential="stand-in", scale="smoke", settings=given)
    assert not (tmp_path / "x").exists()


def test_an_element_that_the_potential_does_not_know_is_refused(tmp_path: Path) -> None:
    potential = tmp_path / "p.yaml"
    potential.write_text(
        "commands: [pair_style morse 4.0, pair_coeff * * 1 1 2]\nelements: [W, Nb, Mo, Ta]\n"
    )
    with pytest.raises(SmaxError, match="element V: not known to the potential p, which has W Nb Mo Ta"):
        render(
            "segregation", tmp_path / "x", potential=potential, scale="smoke",
            settings={"composition": {"W": 1, "V": 1}},
        )  # fmt: skip


def test_moves_are_written_to_the_last_digit(tmp_path: Path) -> None:
    """Not as 1.23457e+06, which fix ave/time does by itself."""
    folder = render("segregation", tmp_path / "x", potential="stand-in", scale="smoke")
    line = next(x for x in (folder / "in.segregation").read_text().splitlines() if "ave/time" in x)
    formatted = re.search(r'format "(.*)"', line)
    assert formatted and int(float(formatted[1] % 1234567891.0)) == 1234567891


def test_monte_carlo_follows_the_ramp(tmp_path: Path) -> None:
    settings = {"temperature": [300, 900, 300]}
    folder = render("segregation", tmp_path / "x", potential="stand-in", scale="smoke", settings=settings)
    line = next(x for x in (folder / "in.segregation").read_text().splitlines() if "mc_T equal" in x)
    formula = line.split("equal", 1)[1]
    for step, wanted in ((0, 300), (100, 600), (200, 900), (300, 600), (400, 300), (401, 300)):
        text = re.sub(r"v_n_steps", "400", formula).replace("step", str(step))
        found = sum(np.prod([_factor(f) for f in term]) for term in _terms(text))
        assert found == pytest.approx(wanted)


def _terms(text: str) -> list[list[str]]:
    """Products of a sum, split outside of brackets."""
    terms, depth, word = [[""]], 0, ""
    for c in text.strip():
        depth += {"(": 1, ")": -1}.get(c, 0)
        if depth == 0 and c in "+*":
            terms[-1][-1] = word
            word = ""
            terms[-1].append("") if c == "*" else terms.append([""])
        else:
            word += c
    terms[-1][-1] = word
    return terms


def _factor(word: str) -> float:
    """A comparison or a sum of numbers, products and quotients, in brackets or not."""
    import ast
    import operator as op

    tools = {ast.Add: op.add, ast.Sub: op.sub, ast.Mult: op.mul, ast.Div: op.truediv}
    compared = {ast.GtE: op.ge, ast.Lt: op.lt}

    def value(node: ast.expr) -> float:
        if isinstance(node, ast.BinOp):
            return tools[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp):
            return -value(node.operand)
        if isinstance(node, ast.Compare):
            return float(compared[type(node.ops[0])](value(node.left), value(node.comparators[0])))
        assert isinstance(node, ast.Constant)
        return float(node.value)

    return value(ast.parse(word, mode="eval").body)


# ---- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("memory", "frames"), [(0.0, 40), (0.5, 100), (0.8, 400)])
def test_error_bars_are_those_of_correlated_series(memory: float, frames: int) -> None:
    """Means of autoregressive series of two boundaries: their scatter is what each run says it is."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(frames, 2, 500))
    for f in range(1, frames):
        x[f] = memory * x[f - 1] + (1 - memory**2) ** 0.5 * x[f]
    z = x.mean(axis=(0, 1)) / blocking.error(x)
    assert 0.75 < np.sqrt((z**2).mean()) < 1.2
    assert (abs(z) > 3).mean() < 0.015


def test_a_ratio_does_not_mind_how_much_was_counted() -> None:
    rng = np.random.default_rng(6)
    total = rng.integers(0, 9, size=(200, 2, 400)).astype(float)
    n = rng.binomial(total.astype(int), 0.3)
    c, error = blocking.ratio(n, total)
    assert 0.8 < np.sqrt((((c - 0.3) / error) ** 2).mean()) < 1.1
    assert abs(c - 0.3).max() < 0.1
    c, error = blocking.ratio(np.zeros((5, 2, 1)), np.zeros((5, 2, 1)))
    assert np.isnan(c).all()
    c, error = blocking.ratio(np.tile([0.0, 3.0, 1.0], (9, 2, 1)), np.full((9, 2, 3), 3.0))
    assert list(c) == [0, 1, 1 / 3] and list(np.isnan(error)) == [True, True, False]


def test_two_boundaries_that_differ_have_an_error() -> None:
    frozen = np.broadcast_to(np.array([1.0, 3.0]), (50, 2))
    assert blocking.error(frozen) == pytest.approx(1.0)
    assert np.isnan(blocking.error(np.ones((1, 1))))


# ---- boundaries ------------------------------------------------------------------------------------


def shares(at: tuple[float, ...], length: float, background: float = 0.1, n: int = 6000):
    rng = np.random.default_rng(3)
    z = rng.uniform(size=n)
    near = np.min([abs((z - b + 0.5) % 1.0 - 0.5) for b in at], axis=0) * length < 3.0 if at else z < 0
    return z, (rng.uniform(size=n) < np.where(near, 0.9, background)).astype(float)


@pytest.mark.parametrize("at", [(0.25, 0.75), (0.01, 0.52), (0.3, 0.6), (0.02, 0.99 - 0.3)])
@pytest.mark.parametrize("background", [0.0, 0.3])
def test_boundaries_are_found_wherever_they_are(at: tuple[float, float], background: float) -> None:
    found = boundaries.find(*shares(at, 120.0, background), 120.0)
    assert [120 * x for x in found] == pytest.approx([120 * x for x in sorted(at)], abs=0.7)


def test_a_lost_boundary_is_named() -> None:
    with pytest.raises(SmaxError, match="found one grain boundary"):
        boundaries.find(*shares((0.4,), 120.0), 120.0)
    with pytest.raises(SmaxError, match="found no grain boundary"):
        boundaries.find(*shares((), 120.0), 120.0)
    with pytest.raises(SmaxError, match=r"expected those built at 30\.0, 90\.0 A"):
        boundaries.check_start((0.3, 0.7), [30.0, 90.0], 120.0, 5.0)


def test_boundaries_keep_their_names_through_the_edge() -> None:
    assert boundaries.follow((0.02, 0.51), (0.49, 0.99)) == (0.51, 0.02)
    assert boundaries.follow((0.3, 0.8), (0.25, 0.75)) == (0.3, 0.8)


# ---- a planted profile ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    made = Planted(tmp_path_factory.mktemp("planted") / "x")
    analyse("segregation", made.folder, options={"discard": 0, "bin_A": 2.0})
    return made


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return Planted(tmp_path_factory.mktemp("brief") / "x", frames=2)


def test_a_planted_profile_comes_back(planted: Planted) -> None:
    """Whatever the cell drifts by: profiles, compositions and excess are those of the probabilities."""
    found = planted.read("profile.csv")
    z = []
    for e in planted.metals:
        wanted = planted.profile(e, found["distance_A"], 2.0)
        z.append((found[f"{e}_at_percent"] - wanted) / found[f"{e}_error"])
        assert found[f"{e}_error"].max() < 2.5
    assert 0.5 < np.sqrt(np.square(z).mean()) < 1.4 and np.abs(z).max() < 5
    assert found["Nb_at_percent"][0] > 45 and abs(found["Nb_at_percent"][-1] - 18) < 3
    summary = json.loads((planted.folder / "analysis" / "summary.json").read_text())
    for e, values in summary["compositions"].items():
        for what, wanted in planted.wanted(e).items():
            error = values[what.replace("_at_percent", "").replace("_per_nm2", "") + "_error"]
            assert abs(values[what] - wanted) <= 4 * (error or 0) + 0.02 * abs(wanted), (e, what)
    nb = summary["compositions"]["Nb"]
    assert nb["difference_at_percent"] > 20 * nb["difference_error"]
    # carbon was put at the boundaries alone
    assert summary["compositions"]["C"]["bulk_at_percent"] == 0
    assert summary["compositions"]["C"]["bulk_error"] is None, "none was seen: that is not exact"
    assert summary["compositions"]["C"]["excess_per_nm2"] == pytest.approx(
        planted.n_carbon / (2 * planted.area_nm2), rel=0.02
    )


def test_boundaries_are_followed_as_the_cell_drifts(planted: Planted) -> None:
    found = planted.read("boundaries.csv")
    for name, wanted in zip(("z_1_A", "z_2_A"), planted.places.T, strict=True):
        off = (found[name] - wanted) / found["cell_A"]
        assert abs(off - np.round(off)).max() * found["cell_A"].mean() < 1.0
    assert (np.diff(found["z_2_A"]) < -20).any(), "no boundary went through the edge of the cell"
    summary = json.loads((planted.folder / "analysis" / "summary.json").read_text())
    assert summary["boundaries_moved_A"] == pytest.approx([planted.drift_A] * 2, abs=1.5)


def test_convergence_is_told_by_moves(planted: Planted) -> None:
    found = planted.read("convergence.csv")
    assert found["step"] == pytest.approx(STEP * np.arange(31))
    assert found["moves_per_atom"] == pytest.approx(np.arange(31) * 100 / len(planted.distance), rel=0.01)
    wanted = planted.wanted("Nb")["boundary_at_percent"]
    both = (found["Nb_at_percent_boundary_1"] + found["Nb_at_percent_boundary_2"]) / 2
    assert both.mean() == pytest.approx(wanted, rel=0.03)


def test_moves_are_counted_by_pair(brief: Planted) -> None:
    def table() -> list[list[object]]:
        output = Output("")
        by_pair(open_study(brief.folder), output)
        return [list(row) for row in output.tables["moves"].rows]

    rows = table()
    assert rows[0] == ["W-Nb", "exchange", 100, 10, 0.1]
    assert [r[0] for r in rows] == ["W-Nb", "W-Mo", "W-Ta", "Nb-Mo", "Nb-Ta", "Mo-Ta", "C"]
    assert rows[-1] == ["C", "displacement", 50, 5, 0.1]
    moves = brief.folder / "moves.dat"
    whole = moves.read_text()
    try:
        moves.write_text(whole + "30 7\n1 1 2 3\n")  # a torn block: the last whole one counts
        assert table() == rows
        moves.write_text("# nothing\n")
        with pytest.raises(SmaxError, match=r"moves.dat: has no whole block of moves"):
            table()
        moves.write_text("0 1\n1 1 2 5 5\n")
        with pytest.raises(SmaxError, match=r"moves of \S+ do not fit"):
            table()
    finally:
        moves.write_text(whole)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"boundary_A": 30}, "option boundary_A: found 30.0 A, expected no more than bulk_A"),
        ({"bulk_A": 200}, "option bulk_A: found 200.0 A, and no atom farther"),
        ({"boundary_A": 0.001}, "option boundary_A: found 0.001 A, and no atom nearer"),
        ({"discard": 1}, "option discard: found 1"),
        ({"bins": 1}, "option bins: unknown, expected one of bin_A"),
    ],
)
def test_impossible_options_are_refused(brief: Planted, options: dict[str, float], said: str) -> None:
    with pytest.raises(SmaxError, match=re.escape(said)):
        analyse("segregation", brief.folder, options=options)


def test_a_frame_without_boundaries_is_named(brief: Planted) -> None:
    with brief.melted(20), pytest.raises(SmaxError, match=r"frame of step 20: found no grain boundary"):
        analyse("segregation", brief.folder)


def test_a_note_or_log_without_its_contents_is_named(brief: Planted) -> None:
    note, log = brief.folder / "study.yaml", brief.folder / "log.segregation"
    whole = note.read_text(), log.read_text()
    try:
        note.write_text(whole[0].replace("swapped:", "changed:"))
        with pytest.raises(SmaxError, match=r"study.yaml: facts: has no swapped"):
            analyse("segregation", brief.folder)
        note.write_text(whole[0])
        log.write_text(whole[1].replace("v_tried", "v_else"))
        with pytest.raises(SmaxError, match=r"log.segregation: has no column v_tried"):
            analyse("segregation", brief.folder)
    finally:
        note.write_text(whole[0])
        log.write_text(whole[1])


def test_the_first_frame_alone_is_analysed(brief: Planted, tmp_path: Path) -> None:
    """Two boundaries give errors; there are no halves to compare, and the JSON has no nan."""
    folder = Path(shutil.copytree(brief.folder, tmp_path / "x"))
    for step in (10, 20):
        (folder / "frames" / brief.path(step).name).unlink()
    analyse("segregation", folder)
    text = (folder / "analysis" / "summary.json").read_text()
    assert "NaN" not in text and "drift_of_boundary" not in json.loads(text)
    assert json.loads(text)["compositions"]["Nb"]["boundary_error"] > 0
