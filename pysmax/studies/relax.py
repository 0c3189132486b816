"""``relax``: single points, internal and full relaxations of a set of structures (II.5.1, II.5.3)."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import ase
import numpy as np
from pydantic import Field

from pysmax.errors import SmaxError
from pysmax.studies.relax_box import Placed
from pysmax.studies.study import Count, Parameters, Positive, Prepared, Study, System

INPUT = "structures.extxyz"  # in a run: the structures as they were given
RESULTS, TRIED, LOGS = "results", "tried", "logs"
RATTLE, STRAIN = 0.1, 0.03  # A and relative, of an element's crystal as a trial


class RelaxParameters(Parameters):
    """Of study ``relax``. The paper gives no number: those here are customary."""

    structures: Annotated[
        str, Field(description="an extended XYZ file; or an element: its crystal, shaken, for a trial")
    ] = "Cu"
    samples: Annotated[Count, Field(description="structures of a trial")] = 20
    mode: Annotated[
        Literal["single", "internal", "full"],
        Field(description="single: energy as it is; internal: atoms move; full: atoms and cell"),
    ] = "full"
    fmax: Annotated[Positive, Field(description="largest force of a relaxed atom, eV/A")] = 0.01
    smax_GPa: Annotated[
        Positive, Field(description="largest component of its stress in LAMMPS's axes, GPa")
    ] = 0.02
    steps: Annotated[Count, Field(description="most steps between two resets of the reference cell")] = 100
    rounds: Annotated[Count, Field(description="most resets: a cell that has changed is relaxed again")] = 20
    vacuum_A: Annotated[
        Positive, Field(description="A around atoms where a structure is not periodic; beyond the cutoff")
    ] = 20.0
    tries: Annotated[
        Count,
        Field(le=100, description="runs that may end without a word in a structure; then it has failed"),
    ] = 3


def read_structures(text: str, name: str) -> list[ase.Atoms]:
    """Frames of an extended XYZ file. SmaxError for none, a flat cell, numbers that are not finite."""
    from ase.io.extxyz import read_extxyz

    try:
        frames: list[ase.Atoms] = list(read_extxyz(io.StringIO(text), index=slice(None)))
    except Exception as e:  # ASE raises what it likes
        raise SmaxError(f"{name}: not readable as extended XYZ ({' '.join(f'{e}'.split())[:200]})") from None
    for n, atoms in enumerate(frames):
        if not len(atoms):
            raise SmaxError(f"{name}, structure {n}: has no atoms")
        if not np.isfinite(atoms.positions).all() or not np.isfinite(atoms.cell.array).all():
            raise SmaxError(f"{name}, structure {n}: has positions or a cell that are not finite")
        vectors = atoms.cell.array[np.asarray(atoms.pbc)]
        if len(vectors) and np.linalg.svd(vectors, compute_uv=False).min() < 1e-3:
            raise SmaxError(f"{name}, structure {n}: its periodic cell is flat, expected independent vectors")
    if not frames:
        raise SmaxError(f"{name}: holds no structures")
    return frames


def _text(p: RelaxParameters) -> str:
    from ase.data import atomic_numbers

    from pysmax.files import one_sentence

    path = Path(p.structures)
    if p.structures in atomic_numbers and not path.exists():
        return _trial(p)
    if not path.exists():
        raise SmaxError(f"structures {path}: no such file, and no element")
    with one_sentence(path):
        try:
            data = path.read_bytes()
            return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        except (UnicodeDecodeError, EOFError, gzip.BadGzipFile):
            raise SmaxError(f"{path}: not a text file") from None


def _trial(p: RelaxParameters) -> str:
    import ase.io

    from pysmax.studies.anneal import crystal

    rng = np.random.default_rng(p.seed)
    frames = []
    for k in range(p.samples):
        atoms = crystal(p.structures)
        atoms.pbc = True
        atoms.info = {"sample": k}
        cell = atoms.cell.array @ (np.eye(3) + rng.normal(0, STRAIN, (3, 3)))
        atoms.set_cell(cell, scale_atoms=True)  # type: ignore[no-untyped-call]
        atoms.positions += rng.normal(0, RATTLE, (len(atoms), 3))
        frames.append(atoms)
    text = io.StringIO()
    ase.io.write(text, frames, format="extxyz")
    return text.getvalue()


def _prepare(p: RelaxParameters) -> Prepared:
    text = _text(p)
    frames = read_structures(text, p.structures)
    if p.mode == "full" and (open_ones := [n for n, a in enumerate(frames) if not a.pbc.all()]):
        raise SmaxError(
            f"{p.structures}, structure {open_ones[0]}: not periodic in all directions, so it has no cell to "
            "relax: expected mode single or internal"
        )
    if p.mode != "single" and (held := [n for n, a in enumerate(frames) if a.constraints]):
        raise SmaxError(
            f"{p.structures}, structure {held[0]}: has atoms that are held (move_mask), "
            "expected none: all atoms are relaxed"
        )
    counts = Counter(e for a in frames for e in a.symbols)

    def typed(types: tuple[str, ...]) -> dict[str, str]:
        from pysmax.label.engines.lammps import mass_of

        number = {e: k for k, e in enumerate(types, 1)}
        made = {
            f"structures/{n:06d}.dump": Placed.of(a, p.vacuum_A).dump(number) for n, a in enumerate(frames, 1)
        }
        return {"masses.mod": "".join(f"mass {k} {mass_of(e)!r}\n" for e, k in number.items()), **made}

    return Prepared(
        values={"n_structures": len(frames)},
        texts={INPUT: text},
        elements=tuple(counts),
        counts=counts,
        typed=typed,
        facts={"items": len(frames), "results": f"{RESULTS}/*.txt"},
    )


STUDY = Study(
    name="relax",
    about="Single points, internal and full relaxations of a set of structures.",
    parameters=RelaxParameters,
    prepare=_prepare,
    systems={"any": System("structures=FILE or an element; the other parameters as --set says")},
    smoke={"samples": 8},
)
