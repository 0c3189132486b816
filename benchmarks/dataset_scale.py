"""A dataset as large as it shall ever be: 1.7 million labelled records, 23 million atoms.

python benchmarks/dataset_scale.py [--records 1700000] [--folder /tmp/big]
    prints the section "At full size" of RESULTS_dataset.md; 4 GB of disk, about an hour
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from characteristics import structure

from pysmax.dataset.record import Label, Level, Record
from pysmax.dataset.store import Dataset

RECORDS = 1_700_000
PICKS = 1000
LEVEL = Level("none", "0", {})


def records(n: int, seed: int = 0) -> Iterator[Record]:
    """Labelled structures of 1 to 26 atoms, 13.5 on average; an energy per element and a little more."""
    rng = np.random.default_rng(seed)
    element = rng.uniform(-20, 0, 119)
    for i in range(n):
        atoms = structure(rng, int(rng.integers(1, 27)))
        m = len(atoms)
        forces = rng.standard_t(3, (m, 3))
        energy = float(element[atoms.numbers].sum() + 0.3 * m * rng.normal())
        label = Label(energy, forces - forces.mean(axis=0), 0.02 * rng.standard_t(3, 6))
        yield Record(atoms, "bench", {"index": i, "seed": seed}, LEVEL, label)


def write(folder: Path, n: int) -> None:
    """One writer."""
    with Dataset.create(folder).writer() as w:
        for record in records(n):
            w.add(record)


def make(n: int) -> None:
    """The structures alone: what `write` does besides writing."""
    for _ in records(n):
        pass


def opened(folder: Path) -> None:
    """Open it and count."""
    len(Dataset.open(folder))


def picked(folder: Path) -> None:
    """Single records by position, spread over all shards; the first opens the files."""
    ds = Dataset.open(folder)
    for i in np.random.default_rng(1).integers(0, len(ds), PICKS).tolist():
        ds.at([i])


def appended(folder: Path) -> None:
    """Records that are there already and new ones, half and half."""
    with Dataset.open(folder).writer() as w:
        for seed in (0, 1234):
            for record in records(PICKS // 2, seed):
                w.add(record)


COMMANDS = ("make", "write", "opened", "picked", "appended")


def run(*command: str) -> tuple[float, float, float]:
    """Seconds of the wall clock, of the processors, GiB at most (children of the command included)."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: {' '.join(command)}: exit code {process.returncode}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "smax-scale")
    parser.add_argument("--do", choices=COMMANDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder, n = options.folder / "ds", options.records
    if options.do:
        globals()[options.do](*((n,) if options.do == "make" else (folder, n)[: 1 + (options.do == "write")]))
        return
    options.folder.mkdir(parents=True, exist_ok=True)

    def part(what: str) -> tuple[str, ...]:
        own = ("--records", str(n), "--folder", str(options.folder))
        return sys.executable, __file__, *own, "--do", what

    def tool(*arguments: str) -> tuple[str, ...]:
        return str(Path(sys.executable).with_name("pysmax")), "dataset", *arguments

    small, page = options.folder / "small", options.folder / "page"
    table = {
        "make the structures, nothing stored": part("make"),
        "the same, stored by one writer": part("write"),
        "open": part("opened"),
        f"open, {PICKS} single records at random": part("picked"),
        f"open, add {PICKS} records, half of them there": part("appended"),
        "info": tool("info", str(folder)),
        "check": tool("check", str(folder)),
        "select 10000 --by random": tool(
            "select", str(folder), "10000", "--by", "random", "--to", str(small)
        ),
        "select 10000 --by elements": tool(
            "select", str(folder), "10000", "--by", "elements", "--to", str(options.folder / "even")
        ),
        "report --no-features": tool("report", str(folder), "--no-features", "-o", str(page)),
    }
    print("| | wall, s | processor, s | memory at most, GiB |\n|---|---|---|---|", flush=True)
    for what, command in table.items():
        if command[-1] == "write" and folder.exists():
            continue
        wall, processor, gib = run(*command)
        print(f"| {what} | {wall:.1f} | {processor:.1f} | {gib:.2f} |", flush=True)
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    print(f"\n{size / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
