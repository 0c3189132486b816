"""A record as one row of SQLite: plain columns, arrays as little-endian bytes, a checksum over all."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import ase
import numpy as np

from pysmax.dataset.record import Array, Attempt, Label, Level, Record, record_key
from pysmax.errors import SmaxError

# name: (SQLite type, what it is); written to dataset.json, so that a dataset explains itself
COLUMNS: dict[str, tuple[str, str]] = {
    "key": ("TEXT NOT NULL UNIQUE", "STRUCTURE:LEVEL, two hashes; unique in the dataset"),
    "source": ("TEXT NOT NULL", "where the structure comes from"),
    "status": ("TEXT NOT NULL", "ok, failed or unlabelled"),
    "reason": ("TEXT NOT NULL", "why the label failed, '' if it did not"),
    "level": ("INTEGER", "id in table levels, null while there is no level of theory"),
    "natoms": ("INTEGER NOT NULL", "number of atoms n"),
    "numbers": ("BLOB NOT NULL", "uint8 [n], atomic numbers"),
    "pbc": ("BLOB NOT NULL", "uint8 [3], 1 where periodic"),
    "cell": ("BLOB NOT NULL", "float64 [3,3], A, a row per cell vector"),
    "positions": ("BLOB NOT NULL", "float64 [n,3], A, Cartesian"),
    "r_eff": ("BLOB", "float64 [n], A, effective radii of the generator, or null"),
    "energy": ("REAL", "eV, of the whole cell, extrapolated to zero smearing"),
    "forces": ("BLOB", "float64 [n,3], eV/A"),
    "stress": (
        "BLOB",
        "float64 [6], eV/A^3, xx yy zz yz xz xy, (1/V) dE/dstrain: negative under compression",
    ),
    "magmoms": ("BLOB", "float64 [n], Bohr magnetons, null without spin"),
    "info": ("TEXT NOT NULL", "JSON object, provenance"),
    "extra": ("TEXT NOT NULL", "JSON object, further scalars of the label, units in their names"),
    "attempts": ("TEXT NOT NULL", "JSON list of tries: settings, reason, detail, seconds"),
    "crc": ("INTEGER NOT NULL", "CRC-32 of the columns above, in this order, each after its type and length"),
}
NAMES = tuple(COLUMNS)
CRC = NAMES.index("crc")
LEVEL = NAMES.index("level")
Row = tuple[Any, ...]


def encode(record: Record, level_id: int | None = None) -> list[Any]:
    """Values of NAMES but the checksum; raises SmaxError if a value is not finite or has a wrong shape."""
    atoms, label, n = record.atoms, record.label, len(record.atoms)
    key = record_key(atoms, record.level)
    if label is not None and record.level is None:
        raise SmaxError(f"record {key} has a label but no level of theory, expected both")

    def array(name: str, value: Any, shape: tuple[int, ...]) -> bytes:
        a = np.asarray(value, dtype="<f8")
        if a.shape != shape:
            raise SmaxError(f"record {key}: {name} has shape {a.shape}, expected {shape}")
        if not np.isfinite(a).all():
            raise SmaxError(f"record {key}: {name} is not finite")
        return a.tobytes()

    def optional(name: str, value: Any, shape: tuple[int, ...]) -> bytes | None:
        return None if value is None else array(name, value, shape)

    energy = struct.unpack("<d", array("energy", label.energy, ()))[0] if label else None
    return [
        key,
        record.source,
        record.status,
        "" if label else record.reason,
        level_id,
        n,
        _numbers(atoms, key),
        np.asarray(atoms.pbc, dtype="u1").tobytes(),
        array("cell", atoms.cell.array, (3, 3)),
        array("positions", atoms.positions, (n, 3)),
        optional("r_eff", atoms.arrays.get("r_eff"), (n,)),
        energy,
        array("forces", label.forces, (n, 3)) if label else None,
        optional("stress", label.stress if label else None, (6,)),
        optional("magmoms", label.magmoms if label else None, (n,)),
        to_json(record.info, f"record {key}: info"),
        to_json(label.extra if label else {}, f"record {key}: extra"),
        to_json([asdict(a) for a in record.attempts], f"record {key}: attempts"),
    ]


def sealed(values: Sequence[Any]) -> Row:
    """The row with its checksum."""
    return (*values, checksum(values))


def checksum(values: Sequence[Any]) -> int:
    """CRC-32 over the values before the checksum: a type letter, the length, and the bytes of each."""
    parts: list[bytes] = []
    for value in values:
        kind = type(value)
        if kind is bytes:
            letter, data = b"b", value
        elif kind is str:
            letter, data = b"t", value.encode()
        elif kind is float:
            letter, data = b"f", struct.pack("<d", value)
        elif value is None:
            letter, data = b"n", b""
        else:
            letter, data = b"i", b"%d" % value
        parts += (letter, b"%d" % len(data), data)
    return zlib.crc32(b"".join(parts))


def intact(row: Row) -> bool:
    """Whether the row is as it was written."""
    try:
        return bool(checksum(row[:CRC]) == row[CRC])
    except (UnicodeError, TypeError):
        return False


def decode(row: Row, levels: Mapping[int, Level]) -> Record:
    """The record of a row that is ``intact``."""
    v = dict(zip(NAMES, row, strict=True))
    n = v["natoms"]
    atoms = ase.Atoms(
        numbers=np.frombuffer(v["numbers"], dtype="u1"),
        positions=floats(v["positions"], (n, 3)),
        cell=floats(v["cell"], (3, 3)),
        pbc=np.frombuffer(v["pbc"], dtype="u1").astype(bool),
    )
    if v["r_eff"] is not None:
        atoms.arrays["r_eff"] = floats(v["r_eff"], (n,))
    label = None
    if v["status"] == "ok":
        label = Label(
            v["energy"],
            floats(v["forces"], (n, 3)),
            None if v["stress"] is None else floats(v["stress"], (6,)),
            None if v["magmoms"] is None else floats(v["magmoms"], (n,)),
            json.loads(v["extra"]),
        )
    level = None if v["level"] is None else levels[v["level"]]
    attempts = tuple(Attempt(**a) for a in json.loads(v["attempts"]))
    return Record(atoms, v["source"], json.loads(v["info"]), level, label, v["reason"], attempts)


def floats(data: bytes, shape: tuple[int, ...]) -> Array:
    """The float64 of a column, as an array of its own."""
    return np.frombuffer(data, dtype="<f8").reshape(shape).astype(np.float64)


def to_json(value: Any, what: str) -> str:
    """Compact JSON; NumPy scalars and arrays are numbers and lists."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False, default=_plain)
    except (TypeError, ValueError) as e:
        raise SmaxError(f"{what} is not JSON: {e}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written")


def _numbers(atoms: ase.Atoms, key: str) -> bytes:
    z = np.asarray(atoms.numbers)
    if len(z) == 0 or z.min() < 0 or z.max() > 118:
        raise SmaxError(f"record {key}: expected at least one atom and atomic numbers from 0 to 118")
    return z.astype("u1").tobytes()
