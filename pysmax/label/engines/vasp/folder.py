"""Care of a job folder: one worker at a time, no VASP left over, nothing bulky kept."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from pysmax.files import write_atomically
from pysmax.label.engine import failing_as

KEPT = ("vasprun.xml", "OUTCAR", "OSZICAR", "INCAR", "POSCAR", "vasp.out", "std_err.txt", "custodian.json")


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other worker is in the job folder; what it has finished there need not be run again.

    A lock on a file beside the folder, which ends with its process. None where the file system has no locks.
    """
    path = folder.with_name(f"{folder.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                break
        os.close(handle)  # the one before has removed it
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def end_leftover(folder: Path) -> None:
    """End a VASP that still runs in the folder: its worker has died on this machine."""
    with contextlib.suppress(OSError, ValueError):
        node, pid = (folder / "vasp.pid").read_text().split()
        if node == os.uname().nodename and os.path.samefile(f"/proc/{int(pid)}/cwd", folder):
            os.killpg(int(pid), signal.SIGKILL)


def compress(folder: Path) -> None:
    """Keep job.json, POTCAR.spec and, gzipped, what a reader needs; not POTCAR, nor what else VASP writes."""
    with failing_as("error", OSError):
        for path in sorted(folder.iterdir()):
            if path.name in KEPT:
                write_atomically(path.with_name(f"{path.name}.gz"), gzip.compress(path.read_bytes(), 6))
            if path.name not in ("job.json", "POTCAR.spec") and path.suffix != ".gz":
                path.unlink()
