"""The report of a campaign: summary.json, figures, one page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from pysmax.dataset.record import Array, Level
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError
from pysmax.files import write_atomically
from pysmax.label.progress import Progress

FORCE_BINS = np.logspace(-4, 4, 81)  # eV/A
BINS = 60
CAPTIONS = {
    "failures": "Structures without a label at this level, by reason.",
    "rate": "Structures finished per second in this run.",
    "energies": "Energy per atom of the labelled structures.",
    "forces": "Forces on the atoms of the labelled structures.",
}


class Summary(BaseModel):
    """Key figures of a run and of its level of theory in the dataset: the page's head and summary.json."""

    model_config = ConfigDict(extra="forbid")

    dataset: str
    inputs: list[str]
    engine: str
    engine_version: str
    level: str
    settings: dict[str, Any]
    interrupted: bool
    structures: int
    labelled: int
    failed: dict[str, int]
    skipped: int
    duplicates: int
    unreadable: list[dict[str, Any]]
    lost_races: int
    workers: int
    seconds: float
    structures_per_second: float
    engine_seconds: float
    engine_seconds_per_structure: float
    dataset_labelled: int
    dataset_failed: dict[str, int]


def summarise(
    dataset: Dataset, level: Level, inputs: list[str], p: Progress, *, workers: int, interrupted: bool
) -> Summary:
    """Figures of this run and of what the dataset holds at this level."""
    totals = level_counts(dataset, level)
    return Summary(
        dataset=str(dataset.path),
        inputs=inputs,
        engine=level.engine,
        engine_version=level.version,
        level=level.hash,
        settings=dict(level.settings),
        interrupted=interrupted,
        structures=p.total,
        labelled=p.ok,
        failed=dict(p.failed),
        skipped=p.skipped,
        duplicates=p.duplicates,
        unreadable=[vars(u) for u in p.unreadable],
        lost_races=p.lost_races,
        workers=workers,
        seconds=p.seconds,
        structures_per_second=p.finished / max(p.seconds, 1e-9),
        engine_seconds=p.worker_s,
        engine_seconds_per_structure=p.worker_s / max(p.finished, 1),
        dataset_labelled=sum(totals.get("ok", {}).values()),
        dataset_failed=totals.get("failed", {}),
    )


def level_counts(dataset: Dataset, level: Level) -> dict[str, dict[str, int]]:
    """status, reason: number of records at this level, over all sources."""
    totals: dict[str, dict[str, int]] = {}
    for levels in dataset.counts().values():
        for status, reasons in levels.get(level.hash, {}).items():
            for reason, n in reasons.items():
                totals.setdefault(status, {})[reason] = totals.get(status, {}).get(reason, 0) + n
    return totals


def report(dataset: Dataset, level: Level, s: Summary, times: list[float]) -> Path:
    """Write summary.json, index.html and a PNG per figure to DATASET/label/ENGINE-LEVEL; return the page."""
    folder = dataset.path / "label" / f"{level.engine}-{level.hash[:8]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SmaxError(f"{folder}: cannot be made: {e.strerror}") from None
    write_atomically(folder / "summary.json", (s.model_dump_json(indent=2) + "\n").encode())
    from pysmax.report import html

    images = figures(dataset, level, s, np.asarray(times))
    for name in CAPTIONS:
        if name in images:
            write_atomically(folder / f"{name}.png", images[name])
        else:  # what an earlier run has drawn is not of this one
            (folder / f"{name}.png").unlink(missing_ok=True)
    page = folder / "index.html"
    write_atomically(page, html.render("pysmax.label", s=s, panels=html.panels(images, CAPTIONS)).encode())
    return page


def distributions(dataset: Dataset, level: Level) -> tuple[Array, Array]:
    """Energies per atom [m] (eV) and counts of force magnitudes in FORCE_BINS, streamed."""
    energies, counts = [np.zeros(0)], np.zeros(len(FORCE_BINS) - 1)
    for a in dataset.arrays(("energy", "natoms", "forces"), level=level.hash):
        energies.append(a["energy"] / a["natoms"])
        magnitudes = np.linalg.norm(a["forces"], axis=1).clip(FORCE_BINS[0], FORCE_BINS[-1])
        counts += np.histogram(magnitudes, FORCE_BINS)[0]
    return np.concatenate(energies), counts


def figures(dataset: Dataset, level: Level, s: Summary, times: Array) -> dict[str, bytes]:
    """The panels for which there is something to show, as PNG."""
    from pysmax.report import plots

    result: dict[str, bytes] = {}
    with plots.style():
        if s.dataset_failed:
            with _figure(result, "failures") as ax:
                names = sorted(s.dataset_failed, key=s.dataset_failed.__getitem__)
                ax.barh(names, [s.dataset_failed[n] for n in names], height=0.5)
                middle, half = (len(names) - 1) / 2, max(len(names), 4) / 2
                ax.set_ylim(middle - half, middle + half)  # a single bar is no wall
                ax.locator_params(axis="x", integer=True)
                ax.set_xlabel("structures")
        if len(times) > 1:
            with _figure(result, "rate") as ax:
                edges = np.linspace(0, times[-1], min(BINS, len(times)) + 1)
                ax.stairs(np.histogram(times, edges)[0] / np.diff(edges), edges)
                ax.set_xlabel("time (s)")
                ax.set_ylabel("structures per second")
        energies, forces = distributions(dataset, level)
        if len(energies):
            with _figure(result, "energies") as ax:
                ax.hist(energies, BINS, histtype="step")
                ax.locator_params(axis="y", integer=True)
                ax.set_xlabel("energy (eV/atom)")
                ax.set_ylabel("structures")
            with _figure(result, "forces") as ax:
                (there,) = np.nonzero(forces)
                first, last = max(there[0] - 2, 0), there[-1] + 3  # the others are empty
                ax.stairs(forces[first:last], FORCE_BINS[first : last + 1])
                ax.set_xscale("log")
                ax.locator_params(axis="y", integer=True)
                ax.set_xlabel("force (eV/Å)")
                ax.set_ylabel("atoms")
    return result


@contextmanager
def _figure(images: dict[str, bytes], name: str) -> Iterator[Any]:
    from matplotlib.figure import Figure

    from pysmax.report import html

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    yield figure.add_subplot()
    images[name] = html.png(figure)
