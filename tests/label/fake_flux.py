#!/usr/bin/env python3
"""Stands in for the command flux on one node: batch, jobs, cancel, run. State: files in $FAKE_FLUX."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path


def main(verb: str, arguments: list[str]) -> int:
    folder = Path(os.environ["FAKE_FLUX"])
    with open(folder / "calls", "a") as calls:
        calls.write(" ".join([verb, *arguments]) + "\n")
    options = dict(a[2:].partition("=")[::2] for a in arguments if a.startswith("--"))
    rest = [a for a in arguments if not a.startswith("-")]
    if verb == "batch":
        if options.get("queue") == "nowhere":
            print("flux-batch: ERROR: [Errno 22] Invalid queue nowhere specified", file=sys.stderr)
            return 1
        with open(options["output"], "w") as out, open(options["error"], "w") as error:
            job = subprocess.Popen(
                ["bash", rest[0]], stdout=out, stderr=error, stdin=out, start_new_session=True
            )
        (folder / f"job.{job.pid}").touch()
        print(f"f{job.pid}")
    elif verb == "jobs":
        for job in rest:
            print(job, "RUN" if Path(f"/proc/{job[1:]}").exists() else "COMPLETED")
    elif verb == "cancel":
        os.killpg(int(rest[0][1:]), signal.SIGTERM)
    elif verb == "run":
        return subprocess.run(["bash", "-c", arguments[-1]]).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
