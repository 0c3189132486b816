"""Iterables in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], n: int) -> Iterator[list[T]]:
    """Lists of ``n``, the last shorter (itertools has it from Python 3.12 on)."""
    iterator = iter(items)
    while part := list(islice(iterator, n)):
        yield part
