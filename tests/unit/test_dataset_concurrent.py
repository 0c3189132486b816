"""Several processes on one dataset, kills, full disks, claims."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from dataset_tools import record, same

from pysmax.dataset import claims as claims_module
from pysmax.dataset.claims import Claims
from pysmax.dataset.recover import damage
from pysmax.dataset.shard import Shard
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError

HEAD = f"""
import os, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from dataset_tools import record
from pysmax.dataset.store import Dataset
"""


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A process with ``script``, its arguments in sys.argv[1:]."""
    command = [sys.executable, "-c", HEAD + script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


WRITER = """
path, begin, end, step = sys.argv[1], *map(int, sys.argv[2:])
with Dataset.open(path).writer(shard_size=40) as w:
    for i in range(begin, end, step):
        w.add(record(i))
        if i % 7 == 0:
            w.commit()
print(w.committed)
"""


def test_two_writers_give_the_union(tmp_path: Path) -> None:
    Dataset.create(tmp_path / "ds")
    ranges = [(0, 120, 1), (119, -1, -1), (60, 150, 1)]
    processes = [child(WRITER, tmp_path / "ds", *r) for r in ranges]
    written = [int(p.communicate(timeout=120)[0]) for p in processes]
    ds = Dataset.open(tmp_path / "ds")
    records = list(ds.records())
    assert sorted(r.key for r in records) == sorted({record(i).key for i in range(150)})
    assert sum(written) == 150 and len(ds) == 150
    assert all(same(r, record(r.info["seed"])) for r in records)


def test_writers_of_one_process_and_threads(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer() as w, ds.writer() as other:

        def add(begin: int) -> None:
            for i in range(begin, begin + 30):
                (w if i % 2 else other).add(record(i))

        threads = [threading.Thread(target=add, args=(b,)) for b in (0, 10, 20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert len(ds) == 50 and len(ds.keys()) == 50


SLOW_WRITER = """
with Dataset.open(sys.argv[1]).writer(shard_size=30) as w:
    for i in range(int(sys.argv[2]), 10**6):
        w.add(record(i))
        if i % 3 == 0:
            w.commit()
            print(i, flush=True)
"""


def test_kills_lose_nothing_that_was_committed(tmp_path: Path) -> None:
    """What the writer has announced as committed is there after SIGKILL; a later writer goes on."""
    Dataset.create(tmp_path / "ds")
    begin = 0
    for round_ in range(5):
        p = child(SLOW_WRITER, tmp_path / "ds", begin)
        assert p.stdout is not None
        p.stdout.readline()
        time.sleep(0.05 * round_)
        p.send_signal(signal.SIGKILL)
        announced = [int(line) for line in p.communicate()[0].splitlines()] or [begin]
        ds = Dataset.open(tmp_path / "ds")
        keys = ds.keys()
        assert all(record(i).key in keys for i in range(announced[-1] + 1))
        assert all(same(r, record(r.info["seed"])) for r in ds.records())
        assert not any(damage(path) for path in ds.paths())
        begin = announced[-1]
    assert len(ds.keys()) == len(ds) >= 5
    assert sum(len(s) < 30 for s in ds.shards()) <= 1  # dead writers' shards are filled first


FULL = """
import resource, signal
w = Dataset.open(sys.argv[1]).writer().__enter__()
w.add(record(0)); w.commit()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (96 * 1024, resource.RLIM_INFINITY))
from pysmax.errors import SmaxError
for i in range(1, 400):
    try:
        w.add(record(i))  # commits by itself when a second has passed
    except SmaxError as e:
        print(e)
try:
    w.commit()
except SmaxError as e:
    print(e)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
before = len(Dataset.open(sys.argv[1]))
print(before, w.commit(), flush=True)
"""


def test_full_disk(tmp_path: Path) -> None:
    """The commit fails as a whole and names the file; with room again, the same commit succeeds."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    Dataset.create(tmp_path / "ds")
    lines = child(FULL, tmp_path / "ds").communicate(timeout=120)[0].splitlines()
    assert ".sqlite: cannot be written: " in lines[0]
    assert sum(map(int, lines[-1].split())) == 400
    ds = Dataset.open(tmp_path / "ds")
    assert ds.keys() == {record(i).key for i in range(400)}
    assert not any(damage(path) for path in ds.paths())


def test_a_database_without_room(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")
    with ds.writer() as w:
        w.add(record(0))
        w.commit()
        (shard,) = ds.shards()
        (pages,) = shard.db.execute("PRAGMA page_count").fetchone()
        shard.db.execute(f"PRAGMA max_page_count = {pages}")
        for i in range(1, 60):
            w.add(record(i))
        with pytest.raises(
            SmaxError, match=f"{shard.path.name}: cannot be written: database or disk is full"
        ):
            w.commit()
        assert [r.key for r in ds.records()] == [record(0).key]
        shard.db.execute("PRAGMA max_page_count = 1000000")
    assert len(ds) == 60


def test_unreadable_shards_are_named(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "ds").writer() as w:
        w.add(record(0))
    (shard,) = Dataset(tmp_path / "ds").paths()
    shutil.move(shard, tmp_path / "aside")
    shard.mkdir()  # what no user, not even root, can open
    with pytest.raises(SmaxError, match=f"{shard.name}: unable to open"):
        Dataset.open(tmp_path / "ds")
    shard.rmdir()
    shard.symlink_to(tmp_path / "nowhere")
    with pytest.raises(SmaxError, match=f"{shard.name}: No such file"):
        Dataset.open(tmp_path / "ds")


def test_a_shard_without_permission(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "ds").writer() as w:
        w.add(record(0))
    (shard,) = Dataset(tmp_path / "ds").paths()
    shard.chmod(0)
    pid = os.fork()
    if pid == 0:  # root may read everything: be somebody else
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            Shard(shard)
        except SmaxError as e:
            os._exit(0 if "ermission" in str(e) and shard.name in str(e) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_dataset_of_read_only_files_can_be_read(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "ds").writer() as w:
        w.add(record(0))
    for path in (tmp_path / "ds").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    ds = Dataset.open(tmp_path / "ds")
    assert same(next(ds.records()), record(0)) and len(ds) == 1


def test_reads_after_a_fork(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "ds").writer() as w:
        w.add(record(0))
    ds = Dataset.open(tmp_path / "ds")
    assert len(ds) == 1
    pid = os.fork()
    if pid == 0:
        os._exit(0 if record(0).key in ds else 1)
    assert os.waitpid(pid, 0)[1] == 0 and record(0).key in ds


CLAIMER = """
with Dataset.open(sys.argv[1]).claim(sys.argv[2:], owner="child") as mine:
    print(*sorted(mine), flush=True)
    sys.stdin.read()
    time.sleep(60)
"""


def test_claims_exclude_each_other_and_end_with_their_owner(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")
    p = child(CLAIMER, tmp_path / "ds", "a", "b")
    assert p.stdout is not None and p.stdout.readline().split() == ["a", "b"]
    with ds.claim(["a", "b", "c"]) as mine:
        assert mine == {"c"}
        with ds.claim(["c", "d"]) as inner:  # not even in the same process
            assert inner == {"d"}
    p.kill()
    p.wait()
    with ds.claim(["a", "b", "c", "d"]) as mine:
        assert mine == {"a", "b", "c", "d"}


def test_two_campaigns_share_without_overlap(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")
    keys = [str(i) for i in range(2000)]
    taken: list[set[str]] = []
    ready = threading.Barrier(4)

    def work() -> None:
        with Dataset.open(ds.path).claim(keys) as mine:
            taken.append(mine)
            ready.wait(60)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert set().union(*taken) == set(keys) and sum(map(len, taken)) == len(keys)


def test_claims_skip_what_is_done(tmp_path: Path) -> None:
    ds = Dataset.create(tmp_path / "ds")
    ok, failed, new = record(0), record(1, "failed"), record(2)
    with ds.writer() as w:
        w.add(ok)
        w.add(failed)
    with ds.claim([ok.key, failed.key, new.key]) as mine:
        assert mine == {failed.key, new.key}
        with ds.claim([ok.key], skip=()) as inner:
            assert inner == {ok.key}
    with ds.claim([failed.key, new.key], skip=("ok", "failed")) as mine:
        assert mine == {new.key}


def test_claims_go_on_where_a_kill_has_left_half_a_database(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "claims.sqlite")) as db:
        db.execute(claims_module._SCHEMA[0])
    assert Claims(tmp_path / "claims.sqlite").take("me", "", ["a"]) == {"a"}


@pytest.mark.parametrize("shift", [-61, 86400], ids=["stale", "of a wrong clock"])
def test_an_owner_elsewhere_is_dead_without_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: int
) -> None:
    Dataset.create(tmp_path / "ds")
    claims = Claims(tmp_path / "ds" / "claims.sqlite")
    with monkeypatch.context() as m:
        m.setattr(claims_module, "machine", lambda: "another machine")
        claims.take("other", "elsewhere", ["a"])
    assert claims.take("me", "", ["a"]) == set()
    with claims.transaction() as db:
        db.execute("UPDATE owners SET beat = beat - 55 WHERE id = 'other'")
    assert claims.take("me", "", ["a"]) == set()
    claims.beat("other")
    with claims.transaction() as db:
        db.execute(f"UPDATE owners SET beat = beat + {shift} WHERE id = 'other'")
    assert claims.take("me", "", ["a"]) == {"a"}


def test_the_heartbeat_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims_module, "BEAT_S", 0.02)
    ds = Dataset.create(tmp_path / "ds")

    def beat() -> float:
        with ds.claims.transaction() as db:
            return float(db.execute("SELECT beat FROM owners").fetchone()[0])

    with ds.claim(["a"]):
        first = beat()
        deadline = time.monotonic() + 20
        while beat() == first and time.monotonic() < deadline:
            time.sleep(0.02)
        assert beat() > first


def test_a_reused_process_id_is_another_process(tmp_path: Path) -> None:
    Dataset.create(tmp_path / "ds")
    claims = Claims(tmp_path / "ds" / "claims.sqlite")
    claims.take("gone", "", ["a"])
    with claims.transaction() as db:
        db.execute("UPDATE owners SET born = '1' WHERE id = 'gone'")
    assert claims.take("me", "", ["a"]) == {"a"}
