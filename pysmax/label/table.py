"""The live table of a campaign; a line a minute where nobody looks at a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pysmax.label.progress import Progress

if TYPE_CHECKING:
    from rich.table import Table

DRAW_S = 0.25
LINE_S = 60.0


@contextmanager
def live_table(progress: Progress, title: str) -> Iterator[None]:
    """Show ``progress`` on stderr for a with block."""
    if not sys.stderr.isatty():
        progress.show = _Lines(title)
        yield
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    last = 0.0
    live = Live(table(progress, title), console=console, auto_refresh=False)

    def draw(p: Progress) -> None:
        nonlocal last
        if time.monotonic() - last > DRAW_S:
            last = time.monotonic()
            live.update(table(p, title), refresh=True)

    progress.show = draw
    live.start()
    try:
        yield
    finally:
        with suppress(OSError):  # the terminal may be closed
            live.update(table(progress, title), refresh=True)
            live.stop()


def rows(p: Progress) -> list[tuple[str, str]]:
    """What the table says, row by row."""
    shown = [("labelled", f"{p.ok}")]
    shown += [(f"failed: {reason}", f"{n}") for reason, n in sorted(p.failed.items())]
    for name, n in (
        ("in the store before", p.skipped),
        ("duplicates", p.duplicates),
        ("unreadable", len(p.unreadable)),
        ("with another campaign", p.waiting),
    ):
        if n:
            shown.append((name, f"{n}"))
    shown.append(("of", f"{p.total}"))
    shown.append(("rate", f"{p.rate:.2f} /s" if p.rate >= 0.1 else f"{3600 * p.rate:.1f} /h"))
    shown.append(("elapsed", duration(p.seconds)))
    if p.finished:
        shown.append(("left, about", duration(p.left / p.rate)))
    return shown


def table(p: Progress, title: str) -> Table:
    """The rows as rich draws them."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=Text(title), show_header=False, title_justify="left")
    drawn.add_column()
    drawn.add_column(justify="right")
    for name, value in rows(p):
        drawn.add_row(name, value)
    return drawn


def line(p: Progress) -> str:
    """The rows in one line."""
    return ", ".join(f"{name} {value}" for name, value in rows(p))


def duration(seconds: float) -> str:
    """``2 d 03:04:05``"""
    days, rest = divmod(round(seconds), 86400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days} d {clock}" if days else clock


class _Lines:
    """Prints a line from time to time, the first after a minute."""

    def __init__(self, title: str) -> None:
        self._title, self._last = title, time.monotonic()

    def __call__(self, p: Progress) -> None:
        if time.monotonic() - self._last > LINE_S:
            self._last = time.monotonic()
            print(f"{self._title}: {line(p)}", file=sys.stderr, flush=True)
