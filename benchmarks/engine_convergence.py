"""Convergence of the engines' Brillouin-zone sampling: the tables of docs/engines.md.

    python benchmarks/engine_convergence.py xtb      # repeated cells at the Gamma point: a quarter of an hour
    python benchmarks/engine_convergence.py dft      # k-spacing down to the paper's: Li, Al, one atom each

One thread: OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import sys
import time

import ase
import numpy as np
from ase.build import bulk

from pysmax.label.engine import Engine, EngineFailure
from pysmax.label.engines import load_config

XTB = {
    "Si": (bulk("Si"), bulk("Si", cubic=True)),
    "Al": (bulk("Al"), bulk("Al", cubic=True)),
    "W": (bulk("W"), bulk("W", cubic=True)),
    "LiH": (bulk("LiH", "rocksalt", a=4.08), bulk("LiH", "rocksalt", a=4.08, cubic=True)),
    "NaCl": (bulk("NaCl", "rocksalt", a=5.64), bulk("NaCl", "rocksalt", a=5.64, cubic=True)),
}
MOST_ATOMS = 128  # of a repeated cell
DFT = {"Li": bulk("Li", a=3.44), "Al": bulk("Al", a=4.04)}
SPACINGS = (0.5, 0.25, 0.125)


def line(engine: Engine, atoms: ase.Atoms, *words: object) -> None:
    """Label and print; per atom."""
    start = time.process_time()
    try:
        label = engine.compute(atoms.copy(), 0)  # type: ignore[no-untyped-call]
    except EngineFailure as e:
        print(*words, f"{time.process_time() - start:.1f} s", e.reason, e.detail[:80], flush=True)
        return
    assert label.stress is not None
    energy, stress = label.energy / len(atoms), label.stress[0]
    seconds = time.process_time() - start
    print(*words, f"{energy:.4f} eV/atom, {stress:.5f} eV/A^3, {seconds:.1f} s", flush=True)


def xtb(names: list[str]) -> None:
    """Primitive and cubic cells, repeated until they are large."""
    for name in names or XTB:
        for kind, cell in zip(("primitive", "cubic"), XTB[name], strict=True):
            for n in range(1, 6):
                if len(cell) * n**3 > MOST_ATOMS:
                    break
                engine = load_config("xtb", None, {"repeat": [n, n, n]}).make()
                height = n / np.linalg.norm(cell.cell.reciprocal().array, axis=1).max()
                line(engine, cell, name, kind, n, f"{len(cell) * n**3} atoms, {height:.1f} A:")


def dft(names: list[str]) -> None:
    """Ever denser k-points."""
    for name in names or DFT:
        for spacing in SPACINGS:
            engine = load_config("dft", None, {"kspacing_per_A": spacing}).make()
            line(engine, DFT[name], name, f"{spacing}:")


if __name__ == "__main__":
    {"xtb": xtb, "dft": dft}[sys.argv[1]](sys.argv[2:])
