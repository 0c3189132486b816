"""A GRACE model asked for numbers, in a process of the GRACE environment that stays loaded."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import ase
import numpy as np
import numpy.typing as npt

from pysmax.dataset.record import Array
from pysmax.errors import SmaxError
from pysmax.grace import worker
from pysmax.grace.environment import locate
from pysmax.grace.maker import how_it_ended
from pysmax.grace.model import Model

BATCH = 500  # structures of one request


@dataclass(frozen=True)
class Prediction:
    """eV, eV/A, eV/A^3 (ASE's sign, Voigt; NaN where not periodic); ``why`` it failed, or ''."""

    energy: float
    forces: Array
    stress: Array
    grade: float = float("nan")
    why: str = ""


class Predictor:
    """A process with a model in it. Energies include the reference energies if ``with_references``."""

    def __init__(self, model: Model, with_references: bool = True, grade: bool = False) -> None:
        self.model = model
        self.references = model.references if with_references else {}
        env = locate()
        self._log = tempfile.TemporaryFile("a+b")  # noqa: SIM115  its last words
        folder = model.uq if grade else model.folder
        what = [str(Path(worker.__file__)), str(folder.resolve()), "grade" if grade else "plain"]
        try:
            self._process = subprocess.Popen(
                [str(env.python), *what],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=env.variables(),
                start_new_session=True,
            )
        except OSError as e:
            raise SmaxError(f"{env.python}: cannot be run: {e.strerror}") from None
        try:
            hello = self._receive()
            if "error" in hello:
                raise SmaxError(f"{folder}: cannot be loaded: {hello['error']}")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Predictor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def predict(self, frames: Sequence[ase.Atoms]) -> list[Prediction]:
        """Numbers of each structure; one with an element that the model does not know has a ``why``."""
        unknown = [sorted(set(a.symbols) - set(self.model.elements)) for a in frames]
        known = [a for a, missing in zip(frames, unknown, strict=True) if not missing]
        found = iter(self._ask(known) if known else [])
        nothing = np.full(6, np.nan)
        return [
            Prediction(np.nan, np.full((len(a), 3), np.nan), nothing, why=self._unknown(missing))
            if missing
            else next(found)
            for a, missing in zip(frames, unknown, strict=True)
        ]

    def _ask(self, frames: Sequence[ase.Atoms]) -> list[Prediction]:
        natoms = np.array([len(a) for a in frames], dtype=np.int64)
        self._send(
            natoms=natoms,
            numbers=np.concatenate([a.numbers for a in frames]),
            positions=np.concatenate([a.positions for a in frames]),
            cell=np.array([a.cell.array for a in frames]),
            pbc=np.array([a.pbc for a in frames]),
        )
        found = self._receive()
        forces = np.split(found["forces"], np.cumsum(natoms)[:-1])
        return [
            Prediction(
                float(found["energy"][k]) + self._shift(a),
                forces[k],
                found["stress"][k],
                float(found["grade"][k]),
                str(found["why"][k]),
            )
            for k, a in enumerate(frames)
        ]

    def _unknown(self, symbols: Sequence[str]) -> str:
        return f"element {' '.join(symbols)} not among the model's ({' '.join(self.model.elements)})"

    def _shift(self, a: ase.Atoms) -> float:
        return float(sum(self.references.get(s, 0.0) for s in a.symbols))

    def _send(self, **arrays: npt.NDArray[Any]) -> None:
        assert self._process.stdin
        try:
            worker.send(self._process.stdin, **arrays)
        except OSError:
            self._failed()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout
        found: dict[str, Any] | None = worker.receive(self._process.stdout)
        if found is None:
            self._failed()
        return found or {}

    def _failed(self) -> None:
        code = self._process.wait()
        self._log.seek(0)
        lines = [s for s in self._log.read().decode(errors="replace").splitlines() if s.strip()]
        said = lines[-1][:300] if lines else "it said nothing"
        raise SmaxError(f"{self.model.folder}: the process of the model {how_it_ended(code)}: {said}")
