"""GRACE: microseconds per atom and step of grace/native, pair_style grace and TPCalculator, on one cell.

2 000 atoms of bcc Mo-Nb-Ta, cutoff 6 A, 58 neighbours, untrained models of one and two layers in double
precision. One core for one rank; each figure is the least of its repetitions by the wall clock.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from fix_entropy import levels
from harness import Row, Setting, interleaved, lmp

from pysmax.grace.environment import locate

HERE = Path(__file__).resolve().parent
SIZES, ATOMS, CELLS = ("small", "2l-tiny"), 2000, 10
GOAL_NATIVE, GOAL_PAIR, GOAL_RANKS = 5.0, 1.1, 1.8

TENSORFLOW = """
import sys, time
import numpy as np
from ase.build import bulk
from tensorpotential.calculator import TPCalculator
atoms = bulk("Mo", "bcc", a=3.2, cubic=True).repeat(10)
atoms.symbols[:] = np.random.default_rng(1).choice(["Mo", "Nb", "Ta"], len(atoms))
atoms.calc = TPCalculator(sys.argv[1])
times = []
for k in range(4):
    atoms.rattle(0.02, seed=k)
    start = time.perf_counter()
    atoms.get_forces()
    times.append(time.perf_counter() - start)
print("TIME", min(times[1:]))
"""

# the first run is not counted: XLA compiles in it
DYNAMICS = """units metal
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
run 1
run {steps}
"""


def measure(setting: Setting) -> list[Row]:
    """Rows of the table; needs the GRACE environment."""
    command = [locate().python, HERE / "grace_models.py", setting.folder / "grace", *SIZES]
    subprocess.run(command, check=True, capture_output=True)
    return [row for size in SIZES for row in _measure(setting, size)]


def _measure(setting: Setting, size: str) -> list[Row]:
    model = setting.folder / "grace" / size
    steps = setting.times(20)
    sides = {
        "TPCalculator": lambda: tpcalculator(model),
        "pair_style grace": lambda: dynamics(setting, model, "grace", 1, max(2, steps // 5)),
        "pair_style grace, 2 ranks": lambda: dynamics(setting, model, "grace", 2, max(2, steps // 5)),
        **{f"grace/native isa {x}": _native(setting, model, x, steps) for x in levels()},
        "grace/native, 2 ranks": lambda: dynamics(setting, model, "grace/native", 2, steps),
    }
    values = list(interleaved(min(setting.pairs, 3), *sides.values()))
    least = {name: min(v[k] for v in values) for k, name in enumerate(sides)}
    return _rows(size, least)


def tpcalculator(model: Path) -> float:
    """us per atom and call, one core."""
    command = ["taskset", "-c", "0", locate().python, "-c", TENSORFLOW, model]
    env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="")
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    seconds = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("TIME"))
    return float(seconds) * 1e6 / ATOMS


def dynamics(setting: Setting, model: Path, style: str, ranks: int, steps: int) -> float:
    """us per atom and step of molecular dynamics."""
    text = DYNAMICS.format(cells=CELLS, style=style, model=model, steps=steps)
    loop = lmp(text, setting.folder / "grace", ranks=ranks).loops()[-1]
    return loop.wall_s * 1e6 / ATOMS / steps


def _native(setting: Setting, model: Path, isa: str, steps: int):  # type: ignore[no-untyped-def]
    return lambda: dynamics(setting, model, f"grace/native isa {isa}", 1, steps)


def _rows(size: str, us: dict[str, float]) -> list[Row]:
    best = min((name for name in us if "isa" in name), key=us.__getitem__)
    native, pair, own = us[best], us["pair_style grace"], us["TPCalculator"]
    ranks = {
        name: us[one] / us[f"{name}, 2 ranks"]
        for name, one in (("grace/native", best), ("pair_style grace", "pair_style grace"))
    }
    goals = [
        Row(
            f"GRACE {size}, 2000 atoms: TensorFlow over native, us per atom and step",
            f"{GOAL_NATIVE:.0f}x",
            f"{min(pair, own) / native:.1f}x ({min(pair, own):.0f} / {native:.0f})",
            min(pair, own) / native >= GOAL_NATIVE,
        ),
        Row(
            "  pair_style grace over TPCalculator",
            f"{GOAL_PAIR}x",
            f"{pair / own:.2f}x ({pair:.0f} / {own:.0f})",
            pair / own <= GOAL_PAIR,
        ),
    ]
    goals += [
        Row(f"  {name}: 2 ranks over 1", f"{GOAL_RANKS}x", f"{gain:.2f}x", gain >= GOAL_RANKS)
        for name, gain in ranks.items()
    ]
    return goals + [Row(f"  {name}, us per atom and step", "", f"{t:.0f}") for name, t in us.items()]
