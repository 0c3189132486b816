"""Memory and time of `pysmax dataset report` on a million atoms.

python benchmarks/characteristics.py [--atoms 1000000]     prints the rows of the table
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

import ase
import numpy as np
from ase.data import covalent_radii
from harness import Row, Setting

from pysmax.dataset.record import Label, Level, Record
from pysmax.dataset.store import Dataset

ATOMS, MOST_GIB = 1_000_000, 4.0
RUN = "from pysmax.cli.characteristics import report; import typer; typer.run(report)"


def measure(setting: Setting) -> list[Row]:
    """A dataset of a million atoms against one of a tenth of it."""
    atoms = int(ATOMS * setting.scale)
    large, small = (setting.folder / name for name in ("large", "small"))
    for folder, n in ((large, atoms), (small, atoms // 10)):
        with Dataset.create(folder).writer() as w:
            for record in records(n):
                w.add(record)
    output = setting.folder / "report"
    seconds, gib = run([str(large), str(small), "-o", str(output)])
    bare_seconds, bare_gib = run([str(large), "--no-features", "-o", str(output)])
    return [
        Row(
            f"dataset report, {atoms:.2g} + {atoms // 10:.2g} atoms, memory at most",
            f"{MOST_GIB:g} GiB",
            f"{gib:.2f} GiB ({seconds:.0f} s)",
            gib < MOST_GIB,
        ),
        Row(
            "of one dataset, distributions and elements alone",
            f"{MOST_GIB:g} GiB",
            f"{bare_gib:.2f} GiB ({bare_seconds:.0f} s)",
            bare_gib < MOST_GIB,
        ),
    ]


def run(arguments: list[str]) -> tuple[float, float]:
    """Seconds of the wall clock, and GiB of the largest process (LAMMPS included)."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", RUN, *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: pysmax dataset report failed with exit code {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 2**20


def records(natoms: int) -> Iterator[Record]:
    """Labelled random structures of 1 to 26 atoms on a shaken grid, ``natoms`` atoms in all."""
    rng = np.random.default_rng(natoms)
    level = Level("none", "0", {})
    while natoms > 0:
        n = min(int(rng.integers(1, 27)), natoms)
        natoms -= n
        atoms = structure(rng, n)
        stress = 0.1 * rng.standard_t(3, 6)
        yield Record(atoms, "bench", {}, level, Label(n * rng.normal(), rng.standard_t(3, (n, 3)), stress))


def structure(rng: np.random.Generator, n: int) -> ase.Atoms:
    """Random elements up to Rn, two covalent spheres of volume for each."""
    numbers = rng.integers(1, 87, n)
    side = (2 * 4 / 3 * np.pi * (covalent_radii[numbers] ** 3).sum()) ** (1 / 3)
    cells = int(np.ceil(n ** (1 / 3)))
    place = np.stack(np.unravel_index(rng.permutation(cells**3)[:n], (cells,) * 3), axis=1)
    scaled = (place + rng.uniform(-0.2, 0.2, (n, 3))) / cells
    return ase.Atoms(numbers, cell=side * np.eye(3), scaled_positions=scaled, pbc=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--atoms", type=int, default=ATOMS)
    wanted = parser.parse_args().atoms
    with tempfile.TemporaryDirectory(prefix="smax-bench-") as name:
        for row in measure(Setting(Path(name), 1, wanted / ATOMS)):
            print(f"{row.what}: goal {row.goal}, measured {row.measured}")
