"""A disk that is soon full, for tests."""

from __future__ import annotations

import subprocess

# a file system of its own that holds so many bytes; what is on it is saved before it goes
ON_SMALL_DISK = """
mount -t tmpfs -o size="$1" tmpfs disk || exit 99
shift
"$@"
code=$?
cp -a disk/. kept
exit $code
"""


def own_mounts() -> bool:
    """May this user mount in a namespace of its own?"""
    try:
        probe = subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True
        )
    except FileNotFoundError:
        return False
    return probe.returncode == 0
