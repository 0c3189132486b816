"""A study as a user runs it: rendered, run and analysed by commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conftest import BIN, Finished, environment, lmp_command, run_program
from run_tools import run_until


def pysmax(*words: str | Path, folder: Path, check: bool = True) -> Finished:
    """``pysmax WORDS`` in a folder; with ``check`` it has to end well."""
    done = run_program([BIN / "pysmax", *words], folder, env=environment())
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    else:
        assert "Traceback" not in done.stderr
    return done


def rendered(
    study: str, to: Path, *words: str, potential: str | Path = "stand-in", scale: str = "smoke"
) -> Path:
    """Its folder; ``words``: key=value settings."""
    settings = [part for word in words for part in ("--set", word)]
    command = ["render", study, "--potential", potential, "--scale", scale, "-o", to, *settings]
    pysmax(*command, folder=to.parent)
    return to


def run(study: str, folder: Path, ranks: int = 1, check: bool = True, **variables: object) -> Finished:
    """``lmp -in in.STUDY`` in its folder."""
    done = run_program(lmp_command(f"in.{study}", ranks=ranks, variables=variables), folder)
    if check:
        assert done.returncode == 0 and "ERROR" not in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def analysed(study: str, folder: Path, *words: str | Path) -> dict[str, Any]:
    """summary.json of the analysis; its page must be whole."""
    pysmax("analyse", study, folder, *words, folder=folder)
    page = (folder / "analysis" / "index.html").read_text()
    assert page.rstrip().endswith("</html>") and "data:image/png" in page
    summary: dict[str, Any] = json.loads((folder / "analysis" / "summary.json").read_text())
    return summary


def killed(study: str, folder: Path, until: str, ranks: int = 1) -> None:
    """Run it and SIGKILL all its processes as soon as a file that matches the pattern ``until`` is there."""
    argv = [str(word) for word in lmp_command(f"in.{study}", ranks=ranks)]
    stopped = run_until(folder, argv, lambda: bool(list(folder.glob(until))), environment())
    assert stopped, f"{study} ended before {until} was there"
