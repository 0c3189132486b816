"""A Slurm of one node, with a munge of its own, in a folder: Debian's packages, run by root."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = ("slurm-wlm", "munge")
CONF = """\
ClusterName=pysmax
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={port_d}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CryptoType=crypto/munge
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def install() -> None:
    """With apt-get, unless it is there."""
    if shutil.which("slurmctld") and shutil.which("munged"):
        return
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=env)
    subprocess.run(["apt-get", "install", "-y", "-qq", *PACKAGES], check=True, env=env)


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start it; gives the environment in which its commands find it."""
    host = socket.gethostname().split(".")[0]
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(mode=0o700)
    key = folder / "munge" / "key"
    key.write_bytes(secrets.token_bytes(64))
    key.chmod(0o400)
    conf = folder / "slurm.conf"
    port, port_d = _free_port(), _free_port()
    conf.write_text(CONF.format(host=host, folder=folder, port=port, port_d=port_d, cpus=os.cpu_count()))
    m = folder / "munge"
    files = [
        f"--{name}={m / name.split('-')[0]}"
        for name in ("key-file", "socket", "pid-file", "log-file", "seed-file")
    ]
    daemons = [
        ["munged", "--foreground", "--force", *files],
        ["slurmctld", "-D", "-f", str(conf)],
        ["slurmd", "-D", "-f", str(conf)],
    ]
    env = dict(os.environ, SLURM_CONF=str(conf))
    started = []
    try:
        for daemon in daemons:
            with open(folder / f"{daemon[0]}.out", "w") as out:
                started.append(
                    subprocess.Popen(daemon, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
                )
            if daemon[0] == "munged":
                _until(lambda: (m / "socket").exists(), folder)
        _until(lambda: "idle" in _out(["sinfo", "-h", "-o", "%t"], env), folder)
        yield env
        _out(["scancel", "-u", "root"], env)
        _until(lambda: not queue(env), folder)
    finally:
        for process in reversed(started):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def queue(env: dict[str, str]) -> list[str]:
    """Ids of jobs that are not over."""
    return _out(["squeue", "-h", "-o", "%i"], env).split()


def _out(command: list[str], env: dict[str, str]) -> str:
    return subprocess.run(command, env=env, capture_output=True, text=True).stdout


def _until(true: object, folder: Path, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():  # type: ignore[operator]
        if time.monotonic() > deadline:
            logs = "\n".join(f"{p.name}:\n{p.read_text()[-1500:]}" for p in sorted(folder.glob("*.out")))
            raise AssertionError(f"Slurm does not start:\n{logs}")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
