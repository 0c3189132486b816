"""Low-force configurations: structures relaxed in a given potential, fixed or variable cell (IV.2)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import ase

from pysmax.dataset.record import Record, structure_hash
from pysmax.enrich.relax_engine import CONVERGED, OUT_OF_STEPS, Frame, RelaxConfig
from pysmax.enrich.tally import DUPLICATE, Skip, Tally, progress
from pysmax.errors import SmaxError
from pysmax.files import write_atomically
from pysmax.label.engine import Outcome

if TYPE_CHECKING:
    from pysmax.dataset.store import Dataset
    from pysmax.dataset.writer import Writer
    from pysmax.label.campaign import Executor

SOURCE = "relax"
DONE_BEFORE = "done before"


@dataclass(frozen=True)
class Parent:
    """A structure to relax and where it comes from."""

    atoms: ase.Atoms
    info: dict[str, Any]

    @property
    def key(self) -> str:
        """Its hash."""
        return structure_hash(self.atoms)


class Journal:
    """What has been relaxed with one set of settings: a line of JSON each, written after its frames are safe.

    It lies in the dataset's folder, ``relax/SETTINGS.jsonl``: parent, outcome, detail, steps, kept, seconds,
    info. It is where structures that gave nothing are recorded, and what a restart goes by; a line cut by a
    crash is redone.
    """

    def __init__(self, folder: Path, settings: str, config: RelaxConfig) -> None:
        self.path = folder / f"{settings}.jsonl"
        self.done: dict[str, str] = {}
        self._config = config

    def open(self) -> None:
        """Read what is done; make the file of settings."""
        try:
            self.path.parent.mkdir(exist_ok=True)
            if self.path.exists():
                self._read()
        except OSError as e:
            raise SmaxError(f"{self.path}: {e.strerror}") from None
        settings = (self._config.model_dump_json(indent=1) + "\n").encode()
        write_atomically(self.path.with_suffix(".json"), settings)

    def _read(self) -> None:
        text = self.path.read_text(errors="replace")
        if text and not text.endswith("\n"):
            with open(self.path, "a") as file:
                file.write("\n")
        for line in text.splitlines():
            try:
                row = json.loads(line)
                self.done[row["parent"]] = row["outcome"]
            except (ValueError, KeyError, TypeError):
                continue

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append, in one write."""
        rows = list(rows)
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        try:
            with open(self.path, "ab", buffering=0) as file:
                file.write(data)
        except OSError as e:
            raise SmaxError(f"{self.path}: cannot be written: {e.strerror}") from None
        self.done.update((row["parent"], row["outcome"]) for row in rows)


