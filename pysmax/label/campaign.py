"""A campaign: structures to workers, labels to the store, whatever happens to the one or the other."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

from pysmax.dataset.record import Level, Record
from pysmax.dataset.store import Dataset
from pysmax.dataset.writer import Writer
from pysmax.errors import SmaxError
from pysmax.label.inputs import Source, Unreadable
from pysmax.label.pool import Done, Task
from pysmax.label.progress import Progress

COMMIT_S = 1.0  # a finished label is in the store at most so much later; sooner where the disk is quick:
COMMIT_SHARE = 0.1  # of the driver's time goes into commits
SLOW_S = 1.0  # a label that took longer is committed at once
BATCH = 512  # structures looked up together, and the most that are claimed together
RETURN_S = (1.0, 30.0)  # between looks at what another campaign has claimed: first, last


class Executor(Protocol):
    """Workers, here or on a cluster; Pool is one."""

    slots: int

    def run(self, tasks: Iterable[Task | None]) -> Iterator[Done | None]:
        """Pull tasks a bounded number ahead; give what is done, and None several times a second."""
        ...

    def halt(self) -> Iterator[Done]:
        """Stop work, and give what is done."""
        ...


@dataclass(frozen=True)
class Options:
    """What a campaign takes up."""

    retry_failed: bool = False
    limit: int | None = None  # structures computed in this run
    owner: str = ""


class Campaign:
    """One run of one level of theory over some inputs into one dataset."""

    def __init__(self, dataset: Dataset, level: Level, sources: Sequence[Source], options: Options) -> None:
        self.dataset, self.level, self.sources, self.options = dataset, level, sources, options
        self.progress = Progress(sum(s.count for s in sources))
        self.signal = 0  # that has ended the run
        self._pending: dict[str, Record] = {}  # given to the workers
        self._failed_now: set[str] = set()  # not to be retried again in this run
        self._claims: list[_Claimed] = []
        self._unwritten: set[str] = set()  # done, not in the store yet
        self._last_commit, self._commit_s = time.monotonic(), 0.0
        self._slots = 1
        self._batch = 1
        self._left = options.limit if options.limit is not None else -1  # -1: no limit

    def run(self, executor: Executor) -> Progress:
        """Label; returns the counts. After SIGINT or SIGTERM ``signal`` is set, and what came is written."""
        self._slots, self._batch = executor.slots, 2 * executor.slots
        with ExitStack() as stack:
            stack.callback(self._release)
            writer = stack.enter_context(self.dataset.writer())
            stopped = stack.enter_context(_signals())
            for done in executor.run(self._tasks()):
                if done:
                    self._keep(writer, done)
                self._commit(writer)
                self.progress.tick()
                if stopped:
                    self.signal = stopped[0]
                    break
            if self.signal:
                for done in executor.halt():
                    self._keep(writer, done)
            self._commit(writer, now=True)
        return self.progress

    # -- structures to workers

    def _tasks(self) -> Iterator[Task | None]:
        """Everything that is not in the store yet; what another campaign is at comes again later."""
        pause, first = RETURN_S[0], True
        while True:
            self.progress.waiting = yield from self._pass(first)
            if not self.progress.waiting or not self._left:
                return
            until = time.monotonic() + pause
            while time.monotonic() < until:
                yield None
            pause, first = min(2 * pause, RETURN_S[1]), False

    def _pass(self, first: bool) -> Generator[Task | None, None, int]:
        """Once through the inputs; returns how many structures another campaign has claimed."""
        elsewhere = 0
        stream = (s for source in self.sources for s in source.structures())
        while some := list(islice(stream, BATCH)):
            todo = self._missing(some, first)
            while todo and self._left:
                keys = list(islice(todo, min(self._batch, self._left) if self._left > 0 else self._batch))
                start = time.monotonic()
                claimed = _Claimed(self.dataset, keys, self.options)
                if claimed.left:
                    self._claims.append(claimed)
                else:
                    claimed.close()
                elsewhere += len(keys) - len(claimed.left)
                mine = [(k, todo.pop(k)) for k in keys]
                for key, record in mine:
                    if key in claimed.left:
                        self._left -= self._left > 0
                        self._pending[key] = record
                        yield Task(key, record.atoms)
                self._adapt(time.monotonic() - start)
            if not self._left:
                return 0
        return elsewhere

    def _missing(self, some: list[Record | Unreadable], first: bool) -> dict[str, Record]:
        """Those that the store lacks, by key; counts the others on the first pass."""
        found: dict[str, Record] = {}
        for s in some:
            if isinstance(s, Unreadable):
                if first:
                    self.progress.unreadable.append(s)
                continue
            record = replace(s, level=self.level)
            key = record.key
            if key in found or key in self._pending or key in self._unwritten:
                self.progress.duplicates += first
            else:
                found[key] = record
        for key, status in self.dataset.status_of(found).items():
            again = self.options.retry_failed and key not in self._failed_now
            if status == "ok" or (status == "failed" and not again):
                del found[key]
                self.progress.skipped += first
        return found

    def _adapt(self, seconds: float) -> None:
        """Claim about a second's work at a time: another campaign on the same store finds some left."""
        factor = 2.0 if seconds < 0.5 else 0.5 if seconds > 4 else 1.0
        self._batch = int(min(BATCH, max(2 * self._slots, factor * self._batch)))

    # -- labels to the store

    def _keep(self, writer: Writer, done: Done) -> None:
        record = self._pending.pop(done.key)
        o = done.outcome
        record = replace(record, label=o.label, reason=o.reason, attempts=o.attempts)
        added = writer.add(record, replace_failed=self.options.retry_failed)
        self._unwritten.add(done.key)
        seconds = sum(a.seconds for a in o.attempts)
        if o.reason:
            self._failed_now.add(done.key)
        self.progress.done(o.reason, seconds, added)
        if seconds > SLOW_S:
            self._commit(writer, now=True)

    def _commit(self, writer: Writer, now: bool = False) -> None:
        start = time.monotonic()
        pause = min(COMMIT_S, self._commit_s / COMMIT_SHARE)
        if not self._unwritten or (not now and start - self._last_commit < pause):
            return
        writer.commit()
        for claimed in self._claims:
            claimed.left -= self._unwritten
        self._unwritten = set()
        for claimed in [c for c in self._claims if not c.left]:
            claimed.close()
            self._claims.remove(claimed)
        self._last_commit = time.monotonic()
        self._commit_s = self._last_commit - start

    def _release(self) -> None:
        while self._claims:
            with suppress(SmaxError):  # a full disk: claims end with this process
                self._claims.pop().close()


class _Claimed:
    """Keys that are ours until each of them is in the store."""

    def __init__(self, dataset: Dataset, keys: Sequence[str], options: Options) -> None:
        skip = ("ok",) if options.retry_failed else ("ok", "failed")
        self._context: AbstractContextManager[set[str]] = dataset.claim(keys, options.owner, skip)
        self.left = set(self._context.__enter__())

    def close(self) -> None:
        """Give them back."""
        self._context.__exit__(None, None, None)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Fills the list at the first SIGINT or SIGTERM; a second one acts as ever."""
    seen: list[int] = []
    before: dict[signal.Signals, Any] = {}

    def note(number: int, _frame: object) -> None:
        seen.append(number)
        for n, handler in before.items():
            signal.signal(n, handler)

    for n in (signal.SIGINT, signal.SIGTERM):
        before[n] = signal.signal(n, note)
    try:
        yield seen
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)
