"""The potential of a study: from one small file to ``potential.mod``, where all inputs take it from."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pysmax.errors import SmaxError
from pysmax.files import one_sentence, read_text
from pysmax.settings import checked, read_yaml
from pysmax.studies import stand_in

STAND_IN: Literal["stand-in"] = "stand-in"
FOLDER = "potential"  # in a rendered study: the files that the potential needs
PLACEHOLDER = "{elements}"
NOT_NEEDED = ("uq", "evaluation")  # beside a GRACE model: large, and of no use to LAMMPS


class PotentialFile(BaseModel):
    """``potential.yaml``: ``stand_in: true``, ``model:``, or ``commands:`` as engine lammps takes them."""

    model_config = ConfigDict(extra="forbid")

    stand_in: bool = False
    model: Path | None = Field(default=None, description="folder of a GRACE model, or of its run")
    native: bool | None = Field(default=None, description="grace/native; default: where the model has it")
    elements: tuple[str, ...] = Field(
        default=(), description="element of each atom type; of {elements}, those it knows"
    )
    commands: tuple[str, ...] = Field(default=(), description="pair_style, pair_coeff, ...")
    before_box: tuple[str, ...] = Field(
        default=(), description="commands ahead of the box: plugin load, newton, ..."
    )

    @model_validator(mode="after")
    def _one(self) -> PotentialFile:
        if sum((self.stand_in, self.model is not None, bool(self.commands))) != 1:
            raise ValueError("expected one of stand_in: true, model: FOLDER, commands: [pair_style ..., ...]")
        if self.commands and not any(c.split()[:1] == ["pair_style"] for c in self.commands):
            raise ValueError("commands: found no pair_style, expected pair_style and pair_coeff lines")
        return self


@dataclass(frozen=True)
class Potential:
    """What inputs need: its elements in its own order, its commands with ``{elements}``, its files.

    ``files``: name in folder ``potential`` of a study -> where it is now (a file or a folder).
    ``fixed``: atom types are its elements, all of them, in its order (commands without ``{elements}``).
    """

    name: str
    elements: tuple[str, ...]
    commands: tuple[str, ...] = ()
    before_box: tuple[str, ...] = ()
    files: dict[str, Path] = field(default_factory=dict)
    kind: Literal["stand-in", "grace", "lammps"] = "lammps"

    @property
    def fixed(self) -> bool:
        return bool(self.commands) and not any(PLACEHOLDER in c for c in self.commands)

    def types(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """Elements of the atom types 1, 2, ...; SmaxError if one is not known to the potential."""
        wanted = set(wanted)
        if unknown := sorted(wanted - set(self.elements)):
            raise SmaxError(
                f"element {unknown[0]}: not known to the potential {self.name}, "
                f"which has {' '.join(self.elements)}"
            )
        return self.elements if self.fixed else tuple(e for e in self.elements if e in wanted)

    def lines(self, types: Sequence[str]) -> list[str]:
        """Commands for atom types of these elements."""
        if self.kind == STAND_IN:
            return stand_in.commands(types)
        return [c.replace(PLACEHOLDER, " ".join(types)) for c in self.commands]

    def write(self, folder: Path, types: Sequence[str]) -> None:
        """``potential.mod`` and the files it names; the folder can be moved."""
        note = f" ({stand_in.LABEL})" if self.kind == STAND_IN else ""
        head = [f"# {self.name}{note}; atom types: {' '.join(types)}"]
        (folder / "potential.mod").write_text("\n".join([*head, *self.lines(types)]) + "\n")
        for name, source in self.files.items():
            target = folder / FOLDER / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns(*NOT_NEEDED))
            else:
                shutil.copyfile(source, target)


def load(given: str | Path) -> Potential:
    """Of ``stand-in``, a YAML file, or the folder of a GRACE model. Raises SmaxError."""
    if str(given) == STAND_IN:
        return _stand_in()
    path = Path(given)
    with one_sentence(path):
        if path.is_dir():
            return _grace(path, None)
        if not path.is_file():
            raise SmaxError(f"{given}: not there; expected a potential.yaml, a GRACE model, or '{STAND_IN}'")
    settings = checked(PotentialFile, read_yaml(path), f"{path}:")
    if settings.stand_in:
        return _stand_in()
    if settings.model is not None:
        return _grace(path.parent / settings.model, settings.native)
    return _commands(path, settings)


def _stand_in() -> Potential:
    from pysmax.studies.cohesive import COHESIVE_EV

    return Potential(STAND_IN, tuple(COHESIVE_EV), kind=STAND_IN)


def _grace(path: Path, native: bool | None) -> Potential:
    """The model with what belongs to it: references are added back where it has some."""
    from pysmax.grace.model import Model

    model = Model.open(path)
    there = (model.folder / "native.npz").exists()
    if native and not there:
        raise SmaxError(f"{model.folder}: has no native.npz, which 'native: true' needs")
    style = "grace/native" if (there if native is None else native) else "grace"
    references = " references yes" if model.references else ""
    return Potential(
        name=path.resolve().name,
        elements=tuple(model.elements),
        commands=(f"pair_style {style}{references}", f"pair_coeff * * {FOLDER}/model {PLACEHOLDER}"),
        files={"model": model.folder},
        kind="grace",
    )


def _commands(path: Path, given: PotentialFile) -> Potential:
    """Words that are files, beside the YAML file or among those of LAMMPS, go along."""
    from pysmax.label.engines.lammps import potentials_folder

    folders = [path.parent, Path.cwd(), *filter(None, [potentials_folder()])]
    files: dict[str, Path] = {}
    commands = tuple(_with_files(c, folders, files) for c in given.commands)
    before = tuple(_with_files(c, folders, files) for c in given.before_box)
    elements = _elements(path, given, files)
    return Potential(path.stem, elements, commands, before, files)


def _with_files(command: str, folders: Sequence[Path], files: dict[str, Path]) -> str:
    """The command with its files and folders in the study; SmaxError for a name of a file that is nowhere."""
    words = command.split()
    for k, word in enumerate(words):
        if k == 0 or ("." not in word and "/" not in word):
            continue  # a style or a number; names of files have a dot or a folder
        found = next((f / word for f in folders if (f / word).is_file() or _is_model(f / word)), None)
        if found is None:
            if words[0] == "pair_coeff" and word.startswith((".", "/")) and not _number(word):
                raise SmaxError(
                    f"{command}: {word} is not there, expected a file, or a folder of a GRACE model"
                )
            continue
        found = found.resolve() if found.is_dir() else found
        name = found.name
        if files.setdefault(name, found).resolve() != found.resolve():
            raise SmaxError(f"{command}: two different files are called {name}")
        words[k] = f"{FOLDER}/{name}"
    return " ".join(words)


def _is_model(path: Path) -> bool:
    return (path / "saved_model.pb").is_file() or (path / "native.npz").is_file()


def _number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _elements(path: Path, given: PotentialFile, files: dict[str, Path]) -> tuple[str, ...]:
    """From a setfl file if there is one, else as given; they may not contradict each other."""
    from ase.data import atomic_numbers

    style = next(c.split()[1:2] for c in given.commands if c.split()[:1] == ["pair_style"])
    setfl = style in (["eam/alloy"], ["eam/fs"])
    if setfl and not files:
        raise SmaxError(f"{path}: commands: found no file of {style[0]}, expected it beside {path.name}")
    found = _setfl(next(iter(files.values()))) if setfl else ()
    if unknown := [e for e in given.elements if e not in atomic_numbers or e == "X"]:
        raise SmaxError(f"{path}: elements: '{unknown[0]}' is no element, expected symbols such as Si")
    if len(set(given.elements)) < len(given.elements):
        raise SmaxError(f"{path}: elements: {' '.join(given.elements)} has one twice")
    if found and given.elements and (missing := [e for e in given.elements if e not in found]):
        raise SmaxError(
            f"{path}: elements: {missing[0]} is not in {next(iter(files))}, which has {' '.join(found)}"
        )
    if not (given.elements or found):
        raise SmaxError(f"{path}: elements: not given, expected those that the potential knows, in its order")
    return given.elements or found


def _setfl(path: Path) -> tuple[str, ...]:
    """Elements of an eam/alloy or eam/fs file: its fourth line."""
    line: Any = (read_text(path).splitlines()[3:4] or [""])[0].split()
    if len(line) < 2 or line[0] != str(len(line) - 1):
        raise SmaxError(
            f"{path}: line 4 is '{' '.join(line)[:60]}', expected the number of elements and names"
        )
    return tuple(line[1:])
