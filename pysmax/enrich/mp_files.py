"""Materials Project documents from a downloaded JSON file, and from the API.

A file is a list of documents, JSON lines, or an object that holds such a list ("data", "response", "entries",
"docs") or maps ids to documents; any of them gzipped. A document is a SummaryDoc, a legacy document, or a
ComputedStructureEntry, as dict. Lists and lines are streamed. Only numbers and names are taken from a file:
monty's decoder, which makes an object of any class that a file names, is not used.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pysmax.errors import SmaxError

CHUNK = 1 << 20  # characters
_SPACE = re.compile(r"\s*")
LISTS = ("data", "response", "entries", "docs")
FIELDS = [
    "material_id",
    "formula_pretty",
    "structure",
    "energy_per_atom",
    "energy_above_hull",
    "is_stable",
]
MOST_ELEMENTS = 12  # the API is asked once per number of elements: that bounds the memory


def documents(path: Path) -> Iterator[Any]:
    """All documents of a file, in order. Raises SmaxError naming file and place where it is no JSON."""
    try:
        with _open(path) as file:
            head = file.read(CHUNK)
            kind = head.lstrip()[:1]
            if kind == "[":
                yield from _array(path, head, file)
            elif kind == "{":
                yield from _lines_or_object(path, head, file)
            else:
                raise SmaxError(f"{path}: begins with '{head.lstrip()[:20]}', expected a JSON list or object")
    except OSError as e:
        raise SmaxError(f"{path}: {e.strerror or e}") from None
    except (EOFError, zlib.error, UnicodeDecodeError) as e:
        raise SmaxError(f"{path}: broken ({e}), expected JSON, as text or gzipped") from None


def from_api(max_above_hull: float) -> Iterator[dict[str, Any]]:
    """Documents up to ``max_above_hull`` eV/atom above the hull, by mp-api with the key in MP_API_KEY."""
    key = os.environ.get("MP_API_KEY", "").strip()
    if not key:
        raise SmaxError(
            "MP_API_KEY is not set, expected the key of https://next-gen.materialsproject.org/api"
        )
    try:
        from mp_api.client import MPRester
    except ImportError:
        raise SmaxError("mp-api is not installed: pip install mp-api, or read a downloaded JSON") from None
    try:
        with MPRester(key, use_document_model=False) as api:
            for n in range(1, MOST_ELEMENTS + 1):
                found = api.materials.summary.search(
                    num_elements=(n, n),
                    energy_above_hull=(0.0, max_above_hull),
                    deprecated=False,
                    fields=FIELDS,
                    all_fields=False,
                )
                yield from map(_plain, found)
    except SmaxError:
        raise
    except Exception as e:  # the client's own errors, requests', and pydantic's
        raise SmaxError(f"Materials Project API: {type(e).__name__}: {str(e)[:300]}") from None


def _plain(document: Any) -> dict[str, Any]:
    """As a file has it: the client decodes structures."""
    plain = dict(document)
    if hasattr(plain.get("structure"), "as_dict"):
        plain["structure"] = plain["structure"].as_dict()
    return plain


def _open(path: Path) -> IO[str]:
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding="utf-8") if packed else open(path, encoding="utf-8")


def _array(path: Path, text: str, file: IO[str]) -> Iterator[Any]:
    """Elements of a top-level list, one at a time."""
    decode = json.JSONDecoder().raw_decode
    at, number, after_comma = text.index("[") + 1, 0, False
    while True:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        here = text[at : at + 1]
        if not after_comma and here == "]":
            return
        if number and not after_comma and here:
            if here != ",":
                raise SmaxError(
                    f"{path}: '{text[at : at + 20]}' behind document {number}, expected ',' or ']'"
                )
            at, after_comma = at + 1, True
            continue
        try:
            document, end = decode(text, at)
            if end == len(text):  # a number could go on
                raise ValueError
        except ValueError:
            more = file.read(max(CHUNK, len(text) - at))
            if not more:
                raise SmaxError(f"{path}: document {number + 1} is broken or the file is cut there") from None
            text, at = text[at:] + more, 0
            continue
        at, number, after_comma = end, number + 1, False
        yield document


def _lines_or_object(path: Path, text: str, file: IO[str]) -> Iterator[Any]:
    """JSON lines if the first line is a document by itself, one object otherwise."""
    start = text.lstrip()
    line, newline, rest = start.partition("\n")
    try:
        first = json.loads(line)
    except ValueError:
        first = None
    if newline and first is not None and rest.strip():
        yield first
        yield from _lines(path, rest, file)
        return
    try:
        yield from _unwrapped(json.loads(start + file.read()))
    except ValueError as e:
        raise SmaxError(f"{path}: not JSON ({e})") from None


def _lines(path: Path, text: str, file: IO[str]) -> Iterator[Any]:
    number = 2
    tail = text
    while tail:
        *lines, tail = tail.split("\n")
        more = file.read(CHUNK)
        if not more:
            lines, tail = [*lines, tail], ""
        for line in lines:
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as e:
                    raise SmaxError(f"{path}, line {number}: not JSON ({e})") from None
            number += 1
        tail += more


def _unwrapped(top: dict[str, Any]) -> Iterator[Any]:
    for name in LISTS:
        if isinstance(top.get(name), list):
            yield from top[name]
            return
    if "structure" in top:
        yield top
        return
    for key, document in top.items():
        if isinstance(document, dict):
            yield {"material_id": key, **document}


def download(path: Path, max_above_hull: float) -> int:
    """Write the documents of ``from_api`` as gzipped JSON lines to a new file; their number."""
    if path.exists():
        raise SmaxError(f"{path}: exists already, expected a new file: nothing is downloaded")
    part = path.with_name(f".{path.name}.part")
    count = 0
    try:
        with gzip.open(part, "wt", encoding="utf-8") as file:
            for document in from_api(max_above_hull):
                file.write(json.dumps(document, default=str) + "\n")
                count += 1
        if not count:
            raise SmaxError("the Materials Project API gave no document")
        part.replace(path)
    except OSError as e:
        raise SmaxError(f"{path}: cannot be written: {e.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    return count
