"""QM9: the published archive of 133 885 xyz files (Ramakrishnan et al., Scientific Data 1, 140022, 2014).

Each file has n + 5 lines: n; "gdb INDEX" and 15 properties; n lines of element, x, y, z (A) and charge;
frequencies; two SMILES (GDB-17, relaxed); two InChI. Small numbers are written as 1.2*^-6.
"""

from __future__ import annotations

import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ase.data import atomic_numbers

from pysmax.dataset.record import Record
from pysmax.enrich.molecule import check_vacuum, in_box
from pysmax.enrich.tally import Skip
from pysmax.errors import SmaxError
from pysmax.files import read_text

LEVEL = "B3LYP_6-31G(2df,p)"
U0 = 12  # position of the energy at 0 K (Hartree) in the second line, behind tag and index
LARGEST_FILE = 1_000_000  # bytes; the published ones have about 2000
# a row of the table: an index, then SMILES of C, H, N, O, F and a number
_ROW = re.compile(r"\s*(\d+)((\s+[][CNOFHcno0-9#=+@()./\\-]+)*)\s*")
_BROKEN_ARCHIVE = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError)


def read(path: Path, vacuum: float, exclude: frozenset[int] = frozenset()) -> Iterator[Record | Skip]:
    """Molecules of an archive (tar, any compression, streamed), a folder of .xyz files, or one .xyz file.

    Raises SmaxError if the archive itself cannot be read; a broken file inside is a Skip.
    """
    check_vacuum(vacuum)
    for name, text in _files(path):
        try:
            yield _record(text, name, vacuum, exclude)
        except Skip as e:
            yield Skip(e.reason, f"{name}: {e.detail}" if e.detail else name)


def read_excluded(path: Path) -> frozenset[int]:
    """Indices of the published uncharacterized.txt (3054 of them), or of any list with one index a line.

    The published table stands between rules of '=', headed by prose. Raises SmaxError at a line that is
    no row.
    """
    lines = read_text(path).splitlines()
    rules = [i for i, line in enumerate(lines) if line.startswith("==")]
    first = rules[1] + 1 if len(rules) > 1 else 0
    found = set()
    for i, line in enumerate(lines[first:], first + 1):
        if not line.strip() or line.startswith("=="):
            continue
        row = _ROW.fullmatch(line)
        if row is None:
            raise SmaxError(f"{path}, line {i}: '{line.strip()[:60]}', expected the index of a molecule")
        found.add(int(row.group(1)))
    if not found:
        raise SmaxError(f"{path}: has no index of a molecule")
    return frozenset(found)


def _record(text: str, name: str, vacuum: float, exclude: frozenset[int]) -> Record:
    lines = text.rstrip().splitlines()
    index, u0 = _header(lines)
    if index in exclude:
        raise Skip("excluded (uncharacterized)")
    n = int(lines[0])
    if len(lines) != n + 5:
        raise Skip("broken", f"has {len(lines)} lines, expected {n + 5}")
    numbers, positions = [], []
    for i, line in enumerate(lines[2 : n + 2], 3):
        words = line.split()
        if len(words) != 5:
            raise Skip("broken", f"line {i} has {len(words)} words, expected element, x, y, z, charge")
        if words[0] not in atomic_numbers:
            raise Skip("unknown element", f"line {i}: '{words[0]}'")
        numbers.append(atomic_numbers[words[0]])
        positions.append([number(w, i) for w in words[1:4]])
    info: dict[str, Any] = {"id": f"gdb {index}", "file": name, "index": index, f"{LEVEL}.U0_Hartree": u0}
    smiles = lines[n + 3].split()
    if smiles:
        info["smiles"] = smiles[-1]
    return Record(in_box(numbers, positions, vacuum), source="qm9", info=info)


def _header(lines: list[str]) -> tuple[int, float]:
    if not lines or not re.fullmatch(r"\s*\d+\s*", lines[0]) or int(lines[0]) < 1:
        raise Skip("broken", "line 1 is not a number of atoms")
    words = lines[1].split() if len(lines) > 1 else []
    if len(words) != 17 or words[0] not in ("gdb", "gdb9") or not words[1].isdecimal():
        raise Skip("broken", "line 2 is not 'gdb INDEX' and 15 properties")
    return int(words[1]), number(words[U0], 2)


def number(word: str, line: int) -> float:
    """A float, in Mathematica's notation too: 1.2*^-6."""
    try:
        return float(word.replace("*^", "e"))
    except ValueError:
        raise Skip("broken", f"line {line}: '{word[:40]}' is not a number") from None


def _files(path: Path) -> Iterator[tuple[str, str]]:
    """Name and text of every .xyz file; one in memory at a time."""
    if path.is_dir():
        files = sorted(path.rglob("*.xyz"))
        if not files:
            raise SmaxError(f"{path}: holds no .xyz file")
        for file in files:
            yield str(file.relative_to(path)), _decoded(file.read_bytes())
    elif not path.is_file():
        raise SmaxError(f"{path}: no such file or folder")
    elif path.suffix == ".xyz":
        yield path.name, _decoded(path.read_bytes())
    else:
        yield from _members(path)


def _members(path: Path) -> Iterator[tuple[str, str]]:
    name = ""
    try:
        with tarfile.open(path, "r|*") as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every header
                name = member.name
                file = tar.extractfile(member) if member.isfile() and name.endswith(".xyz") else None
                if file is not None:
                    yield name, _decoded(file.read(LARGEST_FILE))
    except _BROKEN_ARCHIVE as e:
        where = f"behind {name}" if name else "at its start"
        raise SmaxError(f"{path}: broken {where} ({e}), expected a tar archive of .xyz files") from None
    if not name:
        raise SmaxError(f"{path}: an empty archive, expected .xyz files")


def _decoded(data: bytes) -> str:
    return data.decode("ascii", errors="replace")
