"""The store: what goes in comes out, by key, by position and streamed; keys are unique."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path

import ase
import numpy as np
import pytest
from dataset_tools import LEVEL, OTHER, label, record, same, structure
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pysmax.dataset.record import Attempt, Label, Level, Record
from pysmax.dataset.seen import Seen
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Dataset, list[Record]]:
    """60 records of every kind in shards of 25."""
    records = [record(i, ("ok", "ok", "failed")[i % 3], source=("a", "b")[i % 2]) for i in range(50)]
    records += [record(i, level=OTHER) for i in range(5)] + [record(i, "unlabelled", None) for i in range(5)]
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer(shard_size=25) as w:
        assert all(w.add(r) for r in records)
    return Dataset.open(tmp_path / "ds"), records


def test_everything_comes_back(filled: tuple[Dataset, list[Record]]) -> None:
    ds, records = filled
    assert [len(s) for s in ds.shards()] == [25, 25, 10]
    assert len(ds) == 60
    assert all(same(a, b) for a, b in zip(records, ds.records(batch=7), strict=True))
    assert ds.keys() == {r.key for r in records}
    for r in records[::7]:
        found = ds.get(r.key)
        assert found is not None and same(r, found) and r.key in ds
    assert ds.get("no") is None and "no" not in ds
    assert ds.status_of([*(r.key for r in records), "no"]) == {r.key: r.status for r in records}


def test_what_atoms_carry_beyond_the_record_is_left_behind(tmp_path: Path) -> None:
    atoms = structure(0)
    atoms.info["junk"] = 1
    atoms.set_initial_magnetic_moments([1.0] * len(atoms))
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer() as w:
        w.add(Record(atoms))
    (found,) = ds.records()
    assert set(found.atoms.arrays) == {"numbers", "positions", "r_eff"} and not found.atoms.info


@pytest.mark.parametrize(
    "filters", [{}, {"status": "ok"}, {"source": "b"}, {"level": OTHER.hash}, {"level": "-"}]
)
@pytest.mark.parametrize("start", [0, 3, 24, 26, 1000])
def test_filters_and_start(filled: tuple[Dataset, list[Record]], filters: dict[str, str], start: int) -> None:
    ds, records = filled

    def kept(r: Record) -> bool:
        level = r.level.hash if r.level else "-"
        has = {"status": r.status, "source": r.source, "level": level}
        return all(has[k] == v for k, v in filters.items())

    expected = [r.key for r in records if kept(r)][start:]
    assert [r.key for r in ds.records(**filters, start=start, batch=4)] == expected


def test_positions(filled: tuple[Dataset, list[Record]]) -> None:
    ds, records = filled
    order = [59, 0, 24, 25, 25, 3]
    assert [r.key for r in ds.at(order)] == [records[i].key for i in order]
    with pytest.raises(SmaxError, match="no record 60, expected 0 to 59"):
        ds.at([60])


def test_sample_is_uniform_without_repeats(filled: tuple[Dataset, list[Record]]) -> None:
    ds, records = filled
    ok = {r.key for r in records if r.status == "ok"}
    assert {r.key for r in ds.sample(1000, seed=0)} == ok
    drawn = Counter(r.key for seed in range(300) for r in ds.sample(4, seed))
    assert drawn.keys() == ok
    expected = 300 * 4 / len(ok)  # about 31; binomial, standard deviation 5.4
    assert max(abs(n - expected) for n in drawn.values()) < 4.5 * 5.4
    first, again = ds.sample(5, seed=1), ds.sample(5, seed=1)
    assert [r.key for r in first] == [r.key for r in again] and len({r.key for r in first}) == 5
    assert [r.status for r in ds.sample(3, 0, status="failed")] == ["failed"] * 3


def test_arrays_are_the_records(filled: tuple[Dataset, list[Record]]) -> None:
    ds, records = filled
    fields = ("energy", "forces", "stress", "natoms", "numbers", "positions", "cell", "pbc", "key", "magmoms")
    parts = list(ds.arrays(fields, batch=10))
    ok = [r for r in records if r.label]
    joined = {k: np.concatenate([p[k] for p in parts]) for k in fields}
    assert joined["key"].tolist() == [r.key for r in ok]
    for k in ("energy", "stress"):
        assert np.array_equal(joined[k], [getattr(r.label, k) for r in ok])
    assert np.array_equal(joined["forces"], np.vstack([r.label.forces for r in ok if r.label]))
    assert np.array_equal(joined["numbers"], np.concatenate([r.atoms.numbers for r in ok]))
    assert np.array_equal(joined["positions"], np.vstack([r.atoms.positions for r in ok]))
    assert np.array_equal(joined["cell"], [r.atoms.cell.array for r in ok])
    assert joined["pbc"].all() and np.isnan(joined["magmoms"]).all()
    assert len(joined["magmoms"]) == joined["natoms"].sum()
    with pytest.raises(SmaxError, match="no field 'enery'"):
        next(ds.arrays(["enery"]))


def test_counts(filled: tuple[Dataset, list[Record]]) -> None:
    ds, records = filled
    flat = Counter((r.source, r.level.hash if r.level else "-", r.status, r.reason) for r in records)
    found = {
        (source, level, status, reason): n
        for source, by_level in ds.counts().items()
        for level, by_status in by_level.items()
        for status, by_reason in by_status.items()
        for reason, n in by_reason.items()
    }
    assert found == flat
    assert {v.hash for v in ds.levels()} == {LEVEL.hash, OTHER.hash}


def test_a_key_is_there_once(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")
    failed, unlabelled, ok = (record(1, s) for s in ("failed", "unlabelled", "ok"))
    assert failed.key == unlabelled.key == ok.key
    with ds.writer() as w:
        assert w.add(unlabelled) and not w.add(unlabelled)
        assert w.add(failed) and not w.add(failed) and not w.add(ok)
        w.commit()
        assert not w.add(ok) and not w.add(unlabelled, replace_failed=True)
    assert [r.status for r in ds.records()] == ["failed"]
    with ds.writer() as w:
        w.add(record(2))
        assert w.add(ok, replace_failed=True)
        assert not w.add(failed, replace_failed=True)
    assert [(r.key, r.status) for r in ds.records()] == [(ok.key, "ok"), (record(2).key, "ok")]
    assert same(ok, next(ds.records()))


def test_the_same_structure_at_two_levels_is_two_records(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer() as w:
        assert w.add(record(1)) and w.add(record(1, level=OTHER)) and w.add(record(1, "unlabelled", None))
        newer = Level(LEVEL.engine, "0.9", LEVEL.settings)
        assert not w.add(record(1, level=newer))  # another version is no other level
        assert w.add(record(2, level=newer))
    assert len(ds) == 4 and len(ds.levels()) == 3


def test_writers_go_on_in_a_shard_with_room(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")
    for i in range(5):
        with Dataset.open(tmp_path / "ds").writer(shard_size=3) as w:
            w.add(record(i))
    assert [len(s) for s in ds.shards()] == [3, 2]
    with ds.writer(shard_size=3) as one, ds.writer(shard_size=3) as two:
        one.add(record(10))
        two.add(record(11))
    assert sorted(len(s) for s in ds.shards()) == [1, 3, 3]


def test_an_exception_inside_a_writer_keeps_what_was_added(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")

    def stopped() -> None:
        with ds.writer() as w:
            w.add(record(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert len(ds) == 1


BAD_LABELS = {
    "energy is not finite": {"energy": float("nan")},
    "forces is not finite": {"forces": np.full((3, 3), np.inf)},
    "stress is not finite": {"stress": np.array([0, 0, np.nan, 0, 0, 0])},
    "forces has shape": {"forces": np.zeros((2, 3))},
    "stress has shape": {"stress": np.zeros((3, 3))},
    "magmoms has shape": {"magmoms": np.zeros(4)},
    "extra is not JSON": {"extra": {"x": float("nan")}},
}


@pytest.mark.parametrize("words", BAD_LABELS)
def test_bad_labels_are_refused(tmp_path: Path, words: str) -> None:
    ds = Dataset.create(tmp_path / "ds")
    atoms = structure(0, natoms=3)
    with ds.writer() as w:
        w.add(record(5))
        with pytest.raises(SmaxError, match=words):
            w.add(Record(atoms, level=LEVEL, label=label(atoms, 0, **BAD_LABELS[words])))
    assert len(ds) == 1


def test_other_bad_records_are_refused(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "ds").writer() as w:
        with pytest.raises(SmaxError, match="at least one atom"):
            w.add(Record(ase.Atoms()))
        with pytest.raises(SmaxError, match="no level of theory"):
            w.add(record(0, level=None))
        with pytest.raises(SmaxError, match="info is not JSON"):
            w.add(record(0, info={"x": object()}))
        assert w.add(record(0, info={"x": np.float64(2.5), "y": np.arange(2)}))
    (found,) = Dataset.open(tmp_path / "ds").records()
    assert found.info == {"x": 2.5, "y": [0, 1]}


def test_refuses_what_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(SmaxError, match=r"not a dataset, expected a folder with dataset\.json"):
        Dataset.open(tmp_path / "none")
    Dataset.create(tmp_path / "ds")
    with pytest.raises(SmaxError, match="exists already"):
        Dataset.create(tmp_path / "ds")
    assert len(Dataset.create(tmp_path / "ds", exist_ok=True)) == 0
    description = tmp_path / "ds" / "dataset.json"
    for text, words in (
        ("{", "not JSON"),
        ("[]", "'format' is not 'smax-dataset'"),
        (json.dumps({"format": "smax-dataset", "version": 7}), "version is 7, expected 1"),
    ):
        description.write_text(text)
        with pytest.raises(SmaxError, match=words):
            Dataset.open(tmp_path / "ds")
    description.unlink()
    (tmp_path / "ds" / "shards").rmdir()
    (tmp_path / "ds").rmdir()
    (tmp_path / "ds").write_text("a file")
    with pytest.raises(SmaxError, match="exists already"):
        Dataset.create(tmp_path / "ds", exist_ok=True)


def test_a_shard_of_something_else_is_named(tmp_path: Path) -> None:
    Dataset.create(tmp_path / "ds")
    other = tmp_path / "ds" / "shards" / "00001-other.sqlite"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE t (x)")
    db.close()
    with pytest.raises(SmaxError, match=r"00001-other\.sqlite: damaged \(no table of records\)"):
        Dataset.open(tmp_path / "ds")


finite = st.floats(-1e6, 1e6, allow_nan=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | finite | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def any_record(draw: st.DrawFn) -> Record:
    n = draw(st.integers(1, 5))

    def array(*shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        return np.array(draw(st.lists(finite, min_size=size, max_size=size))).reshape(shape)

    atoms = ase.Atoms(
        numbers=draw(st.lists(st.integers(0, 118), min_size=n, max_size=n)),
        positions=array(n, 3),
        cell=array(3, 3),
        pbc=draw(st.tuples(st.booleans(), st.booleans(), st.booleans())),
    )
    if draw(st.booleans()):
        atoms.arrays["r_eff"] = array(n)
    status = draw(st.sampled_from(["ok", "failed", "unlabelled"]))
    found = None
    if status == "ok":
        magmoms = array(n) if draw(st.booleans()) else None
        found = Label(float(array(1)[0]), array(n, 3), array(6) if draw(st.booleans()) else None, magmoms)
    reason = "crash" if status == "failed" else ""
    info = draw(st.dictionaries(st.text(max_size=5), json_values, max_size=3))
    attempts = tuple(Attempt(draw(text), "scf", draw(text), 0.25) for _ in range(draw(st.integers(0, 2))))
    level = Level(draw(text), draw(text), draw(st.dictionaries(text, json_values, max_size=2)))
    return Record(atoms, draw(text), info, level, found, reason, attempts)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(any_record(), min_size=1, max_size=4))
def test_any_record_comes_back(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> None:
    ds = Dataset.create(tmp_path_factory.mktemp("any") / "ds")
    with ds.writer() as w:
        taken = [r for r in records if w.add(r)]
    latest = {r.key: r for r in taken}  # a labelled one may have replaced an unlabelled one
    assert all(same(latest[r.key], r) for r in ds.records())
    assert ds.keys() == latest.keys() == {r.key for r in records}


def test_a_long_writer_still_knows_every_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the point where keys are held in memory: its own, those before it, and those of another writer."""
    monkeypatch.setattr("pysmax.dataset.writer.SOON", 5)
    monkeypatch.setattr("pysmax.dataset.seen.BATCH", 4)
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer(shard_size=7) as w:
        assert all(w.add(record(i)) for i in range(20))
    with ds.writer(shard_size=7) as w, Dataset.open(ds.path).writer(shard_size=7) as other:
        assert [w.add(record(i)) for i in range(30)] == [False] * 20 + [True] * 10
        for i in range(25, 40):
            other.add(record(i))
        other.commit()
        assert w.commit() == 5  # of ten, five are the other's by now
        assert not w.add(record(39)) and w.add(record(40)) and not w.add(record(40))
        assert w.add(record(41, "failed")) and w.commit() == 2
        assert not w.add(record(41)) and w.add(record(41), replace_failed=True)
    assert len(ds) == len(ds.keys()) == 42
    assert {r.status for r in ds.records()} == {"ok"}


