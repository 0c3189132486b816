"""An engine for tests: a cheap known label, and whatever trouble the structure's first element asks for."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Literal

import ase
import numpy as np

from pysmax.dataset.record import Label
from pysmax.label.engine import Engine, EngineConfig, EngineFailure

# what the first atom does
KILLS, HANGS, RAISES, NAN, SCF, HUGE, DIES_ONCE, FORKS = "Xe", "Kr", "Ar", "Ne", "He", "Rn", "Cs", "Fr"


class TrialConfig(EngineConfig):
    """``log``: a line per finished label; ``marks``: folder where DIES_ONCE remembers that it has died."""

    OUTSIDE = EngineConfig.OUTSIDE | {"log", "marks", "sleep_s", "fails_to_load"}

    engine: Literal["trial"] = "trial"
    scale: float = 1.0
    sleep_s: float = 0.0
    log: Path | None = None
    marks: Path | None = None
    fails_to_load: Literal["", "raises", "dies", "hangs"] = ""

    def version(self) -> str:
        return "1"

    def make(self) -> Engine:
        if self.fails_to_load == "raises":
            raise ImportError("no such library")
        if self.fails_to_load == "dies":
            print("out of patience", flush=True)
            os._exit(3)
        if self.fails_to_load == "hangs":
            time.sleep(1000)
        return TrialEngine(self)


class TrialEngine(Engine):
    """Energy: scale times the sum of squares of the positions; forces: minus its gradient."""

    def __init__(self, config: TrialConfig) -> None:
        self.config = config

    @property
    def attempts(self) -> tuple[str, ...]:
        return ("first", "second")

    def compute(self, atoms: ase.Atoms, attempt: int) -> Label:
        c = self.config
        time.sleep(c.sleep_s)
        trouble = atoms.symbols[0]
        if trouble == KILLS or (trouble == DIES_ONCE and self._first(atoms)):
            print("about to die", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if trouble == HANGS:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGALRM})
            while True:
                time.sleep(1000)
        if trouble == RAISES:
            raise ValueError("not today")
        if trouble == FORKS:
            os.fork()  # and both return
        if trouble == SCF and attempt == 0:
            raise EngineFailure("scf", "not converged")
        energy = c.scale * float((atoms.positions**2).sum())
        if c.log:
            # one write with O_APPEND: lines of several processes do not mix
            with open(c.log, "a") as f:
                f.write(f"{energy!r}\n")
        factor = {NAN: np.nan, HUGE: 1e6}.get(trouble, 1.0)
        return Label(energy, -2 * c.scale * atoms.positions * factor, np.arange(6) * 1e-3)

    def _first(self, atoms: ase.Atoms) -> bool:
        assert self.config.marks
        mark = self.config.marks / f"{float(atoms.positions.sum()):.8f}"
        if mark.exists():
            return False
        mark.touch()
        return True


def structures(n: int, seed: int = 0, trouble: dict[int, str] | None = None) -> list[ase.Atoms]:
    """Random periodic cells of 3 atoms; ``trouble``: first elements by index."""
    rng = np.random.default_rng(seed)
    cells = []
    for i in range(n):
        symbols = [(trouble or {}).get(i, "W"), "Be", "H"]
        cell = 3 * np.eye(3) + rng.uniform(0, 1, (3, 3))
        cells.append(ase.Atoms(symbols, cell=cell, scaled_positions=rng.random((3, 3)), pbc=True))
    return cells
