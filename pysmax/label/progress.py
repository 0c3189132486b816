"""Counts of a campaign while it runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pysmax.label.inputs import Unreadable

WINDOW = 200  # finished structures over which the rate is taken


@dataclass
class Progress:
    """``total``: structures in the inputs. Everything else counts this run only."""

    total: int
    ok: int = 0
    skipped: int = 0  # in the store before
    duplicates: int = 0  # in the inputs
    lost_races: int = 0  # labels that the store had when ours came
    waiting: int = 0  # claimed by another campaign
    failed: Counter[str] = field(default_factory=Counter)
    unreadable: list[Unreadable] = field(default_factory=list)
    worker_s: float = 0.0  # in engines
    started: float = field(default_factory=time.monotonic)
    times: list[float] = field(default_factory=list)  # seconds after the start, one per finished structure
    show: Callable[[Progress], None] = lambda _: None

    def done(self, reason: str, seconds: float, added: bool) -> None:
        """Count a finished structure."""
        if reason:
            self.failed[reason] += 1
        else:
            self.ok += 1
        self.lost_races += not added
        self.worker_s += seconds
        self.times.append(self.seconds)

    def tick(self) -> None:
        """Let the table be drawn."""
        try:
            self.show(self)
        except OSError:  # the terminal is closed, or who has read the pipe has ended
            self.show = lambda _: None

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started

    @property
    def finished(self) -> int:
        """Structures of this run that have an outcome."""
        return self.ok + self.failed.total()

    @property
    def left(self) -> int:
        """Structures still to come, as far as is known."""
        seen = self.finished + self.skipped + self.duplicates + len(self.unreadable)
        return max(0, self.total - seen)

    @property
    def rate(self) -> float:
        """Finished structures per second, of late."""
        last = self.times[-WINDOW:]
        if len(last) < 2:
            return len(last) / max(self.seconds, 1e-9)
        since = last[0] if len(self.times) > WINDOW else 0.0
        return len(last) / max(self.seconds - since, 1e-9)
