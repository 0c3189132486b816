"""Pilot jobs by the commands of Flux: flux batch, flux jobs, flux cancel."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from parsl.jobs.states import JobState, JobStatus
from parsl.launchers import SimpleLauncher
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.errors import SubmitException

STATES = {
    "DEPEND": JobState.PENDING,
    "PRIORITY": JobState.PENDING,
    "SCHED": JobState.PENDING,
    "RUN": JobState.RUNNING,
    "CLEANUP": JobState.RUNNING,
    "COMPLETED": JobState.COMPLETED,
    "FAILED": JobState.FAILED,
    "CANCELED": JobState.CANCELLED,
    "TIMEOUT": JobState.TIMEOUT,
}
SCRIPT = """#!/bin/bash
{options}
{setup}
flux run --nodes={nodes} --ntasks={nodes}{cores} --exclusive bash -c '{command}'
"""


class FluxProvider(ClusterProvider):  # type: ignore[misc]
    """A block is a Flux batch job that runs one worker pool on each of its nodes."""

    def __init__(
        self,
        *,
        nodes_per_block: int,
        max_blocks: int,
        walltime: str,
        cores_per_node: int | None = None,
        queue: str | None = None,
        bank: str | None = None,
        options: str = "",
        setup: str = "",
    ) -> None:
        super().__init__("flux", nodes_per_block, 1, 0, max_blocks, 1.0, walltime, SimpleLauncher(), 30)
        self.cores_per_node = cores_per_node
        self._options = options
        self._setup = setup
        hours, minutes, seconds = (int(part) for part in walltime.split(":"))
        self._flags = [f"--nodes={nodes_per_block}", f"--time-limit={hours * 3600 + minutes * 60 + seconds}s"]
        self._flags += [f"--queue={queue}"] if queue else []
        self._flags += [f"--bank={bank}"] if bank else []

    @property
    def status_polling_interval(self) -> int:
        """Seconds."""
        return 5

    def submit(self, command: str, tasks_per_node: int, job_name: str = "pysmax") -> str:
        """Returns the id of the job."""
        script = Path(self.script_dir or ".").absolute() / f"{job_name}.{time.time()}"
        cores = f" --cores-per-task={self.cores_per_node}" if self.cores_per_node else ""
        script.write_text(
            SCRIPT.format(
                options=self._options,
                setup=self._setup,
                nodes=self.nodes_per_block,
                cores=cores,
                command=command.strip().replace("'", "'\\''"),
            )
        )
        flags = [
            *self._flags,
            f"--job-name={job_name}",
            f"--output={script}.stdout",
            f"--error={script}.stderr",
        ]
        done = self._flux("batch", *flags, str(script))
        if done.returncode or not done.stdout.strip():
            raise SubmitException(job_name, done.stderr.strip(), done.stdout, done.stderr, done.returncode)
        job = done.stdout.split()[-1]
        self.resources[job] = {
            "job_id": job,
            "status": JobStatus(
                JobState.PENDING, stdout_path=f"{script}.stdout", stderr_path=f"{script}.stderr"
            ),
        }
        return job

    def cancel(self, job_ids: Sequence[object]) -> list[bool]:
        """End jobs."""
        return [self._flux("cancel", str(job)).returncode == 0 for job in job_ids]

    def _status(self) -> None:
        active = [str(job) for job, r in self.resources.items() if not r["status"].terminal]
        if not active:
            return
        done = self._flux("jobs", "--no-header", "--format={id} {status}", *active)
        for row in done.stdout.splitlines():
            job, state = row.split()[:2]
            if job in self.resources:
                old = self.resources[job]["status"]
                self.resources[job]["status"] = JobStatus(
                    STATES.get(state, JobState.UNKNOWN),
                    stdout_path=old.stdout_path,
                    stderr_path=old.stderr_path,
                )

    def _flux(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["flux", *arguments], capture_output=True, text=True, timeout=60, check=False)
