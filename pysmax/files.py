"""Files: read what a run has written, write without leaving halves behind."""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pysmax.errors import SmaxError


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write beside ``path``, then rename over it: a reader sees the old file or the new one."""
    path = Path(path)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as f:
            f.write(data)
        os.chmod(temporary, 0o666 & ~umask())
        os.replace(temporary, path)
    except OSError as e:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise SmaxError(f"{path}: cannot be written: {e.strerror}") from None


def read_text(path: str | Path, nbytes: int = 0, crc: int | None = None) -> str:
    """The file, or its first ``nbytes`` if that is positive; ``crc``: the CRC-32 they must have."""
    try:
        with open(path, "rb") as f:
            data = f.read(nbytes) if nbytes > 0 else f.read()
    except OSError as e:
        raise SmaxError(f"{path}: {e.strerror}") from None
    if len(data) < nbytes:
        raise SmaxError(f"{path}: has {len(data)} bytes, expected at least the {nbytes} of its moments file")
    if crc is not None and (found := zlib.crc32(data)) != crc:
        raise SmaxError(
            f"{path}: its first {len(data)} bytes have CRC-32 {found:08x}, expected {crc:08x} as in its "
            "moments file: it was changed, or is of another run"
        )
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise SmaxError(f"{path}: not a text file") from None


@contextmanager
def one_sentence(folder: Path) -> Iterator[None]:
    """An OSError (full disk, no permission) of work in ``folder`` as SmaxError."""
    try:
        yield
    except shutil.Error as e:  # holds (from, to, why) of each file
        raise SmaxError(f"{folder}: {e.args[0][0][-1] if isinstance(e.args[0], list) else e}") from None
    except OSError as e:
        raise SmaxError(f"{e.filename or folder}: {e.strerror or e}") from None


def umask() -> int:
    """That of this process."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
