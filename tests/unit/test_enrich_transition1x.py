"""Transition1x: the published HDF5 layout, choices of frames, broken files."""

import h5py
import numpy as np
import pytest
from ase.build import molecule

from pysmax.dataset.record import Record
from pysmax.dataset.store import Dataset
from pysmax.enrich.tally import Skip, Tally, write
from pysmax.enrich.transition1x import Frames, read
from pysmax.errors import SmaxError

ENERGY, FORCES = "wB97x_6-31G(d).energy", "wB97x_6-31G(d).forces"
REACTIONS = [
    ("C2H6O", "rxn0001", "CH3CH2OH", 12),
    ("C2H6O", "rxn0002", "CH3OCH3", 7),
    ("CH4", "rxn0003", "CH4", 5),
]
FRAMES = 12 + 7 + 5


def path_of(name: str, frames: int, start: int) -> np.ndarray:
    """Positions [frames, n, 3] A: the molecule, deformed a little more from frame to frame."""
    x = molecule(name).positions
    return np.array([x * (1 + 0.01 * (start + k)) for k in range(frames)])


def add(group, name: str, positions: np.ndarray, energies) -> None:
    group["atomic_numbers"] = molecule(name).numbers.astype(np.int64)
    group["positions"] = positions
    group[ENERGY] = np.asarray(energies, dtype=float)
    group[FORCES] = np.zeros_like(positions)


def write_file(path) -> None:
    """A file of the published layout, the splits as links."""
    with h5py.File(path, "w") as f:
        for formula, rxn, name, frames in REACTIONS:
            group = f.create_group(f"data/{formula}/{rxn}")
            add(group, name, path_of(name, frames, 10), -100.0 - np.arange(frames))
            for k, part in enumerate(("product", "reactant", "transition_state")):
                add(group.create_group(part), name, path_of(name, 1, k), [-50.0 - k])
        for split, (formula, rxn) in (("train", REACTIONS[0][:2]), ("test", REACTIONS[2][:2])):
            f.require_group(f"{split}/{formula}")[rxn] = h5py.SoftLink(f"/data/{formula}/{rxn}")


@pytest.fixture
def file(tmp_path):
    write_file(tmp_path / "Transition1x.h5")
    return tmp_path / "Transition1x.h5"


def records(path, choice="none", endpoints=True, seed=0, split="data", vacuum=5.0) -> list[Record]:
    items = list(read(path, Frames.parse(choice, endpoints, seed), vacuum, split))
    assert not [i for i in items if isinstance(i, Skip)]
    return items


def places(found: list[Record]) -> list[tuple[str, int]]:
    return [(r.info["rxn"], r.info["frame"]) for r in found]


def test_end_points_are_the_molecules_written(file):
    found = records(file, vacuum=3.0)
    assert [(r.info["rxn"], r.info["part"]) for r in found[:3]] == [
        ("rxn0001", "reactant"),
        ("rxn0001", "transition_state"),
        ("rxn0001", "product"),
    ]
    assert len(found) == 9 and {r.source for r in found} == {"transition1x"}
    order = {"product": 0, "reactant": 1, "transition_state": 2}
    for r in found:
        name = next(n for _, rxn, n, _ in REACTIONS if rxn == r.info["rxn"])
        expected = molecule(name)
        expected.positions *= 1 + 0.01 * order[r.info["part"]]
        assert (r.atoms.numbers == expected.numbers).all()
        assert np.allclose(r.atoms.get_all_distances(), expected.get_all_distances(), atol=1e-12)
        assert np.allclose(r.atoms.positions.min(axis=0), 3.0) and r.atoms.pbc.all()
        assert r.info[f"{ENERGY}_eV"] == -50.0 - order[r.info["part"]]
        assert r.label is None and r.status == "unlabelled"


def test_energies_of_the_source_go_with_their_frame(file):
    found = records(file, "all", endpoints=False)
    assert len(found) == FRAMES
    for r in found:
        assert r.info[f"{ENERGY}_eV"] == -100.0 - r.info["frame"]
        name = next(n for _, rxn, n, _ in REACTIONS if rxn == r.info["rxn"])
        x = molecule(name).positions * (1 + 0.01 * (10 + r.info["frame"]))
        assert np.allclose(r.atoms.positions - r.atoms.positions[0], x - x[0])


def test_every_kth_frame(file):
    assert places(records(file, "every:5", endpoints=False)) == [
        *(("rxn0001", k) for k in (0, 5, 10)),
        *(("rxn0002", k) for k in (0, 5)),
        ("rxn0003", 0),
    ]


def test_random_frames_depend_on_the_seed_alone(file):
    first = places(records(file, "random:6", endpoints=False, seed=1))
    assert first == places(records(file, "random:6", endpoints=False, seed=1))
    assert first != places(records(file, "random:6", endpoints=False, seed=2))
    assert len(first) == len(set(first)) == 6 + 6 + 5  # the last reaction has 5 frames
    # the same frames when the reaction comes through a split
    train = places(records(file, "random:6", endpoints=False, seed=1, split="train"))
    assert train == [p for p in first if p[0] == "rxn0001"]


