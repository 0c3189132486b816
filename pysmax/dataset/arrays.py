"""Columns of many records as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pysmax.dataset.codec import Row
from pysmax.errors import SmaxError

# field: dtype, shape after the first axis, whether the first axis is atoms
SHAPES: dict[str, tuple[str, tuple[int, ...], bool]] = {
    "energy": ("<f8", (), False),
    "natoms": ("<i8", (), False),
    "stress": ("<f8", (6,), False),
    "cell": ("<f8", (3, 3), False),
    "pbc": ("u1", (3,), False),
    "numbers": ("u1", (), True),
    "positions": ("<f8", (3,), True),
    "forces": ("<f8", (3,), True),
    "r_eff": ("<f8", (), True),
    "magmoms": ("<f8", (), True),
}
TEXT = ("key", "source", "reason", "status")


def query(fields: Sequence[str]) -> str:
    """The columns to select: natoms, then the fields."""
    for field in fields:
        if field not in SHAPES and field not in TEXT:
            raise SmaxError(f"there is no field '{field}', expected one of {', '.join([*SHAPES, *TEXT])}")
    return ", ".join(["natoms", *fields])


def join(fields: Sequence[str], rows: Sequence[Row], path: Path) -> dict[str, Any]:
    """One array (or list of strings) per field; rows are (id, natoms, *fields)."""
    natoms = np.array([r[1] for r in rows], dtype=np.int64)
    found: dict[str, Any] = {}
    for k, field in enumerate(fields, start=2):
        values = [r[k] for r in rows]
        if field in TEXT:
            found[field] = values
        elif field in ("energy", "natoms"):
            found[field] = np.array([np.nan if v is None else v for v in values], dtype=SHAPES[field][0])
        else:
            found[field] = _bytes(field, values, natoms, path)
    return found


def _bytes(field: str, values: Sequence[bytes | None], natoms: Any, path: Path) -> Any:
    dtype, shape, per_atom = SHAPES[field]
    one = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=int))
    lengths = natoms * one if per_atom else np.full(len(natoms), one)
    missing = np.full(1, np.nan).astype("<f8").tobytes()
    parts = [
        v if v is not None else missing * (n // 8) for v, n in zip(values, lengths.tolist(), strict=True)
    ]
    if any(len(p) != n for p, n in zip(parts, lengths.tolist(), strict=True)):
        raise SmaxError(f"{path}: a record's {field} has the wrong length; run pysmax dataset check")
    a = np.frombuffer(b"".join(parts), dtype=dtype)
    return a.reshape(-1, *shape).astype(a.dtype.newbyteorder("="))
