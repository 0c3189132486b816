"""Pilot jobs on a cluster through Parsl: the one module that knows it.

A pilot's workers take chunks of structures and label them in a pool of their own (pool.py), so that timeouts
and the isolation of crashes are those of a laptop. Outcomes come back to the driver, which alone writes the
store.
"""

from __future__ import annotations

import math
import os
import queue
import shlex
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pysmax.dataset.record import Attempt
from pysmax.errors import SmaxError
from pysmax.label.engine import EngineConfig, Outcome
from pysmax.label.pool import TICK_S, Done, Pool, Task
from pysmax.label.site import Flux, Slurm

CHUNK_S = 10.0  # work sent at a time: what a lost node costs, unless one structure takes longer
CHUNK = 256  # structures
_POOLS: dict[bytes, Pool] = {}  # in a pilot's worker: its pool, kept from chunk to chunk


def label_chunk(config: EngineConfig, tasks: list[Task], timeout_s: float | None, tries: int) -> list[Done]:
    """Runs in a worker of a pilot; its engine is loaded at the first chunk."""
    import pickle

    key = pickle.dumps((config, timeout_s, tries))
    if key not in _POOLS:
        _POOLS[key] = Pool(config, 1, timeout_s, tries)
    return [done for done in _POOLS[key].run(tasks) if done]


class Cluster:
    """Executor of a campaign, see campaign.Executor. ``folder``, seen by all nodes: scripts and logs."""

    def __init__(
        self, config: EngineConfig, site: Slurm | Flux, folder: Path, timeout_s: float | None, tries: int
    ) -> None:
        self.slots = site.jobs * site.nodes_per_job * site.workers_per_node
        self._site, self._folder, self._tries = site, folder, tries
        config.check_importable()
        self._arguments = (config, timeout_s, tries)
        self._done: queue.SimpleQueue[tuple[list[Task], Any]] = queue.SimpleQueue()
        self._alone: deque[Task] = deque()  # from lost chunks: one by one
        self._losses: dict[str, list[Attempt]] = {}
        self._mean_s, self._sent = 0.0, 0

    def __enter__(self) -> Cluster:
        try:
            import parsl
        except ImportError:
            raise SmaxError(
                f"executor {self._site.kind} needs Parsl: pip install 'pysmax[cluster]'"
            ) from None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._kernel = parsl.DataFlowKernel(self._parsl_config())
        except OSError as e:
            raise SmaxError(f"{self._folder}: {e.strerror}") from None
        self._app = parsl.python_app(label_chunk, data_flow_kernel=self._kernel)
        return self

    def __exit__(self, *_: object) -> None:
        self._kernel.cleanup()  # cancels the pilots

    def run(self, tasks: Iterable[Task | None]) -> Iterator[Done | None]:
        """As Pool.run; two chunks per worker are on their way."""
        source: Iterator[Task | None] | None = iter(tasks)
        while True:
            while self._sent < 2 * self.slots:
                source, chunk = self._next_chunk(source)
                if not chunk:
                    break
                self._submit(chunk)
            if source is None and not self._sent and not self._alone:
                return
            try:
                chunk, future = self._done.get(timeout=TICK_S)
            except queue.Empty:
                yield None
                continue
            self._sent -= 1
            yield from self._collect(chunk, future)
            yield None

    def halt(self) -> Iterator[Done]:
        """What has come back; the pilots end with the with block."""
        while not self._done.empty():
            chunk, future = self._done.get()
            if future.exception() is None:
                yield from self._collect(chunk, future)

    def _next_chunk(
        self, source: Iterator[Task | None] | None
    ) -> tuple[Iterator[Task | None] | None, list[Task]]:
        if self._alone:
            return source, [self._alone.popleft()]
        chunk: list[Task] = []
        size = min(CHUNK, max(1, math.floor(CHUNK_S / self._mean_s))) if self._mean_s else 1
        while source is not None and len(chunk) < size:
            try:
                task = next(source)
            except StopIteration:
                source = None
                break
            if task is None:
                break
            chunk.append(task)
        return source, chunk

    def _submit(self, chunk: list[Task]) -> None:
        config, timeout_s, tries = self._arguments
        self._sent += 1
        future = self._app(config, chunk, timeout_s, tries)
        future.add_done_callback(lambda f: self._done.put((chunk, f)))

    def _collect(self, chunk: list[Task], future: Any) -> Iterator[Done]:
        from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

        error = future.exception()
        if error is None:
            for done in future.result():
                seconds = sum(a.seconds for a in done.outcome.attempts)
                self._mean_s = seconds if not self._mean_s else 0.9 * self._mean_s + 0.1 * seconds
                past = self._losses.pop(done.key, [])
                o = done.outcome
                yield Done(done.key, Outcome(o.label, o.reason, (*past, *o.attempts)))
        elif isinstance(error, ManagerLost | WorkerLost):
            yield from self._lost(chunk, str(error))
        elif isinstance(error, SmaxError):
            raise error
        else:
            why = f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
            raise SmaxError(f"{self._site.kind}: the pilot jobs fail: {why} (see {self._folder})")

    def _lost(self, chunk: list[Task], why: str) -> Iterator[Done]:
        """A node went away: its structures again, one by one, a limited number of times."""
        for task in chunk:
            past = self._losses.setdefault(task.key, [])
            past.append(Attempt("pilot", "crash", why[:500], 0.0))
            if len(chunk) == 1 and len(past) >= self._tries:
                yield Done(task.key, Outcome(None, "crash", tuple(self._losses.pop(task.key))))
            else:
                self._alone.append(task)

    def _parsl_config(self) -> Any:
        from parsl.config import Config
        from parsl.executors import HighThroughputExecutor

        s = self._site
        executor = HighThroughputExecutor(
            label="pilots",
            provider=_provider(s),
            address=s.address,
            max_workers_per_node=s.workers_per_node,
            cores_per_worker=1e-3,  # workers_per_node decides
            heartbeat_period=max(1, int(s.lost_after_s / 4)),
            heartbeat_threshold=max(2, int(s.lost_after_s)),
            interchange_launch_cmd=[sys.executable, "-m", "pysmax.label.interchange", str(os.getpid())],
        )
        return Config(
            executors=[executor],
            run_dir=str(self._folder.absolute()),
            strategy="simple",
            strategy_period=s.poll_s,
            max_idletime=s.idle_s,
            initialize_logging=False,
        )


def _provider(s: Slurm | Flux) -> Any:
    """Parsl's name for what hands out nodes."""
    from parsl.launchers import SrunLauncher

    # this Python on the nodes too, unless the site's own lines say otherwise
    path = os.pathsep.join(p for p in sys.path if p)
    setup = f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH\n"
    setup += f"export PYTHONPATH={shlex.quote(path)}\n{s.setup}"
    if isinstance(s, Flux):
        from pysmax.label.flux import FluxProvider

        return FluxProvider(
            nodes_per_block=s.nodes_per_job,
            max_blocks=s.jobs,
            walltime=s.walltime,
            cores_per_node=s.cores_per_node,
            queue=s.queue,
            bank=s.bank,
            options=s.options,
            setup=setup,
        )
    from parsl.providers import SlurmProvider

    return SlurmProvider(
        partition=s.partition,
        account=s.account,
        qos=s.qos,
        constraint=s.constraint,
        exclusive=s.exclusive,
        mem_per_node=s.mem_per_node_GB,
        nodes_per_block=s.nodes_per_job,
        cores_per_node=s.cores_per_node,
        max_blocks=s.jobs,
        walltime=s.walltime,
        worker_init=setup,
        scheduler_options=s.options,
        launcher=SrunLauncher(),
    )
