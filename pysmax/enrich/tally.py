"""What became of every structure that was read; the loop that writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pysmax.dataset.record import Record

if TYPE_CHECKING:
    from pysmax.dataset.store import Dataset

DUPLICATE = "duplicate"


class Skip(Exception):
    """This structure is not taken: ``reason`` is what the table counts, ``detail`` says where and what."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass
class Tally:
    """Counts: structures read, kept, and not taken by reason, with the first example of each reason."""

    read: int = 0
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)

    def skip(self, reason: str, detail: str = "") -> None:
        """Count one structure that is not taken."""
        self.reasons[reason] += 1
        self.examples.setdefault(reason, detail)

    def table(self) -> str:
        """Lines of count and reason, most frequent first; notes last."""
        rows = [(self.read, "read", ""), (self.kept, "kept", "")]
        rows += [(n, reason, self.examples[reason]) for reason, n in self.reasons.most_common()]
        rows += [(n, note, "") for note, n in self.notes.most_common()]
        return "\n".join(f"{n:>10}  {name}" + (f"  (first: {one})" if one else "") for n, name, one in rows)

    def summary(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "read": self.read,
            "kept": self.kept,
            "not_taken": dict(self.reasons),
            "notes": dict(self.notes),
        }


def write(
    items: Iterable[Record | Skip], dataset: Dataset, tally: Tally, name: str, total: int | None = None
) -> None:
    """Add the records to ``dataset``, streamed; a key that is there already counts as duplicate."""
    with dataset.writer() as writer, progress(name, total) as bar:
        for item in items:
            tally.read += 1
            bar()
            if isinstance(item, Skip):
                tally.skip(item.reason, item.detail)
            elif writer.add(item):
                tally.kept += 1
            else:
                tally.skip(DUPLICATE, str(item.info.get("id", item.key)))


@contextmanager
def progress(name: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """A named bar on stderr, silent where that is no terminal; call what it gives once per structure."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(name, total=total)
        yield lambda: bars.advance(task)
