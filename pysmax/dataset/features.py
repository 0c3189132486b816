"""Bispectrum features of structures, by the plugin: LAMMPS runs beside this process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import ase
import numpy as np
import numpy.typing as npt
from ase.data import chemical_symbols

from pysmax.dataset.record import Array
from pysmax.errors import SmaxError

INPUT = """units metal
boundary p p p
region cell prism 0 10 0 10 0 10 0 0 0
create_box 96 cell
mass * 1.0
fix e all entropy entropy no twojmax {twojmax} rcutfac {rcutfac!r}
entropy_dataset e features in.extxyz out.npz
"""


def bispectrum(
    structures: Sequence[ase.Atoms], ranks: int = 1, twojmax: int = 8, rcutfac: float = 3.0
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Features [sum of atoms, n] and atoms of each structure [m]; n = 55 at twojmax 8.

    Radii: the array ``r_eff`` (A) where a structure has it, else the covalent radius; pair cutoff
    rcutfac (r_i + r_j). Directions without periodicity get vacuum. ``ranks`` share the structures. Raises
    SmaxError with what LAMMPS said.
    """
    if not structures:
        raise SmaxError("found no structures, expected at least one to compute features of")
    with tempfile.TemporaryDirectory(prefix="pysmax-features-") as name:
        folder = Path(name)
        with (folder / "in.extxyz").open("w") as f:
            f.writelines(_frame(atoms) for atoms in structures)
        (folder / "in.lmp").write_text(INPUT.format(twojmax=twojmax, rcutfac=float(rcutfac)))
        _run(folder, ranks)
        with np.load(folder / "out.npz", allow_pickle=False) as z:
            return z["features"], z["natoms"]


def _frame(atoms: ase.Atoms) -> str:
    """Extended XYZ with every digit of cell, positions and radii, and nothing else."""
    columns = [atoms.positions]
    properties = "species:S:1:pos:R:3"
    if "r_eff" in atoms.arrays:
        columns.append(atoms.arrays["r_eff"].reshape(-1, 1))
        properties += ":r_eff:R:1"
    pbc = " ".join("FT"[bool(p)] for p in atoms.pbc)
    lattice = " ".join(map(repr, atoms.cell.array.ravel().tolist()))
    head = f'Lattice="{lattice}" ' if atoms.cell.rank == 3 else ""
    if any(atoms.pbc) and not head:
        raise SmaxError(f"{atoms.symbols}: periodic, but its cell has no volume")
    rows = np.hstack(columns).tolist()
    lines = [
        f"{chemical_symbols[z]} {' '.join(map(repr, row))}"
        for z, row in zip(atoms.numbers, rows, strict=True)
    ]
    return "\n".join([str(len(atoms)), f'{head}Properties={properties} pbc="{pbc}"', *lines, ""])


def _run(folder: Path, ranks: int) -> None:
    command = [_program("lmp"), "-in", "in.lmp", "-log", "none", "-nocite"]
    if ranks > 1:
        command = [_program("mpirun"), "-np", str(ranks), *command, "-partition", f"{ranks}x1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or not (folder / "out.npz").exists():
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.startswith("ERROR")]
        raise SmaxError(
            f"features: LAMMPS failed: {said[0] if said else (done.stderr or done.stdout)[-300:]}"
        )


def _program(name: str) -> str:
    """The one of this environment, else of the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise SmaxError(
            f"{name}: not found beside {sys.executable} or on the PATH, expected LAMMPS with the plugin"
        )
    return found
