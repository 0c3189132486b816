"""Recovery: a shard cut anywhere or with changed bytes is named, and its whole records are saved."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dataset_tools import LEVEL, OTHER, label, record, same, structure

from pysmax.dataset.codec import NAMES
from pysmax.dataset.record import Record
from pysmax.dataset.recover import damage, recover
from pysmax.dataset.shard import PAGE, DamagedShard
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError

N = 16  # records of the shard that is damaged


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of two shards: the first gets damaged."""
    path = tmp_path_factory.mktemp("sound") / "ds"
    with Dataset.create(path).writer(shard_size=N) as w:
        for i in range(N + 3):
            status = ("ok", "ok", "failed", "unlabelled")[i % 4]
            w.add(record(i, status, LEVEL if i % 5 else OTHER))
    return path


def damaged(sound: Path, to: Path, data: bytes) -> Path:
    """A copy of the dataset with other bytes in its first shard."""
    shutil.copytree(sound, to)
    shard = Dataset(to).paths()[0]
    shard.write_bytes(data)
    return shard


def spans(sound: Path) -> list[tuple[int, int, int]]:
    """(first byte, last byte, number) of each record, found by its own text: key and source, attempts."""
    first = Dataset(sound).paths()[0]
    data = first.read_bytes()
    names = NAMES.index("attempts")
    found = []
    with sqlite3.connect(first) as db:
        for i, row in enumerate(db.execute(f"SELECT {', '.join(NAMES)} FROM records ORDER BY id")):
            begin = data.index((row[0] + row[1]).encode())
            end = data.index(row[names].encode(), begin + 1) + len(row[names])
            found.append((begin, end + 6, i))
    db.close()
    return found


