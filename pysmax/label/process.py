"""This end of a worker: its process, its pipe, and what is under way to it."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import ase

FAST_S = 0.05  # engines faster than this get work ahead, so that they never wait for the driver
AHEAD, AHEAD_BYTES = 32, 32 * 1024  # less than a pipe holds: sending ahead never blocks
LOG_BYTES = 1 << 20


@dataclass(frozen=True)
class Sent:
    """A structure as it goes down the pipe."""

    key: str
    data: bytes

    @classmethod
    def of(cls, key: str, a: ase.Atoms) -> Sent:
        """What an engine needs of it."""
        return cls(key, pickle.dumps((a.numbers, a.positions, a.cell.array, a.pbc), protocol=5))


class Process:
    """One process and this end of its pipe."""

    def __init__(self, hello: bytes) -> None:
        ours, theirs = socket.socketpair()
        self.log = tempfile.TemporaryFile("a+b")  # noqa: SIM115  what it prints: its last words
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pysmax.label.worker", str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=self.log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
                start_new_session=True,  # a group of its own: what it starts is killed with it
            )
        self.pipe = Connection(ours.detach())
        self.sent: deque[Sent] = deque()
        self.ready = False
        self.gone = False  # its end of the pipe is closed
        self.since = time.monotonic()  # its last message
        self.send_bytes(hello)

    @property
    def seconds(self) -> float:
        """Since its last message: how long it has been at its structure."""
        return time.monotonic() - self.since

    def wants(self, mean_s: float) -> bool:
        """Has it nothing to do, or, where the engine is fast, little?"""
        if not self.sent:
            return True
        return mean_s <= FAST_S and len(self.sent) < AHEAD

    def has_room(self, item: Sent) -> bool:
        """Can it be sent without waiting? What is larger than a pipe goes to an idle worker: that reads."""
        return not self.sent or sum(len(s.data) for s in self.sent) + len(item.data) <= AHEAD_BYTES

    def send(self, item: Sent) -> None:
        """Now, or once the engine is loaded."""
        self.sent.append(item)
        if self.ready:
            if len(self.sent) == 1:
                self.since = time.monotonic()
            self.send_bytes(item.data)

    def loaded(self) -> None:
        """It has said that its engine is: it reads."""
        self.ready = True
        for item in self.sent:
            self.send_bytes(item.data)

    @property
    def idle_and_dead(self) -> bool:
        """Has it ended while it had nothing to do? Then no structure is to blame."""
        return self.ready and not self.sent and self.process.poll() is not None

    def send_bytes(self, data: bytes) -> None:
        with suppress(OSError):  # it is dead: the reading side finds out
            self.pipe.send_bytes(data)

    def kill(self) -> None:
        """End it and its pipe."""
        self.stop()
        self.pipe.close()

    def stop(self) -> None:
        """Kill it and what it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def trim_log(self) -> None:
        """Forget what a living worker has printed, if it is much."""
        if os.fstat(self.log.fileno()).st_size > LOG_BYTES:
            self.log.truncate(0)

    def last_words(self) -> str:
        """How the process ended, and the last line that it printed."""
        code = self.process.returncode
        size = self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, size - 300))
        lines = self.log.read().decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        how = f"was killed by {_name(-code)}" if code < 0 else f"ended with code {code}"
        return f"{how}: {said}" if said else how


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