@dataclass
class Run:
    """Relaxes parents with one config and adds what is kept to a dataset."""

    dataset: Dataset
    config: RelaxConfig
    tally: Tally
    settings: str = field(init=False)  # hashes
    potential: str = field(init=False)
    journal: Journal = field(init=False)
    _waiting: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = self.config.level().hash
        self.potential = self.config.potential.level().hash
        self.journal = Journal(self.dataset.path / "relax", self.settings, self.config)

    def relax(
        self, parents: Iterable[Parent | Skip], workers: AbstractContextManager[object], total: int | None
    ) -> None:
        """All parents that are not in the journal; a structure is in memory only while it is worked on.

        Raises SmaxError if another run is at it, with these settings.
        """
        known: dict[str, Parent] = {}
        name = f"relax, {self.config.cell} cell"
        with ExitStack() as stack:
            if not stack.enter_context(self.dataset.claim([f"relax {self.settings}"], "relax")):
                raise SmaxError(
                    f"{self.dataset.path}: another run with settings {self.settings} is at it, expected "
                    "one at a time: wait for its end"
                )
            self.journal.open()
            writer = stack.enter_context(self.dataset.writer())
            bar = stack.enter_context(progress(name, total))
            executor = cast("Executor", stack.enter_context(workers))
            try:
                for done in executor.run(self._tasks(parents, known, bar)):
                    if done is not None:
                        self._take(known.pop(done.key), done.outcome, writer)
                        bar()
                    if len(self._waiting) >= 100 or (done is None and self._waiting):
                        self._commit(writer)
            finally:
                self._commit(writer)

    def _tasks(self, parents: Iterable[Parent | Skip], known: dict[str, Parent], bar: Any) -> Iterator[Any]:
        from pysmax.label.pool import Task

        seen = set(self.journal.done)
        for parent in parents:
            self.tally.read += 1
            if isinstance(parent, Skip):
                self.tally.skip(parent.reason, parent.detail)
                bar()
                continue
            key = parent.key
            if key in seen:
                again = key in self.journal.done
                self.tally.skip(DONE_BEFORE if again else DUPLICATE, str(parent.info))
                bar()
                continue
            seen.add(key)
            known[key] = parent
            yield Task(key, parent.atoms)

    def _take(self, parent: Parent, outcome: Outcome, writer: Writer) -> None:
        label = outcome.label
        extra: dict[str, Any] = {} if label is None else dict(label.extra)
        how = str(extra.get("outcome", outcome.reason))
        detail = str(extra.get("detail") or (outcome.attempts[-1].detail if outcome.attempts else ""))
        frames: list[Frame] = extra.get("frames", [])
        records = list(self._records(parent, how, frames))
        kept = sum([writer.add(record) for record in records])
        self.tally.kept += kept
        self.tally.notes[f"relaxations: {how}"] += 1
        for _ in range(len(records) - kept):
            self.tally.skip(DUPLICATE, parent.key)
        if how not in (CONVERGED, OUT_OF_STEPS):
            self.tally.skip(how, f"{parent.key} {detail}")
        seconds = sum(a.seconds for a in outcome.attempts)
        steps = frames[-1].step if frames else 0
        row = {"parent": parent.key, "outcome": how, "detail": detail, "steps": steps, "kept": kept}
        self._waiting.append({**row, "seconds": round(seconds, 3), "info": parent.info})

    def _records(self, parent: Parent, how: str, frames: list[Frame]) -> Iterator[Record]:
        """The kept frames; the last one only if it is relaxed, or one of every N."""
        every = self.config.keep_every
        for frame in frames:
            final = frame is frames[-1] and how in (CONVERGED, OUT_OF_STEPS)
            if not final and not (every and frame.step and frame.step % every == 0):
                continue
            atoms = ase.Atoms(parent.atoms.numbers, frame.positions, cell=frame.cell, pbc=parent.atoms.pbc)
            atoms.wrap()  # type: ignore[no-untyped-call]
            info = {
                "parent": parent.key,
                "parent_info": parent.info,
                "relax": self.settings,
                "cell": self.config.cell,
                "potential": self.potential,
                "outcome": how if final else "on the way",
                "step": frame.step,
                "potential.energy_eV": frame.energy,
                "potential.max_force_eV_per_A": frame.force,
            }
            yield Record(atoms, source=SOURCE, info=info)

    def _commit(self, writer: Writer) -> None:
        writer.commit()
        if self._waiting:
            self.journal.add(self._waiting)
            self._waiting = []


def count_parents(path: Path) -> int:
    """How many ``read_parents`` will give. Raises SmaxError if that is no dataset and no extended XYZ."""
    if not path.is_dir():
        from pysmax.label.inputs import FrameFile

        return FrameFile(path).count
    from pysmax.dataset.store import Dataset

    counts = Dataset.open(path).counts()
    by_status = [s for source, levels in counts.items() if source != SOURCE for s in levels.values()]
    return sum(n for statuses in by_status for reasons in statuses.values() for n in reasons.values())


def read_parents(path: Path) -> Iterator[Parent | Skip]:
    """Structures of an extended XYZ file, or all of a dataset but the relaxed ones, streamed."""
    if path.is_dir():
        from pysmax.dataset.store import Dataset

        for record in Dataset.open(path).records():
            if record.source != SOURCE:
                yield Parent(record.atoms, {"file": path.name, "key": record.key})
        return
    from pysmax.label.inputs import FrameFile, Unreadable

    for found in FrameFile(path).structures():
        if isinstance(found, Unreadable):
            yield Skip("unreadable", f"{path.name}, frame {found.frame}, line {found.line}: {found.why}")
        else:
            yield Parent(found.atoms, dict(found.info))
