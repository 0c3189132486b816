"""gracemaker started again: from a checkpoint that is whole, and without losing the best epoch so far.

It writes checkpoints in place, so that a kill can tear one, and begins every start without a best epoch.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from pysmax.files import read_text, write_atomically
from pysmax.grace import read_checkpoints
from pysmax.grace.environment import Environment
from pysmax.grace.maker import Work, run_program
from pysmax.grace.run import Run

LATEST, BEST, BEFORE = "checkpoint", "checkpoint.best_test_loss", "checkpoint.best_before"
Epochs = Mapping[str, "int | None"]  # of the checkpoints that are there; None: torn


def go_on(run: Run, env: Environment, lock: IO[Any], say: Callable[[str], object]) -> int:
    """Make ready for gracemaker's restart from the latest checkpoint; its epoch, 0 if there is none."""
    work = run.work
    epochs = _epochs(run, env, lock)
    for part in ("train", "test"):
        _end_line(work.folder / f"{part}_metrics.yaml")
    keep_best(work, epochs)
    latest = epochs.get(LATEST)
    if latest is None:
        whole = {name: e for name in (BEST, BEFORE) if (e := epochs.get(name)) is not None}
        if not whole:
            if epochs:
                say("no checkpoint can be read: from the beginning")
            return 0
        name = max(whole, key=lambda n: whole[n])
        _copy(work, name, LATEST)
        latest = whole[name]
    say(f"going on after epoch {latest} of {run.config.fit.epochs}")
    return latest


def _epochs(run: Run, env: Environment, lock: IO[Any]) -> Epochs:
    folder = run.work.best.parent.resolve()
    names = [name for name in (LATEST, BEST, BEFORE) if (folder / f"{name}.index").exists()]
    if not names:
        return {}
    script, out = Path(read_checkpoints.__file__).resolve(), (run.folder / "epochs.json").resolve()
    command = ["python", str(script), str(out), *(str(folder / name) for name in names)]
    run_program(env, command, run.folder, lock)
    found = json.loads(read_text(out))
    out.unlink()
    return {name: found[str(folder / name)] for name in names}


def _end_line(path: Path) -> None:
    """What gracemaker appends must not become a part of a torn line."""
    if not path.exists() or not path.stat().st_size:
        return
    with open(path, "rb+") as f:
        f.seek(-1, os.SEEK_END)
        if f.read(1) != b"\n":
            f.write(b"\n")


def keep_best(work: Work, epochs: Epochs) -> None:
    """gracemaker forgets which epoch was best when it is started again: keep that of before."""
    path, rows = _note(work), work.metrics()
    before = json.loads(read_text(path)) if path.exists() and epochs.get(BEFORE) is not None else None
    loss = next((x for m in reversed(rows) if m.get("epoch") == epochs.get(BEST) and (x := _loss(m))), None)
    if loss is not None and (before is None or loss < before["loss"]):
        _copy(work, BEST, BEFORE)
        before = {"loss": loss}
    if before is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, json.dumps({"loss": before["loss"], "rows": len(rows)}).encode())


def restore_best(run: Run, env: Environment, lock: IO[Any]) -> None:
    """Export the best epoch of an earlier start, where none of the last was better."""
    work, path = run.work, _note(run.work)
    if path.exists():
        before = json.loads(read_text(path))
        later = [x for m in work.metrics()[before["rows"] :] if (x := _loss(m)) is not None]
        if not later or min(later) > before["loss"]:
            export_best(run, env, lock)


def export_best(run: Run, env: Environment, lock: IO[Any]) -> None:
    """The SavedModel of the best epoch of earlier starts."""
    work = run.work
    _copy(work, BEFORE if _note(work).exists() else LATEST, BEST)
    run_program(env, ["gracemaker", "input.yaml", "-r", "-s"], run.folder, lock)
    shutil.rmtree(work.final_model, ignore_errors=True)
    os.rename(work.folder / "saved_model", work.final_model)


def _note(work: Work) -> Path:
    return work.folder / "best_before.json"


def _loss(metrics: Mapping[str, Any]) -> float | None:
    loss = metrics.get("total_loss/test")
    return float(loss) if isinstance(loss, (int, float)) and math.isfinite(loss) else None


def _copy(work: Work, name: str, to: str) -> None:
    for path in work.best.parent.glob(f"{name}.*"):
        ending = path.name.removeprefix(name)
        if ending == ".index" or ending.startswith(".data-"):  # checkpoint.* are all of them
            shutil.copyfile(path, path.with_name(to + ending))
