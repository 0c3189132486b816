"""The folder of a training, of one configuration, with one process at work in it."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from pysmax.errors import SmaxError
from pysmax.files import one_sentence, read_text, write_atomically
from pysmax.grace.config import Config, dump, parse
from pysmax.grace.maker import Work

CONFIG, DATA = "config.yaml", "data/data.json"


@dataclass(frozen=True)
class Run:
    """The folder of a training: config.yaml, data/, input.yaml, seed/ (gracemaker's), model/."""

    folder: Path
    config: Config

    @property
    def work(self) -> Work:
        """gracemaker's folder."""
        return Work(self.folder / "seed" / str(self.config.fit.seed))

    @property
    def data(self) -> dict[str, Any]:
        """What is in the data."""
        found: dict[str, Any] = json.loads(read_text(self.folder / DATA))
        return found

    @property
    def model(self) -> Path:
        """The finished model."""
        return self.folder / "model"


@contextmanager
def owned(run: Run) -> Iterator[IO[Any]]:
    """The folder, its configuration checked, locked for as long as we or gracemaker live."""
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        lock = open(run.folder / ".lock", "a")  # noqa: SIM115  closed below
    except OSError as e:
        raise SmaxError(f"{run.folder}: cannot be written: {e.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SmaxError(f"{run.folder}: another training is at work there") from None
        path = run.folder / CONFIG
        if path.exists():
            _again(run, path)
        elif any(not p.name.startswith((".lock", f".{CONFIG}.")) for p in run.folder.iterdir()):
            raise SmaxError(
                f"{run.folder}: holds something else, expected a new folder or that of a training"
            )
        else:
            write_atomically(path, dump(run.config).encode())
        yield lock


def _again(run: Run, path: Path) -> None:
    """The configuration is that of before; or nothing was trained yet, and it is replaced."""
    try:
        old = yaml.safe_load(read_text(path))
    except yaml.YAMLError:
        raise SmaxError(f"{path}: not YAML, expected a new folder or that of a training") from None
    new = run.config.model_dump(mode="json")
    if (run.folder / "seed").exists() or not _complete(old, path):
        _same_config(old, new, path)
    elif old != new:
        with one_sentence(run.folder):
            for name in ("data", "data.part"):
                if (run.folder / name).exists():
                    shutil.rmtree(run.folder / name)
        write_atomically(path, dump(run.config).encode())


def _complete(given: Any, path: Path) -> bool:
    """Was it written here, with every option in it?"""
    try:
        return bool(given == parse(given, str(path), Path()).model_dump(mode="json"))
    except SmaxError:
        return False


def _same_config(old: Any, new: Any, path: Path, where: str = "") -> None:
    if where == "data.train.":  # a folder may be moved, or named from elsewhere
        old, new = ([Path(p).name for p in paths] for paths in (old or [], new))
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            _same_config(old.get(key), new.get(key), path, f"{where}{key}.")
    elif old != new and where != "uq.":
        raise SmaxError(
            f"{path}: {where.rstrip('.')} is {old}, now it is {new}: expected what this "
            "training began with (with other epochs the learning rate would rise again), or another folder"
        )
