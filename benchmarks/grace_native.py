"""Speed of pair_style grace/native, pair_style grace and ASE's TPCalculator, one after the other in one run.

    python grace_native.py [--sizes tiny small] [--rounds 2]

2 000 atoms of a bcc alloy of three elements, cutoff 6 A, about 58 neighbours, untrained double-precision
models. Both are held to one core (two for two ranks). Processor time is what counts on a shared machine; wall
time is printed too.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pysmax.grace.environment import locate

HERE = Path(__file__).resolve().parent
ATOMS, CELLS = 2000, 10
STYLES = (
    ("grace", 1),
    ("grace", 2),
    ("grace/native isa plain", 1),
    ("grace/native isa avx2", 1),
    ("grace/native isa avx512", 1),
    ("grace/native", 1),
    ("grace/native", 2),
)

TENSORFLOW = """
import sys, time
import numpy as np
from ase.build import bulk
from tensorpotential.calculator import TPCalculator
atoms = bulk("Mo", "bcc", a=3.2, cubic=True).repeat(10)
atoms.symbols[:] = np.random.default_rng(1).choice(["Mo", "Nb", "Ta"], len(atoms))
atoms.calc = TPCalculator(sys.argv[1])
for k in range(1 + int(sys.argv[2])):
    atoms.rattle(0.02, seed=k)
    wall, cpu = time.perf_counter(), time.process_time()
    atoms.get_forces()
    if k:
        print("TIME", time.perf_counter() - wall, time.process_time() - cpu, flush=True)
"""

NATIVE = """units metal
lattice bcc 3.2
region b block 0 {cells} 0 {cells} 0 {cells}
create_box 3 b
create_atoms 1 box
set group all type/ratio 2 0.33 7
set group all type/ratio 3 0.5 8
mass * 95
velocity all create 300 1
pair_style {style}
pair_coeff * * {model} Mo Nb Ta
fix 1 all nve
thermo 1000
run {steps}
"""


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def lammps(model: Path, style: str, ranks: int, steps: int) -> tuple[float, float]:
    """Wall and processor seconds of `steps` steps: a run of 2 * steps less one of steps."""
    found = []
    for n in (steps, 2 * steps):
        with tempfile.TemporaryDirectory() as folder:
            text = NATIVE.format(cells=CELLS, style=style, model=model, steps=n)
            (Path(folder) / "in.bench").write_text(text)
            lmp = [str(Path(sys.executable).parent / "lmp"), "-in", "in.bench", "-log", "none"]
            mpi = ["mpirun", "-np", str(ranks)] if ranks > 1 else ["taskset", "-c", "0"]
            before = children_cpu()
            env = dict(os.environ, OMP_NUM_THREADS="1")
            done = subprocess.run([*mpi, *lmp], cwd=folder, env=env, capture_output=True, text=True)
            if "one that this processor runs" in done.stdout:
                raise LookupError(style)
            loop = re.search(r"Loop time of (\S+)", done.stdout)
            if not loop:
                raise SystemExit(done.stdout + done.stderr)
            found.append((float(loop[1]), children_cpu() - before))
    return found[1][0] - found[0][0], found[1][1] - found[0][1]


def tensorflow(model: Path, python: Path, calls: int) -> list[tuple[float, float]]:
    command = ["taskset", "-c", "0", python, "-c", TENSORFLOW, model, str(calls)]
    env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="")
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("TIME")]
    return [(float(line[1]), float(line[2])) for line in lines]


def report(size: str, what: str, wall: float, cpu: float, steps: int) -> None:
    unit = 1e6 / ATOMS / steps
    load = os.getloadavg()[0]
    print(f"| {size} | {what} | {wall * unit:.0f} | {cpu * unit:.0f} | {load:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["tiny", "small"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--models", type=Path, help="folder of models made before (grace_models.py)")
    args = parser.parse_args()
    python = locate().python
    models = args.models or Path(tempfile.mkdtemp())
    if not args.models:
        subprocess.run([python, HERE / "grace_models.py", models, *args.sizes], check=True)
    print(time.strftime("%Y-%m-%d %H:%M"), os.cpu_count(), "cores")
    print("| model | what | us/atom/step, wall | us/atom/step, processor | load |\n|---|---|---|---|---|")
    for _ in range(args.rounds):
        for size in args.sizes:
            for wall, cpu in tensorflow(models / size, python, 1):
                report(size, "TPCalculator, 1 core", wall, cpu, 1)
            for style, ranks in STYLES:
                steps = max(2, args.steps // 5) if style == "grace" else args.steps
                try:
                    wall, cpu = lammps(models / size, style, ranks, steps)
                except LookupError:
                    print(f"| {size} | {style} | not on this processor | | |")
                    continue
                report(size, f"{style}, {ranks} rank{'s' * (ranks > 1)}", wall, cpu, steps)


if __name__ == "__main__":
    main()
