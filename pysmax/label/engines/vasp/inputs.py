"""The input files of one structure, and its job folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ase
import numpy as np
import numpy.typing as npt

from pysmax.dataset.record import Level, structure_hash
from pysmax.errors import SmaxError
from pysmax.files import write_atomically
from pysmax.label.engine import EngineFailure
from pysmax.label.engines.magmoms import DEFAULT, TABLE_11
from pysmax.label.engines.vasp import potcar
from pysmax.label.engines.vasp.incar import render

if TYPE_CHECKING:
    from pysmax.label.engines.vasp.config import VaspConfig

FORMAT = "smax-vasp-job"
VERSION = 1
MIN_VOLUME = 0.1  # A^3 per atom: below, there is no cell
MIN_GAP = 5.0  # A between images where a structure is not periodic: VASP always is


@dataclass(frozen=True)
class Job:
    """Inputs of one structure.

    ``atoms`` as in POSCAR: by atomic number, the cell right-handed; ``order`` [n]: atom i of POSCAR is atom
    order[i] of the structure; ``files``: name -> text.
    """

    atoms: ase.Atoms
    order: npt.NDArray[np.intp]
    files: Mapping[str, str]
    description: Mapping[str, Any]  # job.json


def job_folder(root: Path, atoms: ase.Atoms, level: Level) -> Path:
    """``root/ab/ab...-LEVEL``: no folder grows too long."""
    key = structure_hash(atoms)
    return root / key[:2] / f"{key}-{level.hash}"


def build(config: VaspConfig, atoms: ase.Atoms, *, need_potcar: bool = True) -> Job:
    """Make the inputs. EngineFailure('structure') if VASP cannot take it, SmaxError for a faulty library.

    Without ``need_potcar`` there is no POTCAR if no library is set.
    """
    check_structure(atoms)
    order = np.argsort(atoms.numbers, kind="stable")
    poscar_atoms = right_handed(atoms[order])
    species = list(dict.fromkeys(poscar_atoms.symbols))
    names = _potential_names(config, species)
    moments = {**TABLE_11, **config.magmoms}
    magmoms = [moments.get(symbol, DEFAULT) for symbol in poscar_atoms.symbols]
    files = {
        "INCAR": render({**config.tags(), **config.run_tags}, magmoms),
        "POSCAR": poscar(poscar_atoms),
        "POTCAR.spec": "\n".join(names) + "\n",
    }
    potentials = []
    roots = potcar.libraries(config.potcar_dir)
    if need_potcar or roots:
        potentials = [potcar.load(name, config.release, roots) for name in names]
        files["POTCAR"] = "".join(p.text if p.text.endswith("\n") else p.text + "\n" for p in potentials)
    description = {
        "format": FORMAT,
        "version": VERSION,
        "structure": structure_hash(atoms),
        "level": config.level().hash,
        "order": [int(i) for i in order],
        "command": list(config.command),
        "potentials": [{"name": p.name, "titel": p.titel, "sha256": p.sha256} for p in potentials],
        "inputs": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
    }
    return Job(poscar_atoms, order, files, description)


def write_job(config: VaspConfig, folder: Path, atoms: ase.Atoms, *, need_potcar: bool = True) -> Job:
    """Write INCAR, POSCAR, POTCAR (and POTCAR.spec), and last job.json to ``folder``; raises as build()."""
    job = build(config, atoms, need_potcar=need_potcar)
    write_files(job, folder)
    return job


def write_files(job: Job, folder: Path) -> None:
    """Write a job; job.json comes last and says that all the others are there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SmaxError(f"{folder}: cannot be made: {e.strerror}") from None
    for name, text in job.files.items():
        write_atomically(folder / name, text.encode())
    write_atomically(folder / "job.json", (json.dumps(job.description, indent=1) + "\n").encode())


def same_job(folder: Path, job: Job) -> bool:
    """Whether the folder's job.json is of this structure, level and PAW potentials."""
    try:
        found = json.loads((folder / "job.json").read_text())
        keys = ("format", "version", "structure", "level", "order", "potentials")
        return all(found[key] == job.description[key] for key in keys)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def check_structure(atoms: ase.Atoms) -> None:
    """Raise EngineFailure('structure') unless VASP can take it."""
    if len(atoms) == 0:
        raise EngineFailure("structure", "no atoms")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise EngineFailure("structure", "a position or the cell is not finite")
    if abs(np.linalg.det(atoms.cell.array)) < MIN_VOLUME * len(atoms):
        raise EngineFailure(
            "structure", f"cell of {abs(np.linalg.det(atoms.cell.array)):.3g} A^3: VASP needs a cell"
        )
    inverse = np.linalg.inv(atoms.cell.array)
    gaps = (1 - np.ptp(atoms.positions @ inverse, axis=0)) / np.linalg.norm(inverse, axis=0)
    if (narrow := gaps[~atoms.pbc]).size and narrow.min() < MIN_GAP:
        raise EngineFailure(
            "structure",
            f"is not periodic in all directions, and {narrow.min():.3g} A from its images in VASP's periodic "
            f"cell, expected at least {MIN_GAP:g} A",
        )


def right_handed(atoms: ase.Atoms) -> ase.Atoms:
    """The same crystal: VASP refuses left-handed cells, so two vectors swap; Cartesian results stay."""
    if np.linalg.det(atoms.cell.array) < 0:
        atoms.cell = atoms.cell.array[[0, 2, 1]]
        atoms.pbc = atoms.pbc[[0, 2, 1]]
    return atoms


def poscar(atoms: ase.Atoms) -> str:
    """POSCAR of atoms that are grouped by species; Cartesian, all digits kept."""
    species = list(dict.fromkeys(atoms.symbols))
    counts = [int(np.count_nonzero(atoms.symbols == s)) for s in species]

    def rows(array: npt.NDArray[np.float64]) -> list[str]:
        return [" ".join(f"{x:22.16f}" for x in row) for row in array]

    lines = [
        "pysmax",
        "1.0",
        *rows(atoms.cell.array),
        " ".join(species),
        " ".join(map(str, counts)),
        "Cartesian",
    ]
    return "\n".join([*lines, *rows(atoms.positions)]) + "\n"


def _potential_names(config: VaspConfig, species: list[str]) -> list[str]:
    table = config.potential_names()
    for symbol in species:
        if symbol not in table:
            raise EngineFailure(
                "structure", f"no recommended PAW potential of {symbol}: name one under 'potentials'"
            )
    return [table[symbol] for symbol in species]
