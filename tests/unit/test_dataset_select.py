"""Selection and splits: the greedy choice against brute force, balance, no leakage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import ase
import numpy as np
import pytest
from dataset_tools import LEVEL, OTHER, record, same, structure
from hypothesis import given, settings
from hypothesis import strategies as st

from pysmax.dataset import select
from pysmax.dataset.lazy import Balance, LogDet, greedy
from pysmax.dataset.record import Array, Record, structure_hash
from pysmax.dataset.split import share, split
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError
from pysmax.features import features as stock_lammps
from pysmax.moments import Descriptor, Moments


def filled(path: Path, n: int = 60) -> Dataset:
    """Labelled records, every tenth one failed."""
    ds = Dataset.create(path)
    with ds.writer(shard_size=25) as w:
        for i in range(n):
            w.add(record(i, "failed" if i % 10 == 9 else "ok"))
    return ds


def toy(structures: Sequence[ase.Atoms]) -> tuple[Array, np.ndarray]:
    """Four numbers per atom, one of them constant."""
    rows = [
        np.column_stack([a.numbers, a.positions[:, 0], a.arrays["r_eff"], np.full(len(a), 7.0)])
        for a in structures
    ]
    return np.vstack(rows), np.array([len(a) for a in structures])


def plain_greedy(blocks: list[Array], ridge: Array, n: int) -> list[int]:
    """Every gain of every candidate in every round, from two determinants."""
    a, chosen = ridge.copy(), list[int]()
    for _ in range(n):
        values = [-np.inf if i in chosen else np.linalg.slogdet(a + z.T @ z)[1] for i, z in enumerate(blocks)]
        best = int(np.argmax(values))
        chosen.append(best)
        a += blocks[best].T @ blocks[best]
    return chosen


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 6))
def test_lazy_is_plain_greedy(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    blocks = [rng.normal(size=(int(rng.integers(1, 9)), d)) * rng.uniform(0.1, 3) for _ in range(15)]
    ridge = 1e-3 * np.eye(d)
    det, evaluations = LogDet(ridge), list[int]()

    def gain(i: int) -> float:
        evaluations.append(i)
        return det.gain(blocks[i])

    bounds = [det.gain(z) for z in blocks]
    assert greedy(n, bounds, gain, lambda i: det.take(blocks[i])) == plain_greedy(blocks, ridge, n)
    assert len(evaluations) <= n * len(blocks)


def test_the_determinant_lemma_equals_two_determinants() -> None:
    rng = np.random.default_rng(1)
    det = LogDet(1e-6 * np.eye(55))
    for m in (1, 7, 54, 55, 56, 200):
        z = rng.normal(size=(m, 55))
        before = np.linalg.slogdet(det.matrix)[1]
        after = np.linalg.slogdet(det.matrix + z.T @ z)[1]
        assert det.gain(z) == pytest.approx(after - before, rel=1e-9)
        det.take(z)
        assert det.value() == pytest.approx(after, rel=1e-12)


def test_laziness_spares_most_gains() -> None:
    rng = np.random.default_rng(2)
    blocks = [rng.normal(size=(5, 10)) * rng.lognormal(0, 1) for _ in range(2000)]
    det, calls = LogDet(1e-3 * np.eye(10)), [0]

    def gain(i: int) -> float:
        calls[0] += 1
        return det.gain(blocks[i])

    greedy(100, [det.gain(z) for z in blocks], gain, lambda i: det.take(blocks[i]))
    assert calls[0] < 0.1 * 100 * 2000


@pytest.mark.parametrize("mode", ["atom", "config"])
def test_entropy_choice_of_a_dataset(tmp_path: Path, mode: select.Mode) -> None:
    ds = filled(tmp_path / "ds")
    ok = [r for r in ds.records() if r.status == "ok"]
    values, natoms = toy([r.atoms for r in ok])
    blocks = np.split(values, np.cumsum(natoms)[:-1])
    if mode == "config":
        blocks = [b.mean(axis=0, keepdims=True) for b in blocks]
    every = np.vstack(blocks)
    spread = every.std(axis=0)
    spread[3] = 1.0
    blocks = [(b - every.mean(axis=0)) / spread for b in blocks]
    n = 12
    ridge = 1e-6 * n * len(every) / len(ok) * np.eye(4)
    choice = select.by_entropy(ds, n, toy, mode)
    expected = plain_greedy(blocks, ridge, n)
    assert [r.key for r in ds.at(choice.positions)] == [ok[i].key for i in expected]
    z = np.vstack([blocks[i] for i in expected])
    s = 0.5 * np.linalg.slogdet(np.cov(z.T, bias=True) + 1e-6 * np.eye(4))[1]
    assert choice.entropy == pytest.approx(s, abs=1e-3)  # float32
    assert choice.entropy_of_all is not None and choice.entropy is not None
    at_random = [select.at_random(ds, n, seed) for seed in range(20)]
    for other in at_random:
        where = [ok.index(next(r for r in ok if r.key == q.key)) for q in ds.at(other.positions)]
        y = np.vstack([blocks[i] for i in where])
        assert 0.5 * np.linalg.slogdet(np.cov(y.T, bias=True) + 1e-6 * np.eye(4))[1] < s
    assert select.write(ds, choice, tmp_path / "chosen") == n
    found = list(Dataset.open(tmp_path / "chosen").records())
    assert all(same(a, ok[i]) for a, i in zip(found, expected, strict=True))


def test_bispectrum_of_stock_lammps_can_choose(tmp_path: Path) -> None:
    """The features that datasets are grown by, 55 per atom, from an independent program."""
    d = Descriptor("atom", 8, 0.99363, 0.0, 3.0, 0, 1)
    nothing = np.empty(0)
    moments = Moments(0, np.zeros(55), np.zeros((55, 55)), nothing, 1e-6, d, 0, nothing, nothing)

    def bispectrum(structures: Sequence[ase.Atoms]) -> tuple[Array, np.ndarray]:
        return stock_lammps(structures, moments), np.array([len(a) for a in structures])

    ds = filled(tmp_path / "ds", 12)
    choice = select.by_entropy(ds, 4, bispectrum)
    assert (
        len(set(choice.positions)) == 4 and choice.entropy is not None and choice.entropy_of_all is not None
    )
    z, natoms = bispectrum([r.atoms for r in ds.records(status="ok")])
    assert z.shape == (natoms.sum(), 55)


def test_element_balance(tmp_path: Path) -> None:
    """Nine of ten structures are tungsten, yet both elements are chosen alike."""
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer(shard_size=30) as w:
        for i in range(100):
            atoms = structure(i)
            atoms.numbers[:] = 8 if i % 10 == 0 else 74
            w.add(record(i, atoms=atoms, label=None, reason="scf") if i < 5 else record(i, atoms=atoms))
    choice = select.by_elements(ds, 12)
    chosen = Counter(int(r.atoms.numbers[0]) for r in ds.at(choice.positions))
    assert chosen == {8: 6, 74: 6}
    assert all(r.status == "ok" for r in ds.at(choice.positions))
    fractions = np.random.default_rng(0).dirichlet(np.ones(4), size=30)
    balance = Balance(fractions)
    picked = greedy(8, np.log1p(fractions).sum(axis=1).tolist(), balance.gain, balance.take)
    held = np.zeros(4)
    for i in picked:  # by its definition
        values = np.log1p(held + fractions).sum(axis=1)
        values[[j for j in picked[: picked.index(i)]]] = -np.inf
        assert i == int(np.argmax(values))
        held += fractions[i]


def test_random_choice(tmp_path: Path) -> None:
    ds = filled(tmp_path / "ds")
    choice = select.at_random(ds, 10, seed=3)
    assert choice == select.at_random(ds, 10, seed=3) != select.at_random(ds, 10, seed=4)
    assert len(set(choice.positions)) == 10 and all(r.status == "ok" for r in ds.at(choice.positions))
    assert len(select.at_random(ds, 1000, seed=0).positions) == 54
    assert len(select.at_random(ds, 1000, seed=0, status=None).positions) == 60


def test_bad_features_are_refused(tmp_path: Path) -> None:
    ds = filled(tmp_path / "ds")
    with pytest.raises(SmaxError, match="not finite, or not one row per atom"):
        select.by_entropy(ds, 3, lambda s: (toy(s)[0] * np.nan, toy(s)[1]))
    with pytest.raises(SmaxError, match="no record with status ok"):
        select.by_entropy(Dataset.create(tmp_path / "empty"), 3, toy)
    assert select.by_elements(Dataset.open(tmp_path / "empty"), 3).positions == []


def test_a_split_leaks_nothing_and_never_moves(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer() as w:
        for i in range(300):
            w.add(record(i))
            if i % 3 == 0:
                w.add(record(i, level=OTHER))
        w.add(record(400, "failed"))
    done = split(ds, tmp_path / "train", tmp_path / "test", 0.2, seed=1)
    train, test = Dataset.open(tmp_path / "train"), Dataset.open(tmp_path / "test")
    assert done.train + done.test == 400 and done.left_out == {"failed": 1}
    assert (len(train), len(test)) == (done.train, done.test)
    hashes = [{structure_hash(r.atoms) for r in part.records()} for part in (train, test)]
    assert not hashes[0] & hashes[1] and len(hashes[0] | hashes[1]) == 300
    assert abs(len(hashes[1]) - 60) < 4 * np.sqrt(300 * 0.2 * 0.8)
    with ds.writer() as w:
        for i in range(500, 560):
            w.add(record(i))
    split(ds, tmp_path / "train2", tmp_path / "test2", 0.2, seed=1)
    assert test.keys() <= Dataset.open(tmp_path / "test2").keys()
    assert train.keys() <= Dataset.open(tmp_path / "train2").keys()
    split(ds, tmp_path / "train3", tmp_path / "test3", 0.2, seed=2)
    assert Dataset.open(tmp_path / "test3").keys() != Dataset.open(tmp_path / "test2").keys()


@pytest.mark.parametrize("group", ["composition", "info.family"])
def test_families_stay_together(tmp_path: Path, group: str) -> None:
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer() as w:
        for i in range(120):
            w.add(record(i, info={"family": i // 6}))
    split(ds, tmp_path / "train", tmp_path / "test", 0.3, group=group)
    families: list[set[str]] = []
    for name in ("train", "test"):
        records: list[Record] = list(Dataset.open(tmp_path / name).records())
        counts = [Counter(r.atoms.get_chemical_symbols()) for r in records]
        formulas = {str(sorted((e, n / np.gcd.reduce([*c.values()])) for e, n in c.items())) for c in counts}
        families.append(formulas if group == "composition" else {str(r.info["family"]) for r in records})
    assert all(families) and not families[0] & families[1]


def test_shares_are_uniform() -> None:
    values = np.sort([share(str(i), 0) for i in range(4000)])
    assert np.abs(values - np.linspace(0, 1, 4000)).max() < 1.63 / np.sqrt(4000)  # Kolmogorov, 1 %


def test_refused_splits(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer() as w:
        w.add(record(0, level=LEVEL))
    a, b = tmp_path / "a", tmp_path / "b"
    for options, words in (
        ({"fraction": 0.0}, "the fraction is 0"),
        ({"fraction": 0.5, "group": "element"}, "group is 'element', expected structure"),
        ({"fraction": 0.5, "group": "info.parent"}, "has no info 'parent'"),
    ):
        with pytest.raises(SmaxError, match=words):
            split(ds, a, b, **options)  # type: ignore[arg-type]
        assert [p.name for p in tmp_path.iterdir()] == ["ds"]
    with pytest.raises(SmaxError, match="is train and test"):
        split(ds, a, a, 0.5)
    with pytest.raises(SmaxError, match="exists already"):
        split(ds, ds.path, b, 0.5)


def test_a_feature_that_does_not_vary_has_no_say(tmp_path: Path) -> None:
    """Whatever rounding makes of a large constant."""
    ds = filled(tmp_path / "ds")

    def with_constant(structures: Sequence[ase.Atoms]) -> tuple[Array, np.ndarray]:
        values, natoms = toy(structures)
        values[:, 3] = 1234.567
        return values, natoms

    def without(structures: Sequence[ase.Atoms]) -> tuple[Array, np.ndarray]:
        values, natoms = toy(structures)
        return values[:, :3], natoms

    one, other = (select.by_entropy(ds, 12, f) for f in (with_constant, without))
    assert one.positions == other.positions
    assert one.entropy is not None and other.entropy is not None
    assert one.entropy - other.entropy == pytest.approx(0.5 * np.log(1e-6), abs=1e-9)
