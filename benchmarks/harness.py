"""Runs LAMMPS as a user does, and reads the times that it reports."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

BIN = Path(sys.executable).parent  # not resolved: the folder of the virtual environment
ROOT = Path(__file__).resolve().parents[1]
GENERATE = ROOT / "lammps_inputs" / "gen_entropy.in"

LOOP = re.compile(
    r"Loop time of (\S+) on \d+ procs for (\d+) steps with (\d+) atoms.*?^\s*([\d.]+)% CPU use",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Setting:
    """What a measurement needs to know."""

    folder: Path  # scratch
    pairs: int  # interleaved repetitions; at least 5 for figures that are reported
    scale: float  # 1: full size; less: shorter, for a try

    def times(self, n: int) -> int:
        """n repetitions at full size, at least 2."""
        return max(2, round(n * self.scale))


@dataclass(frozen=True)
class Row:
    """One line of the table; ``met`` is None where there is no goal."""

    what: str
    goal: str
    measured: str
    met: bool | None = None


@dataclass(frozen=True)
class Loop:
    """One run or minimize: seconds of the wall clock and of the processor, steps, atoms."""

    wall_s: float
    cpu_s: float
    steps: int
    atoms: int


@dataclass(frozen=True)
class Finished:
    """A finished LAMMPS: what it printed, seconds of its whole life, user + system over all ranks."""

    text: str
    wall_s: float
    cpu_s: float

    def loops(self) -> list[Loop]:
        """Every run and minimize, in order, that was not 'post no'."""
        return [
            Loop(float(s), float(s) * float(percent) / 100.0, int(steps), int(atoms))
            for s, steps, atoms, percent in LOOP.findall(self.text)
        ]

    def numbers(self, label: str) -> list[list[float]]:
        """The numbers of every line 'label: 1 2 3', which the input printed."""
        lines = re.findall(rf"^{label}: (.*)$", self.text, re.MULTILINE)
        return [[float(x) for x in line.split()] for line in lines]


def lmp(
    script: str | Path,
    folder: Path,
    *,
    ranks: int = 1,
    partition: str = "",
    variables: Mapping[str, object] | None = None,
) -> Finished:
    """Run an input, given as a path or as its text, in ``folder``; an error of LAMMPS is one here."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(script, str):
        path = folder / "in.bench"
        path.write_text(script)
        script = path
    command = [str(BIN / "mpirun"), "-np", str(ranks)] if ranks > 1 else []
    command += [str(BIN / "lmp"), "-in", str(script)]
    command += ["-partition", partition] if partition else []
    for key, value in (variables or {}).items():
        command += ["-var", key, *str(value).split()]
    env = dict(os.environ, OMP_NUM_THREADS="1", PYTHONNOUSERSITE="1")
    env["PATH"] = f"{BIN}{os.pathsep}{env['PATH']}"
    output = folder / "screen"
    before, start = _children_s(), time.perf_counter()
    with output.open("w") as out:
        done = subprocess.run(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    wall, cpu = time.perf_counter() - start, _children_s() - before
    text = output.read_text()
    if done.returncode or "ERROR" in text:
        raise SystemExit(f"bench: {' '.join(command)} failed in {folder}:\n{text[-2000:]}")
    return Finished(text, wall, cpu)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def interleaved(pairs: int, *sides: Callable[[], float]) -> Iterator[list[float]]:
    """What each side returns, pair after pair, so that a disturbance meets all of them."""
    for _ in range(pairs):
        yield [side() for side in sides]


def ratio(values: list[list[float]], over: int = 0, under: int = 1) -> float:
    """Median of the ratios of two sides."""
    return median(v[over] / v[under] for v in values)


def middle(values: list[list[float]], side: int) -> float:
    """Median of one side."""
    return median(v[side] for v in values)


def fix_line(**more: str) -> str:
    """The fix as gen_entropy.in has it."""
    extra = " ".join(f"{key} {value}" for key, value in more.items())
    return (
        f"fix entropy all entropy mode atom twojmax 8 rcutfac 3.0 strength 0.005 core 10.0 eps 1.0e-6 {extra}"
    )
