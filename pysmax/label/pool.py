"""Local workers: one engine each; a structure that kills or outlasts its worker harms no other.

Each worker has a pipe of its own and nothing is shared, so that a SIGKILL at any moment loses one structure's
work at most. (Pools that share one locked pipe among workers, pebble's and the standard library's, break when
a worker is killed with the lock in its hand: see docs/label.md.)
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import wait

import ase

from pysmax.dataset.record import Attempt
from pysmax.errors import SmaxError
from pysmax.label.engine import EngineConfig, Outcome
from pysmax.label.process import Process, Sent

TICK_S = 0.2  # the driver gets control at least this often
LOAD_S = 600.0  # for an engine to load
KILLED, ENDED = 20, 3  # workers lost in a row before their engine was loaded: enough to give up


@dataclass(frozen=True)
class Task:
    """One structure to label."""

    key: str
    atoms: ase.Atoms


@dataclass(frozen=True)
class Done:
    """What became of it."""

    key: str
    outcome: Outcome


class Pool:
    """``workers`` processes, each with its engine; timeout_s per structure, None: none; a structure that has
    killed ``tries`` workers is given up with reason ``crash``."""

    def __init__(
        self, config: EngineConfig, workers: int, timeout_s: float | None = None, tries: int = 3
    ) -> None:
        self.tries, self.slots = tries, workers
        config.check_importable()
        self._hello = pickle.dumps((sys.path, pickle.dumps(config)))
        self._limit = timeout_s
        self._workers: list[Process | None] = [None] * workers
        # structures whose worker died under them or under one before them, or had no room for them
        self._again: deque[Sent] = deque()
        self._crashes: dict[str, list[Attempt]] = {}
        self._mean_s, self._count = 1.0, 1  # of the last labels
        self._unloaded = 0  # workers that died before their engine was loaded, in a row

    @property
    def pids(self) -> list[int]:
        """Of the workers now alive."""
        return [w.process.pid for w in self._workers if w]

    @property
    def ready_pids(self) -> list[int]:
        """Of those that have loaded their engine."""
        return [w.process.pid for w in self._workers if w and w.ready]

    def run(self, tasks: Iterable[Task | None]) -> Iterator[Done | None]:
        """Label what ``tasks`` gives, in any order; None, on either side, means nothing at the moment."""
        source: Iterator[Task | None] | None = iter(tasks)
        while True:
            for place in range(len(self._workers)):
                source = self._feed(place, source)
            busy = [w for w in self._workers if w and (w.sent or not w.ready)]
            if source is None and not self._again and not any(w.sent for w in busy):
                return
            if busy:
                wait([w.pipe for w in busy], TICK_S)
            else:
                time.sleep(TICK_S)
            for worker in busy:
                yield from self._collect(worker)
            yield None

    def halt(self) -> Iterator[Done]:
        """Kill the workers now; what they have finished is not lost."""
        for place, worker in enumerate(self._workers):
            if worker:
                worker.stop()
                yield from self._read(worker)
                worker.pipe.close()
                self._workers[place] = None

    def close(self) -> None:
        """End the workers."""
        for worker in filter(None, self._workers):
            worker.pipe.close()  # an idle worker ends by itself and closes its engine
        deadline = time.monotonic() + 2
        for worker in filter(None, self._workers):
            if not worker.sent and worker.ready:
                with suppress(subprocess.TimeoutExpired):
                    worker.process.wait(max(0.0, deadline - time.monotonic()))
            worker.kill()
        self._workers = [None] * len(self._workers)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _feed(self, place: int, source: Iterator[Task | None] | None) -> Iterator[Task | None] | None:
        """Give the worker at this place what it can take; returns the source, None once that is empty."""
        worker = self._workers[place]
        if worker and worker.idle_and_dead:
            worker.kill()
            worker = self._workers[place] = None
        while worker is None or worker.wants(self._mean_s):
            if self._again:
                item = self._again.popleft()
            else:
                task = next(source, _END) if source is not None else _END
                if task is _END:
                    return None
                if task is None:
                    break
                item = Sent.of(task.key, task.atoms)
            if worker is None:
                worker = self._workers[place] = self._start(place)
            elif not worker.has_room(item):
                self._again.appendleft(item)
                break
            worker.send(item)
        return source

    def _start(self, place: int) -> Process:
        try:
            return Process(self._hello)
        except OSError as e:
            raise SmaxError(f"worker {place + 1} of {self.slots} does not start: {e.strerror}") from None

    def _collect(self, worker: Process) -> Iterator[Done]:
        """What this worker has finished; then, if it is dead or over time, bury it."""
        dead = worker.process.poll() is not None  # asked first: what it said before is still in the pipe
        yield from self._read(worker)
        if dead or worker.gone:
            yield from self._bury(worker, "crash")
        elif worker.seconds > LOAD_S if not worker.ready else self._over_time(worker):
            yield from self._bury(worker, "timeout")

    def _read(self, worker: Process) -> Iterator[Done]:
        while worker.pipe.poll(0):
            try:
                message = pickle.loads(worker.pipe.recv_bytes())
            except (EOFError, OSError):
                worker.gone = True
                return
            if isinstance(message, str):
                raise SmaxError(message)
            seconds, worker.since = worker.seconds, time.monotonic()
            if message is True:
                self._unloaded = 0
                worker.loaded()
                continue
            self._mean_s += (seconds - self._mean_s) / min(10, self._count)
            self._count += 1
            key = worker.sent.popleft().key
            yield Done(key, self._with_crashes(key, message))
            worker.trim_log()

    def _over_time(self, worker: Process) -> bool:
        return bool(worker.sent) and self._limit is not None and worker.seconds > self._limit

    def _bury(self, worker: Process, reason: str) -> Iterator[Done]:
        """Blame the structure that the worker was at; the others go to another worker."""
        seconds = worker.seconds
        worker.kill()
        self._workers[self._workers.index(worker)] = None
        if not worker.ready:
            self._again.extendleft(reversed(worker.sent))
            self._unloaded += 1
            # a signal may have come from outside; an engine that ends by itself does so again
            if self._unloaded >= (KILLED if (worker.process.returncode or 0) < 0 else ENDED):
                raise SmaxError(f"the engine does not load: its process {worker.last_words()}")
            return
        if not worker.sent:
            return
        guilty = worker.sent.popleft()
        self._again.extendleft(reversed(worker.sent))
        detail = worker.last_words() if reason == "crash" else f"no label after {seconds:.1f} s"
        past = self._crashes.setdefault(guilty.key, [])
        past.append(Attempt("worker", reason, detail, seconds))
        if reason == "timeout" or len(past) >= self.tries:
            yield Done(guilty.key, self._with_crashes(guilty.key, Outcome(None, reason, ())))
        else:
            self._again.append(guilty)  # last: its neighbours first

    def _with_crashes(self, key: str, outcome: Outcome) -> Outcome:
        past = self._crashes.pop(key, None)
        return replace(outcome, attempts=(*past, *outcome.attempts)) if past else outcome


_END = Task("", ase.Atoms())