def cuts(sound: Path) -> list[int]:
    """Every page boundary, every end of a record, and bytes in between."""
    shard = Dataset(sound).paths()[0]
    size = shard.stat().st_size
    assert size % PAGE == 0
    pages = [p + d for p in range(0, size, PAGE) for d in (0, 1, PAGE // 2, PAGE - 1)]
    records = [p for begin, end, _ in spans(sound) for p in (begin, (begin + end) // 2, end)]
    return sorted({c for c in pages + records if c < size})


def test_cut_at_every_boundary_and_in_between(sound: Path, tmp_path: Path) -> None:
    original = {r.key: r for r in Dataset.open(sound).records()}
    first, second = Dataset(sound).paths()
    order = [r.key for r in original.values()]
    whole, other = first.read_bytes(), second.read_bytes()
    where = spans(sound)
    saved_counts = set()
    for cut in cuts(sound):
        ds = tmp_path / "cut"
        shard = damaged(sound, ds, whole[:cut])
        with pytest.raises(DamagedShard, match=shard.name):
            Dataset.open(ds)
        assert damage(shard)
        (result,) = recover(ds)
        found = {r.key: r for r in Dataset.open(ds).records()}
        assert all(same(original[k], r) for k, r in found.items())
        # bytes up to the end of a record are enough to read it, provided its level of theory is there
        must = {order[i] for _, end, i in where if end <= cut} if result.homeless == 0 else set()
        assert must <= found.keys()
        assert result.saved + 3 == len(found) and result.shard == shard.name
        assert (ds / "damaged" / shard.name).read_bytes() == whole[:cut]
        assert Dataset(ds).paths()[-1].read_bytes() == other  # what is sound is not touched
        assert not any(map(damage, Dataset(ds).paths())) and recover(ds) == []
        saved_counts.add(result.saved)
        shutil.rmtree(ds)
    assert len(saved_counts) > N // 2 and max(saved_counts) >= N - 5


def test_any_changed_byte_of_a_record_is_noticed(sound: Path, tmp_path: Path) -> None:
    first = Dataset(sound).paths()[0]
    whole = first.read_bytes()
    rng = np.random.default_rng(0)
    keys = [r.key for r in Dataset.open(sound).records()]
    for begin, end, i in spans(sound)[::3]:
        at = int(rng.integers(begin, end - 12))
        data = bytearray(whole)
        data[at] ^= 1 << int(rng.integers(8))
        shard = damaged(sound, tmp_path / "flip", bytes(data))
        assert damage(shard)
        recover(tmp_path / "flip")
        assert set(keys) - Dataset.open(tmp_path / "flip").keys() == {keys[i]}
        shutil.rmtree(tmp_path / "flip")


def test_reading_a_changed_record_says_which(sound: Path, tmp_path: Path) -> None:
    begin, end, i = spans(sound)[4]
    data = bytearray(Dataset(sound).paths()[0].read_bytes())
    data[(begin + end) // 2] ^= 255
    shard = damaged(sound, tmp_path / "flip", bytes(data))
    key = list(Dataset.open(sound).records())[i].key
    ds = Dataset.open(tmp_path / "flip")  # cheap: checksums are looked at when records are read
    with pytest.raises(SmaxError, match=rf"{shard.name}: damaged \(the checksum of record {i + 1} does not"):
        ds.get(key)
    with pytest.raises(SmaxError, match=shard.name):
        list(ds.records())


def test_long_records_and_a_lost_first_page(tmp_path: Path) -> None:
    """Records over several pages; without page 1 SQLite knows nothing, the levels come from another shard."""
    records = [record(i) for i in range(3)]
    for i in range(6):
        atoms = structure(i, natoms=250)
        records.append(Record(atoms, "long", {}, LEVEL, label(atoms, i)))
    with Dataset.create(tmp_path / "ds").writer(shard_size=8) as w:
        assert all(map(w.add, records))
    shard = Dataset(tmp_path / "ds").paths()[0]
    data = shard.read_bytes()
    shard.write_bytes(bytes(2 * PAGE) + data[2 * PAGE :])
    (result,) = recover(tmp_path / "ds")
    assert result.saved == 8 and result.damage == "file is not a database"
    found = {r.key: r for r in Dataset.open(tmp_path / "ds").records()}
    assert len(found) == 9 and all(same(r, found[r.key]) for r in records)


def test_a_lost_level_of_theory_is_counted(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "ds").writer() as w:
        w.add(record(0))
        w.add(record(1, "unlabelled", None))
    shard = Dataset(tmp_path / "ds").paths()[0]
    with sqlite3.connect(shard) as db:
        db.execute("DELETE FROM levels")
    db.close()
    (result,) = recover(tmp_path / "ds")
    assert "level of theory that is not there" in result.damage
    # the page of the levels still holds the deleted row's bytes or not: either way nothing is made up
    assert result.saved + result.homeless == 2
    assert record(1, "unlabelled", None).key in Dataset.open(tmp_path / "ds")


def test_missing_rows_and_duplicates_across_shards(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "ds")
    ds = Dataset(tmp_path / "ds")
    with sqlite3.connect(ds.paths()[0]) as db:
        db.execute("DELETE FROM records WHERE id = 7")
    db.close()
    assert damage(ds.paths()[0]) == f"1 of {N} records are missing"
    # as if recover had been killed between its two renames: the same records are in a sound shard already
    shutil.copy(Dataset(sound).paths()[0], ds.paths()[0].with_name("00009-copy.sqlite"))
    (result,) = recover(tmp_path / "ds")
    assert result.saved == 0 and result.new_shard == "" and result.elsewhere >= N - 1
    assert len(Dataset.open(tmp_path / "ds")) == N + 3


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from dataset_tools import record
from pysmax.dataset.store import Dataset
from pysmax.dataset.codec import encode, sealed
ds = Dataset.open({path!r})
shard = next(ds.shards())
shard.db.execute("PRAGMA cache_size = 2")  # pages go to the file before the transaction ends
def rows():
    for i in range(500, 540):
        r = record(i)
        yield encode(r), r.level
    os.kill(os.getpid(), signal.SIGKILL)
shard.write(rows())
"""


def test_cut_the_journal_of_a_killed_writer(sound: Path, tmp_path: Path) -> None:
    """The journal whole: rolled back. Cut anywhere: sound, or named and saved; no record is lost."""
    shutil.copytree(sound, tmp_path / "killed")
    script = KILLED.format(tests=str(Path(__file__).parent), path=str(tmp_path / "killed"))
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    shard = Dataset(tmp_path / "killed").paths()[0]
    journal = Path(f"{shard}-journal")
    size = journal.stat().st_size
    assert size > 3 * PAGE and shard.read_bytes() != Dataset(sound).paths()[0].read_bytes()
    record_size = PAGE + 8
    points = {
        512 + k * record_size + d for k in range(size // record_size + 1) for d in (-1, 0, 4, PAGE // 2)
    }
    original = {r.key: r for r in Dataset.open(sound).records()}
    outcomes = set()
    for cut in sorted({0, 1, 100, 511, size, *(p for p in points if p < size)}):
        ds = tmp_path / "ds"
        shutil.copytree(tmp_path / "killed", ds)
        with open(ds / "shards" / journal.name, "r+b") as f:
            f.truncate(cut)
        what = damage(ds / "shards" / shard.name)
        if what:
            (result,) = recover(ds)
            assert result.shard == shard.name
        found = {r.key: r for r in Dataset.open(ds).records()}
        assert all(k in found and same(r, found[k]) for k, r in original.items())
        assert not any(map(damage, Dataset(ds).paths()))
        if cut == size:
            assert not what and found.keys() == original.keys()
        outcomes.add(bool(what))
        shutil.rmtree(ds)
    assert outcomes == {True, False}


def test_damaged_claims_are_set_aside(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "ds")
    (tmp_path / "ds" / "claims.sqlite").write_bytes(b"nothing" * 1000)
    with pytest.raises(SmaxError, match="it holds claims only"), Dataset.open(tmp_path / "ds").writer():
        pass
    assert recover(tmp_path / "ds") == []
    with Dataset.open(tmp_path / "ds").writer() as w:
        assert w.add(record(999))


def test_a_writer_goes_on_when_its_shard_was_recovered(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer() as w:
        for i in range(6):
            w.add(record(i))
        w.commit()
        (path,) = ds.paths()
        data = path.read_bytes()
        at = data.index(record(2).atoms.positions.tobytes())
        with path.open("r+b") as f:
            f.seek(at)
            f.write(bytes([data[at] ^ 1]))
        (result,) = recover(tmp_path / "ds")
        assert result.saved == 5
        for i in (2, *range(6, 12)):
            assert w.add(record(i))
    assert Dataset.open(tmp_path / "ds").keys() == {record(i).key for i in range(12)}
