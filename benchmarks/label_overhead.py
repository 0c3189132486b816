"""What a campaign costs beside its engine: seconds per structure of everything that is not the engine.

    python benchmarks/label_overhead.py [STRUCTURES [WORKERS]]

An engine that answers at once labels random cells of 4 to 16 atoms, from an extended XYZ file to the store.
Printed are wall time and processor time of driver and workers, each less what was spent inside the engine.
"""

from __future__ import annotations

import datetime
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

import ase
import ase.io
import numpy as np

from pysmax.dataset.record import Label
from pysmax.dataset.store import Dataset
from pysmax.label.engine import Engine, EngineConfig
from pysmax.label.job import Job, run
from pysmax.label.site import Local

GOAL_MS = 2.0


class NullConfig(EngineConfig):
    """Settings of an engine that computes nothing."""

    engine: Literal["null"] = "null"

    def version(self) -> str:
        return "1"

    def make(self) -> Engine:
        return NullEngine()


class NullEngine(Engine):
    """Zeros at once."""

    def compute(self, atoms: ase.Atoms, attempt: int) -> Label:
        return Label(0.0, np.zeros((len(atoms), 3)), np.zeros(6))


def write_cells(path: Path, n: int) -> None:
    """Random cells, as a generator's run leaves them."""
    rng = np.random.default_rng(1)
    cells = []
    for i in range(n):
        m = int(rng.integers(4, 17))
        cell = (12.0 * m) ** (1 / 3) * np.eye(3) + rng.uniform(-0.5, 0.5, (3, 3))
        positions = rng.random((m, 3)) @ cell
        cells.append(ase.Atoms(rng.integers(1, 87, m), positions=positions, cell=cell, pbc=True))
        cells[-1].info |= {"index": i, "seed": 1, "S": -1.5, "mode": "atom"}
    ase.io.write(path, cells, format="extxyz")


def used_s() -> float:
    """Processor time of this process and of its children that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def measure(n: int, workers: int) -> tuple[float, float, float]:
    """Milliseconds per structure: wall, processor; of a second run that skips all, wall."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.extxyz"
        write_cells(path, n)
        job = Job([path], NullConfig(), Local(workers=workers))
        before, start = used_s(), time.perf_counter()
        done = run(job)
        wall, cpu = time.perf_counter() - start, used_s() - before
        if done.summary.labelled != n or len(Dataset.open(job.target)) != n:
            raise SystemExit(f"bench: {done.summary.labelled} of {n} labelled")
        start = time.perf_counter()
        run(job)
        again = time.perf_counter() - start
    engine = done.summary.engine_seconds
    return 1e3 * (wall - engine / workers) / n, 1e3 * (cpu - engine) / n, 1e3 * again / n


def main() -> None:
    """Print one measurement."""
    given = [int(a) for a in sys.argv[1:]]
    n, workers = (*given, *(10000, 2)[len(given) :])
    wall, cpu, again = measure(n, workers)
    date = datetime.date.today().isoformat()
    print(
        f"{date}, {processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}"
    )
    print(f"{n} structures, {workers} workers, from extended XYZ to store and report, without the engine:")
    print(f"  wall time       {wall:.2f} ms per structure (goal: under {GOAL_MS:g} ms)")
    print(f"  processor time  {cpu:.2f} ms per structure, driver and workers, starting them included")
    print(f"  a second run, which skips all of them: {again:.2f} ms per structure, wall time")


def processor() -> str:
    """Its name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), platform.machine())


if __name__ == "__main__":
    import label_overhead  # workers import the engine by this name

    label_overhead.main()
