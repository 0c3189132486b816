"""gracemaker as a process: its input, its checkpoints, its metrics, its life."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from pysmax.errors import SmaxError
from pysmax.grace.config import Config, Loss
from pysmax.grace.cutoffs import of_elements, pairs
from pysmax.grace.environment import Environment
from pysmax.grace.presets import PRESETS

POLL_S = 0.5
LOG = "gracemaker.log"


def maker_input(
    config: Config,
    elements: Sequence[str],
    references: Mapping[str, float],
    train: int,
    all_stresses: bool = True,
) -> dict[str, Any]:
    """input.yaml of gracemaker; ``train``: number of structures to train on; do all have a stress?"""
    preset, fit, loss = PRESETS[config.model.preset], config.fit, config.fit.loss
    cutoffs = of_elements(elements, config.model.cutoffs)
    given: dict[str, Any] = {"seed": fit.seed, "cutoff": max(cutoffs.values())}
    if len(set(cutoffs.values())) > 1:
        given["cutoff_dict"] = pairs(elements, cutoffs)
    given["data"] = {
        "filename": "data/train.pkl.gz",
        "test_filename": "data/validation.pkl.gz",
        "reference_energy": dict(references),
    }
    given["potential"] = {
        "preset": preset.name,
        "kwargs": {**preset.kwargs, **config.model.kwargs},
        "elements": list(elements),
        "param_dtype": config.model.param_dtype,
    }
    batch = min(fit.batch_size, train)
    given["fit"] = {
        "loss": _loss(loss, batch, all_stresses),
        "maxiter": fit.epochs,
        "optimizer": "Adam",
        "opt_params": {
            "learning_rate": fit.learning_rate,
            "use_ema": True,
            "ema_momentum": 0.99,
            "weight_decay": None,
            "clipnorm": 1.0,
        },
        "scheduler": "cosine_decay",
        "scheduler_params": {"minimum_learning_rate": fit.minimum_learning_rate},
        "batch_size": batch,
        "test_batch_size": batch,
        "jit_compile": True,
        "eval_init_stats": False,
        "train_max_n_buckets": fit.shapes,
        "test_max_n_buckets": fit.shapes,
        "checkpoint_freq": fit.checkpoint_every,
        "progressbar": False,
        "train_shuffle": True,
    }
    return _merged(given, config.gracemaker)


def _loss(loss: Loss, batch: int, all_stresses: bool) -> dict[str, Any]:
    weights = {"energy": loss.energy, "forces": loss.forces, "stress": loss.stress}
    terms: dict[str, dict[str, Any]] = {
        k: {"type": "huber", "weight": w, "delta": loss.delta} for k, w in weights.items() if w > 0
    }
    if "stress" in terms and not all_stresses:
        # the mean of a batch where no structure has a stress is 0/0: a sum, divided as if all had one
        terms["stress"] |= {"weight": loss.stress / (6 * batch), "normalize_by_samples": False}
    return terms


def _merged(base: dict[str, Any], over: Mapping[str, Any], where: str = "gracemaker") -> dict[str, Any]:
    for key, value in over.items():
        inner = base.get(key)
        if isinstance(inner, dict) and not isinstance(value, dict):
            raise SmaxError(f"{where}.{key}: found {value!r}, expected a section")
        base[key] = _merged(inner, value, f"{where}.{key}") if isinstance(inner, dict) else value
    return base


@dataclass(frozen=True)
class Work:
    """gracemaker's own folder inside that of a run."""

    folder: Path  # RUN/seed/N

    @property
    def model_yaml(self) -> Path:
        """The architecture."""
        return self.folder / "model.yaml"

    @property
    def best(self) -> Path:
        """Prefix of the checkpoint with the smallest loss in validation."""
        return self.folder / "checkpoints" / "checkpoint.best_test_loss"

    @property
    def final_model(self) -> Path:
        """The SavedModel."""
        return self.folder / "final_model"

    def metrics(self, part: str = "test") -> list[dict[str, Any]]:
        """Errors after every epoch so far (part: train, test); a torn last line is left out."""
        try:
            text = (self.folder / f"{part}_metrics.yaml").read_text()
        except OSError:
            return []
        found = []
        for line in text.splitlines():
            try:
                found.append(json.loads(line.removeprefix("- ").replace("NaN", "null")))
            except ValueError:
                continue
        return [m for m in found if isinstance(m, dict)]

    def epoch(self) -> int:
        """Epochs that are done."""
        return max((int(m["epoch"]) for m in self.metrics() if "epoch" in m), default=0)


def run_program(
    env: Environment,
    command: Sequence[str],
    run: Path,
    lock: IO[Any] | None = None,
    watch: Callable[[], object] = lambda: None,
) -> None:
    """Run a program of the environment in RUN, its output to gracemaker.log; SmaxError if it fails.

    It dies with this process. Ctrl-C ends it, and is raised again.
    """
    with open(run / LOG, "a") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        log.flush()
        try:
            process = subprocess.Popen(
                [str(env.program(command[0])), *command[1:]],
                cwd=run,
                env=env.variables(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock.fileno()] if lock else [],  # held until the last of them ends
                preexec_fn=partial(_die_with, os.getpid()),
            )
        except OSError as e:  # also that of a moved environment, whose programs name its old place
            raise SmaxError(f"{env.program(command[0])}: cannot be run: {e.strerror}") from None
        try:
            while process.poll() is None:
                watch()
                time.sleep(POLL_S)
            watch()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # with its workers
                process.wait()
    if process.returncode:
        raise SmaxError(
            f"{command[0]} {how_it_ended(process.returncode)}: {last_words(run / LOG)}; see {run / LOG}"
        )


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it was killed before
        os._exit(1)


def how_it_ended(code: int) -> str:
    """``ended with code 1``, ``was killed by SIGKILL``."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def last_words(log: Path) -> str:
    """The last line of a log that says something."""
    lines = [s.strip() for s in log.read_text(errors="replace").splitlines() if s.strip()]
    errors = [s for s in lines[-60:] if "Error" in s or "ERROR" in s]
    return (errors or lines or ["it said nothing"])[-1][:300]
