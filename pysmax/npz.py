"""A NumPy .npz read with checks: whatever is wrong is one SmaxError with path, key, found and expected."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pysmax.errors import SmaxError

Array = npt.NDArray[np.float64]


class Npz:
    """The members of one file, by key and kind; ``what`` names the file in errors."""

    def __init__(self, path: str, what: str) -> None:
        self.path = path
        self._arrays = _members(path, what)

    def __contains__(self, key: str) -> bool:
        return key in self._arrays

    def text(self, key: str, choices: Sequence[str]) -> str:
        """One of ``choices``."""
        expected = " or ".join(choices)
        a = self._scalar(key, "U", expected)
        if str(a) not in choices:
            self._fail(key, _shown(a), expected)
        return str(a)

    def integer(self, key: str, low: int | None = None) -> int:
        """A whole number, ``low`` or more."""
        expected = "a whole number" + ("" if low is None else f", {low} or more")
        a = self._scalar(key, "iu", expected)
        if low is not None and int(a) < low:
            self._fail(key, _shown(a), expected)
        return int(a)

    def real(self, key: str, low: float = -np.inf) -> float:
        """A finite number above ``low``."""
        expected = "a finite number" + ("" if low == -np.inf else f" above {low:g}")
        a = self._scalar(key, "fiu", expected)
        if not (np.isfinite(a) and float(a) > low):
            self._fail(key, _shown(a), expected)
        return float(a)

    def array(self, key: str, shape: tuple[int, ...], low: float = -np.inf) -> Array:
        """Finite numbers above ``low``."""
        a = self._at(key)
        if a.dtype.kind not in "fiu":
            self._fail(key, f"of type {a.dtype}", "float64")
        if a.shape != shape:
            raise SmaxError(f"{self.path}: {key} has shape {a.shape}, expected {shape}")
        with np.errstate(all="ignore"):
            values = a.astype(np.float64)
        if not np.isfinite(values).all():
            raise SmaxError(f"{self.path}: {key} has a value that is not finite, expected finite numbers")
        wrong = values <= low
        if wrong.any():
            raise SmaxError(
                f"{self.path}: {key} has the value {values[wrong][0]:g}, expected all above {low:g}"
            )
        return values

    def size(self, key: str) -> int:
        """Number of elements."""
        return self._at(key).size

    def _at(self, key: str) -> npt.NDArray[Any]:
        if key not in self._arrays:
            raise SmaxError(f"{self.path}: key '{key}' is missing, expected a complete file")
        return self._arrays[key]

    def _scalar(self, key: str, kinds: str, expected: str) -> npt.NDArray[Any]:
        a = self._at(key)
        if a.shape != ():
            self._fail(key, f"an array of shape {a.shape}", expected)
        if a.dtype.kind not in kinds:
            self._fail(key, _shown(a), expected)
        return a

    def _fail(self, key: str, found: str, expected: str) -> None:
        raise SmaxError(f"{self.path}: {key} is {found}, expected {expected}")


def _members(path: str, what: str) -> dict[str, npt.NDArray[Any]]:
    try:
        data = Path(path).read_bytes()
    except OSError as e:
        raise SmaxError(f"{path}: {e.strerror}") from None
    name = ""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            arrays = {}
            for name in z.namelist():
                # read to its end: only then is the checksum compared
                array = np.load(io.BytesIO(z.read(name)), allow_pickle=False)
                if not isinstance(array, np.ndarray):
                    raise ValueError("an archive inside the archive")
                arrays[name.removesuffix(".npy")] = array
            return arrays
    except Exception as e:  # what zipfile and NumPy raise for damaged bytes is no closed list
        member = f"key {name.removesuffix('.npy')!r}, " if name else ""
        reason = (str(e).splitlines() or [type(e).__name__])[0]
        raise SmaxError(
            f"{path}: not a readable NumPy .npz ({member}found: {reason}), expected {what}"
        ) from None


def _shown(a: npt.NDArray[Any]) -> str:
    value = a.item()
    text = repr(value) if isinstance(value, str) else " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
