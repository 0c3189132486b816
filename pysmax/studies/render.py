"""From a study, a system and settings to a folder that LAMMPS runs and that can be moved."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import ase
import jinja2
import yaml

import pysmax
from pysmax.errors import SmaxError
from pysmax.files import one_sentence, umask
from pysmax.paths import templates_folder
from pysmax.settings import checked
from pysmax.studies import potential as potentials
from pysmax.studies import stand_in
from pysmax.studies.registry import find
from pysmax.studies.study import Parameters, Prepared, Study

NOTE = "study.yaml"
Scale = Literal["full", "smoke"]


def render(
    study: str,
    to: str | Path,
    *,
    potential: str | Path,
    system: str | None = None,
    settings: Mapping[str, Any] | None = None,
    scale: Scale = "full",
) -> Path:
    """Write the folder ``to`` and return it.

    Raises SmaxError for an unknown study, system, key or element, an impossible value, and a folder
    that holds something already.
    """
    chosen = find(study)
    name = system or next(iter(chosen.systems))
    if name not in chosen.systems:
        raise SmaxError(f"system {name}: unknown, study {study} has {', '.join(chosen.systems)}")
    given = {**chosen.values(name, scale), **(settings or {})}
    parameters = checked(chosen.parameters, given)
    model = potentials.load(potential)
    to = Path(to)
    if to.resolve() == Path.cwd():
        raise SmaxError(f"{to}: is the current folder, expected a new one in it")
    with one_sentence(to):
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            raise SmaxError(f"{to}: holds something already, expected a new folder: nothing is written")
        to.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=to.parent, prefix=f".{to.name}."))
        try:
            _fill(made, chosen, name, scale, parameters, model)
            os.chmod(made, 0o777 & ~umask())
            os.replace(made, to)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    return to


def _fill(
    folder: Path,
    study: Study,
    system: str,
    scale: str,
    parameters: Parameters,
    model: potentials.Potential,
) -> None:
    prepared = study.prepare(parameters)
    present = set(prepared.elements).union(*(a.symbols for a in prepared.structures.values()))
    types = model.types(present)
    model.write(folder, types)
    for name, atoms in prepared.structures.items():
        write_data(folder / name, atoms, types, skew=getattr(parameters, "barostat", "") == "tri")
    for name, text in {**prepared.texts, **prepared.typed(types)}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    note = {
        "study": study.name,
        "system": system,
        "scale": scale,
        "pysmax": pysmax.__version__,
        "potential": model.name,
        "stand_in": model.kind == potentials.STAND_IN,
        "elements": list(types),
        "counts": _counts(prepared, types),
        "parameters": parameters.model_dump(mode="json"),
        "facts": prepared.facts,
    }
    (folder / NOTE).write_text(yaml.safe_dump(note, sort_keys=False))
    text = _input(study, parameters, prepared, model, note)
    (folder / study.input).write_text(text)


def _input(
    study: Study,
    parameters: Parameters,
    prepared: Prepared,
    model: potentials.Potential,
    note: dict[str, Any],
) -> str:
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(templates_folder()) / "studies"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    label = stand_in.LABEL if note["stand_in"] else ""
    values = {"label": label, "before_box": model.before_box, **note, **prepared.values}
    return env.get_template(f"{study.input}.j2").render(p=parameters, **values)


def write_data(path: Path, atoms: ase.Atoms, types: tuple[str, ...], skew: bool = False) -> None:
    """A LAMMPS data file, atom_style atomic, with masses; types are those of the potential.

    ``skew``: the cell may tilt, even if it does not yet.
    """
    from ase.io.lammpsdata import write_lammps_data

    write_lammps_data(
        path,
        atoms,
        specorder=list(types),
        masses=True,
        units="metal",
        atom_style="atomic",
        reduce_cell=False,
        force_skew=skew,
    )


def _counts(prepared: Prepared, types: tuple[str, ...]) -> dict[str, int]:
    """Atoms of each element, in the first structure if not stated."""
    if prepared.counts is not None:
        return {e: prepared.counts[e] for e in types if e in prepared.counts}
    atoms = next(iter(prepared.structures.values()), ase.Atoms())
    symbols = list(atoms.symbols)
    return {e: symbols.count(e) for e in types if e in symbols}
