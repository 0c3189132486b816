"""From gracemaker's folder to that of the model: complete, with all that is needed to make it again."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pysmax
from pysmax.errors import SmaxError
from pysmax.files import write_atomically
from pysmax.grace import export_native, references
from pysmax.grace.data import FILES
from pysmax.grace.environment import Environment
from pysmax.grace.maker import run_program
from pysmax.grace.model import NOTE, UQ
from pysmax.grace.presets import PRESETS
from pysmax.grace.run import Run


def publish(
    run: Run, env: Environment, lock: IO[Any], data: dict[str, Any], say: Callable[[str], object]
) -> None:
    """The model's folder, complete or not there."""
    part = run.folder / "model.part"
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(run.work.final_model, part)
    references.write(part, data["references"])
    write_atomically(part / NOTE, json.dumps(provenance(run, env, data), indent=1).encode())
    if PRESETS[run.config.model.preset].layers:
        _export_native(run, env, lock, part / "native.npz", say)
    os.rename(part, run.model)


def _export_native(
    run: Run, env: Environment, lock: IO[Any], target: Path, say: Callable[[str], object]
) -> None:
    """The weights as plain arrays, for pair_style grace/native; not every architecture is one of its."""
    work = run.work
    script, given = Path(export_native.__file__).resolve(), (work.model_yaml.resolve(), work.best.resolve())
    try:
        run_program(env, ["python", str(script), *map(str, given), str(target.resolve())], run.folder, lock)
    except SmaxError as e:
        target.unlink(missing_ok=True)
        say(f"no native.npz, pair_style grace/native cannot run this model: {e}")


def provenance(run: Run, env: Environment, data: dict[str, Any]) -> dict[str, Any]:
    """All that is needed to make the model again."""
    return {
        "pysmax": pysmax.__version__,
        "environment": env.versions(),
        "python": platform.python_version(),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "gpus": _gpus(),
            "system": platform.platform(),
        },
        "seconds": json.loads((run.folder / "seconds.json").read_text()),
        "data": {k: v for k, v in data.items() if k not in ("lines", "references")},
        "config": run.config.model_dump(mode="json"),
        "files": FILES,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (s.split(":", 1)[1].strip() for s in lines if s.startswith("model name")), platform.processor()
    )


def _gpus() -> list[str]:
    """Models of NVIDIA's, as its driver names them."""
    found = []
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        lines = path.read_text(errors="replace").splitlines()
        found += [s.split(":", 1)[1].strip() for s in lines if s.startswith("Model:")]
    return found


def build_uq(run: Run, env: Environment, lock: IO[Any] | None, say: Callable[[str], object]) -> None:
    """The artefact of uncertainties, by grace_uq, of the training set; and a SavedModel that carries it."""
    target = run.model / UQ
    if target.exists():
        return
    say("building the artefact of uncertainties (grace_uq)")
    part = run.folder / "uq.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    work = run.work
    command = ["grace_uq", "build", "--model-yaml", str(work.model_yaml.resolve())]
    command += [
        "--checkpoint",
        f"{work.best.resolve()}.index",
        "--n-workers",
        "1",
        "--seed",
        str(run.config.fit.seed),
    ]
    command += ["--train-data", str((run.folder / "data" / FILES["train"]).resolve())]
    command += ["--artifact-path", str((part / "gmm_artifacts.npz").resolve())]
    command += ["--export-path", str((part / "saved_model").resolve())]
    run_program(env, command, run.folder, lock)
    os.rename(part, target)
