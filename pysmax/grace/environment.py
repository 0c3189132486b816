"""The GRACE environment: a virtual environment with TensorFlow, never imported into this process.

TensorFlow is 1.5 GB, disturbs other libraries of a process, and its tensorpotential is free for academic use
only (Academic Software License): it is a program beside this one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pysmax.errors import SmaxError
from pysmax.files import read_text, write_atomically

VARIABLE = "PYSMAX_GRACE"
MARK = "pysmax-grace.txt"  # what was installed; empty while that is under way
TENSORFLOW = {False: "tensorflow-cpu==2.20.0", True: "tensorflow[and-cuda]==2.20.0"}
# without its dependencies: they name the CUDA build of TensorFlow (7 GB)
TENSORPOTENTIAL = ("tensorpotential==0.6.2.1", "tf_keras==2.20.1")
PACKAGES = ("tensorflow", "tensorflow-cpu", "tensorflow_cpu", "tensorpotential", "tf_keras", "numpy", "ase")
OTHERS = (
    "ase>=3.24,<4",
    "matscipy>=1.1,<2",
    "numpy>=1.26,<3",
    "pandas>=2.2,<3",
    "pyyaml>=6,<7",
    "questionary>=2,<3",
    "requests>=2.31,<3",
    "rich>=13,<16",
    "scikit-learn>=1.5,<2",
    "scipy>=1.11,<2",
    "sympy>=1.12,<2",
    "tqdm>=4.66,<5",
)


@dataclass(frozen=True)
class Environment:
    """A folder with bin/python and the programs of tensorpotential."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def program(self, name: str) -> Path:
        """gracemaker, grace_uq, ...; SmaxError if it is not there."""
        path = self.folder / "bin" / name
        if not path.exists():
            raise SmaxError(f"{path}: no such program: {_advice()}")
        return path

    def variables(self) -> dict[str, str]:
        """Environment variables for its programs: quiet, and nothing of this Python."""
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
        env["PATH"] = f"{self.folder / 'bin'}{os.pathsep}{env.get('PATH', '')}"
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONNOUSERSITE": "1"}
        return {**quiet, **env}

    def versions(self) -> dict[str, str]:
        """Versions of the packages that make numbers, as they are in it."""
        ask = (
            "import importlib.metadata as m, json, sys; "
            "print(json.dumps({d.name: d.version for d in m.distributions() if d.name in sys.argv[1:]}))"
        )
        command = [str(self.python), "-c", ask, *PACKAGES]
        try:
            done = subprocess.run(command, env=self.variables(), capture_output=True, text=True, check=False)
        except OSError as e:
            raise SmaxError(f"{self.python}: cannot be run: {e.strerror}") from None
        if done.returncode:
            said = [*done.stderr.strip().splitlines(), "it said nothing"]
            raise SmaxError(f"{self.python}: does not run: {said[-2] if len(said) > 1 else said[0]}")
        return dict(sorted(json.loads(done.stdout).items()))

    def asked_for(self) -> str:
        """What ``install`` has put there; empty where it did not end, or was not."""
        path = self.folder / MARK
        return read_text(path) if path.exists() else ""


def default_folder() -> Path:
    """Where ``pysmax grace install`` puts it: inside the environment of this Python."""
    return Path(sys.prefix) / "share" / "pysmax" / "grace"


def locate() -> Environment:
    """The GRACE environment: $PYSMAX_GRACE, else the default folder; SmaxError if there is none."""
    if given := os.environ.get(VARIABLE):
        env = Environment(Path(os.path.abspath(given)))  # programs are run in other folders
        if not env.python.exists():
            raise SmaxError(
                f"{VARIABLE} is '{given}': found no bin/python there, expected a GRACE environment"
            )
        env.program("gracemaker")
        return env
    env = Environment(default_folder())
    if not env.asked_for():
        raise SmaxError(f"{env.folder}: found no (complete) GRACE environment: {_advice()}")
    return env


def install(
    folder: Path | None = None, cuda: bool = False, say: Callable[[str], object] = print
) -> Environment:
    """Make the environment with pip; one that is complete and of the same versions is left as it is."""
    env = Environment(folder or default_folder())
    steps = ([TENSORFLOW[cuda]], ["--no-deps", *TENSORPOTENTIAL], list(OTHERS))
    wanted = "".join(f"{p}\n" for packages in steps for p in packages if p[0] != "-")
    if env.asked_for() == wanted:
        return env
    try:
        if env.folder.exists() and not (env.folder / MARK).exists() and any(env.folder.iterdir()):
            raise SmaxError(f"{env.folder}: holds something else, expected an empty or a new folder")
        shutil.rmtree(env.folder, ignore_errors=True)
        env.folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SmaxError(f"{env.folder}: cannot be made: {e.strerror}") from None
    write_atomically(env.folder / MARK, b"")  # from here on the folder is ours
    say(f"making {env.folder} ({'about 7 GB, with CUDA' if cuda else 'about 2 GB, without CUDA'})")
    _run([sys.executable, "-m", "venv", str(env.folder)], os.environ)
    pip = [str(env.python), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    for packages in steps:
        say(f"installing {' '.join(p for p in packages if p[0] != '-')}")
        _run([*pip, *packages], env.variables())
    write_atomically(env.folder / MARK, wanted.encode())
    return env


def _run(command: Sequence[str], variables: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    except OSError as e:
        raise SmaxError(f"{command[0]}: {e.strerror}") from None
    if done.returncode:
        lines = [s for s in (done.stdout + done.stderr).splitlines() if s.strip()]
        errors = [s for s in lines if "ERROR" in s] or lines
        raise SmaxError(f"{' '.join(command)}: failed: {errors[-1] if errors else 'it said nothing'}")


def _advice() -> str:
    return f"make one with 'pysmax grace install', or name one in {VARIABLE}"
