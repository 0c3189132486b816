"""Trained GRACE models for tests, and what their own ASE calculator says about structures.

The calculator runs in the Python of the GRACE environment, as a program.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write
from grace_training import FAMILIES, train_all

from pysmax.grace.environment import locate

LABEL = """
import sys
import numpy as np
from ase.io import read
from tensorpotential.calculator import TPCalculator

def label(model, structures, out):
    calculator = TPCalculator(model, extra_properties=["atomic_energy"])
    found = {}
    for k, atoms in enumerate(read(structures, ":")):
        atoms.calc = calculator
        found[f"energy{k}"] = atoms.get_potential_energy()
        found[f"forces{k}"] = atoms.get_forces()
        found[f"stress{k}"] = atoms.get_stress()
        found[f"energies{k}"] = np.ravel(calculator.results["atomic_energy"])[: len(atoms)]
    np.savez(out, **found)

"""


@dataclass(frozen=True)
class Label:
    """What the model's own calculator says: eV, eV/A, eV/A^3 (ASE's Voigt order and sign)."""

    energy: float
    forces: np.ndarray
    stress: np.ndarray
    energies: np.ndarray


@dataclass(frozen=True)
class GraceModels:
    """Folders of models by family, and the environment that made them."""

    folders: dict[str, Path]
    environment: Path
    folder: Path  # of the trainings: RUN = folder / family

    def __getitem__(self, family: str) -> Path:
        return self.folders[family]

    def label(self, family: str, structures: list[Atoms], scratch: Path) -> list[Label]:
        """Energy, forces, stress and atomic energies by TPCalculator, for all in one process."""
        given, found = scratch / f"{family}.traj", scratch / f"{family}.npz"
        write(given, structures, format="traj")  # every digit
        in_environment("label(*sys.argv[1:])", self[family], given, found)
        return read_labels(found)


def in_environment(program: str, *arguments: object) -> None:
    """Run a program in the GRACE environment; it may call ``label(model, structures, out)``."""
    env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", OMP_NUM_THREADS="1", PYTHONNOUSERSITE="1")
    command = [locate().python, "-c", LABEL + program, *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def read_labels(path: Path) -> list[Label]:
    """What ``label`` has written, structure by structure."""
    names = [field.name for field in fields(Label)]
    with np.load(path) as data:
        count = sum(key.startswith("forces") for key in data)
        return [Label(**{name: data[f"{name}{k}"] for name in names}) for k in range(count)]


def trained() -> GraceModels:
    """The models, trained if they are not there."""
    folder = train_all()
    return GraceModels({f: folder / f / "model" for f in FAMILIES}, locate().folder, folder)
