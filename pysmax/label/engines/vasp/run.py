"""Run VASP under custodian in a folder per structure, and judge what custodian has changed."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import ase
from custodian.custodian import Custodian, CustodianError, ErrorHandler, ReturnCodeError
from custodian.vasp.handlers import StdErrHandler, UnconvergedErrorHandler, VaspErrorHandler
from custodian.vasp.jobs import VaspJob

from pysmax.dataset.record import Label
from pysmax.errors import SmaxError
from pysmax.files import write_atomically
from pysmax.label.engine import Engine, EngineFailure, Reason
from pysmax.label.engines.vasp.config import VaspConfig
from pysmax.label.engines.vasp.folder import alone, compress, end_leftover
from pysmax.label.engines.vasp.incar import RUN_TAGS, SAME_LEVEL
from pysmax.label.engines.vasp.inputs import Job, build, job_folder, same_job, write_files
from pysmax.label.engines.vasp.parse import find, mended, read_label, read_optional

POLL_S = 0.1  # VASP is looked at so often; a finished one waits no longer
MONITOR_S = 5.0  # its output is read for errors so often
TERMINATE_S = 10.0  # from SIGTERM to SIGKILL
# only a warning, often gone after the first steps; custodian's remedies (LREAL off, PREC Accurate) are the
# paper's settings, so it would end a sound run as beyond help
UNHEEDED = {"subspacematrix"}


class VaspEngine(Engine):
    """One structure after the other, each in its own folder; a finished folder is not run again."""

    def __init__(self, config: VaspConfig) -> None:
        self.config = config
        self.level = config.level()
        self.process: Process | None = None
        # custodian speaks of every mended job; the label and custodian.json hold the same
        for name in ("custodian", "VaspErrorHandler", "UnconvergedErrorHandler", "StdErrHandler"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    def compute(self, atoms: ase.Atoms, attempt: int) -> Label:
        """The label, from a finished folder or a run; custodian makes the further attempts itself."""
        try:
            job = build(self.config, atoms)
        except SmaxError as e:  # a potential that the library lacks: no other attempt helps
            raise EngineFailure("structure", str(e)) from None
        folder = job_folder(self.config.work_dir, atoms, self.level)
        with alone(folder):
            end_leftover(folder)
            if same_job(folder, job):
                with contextlib.suppress(EngineFailure):
                    return self._finish(folder, job)
            if folder.exists():
                shutil.rmtree(folder)
            write_files(job, folder)
            self._run(folder, job)
            return self._finish(folder, job)

    def close(self) -> None:
        """End VASP if it runs."""
        if self.process is not None and self.process.running:
            self.process.terminate()

    def _run(self, folder: Path, job: Job) -> None:
        """Run until custodian is content; raises EngineFailure."""
        config = self.config
        heeded = sorted(set(VaspErrorHandler.error_msgs) - UNHEEDED)
        handlers: list[ErrorHandler] = [
            VaspErrorHandler(errors_subset_to_catch=heeded),
            StdErrHandler(),
            UnconvergedErrorHandler(),
        ]
        if config.timeout_s is not None:
            handlers.append(Deadline(config.timeout_s))
        every = MONITOR_S if config.timeout_s is None else min(MONITOR_S, config.timeout_s / 10)
        self.process = Process(config.command, job)
        custodian = Custodian(
            handlers,
            [self.process],
            max_errors=config.max_corrections + 1,  # custodian gives up at the last of them without a run
            polling_time_step=POLL_S,
            monitor_freq=max(1, round(every / POLL_S)),
            skip_over_errors=True,  # a handler that trips over a broken file says nothing; parsing does
            directory=str(folder),
        )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                custodian.run()
        except ReturnCodeError:
            raise died(self.process.returncode, folder) from None
        except CustodianError:
            pass  # those it does not raise are in its log all the same
        finally:
            self.close()
        give_up(custodian.run_log[-1])

    def _finish(self, folder: Path, job: Job) -> Label:
        """Read the label, with what custodian has changed; then keep of the folder what is to be kept."""
        changed = accepted_changes(folder, job)
        label = read_label(folder, job)
        version = str(label.extra["vasp_version"])
        if not version.startswith(self.config.vasp_version):
            raise EngineFailure("error", f"VASP is {version}, expected {self.config.vasp_version}")
        if changed:
            label = Label(
                label.energy, label.forces, label.stress, label.magmoms, {**label.extra, "mended": changed}
            )
        if self.config.keep == "removed":
            shutil.rmtree(folder)
        elif self.config.keep == "compressed":
            compress(folder)
        return label


class Process(VaspJob):  # type: ignore[misc]
    """VASP itself. Stops before a rerun that would be of another level; dies with its worker."""

    def __init__(self, command: tuple[str, ...], job: Job) -> None:
        # a worker that is killed takes VASP (or srun, mpirun, which pass it on) with it
        prefix = ("setpriv", "--pdeathsig", "TERM", "--") if shutil.which("setpriv") else ()
        super().__init__((*prefix, *command), auto_gamma=False, terminate_timeout=TERMINATE_S)
        self.job = job
        self._vasp_process: Any = None

    def run(self, directory: str = "./") -> Any:
        """Start VASP."""
        accepted_changes(Path(directory), self.job)
        process = super().run(directory)
        write_atomically(Path(directory) / "vasp.pid", f"{os.uname().nodename} {process.pid}\n".encode())
        return process

    def as_dict(self) -> dict[str, Any]:
        """What custodian writes to its log."""
        return {
            "@module": type(self).__module__,
            "@class": type(self).__name__,
            "command": list(self.vasp_cmd),
        }

    @property
    def returncode(self) -> int:
        """Of the last run; negative: the signal that ended it."""
        return int(self._vasp_process.returncode)

    @property
    def running(self) -> bool:
        """Whether VASP runs now."""
        return self._vasp_process is not None and self._vasp_process.poll() is None


class Deadline(ErrorHandler):  # type: ignore[misc]
    """The wall time of one structure, all reruns included."""

    is_monitor = True

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    def check(self, directory: str = "./") -> bool:
        """Whether it is over."""
        return time.monotonic() > self.end

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Nothing helps."""
        return {"errors": [f"no result within {self.seconds:g} s"], "actions": None}


