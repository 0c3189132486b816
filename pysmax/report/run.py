"""The files of one run, read."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

import ase
import ase.io
import numpy as np
from pydantic import BaseModel, ConfigDict

from pysmax.errors import SmaxError
from pysmax.files import read_text
from pysmax.moments import Array, Moments, entropy, load, reference

COLUMNS = ("index", "atoms", "elements", "volume_per_atom", "S", "dS", "evaluations", "seconds", "verdict")
SHORTEST_ROW = len("H 0 0 0\n")


@dataclass(frozen=True)
class Table:
    """PREFIX.table.csv: one entry per candidate, in the order of the decisions."""

    evaluations: Array
    seconds: Array
    verdict: list[str]  # 'accepted' or 'rejected: reason'

    @property
    def accepted(self) -> Array:
        """1 where accepted, else 0."""
        return np.array([float(v == "accepted") for v in self.verdict])


@dataclass(frozen=True)
class Run:
    """What a run has written up to its last checkpoint."""

    name: str
    moments: Moments
    frames: list[ase.Atoms]  # accepted configurations
    random: list[ase.Atoms]  # random core-relaxed cells; empty if the run kept none
    table: Table | None


class Summary(BaseModel):
    """Key figures of a run: the head of the page and summary.json."""

    model_config = ConfigDict(extra="forbid")

    accepted: int
    tried: int
    acceptance: float
    rejected_entropy: int
    rejected_distance: int
    mode: str
    vectors: int
    S_nats: float
    S_random_nats: float | None
    evaluations: int
    evaluations_per_candidate: float
    seconds: float
    seconds_per_accepted: float
    elements: int
    atoms_min: int
    atoms_mean: float
    atoms_max: int


def read_run(prefix: str) -> Run:
    """Read PREFIX.moments and what it counts of PREFIX.extxyz and PREFIX.table.csv; the run may go on."""
    moments = load(f"{prefix}.moments")
    state = moments.state
    frames = _frames(f"{prefix}.extxyz", state.file_bytes, state.file_crc if state.file_bytes else None)
    if not frames:
        raise SmaxError(f"{prefix}.extxyz: no configuration yet, expected at least one")
    random, table = f"{prefix}.random.extxyz", f"{prefix}.table.csv"
    return Run(
        name=Path(prefix).name,
        moments=moments,
        frames=frames,
        random=_frames(random) if os.path.exists(random) else [],
        table=read_table(table, state.table_bytes) if os.path.exists(table) else None,
    )


def summarise(run: Run) -> Summary:
    """Key figures of a run."""
    m, s = run.moments, run.moments.state
    sizes = [len(f) for f in run.frames]
    tried = max(s.tried, len(sizes))
    return Summary(
        accepted=len(sizes),
        tried=tried,
        acceptance=len(sizes) / tried,
        rejected_entropy=s.rejected_entropy,
        rejected_distance=s.rejected_distance,
        mode=m.descriptor.mode,
        vectors=m.count,
        S_nats=entropy(m),
        S_random_nats=entropy(reference(m)) if m.ref_count else None,
        evaluations=s.evaluations,
        evaluations_per_candidate=s.evaluations / tried,
        seconds=s.seconds,
        seconds_per_accepted=s.seconds / len(sizes),
        elements=len(element_counts(run.frames)),
        atoms_min=min(sizes),
        atoms_mean=float(np.mean(sizes)),
        atoms_max=max(sizes),
    )


def element_counts(frames: list[ase.Atoms]) -> dict[int, int]:
    """Atoms of each atomic number that occurs."""
    z, n = np.unique(np.concatenate([f.numbers for f in frames]), return_counts=True)
    return dict(zip(z.tolist(), n.tolist(), strict=True))


def read_table(path: str, nbytes: int = 0) -> Table:
    """Read the table of candidates; a torn last line does not count."""
    text = read_text(path, nbytes)
    try:
        rows = list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))
        return Table(
            evaluations=np.array([float(r["evaluations"]) for r in rows]),
            seconds=np.array([float(r["seconds"]) for r in rows]),
            verdict=[r["verdict"].strip() for r in rows],
        )
    except (KeyError, TypeError, ValueError, AttributeError, csv.Error) as e:
        raise SmaxError(f"{path}: {e!r} in a row, expected the columns {','.join(COLUMNS)}") from None


def _frames(path: str, nbytes: int = 0, crc: int | None = None) -> list[ase.Atoms]:
    text = read_text(path, nbytes, crc)
    _check_counts(path, text)
    try:
        frames = ase.io.read(io.StringIO(text), index=":", format="extxyz") if text else []
    except Exception as e:  # what ASE raises for text that is not extended XYZ is no closed list
        reason = " ".join(str(e).split()) or type(e).__name__
        raise SmaxError(f"{path}: not readable as extended XYZ ({reason})") from None
    return list(frames)


def _check_counts(path: str, text: str) -> None:
    """Refuse a number of atoms that the file cannot hold: ASE would read on for as many lines."""
    at = number = 0
    while at < len(text):
        first = text[at : text.find("\n", at) + 1 or len(text)]
        lines, left = 1, len(text) - at
        if not first.lstrip().startswith("VEC"):  # a cell vector that ASE takes behind a frame
            number += 1
            try:
                natoms = int(first)
            except ValueError:
                return  # ASE says what it finds there
            if not 1 <= natoms <= left // SHORTEST_ROW:
                found = " ".join(first.split())[:40]
                raise SmaxError(
                    f"{path}: frame {number} has {found} atoms, expected at least 1 and no more than "
                    f"the {left} bytes from there on can hold"
                )
            lines = natoms + 2
        for _ in range(lines):
            at = text.find("\n", at) + 1
            if at == 0:
                return