def test_random_frames_are_uniform():
    counts = np.zeros(10)
    for seed in range(2000):
        counts[Frames.parse("random:3", True, seed).choose(10, "C/rxn1")] += 1
    # each of 10 frames is expected 600 times, standard deviation sqrt(2000 * 0.3 * 0.7) = 20
    assert counts.sum() == 6000 and np.abs(counts - 600).max() < 5 * 20.5


def test_splits_are_links_into_data(file):
    assert {r.info["rxn"] for r in records(file, split="test")} == {"rxn0003"}
    keys = {r.key for r in records(file)}
    assert {r.key for r in records(file, split="train")} < keys


def test_all_frames_and_end_points(file, tmp_path):
    dataset, tally = Dataset.create(tmp_path / "ds"), Tally()
    write(read(file, Frames.parse("all", True, 0), 5.0), dataset, tally, "Transition1x")
    assert (tally.read, tally.kept) == (FRAMES + 9, FRAMES + 9) and len(dataset) == FRAMES + 9
    again = Tally()
    write(read(file, Frames.parse("all", True, 0), 5.0), dataset, again, "Transition1x")
    assert again.kept == 0 and again.reasons == {"duplicate": FRAMES + 9}


@pytest.mark.parametrize(
    ("choice", "endpoints", "message"),
    [
        ("some", True, "path frames 'some', expected none, all, every:K or random:N"),
        ("every", True, "expected none"),
        ("all:3", True, "expected none"),
        ("every:0", True, "'0' is not a number above 0"),
        ("random:x", True, "'x' is not a number above 0"),
        ("none", False, "nothing would be read"),
    ],
)
def test_wrong_choice(choice, endpoints, message):
    with pytest.raises(SmaxError, match=message):
        Frames.parse(choice, endpoints, 0)


def broken(file, change, choice="every:4"):
    with h5py.File(file, "a") as f:
        change(f["data/C2H6O/rxn0001"], f)
    items = list(read(file, Frames.parse(choice, True, 0), 5.0))
    skips = [i for i in items if isinstance(i, Skip)]
    others = {i.info["rxn"] for i in items if isinstance(i, Record)}
    assert {"rxn0002", "rxn0003"} <= others  # the rest is read all the same
    return skips


def replace(group, name, value):
    del group[name]
    group[name] = value


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        (lambda g, f: g.pop("positions"), "broken", "C2H6O/rxn0001: has no positions"),
        (lambda g, f: g.pop("product"), "broken", "C2H6O/rxn0001/product"),
        (
            lambda g, f: replace(g, "positions", np.zeros((12, 8, 3))),
            "broken",
            r"positions have shape (8, 3)",
        ),
        (
            lambda g, f: replace(g["reactant"], "positions", np.zeros((0, 9, 3))),
            "broken",
            "reactant, frame 0",
        ),
        (
            lambda g, f: replace(g["reactant"], "positions", np.full((1, 9, 3), np.nan)),
            "not finite",
            "reactant",
        ),
        (
            lambda g, f: replace(g["reactant"], "atomic_numbers", [0] * 9),
            "unknown element",
            "atomic number 0",
        ),
        (
            lambda g, f: replace(g["reactant"], "positions", np.zeros((1, 9, 3))),
            "too close",
            "two atoms at 0 A",
        ),
        (lambda g, f: f.__setitem__("data/C2H6O/odd", np.zeros(3)), "broken", "C2H6O/odd: not a group"),
        (lambda g, f: f.__setitem__("data/odd", np.zeros(3)), "broken", "data/odd: not a group"),
        (lambda g, f: f.__setitem__("data/C2H6O/x", h5py.SoftLink("/nowhere")), "broken", "C2H6O/x"),
        (lambda g, f: replace(g["reactant"], ENERGY, np.zeros(0)), "broken", "reactant, frame 0"),
    ],
)
def test_a_broken_reaction_is_skipped_with_its_name(file, change, reason, detail):
    skips = broken(file, change)
    assert {s.reason for s in skips} == {reason}
    assert detail in skips[0].detail


def test_an_energy_that_is_not_finite_is_left_out(file):
    assert broken(file, lambda g, f: replace(g["reactant"], ENERGY, [np.nan])) == []
    one = next(iter(read(file, Frames.parse("none", True, 0), 5.0)))
    assert f"{ENERGY}_eV" not in one.info


def test_not_of_this_layout(tmp_path, file):
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(SmaxError, match=r"text\.h5: not a readable HDF5 file"):
        list(read(tmp_path / "text.h5", Frames(), 5.0))
    with pytest.raises(SmaxError, match=r"none\.h5: not a readable HDF5 file"):
        list(read(tmp_path / "none.h5", Frames(), 5.0))
    with pytest.raises(SmaxError, match="has no group 'val', only data, test, train"):
        list(read(file, Frames(), 5.0, "val"))
    data = file.read_bytes()
    (tmp_path / "cut.h5").write_bytes(data[: len(data) // 2])
    with pytest.raises(SmaxError, match=r"cut\.h5: not a readable HDF5 file"):
        list(read(tmp_path / "cut.h5", Frames(), 5.0))
