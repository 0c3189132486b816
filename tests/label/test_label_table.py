"""The live table: nobody may be looking any more."""

from __future__ import annotations

import io
import os
import sys

import pytest
from rich.console import Console

from pysmax.label import table
from pysmax.label.progress import Progress


def leave(monkeypatch: pytest.MonkeyPatch, descriptor: int) -> None:
    """What is still in the buffer of the file goes nowhere."""
    monkeypatch.undo()
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def test_a_closed_terminal_ends_no_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    with open(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(table, "DRAW_S", 0.0)
        progress = Progress(3)
        with table.live_table(progress, "run"):
            progress.tick()
            os.close(ours)
            progress.tick()
            progress.tick()
        leave(monkeypatch, theirs)


def test_a_closed_pipe_ends_no_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "w") as pipe:
        monkeypatch.setattr(sys, "stderr", pipe)
        monkeypatch.setattr(table, "LINE_S", 0.0)
        progress = Progress(3)
        with table.live_table(progress, "run"):
            progress.tick()
            progress.tick()
        leave(monkeypatch, theirs)


def test_brackets_in_a_title_are_no_markup() -> None:
    console = Console(file=io.StringIO(), width=60)
    console.print(table.table(Progress(1), "run[bold]/[/x]"))
    assert isinstance(console.file, io.StringIO) and "run[bold]/[/x]" in console.file.getvalue()