def accepted_changes(folder: Path, job: Job) -> str:
    """What custodian has changed on the way to self-consistency, e.g. 'ALGO None -> All'.

    Raises EngineFailure('error'), naming the change, if numbers would be of another level of theory.
    """
    changed = mended(folder, job)
    text = {name: f"{name} {before} -> {after}" for name, (before, after) in changed.items()}
    other = [words for name, words in text.items() if name not in SAME_LEVEL]
    if find(folder, "KPOINTS") is not None:
        other.append("a KPOINTS file")
    if other:
        raise EngineFailure("error", f"custodian's fix is another level of theory: {', '.join(other)}")
    return ", ".join(words for name, words in text.items() if name not in RUN_TAGS)


def give_up(log: dict[str, Any]) -> None:
    """Raise EngineFailure if custodian's log says that it could not mend the job."""
    if not (log["handler"] or log["max_errors"] or log["max_errors_per_job"]):
        return
    errors = [str(error) for correction in log["corrections"] for error in correction["errors"]]
    last = log["corrections"][-1]["handler"] if log["corrections"] else log["handler"]
    reason: Reason = "error"
    if isinstance(last, Deadline):
        reason = "timeout"
    elif isinstance(last, UnconvergedErrorHandler):
        reason = "scf"
    raise EngineFailure(reason, f"custodian could not mend it: {', '.join(errors)}"[:500])


def died(returncode: int, folder: Path) -> EngineFailure:
    """VASP's end: 'crash' by a signal (srun and mpirun give it as 128 + n), 'error' by its own exit."""
    number = -returncode if returncode < 0 else returncode - 128
    said = " / ".join(_tail(folder, name) for name in ("std_err.txt", "vasp.out") if _tail(folder, name))
    try:
        ended = f"VASP was ended by {signal.Signals(number).name}"
        return EngineFailure("crash", f"{ended}: {said}"[:500])
    except ValueError:
        return EngineFailure("error", f"VASP ended with code {returncode}: {said}"[:500])


def _tail(folder: Path, name: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in read_optional(folder, name).splitlines() if line.strip()]
    return lines[-1] if lines else ""
