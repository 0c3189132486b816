"""A rendered study on disk: its note, its frames, its thermo output."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pysmax.errors import SmaxError
from pysmax.files import one_sentence
from pysmax.settings import checked, read_yaml
from pysmax.studies.render import NOTE
from pysmax.studies.study import Parameters


@dataclass(frozen=True)
class Rendered:
    """``elements``: of atom types 1, 2, ...; ``counts``: atoms of each; ``facts``: noted by the study."""

    folder: Path
    study: str
    system: str
    scale: str
    potential: str
    stand_in: bool
    elements: tuple[str, ...]
    counts: dict[str, int]
    parameters: Parameters
    facts: dict[str, Any]

    @property
    def natoms(self) -> int:
        return sum(self.counts.values())

    @property
    def log(self) -> Path:
        return self.folder / f"log.{self.study}"


def open_study(folder: str | Path, study: str | None = None) -> Rendered:
    """Read ``study.yaml``. SmaxError if there is none, it is damaged, or of another study."""
    from pysmax.studies.registry import find

    folder = Path(folder)
    path = folder / NOTE
    with one_sentence(folder):
        if not path.is_file():
            raise SmaxError(f"{folder}: has no {NOTE}, expected a folder that pysmax render wrote")
    note = read_yaml(path)
    keys = ("study", "system", "scale", "potential", "stand_in", "elements", "counts", "parameters", "facts")
    if missing := [k for k in keys if k not in note]:
        raise SmaxError(f"{path}: has no {missing[0]}, expected what pysmax render wrote")
    if study is not None and note["study"] != study:
        raise SmaxError(f"{folder}: is of study {note['study']}, expected {study}")
    values = {k: note[k] for k in keys}
    try:
        values["elements"] = tuple(map(str, note["elements"]))
        values["counts"] = {str(k): int(v) for k, v in note["counts"].items()}
        values["parameters"] = checked(
            find(note["study"]).parameters, note["parameters"], f"{path}: parameter"
        )
    except (TypeError, ValueError, AttributeError) as e:
        raise SmaxError(f"{path}: {e}, expected what pysmax render wrote") from None
    return Rendered(folder=folder, **values)


def frame_files(run: Rendered) -> dict[int, Path]:
    """Step -> file of every frame, in order. SmaxError if there are none, or one is missing."""
    pattern = re.compile(re.escape(run.study) + r"\.(\d+)\.dump")
    folder = run.folder / "frames"
    found = {int(m[1]): p for p in sorted(folder.glob("*.dump")) if (m := pattern.fullmatch(p.name))}
    if not found:
        raise SmaxError(
            f"{folder}: has no {run.study}.*.dump, expected frames: has lmp -in in.{run.study} run?"
        )
    steps = sorted(found)
    p = run.parameters
    every = getattr(p, "every", lambda n: 0)(getattr(p, "frames", 1)) or min(
        (b - a for a, b in pairwise(steps)), default=1
    )
    for step in range(0, steps[-1] + 1, every):
        if step not in found:
            raise SmaxError(f"{folder}: has no frame of step {step}, expected one every {every} steps")
    return {s: found[s] for s in steps}