def test_the_work_of_a_filter_grows_with_the_records(tmp_path: Path) -> None:
    """And not with their square: SQLite's instructions at a fixed number of records in a batch."""
    ds = Dataset.create(tmp_path / "ds")

    def work(first: int, last: int) -> int:
        with ds.writer() as w:
            for i in range(first, last):
                w.add(record(i))
        (shard,) = ds.shards()
        calls = [0]
        shard.db.set_progress_handler(lambda: calls.__setitem__(0, calls[0] + 1), 100)
        assert sum(len(rows) for _, rows in ds.rows(status="ok", batch=10)) == last
        shard.db.set_progress_handler(None, 0)
        return calls[0]

    few = work(0, 300)
    assert work(300, 900) < 4 * few


def test_a_dataset_that_another_process_has_begun_is_no_obstacle(tmp_path: Path) -> None:
    """Killed, or not done yet, between the folder and its description."""
    folder = tmp_path / "ds"
    (folder / "shards").mkdir(parents=True)
    (folder / ".dataset.json.x1y2").touch()
    Dataset.create(folder, exist_ok=True)
    assert len(Dataset.open(folder)) == 0
    (tmp_path / "other" / "shards").mkdir(parents=True)
    (tmp_path / "other" / "shards" / "mine.txt").touch()
    with pytest.raises(SmaxError, match="exists already"):
        Dataset.create(tmp_path / "other", exist_ok=True)


def test_a_shard_without_room_for_any_record_is_refused(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")
    with pytest.raises(SmaxError, match="shard size is 0, expected 1 or more"), ds.writer(0):
        pass


def test_the_keys_of_many_shards_are_sorted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer(shard_size=5) as w:
        for i in range(40):
            w.add(record(i))
    monkeypatch.setattr("pysmax.dataset.seen.BATCH", 4)
    sizes: list[int] = []
    sort = np.sort
    monkeypatch.setattr("pysmax.dataset.seen.np.sort", lambda a: sizes.append(len(a)) or sort(a))
    seen = Seen()
    seen.update(ds.shards())
    assert sizes == [40] and all(seen.maybe(record(i).key) for i in range(40))
    assert not any(seen.maybe(record(i).key) for i in range(40, 50))
