"""The other end of a pool: one process that loads its engine once and labels what comes down its pipe."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when ``parent``, which started it, ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def main(descriptor: int, parent: int) -> None:
    """Serve the pipe until its other end closes it.

    First comes (sys.path, pickled EngineConfig), then structures; out go ``True`` once the engine is loaded,
    or the sentence why it cannot be, then one Outcome per structure, in order.
    """
    die_with_parent(parent)
    # Ctrl-C goes to every process of the terminal: only the driver answers it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(descriptor, False)
    # one worker a core: threads would fight for them
    for name in THREADS:
        os.environ.setdefault(name, "1")
    pipe = Connection(descriptor)
    path, config = pickle.loads(pipe.recv_bytes())
    sys.path[:] = path
    try:
        serve(pipe, config)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def serve(pipe: Connection, config: bytes) -> None:
    """Load the engine, then label."""
    import ase

    from pysmax.errors import SmaxError
    from pysmax.label.engine import compute_label

    try:
        settings: Any = pickle.loads(config)
        engine = settings.make()
    except SmaxError as e:
        pipe.send_bytes(pickle.dumps(str(e)))
        return
    except Exception as e:
        pipe.send_bytes(pickle.dumps(f"the engine does not load: {type(e).__name__}: {e}"))
        return
    pipe.send_bytes(pickle.dumps(True))
    me = os.getpid()
    try:
        while True:
            numbers, positions, cell, pbc = pickle.loads(pipe.recv_bytes())
            atoms = ase.Atoms(numbers=numbers, positions=positions, cell=cell, pbc=pbc)
            outcome = compute_label(engine, atoms, settings.limits)
            if os.getpid() != me:
                os._exit(1)  # a fork of the engine's that has come back: it must not answer too
            pipe.send_bytes(pickle.dumps(outcome, protocol=5))
    finally:
        engine.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
