"""A study as a user runs it: rendered, run and analysed by commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from conftest import BIN, Finished, environment, lmp_command, run_program


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
    process = subprocess.Popen(
        [str(word) for word in lmp_command(f"in.{study}", ranks=ranks)],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 120
    while not list(folder.glob(until)):
        assert process.poll() is None, f"{study} ended before {until} was there"
        assert time.monotonic() < end, f"{until} never came"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
