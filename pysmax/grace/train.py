"""A training: data, gracemaker, the model's folder. Again: it goes on where it was."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import yaml
from ase.data import chemical_symbols

from pysmax.dataset.progress import progress
from pysmax.errors import SmaxError
from pysmax.files import one_sentence, read_text, write_atomically
from pysmax.grace import gracemaker_again, references
from pysmax.grace.config import Config
from pysmax.grace.data import Tally, write_frames
from pysmax.grace.environment import Environment, locate
from pysmax.grace.maker import maker_input, run_program
from pysmax.grace.model import Model
from pysmax.grace.publish import build_uq, publish
from pysmax.grace.resume import export_best, go_on, restore_best
from pysmax.grace.run import DATA, Run, owned

Say = Callable[[str], object]


def train(config: Config, folder: Path, say: Say = print) -> Model:
    """Train in ``folder``, a new one or that of the same training; returns the model.

    Raises SmaxError if the folder is of another training, another process works there, or a program fails.
    """
    env = locate()
    run = Run(folder, config)
    with one_sentence(folder), owned(run) as lock:
        data = _prepare(run, say)
        _train(run, env, lock, data, say)
        if not run.model.exists():
            publish(run, env, lock, data, say)
        model = Model.open(run.model)
        if config.uq:
            build_uq(run, env, lock, say)
    say(f"wrote {run.model}")
    return model


def _prepare(run: Run, say: Say) -> dict[str, Any]:
    """The data of the run, written once; what is in them."""
    path = run.folder / DATA
    if not path.exists():
        part = run.folder / "data.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        with progress("data", None) as step:
            tally, fitted = write_frames(run.config.data, part, step)
        data = {
            **tally.as_dict(),
            "lines": tally.lines(),
            "references": _references(run.config, tally, fitted),
        }
        write_atomically(part / "data.json", json.dumps(data, indent=1).encode())
        os.rename(part, run.folder / "data")
    data = run.data
    for line in data["lines"]:
        say(line)
    _check(run.config, data)
    return data


def _references(config: Config, tally: Tally, fitted: references.References) -> dict[str, float]:
    given = config.model.reference_energies
    found = fitted.fit(tally.symbols) if given == "fit" else dict(given)
    if missing := [s for s in tally.symbols if s not in found]:
        raise SmaxError(
            f"model.reference_energies: none for {' '.join(missing)}, expected one for every element"
        )
    return found


def _check(config: Config, data: dict[str, Any]) -> None:
    for part, share in (("train", "validation"), ("validation", "validation")):
        if not data["parts"].get(part):
            raise SmaxError(
                f"data: of {data['structures']} structures none is for {part} "
                f"(data.{share} is {getattr(config.data, share):g}): expected more structures or other shares"
            )
    for name, weight in config.fit.loss.model_dump(exclude={"delta"}).items():
        if weight > 0 and not data["has"].get(name):
            raise SmaxError(f"data: no structure has {name}, but fit.loss.{name} is {weight:g}: expected 0")
    if config.model.elements and (more := sorted(set(data["elements"]) - set(config.model.elements))):
        raise SmaxError(f"data: found {' '.join(more)}, which are not among model.elements")


def _train(run: Run, env: Environment, lock: IO[Any], data: dict[str, Any], say: Say) -> None:
    work, epochs = run.work, run.config.fit.epochs
    if (work.folder / "finished").exists():
        return
    elements = run.config.model.elements or sorted(data["elements"], key=chemical_symbols.index)
    given = maker_input(
        run.config,
        elements,
        data["references"],
        data["parts"]["train"],
        data["has"].get("stress", 0) == data["structures"],
    )
    write_atomically(run.folder / "input.yaml", yaml.safe_dump(given, sort_keys=False).encode())
    command = ["gracemaker", "input.yaml"]
    if run.config.fit.multi_gpu:
        command.append("-m")
    if given["potential"]["preset"] == "FS":
        command.append("-sf")
    done = go_on(run, env, lock, say)
    if done:
        again = str(Path(gracemaker_again.__file__).resolve())
        command = ["python", again, *command[1:], "-rl"]
    if done >= epochs:  # killed while it exported: gracemaker fails where no epoch is left
        export_best(run, env, lock)
    else:
        _run_epochs(run, env, lock, command)
        restore_best(run, env, lock)
    if not (work.final_model / "saved_model.pb").exists():
        raise SmaxError(f"gracemaker ended without a model; see {run.folder / 'gracemaker.log'}")
    write_atomically(work.folder / "finished", b"")


def _run_epochs(run: Run, env: Environment, lock: IO[Any], command: list[str]) -> None:
    started, before = time.monotonic(), _seconds(run)
    with progress(f"train {run.folder.name}", run.config.fit.epochs) as step:
        shown = 0

        def watch() -> None:
            nonlocal shown
            epoch = run.work.epoch()
            step(epoch - shown)
            if epoch != shown:
                _write_seconds(run, [*before, time.monotonic() - started])
            shown = epoch

        try:
            run_program(env, command, run.folder, lock, watch)
        finally:
            _write_seconds(run, [*before, time.monotonic() - started])


def _seconds(run: Run) -> list[float]:
    path = run.folder / "seconds.json"
    found: list[float] = json.loads(read_text(path)) if path.exists() else []
    return found


def _write_seconds(run: Run, seconds: list[float]) -> None:
    text = json.dumps([round(s, 1) for s in seconds])
    write_atomically(run.folder / "seconds.json", text.encode())
