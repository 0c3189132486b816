"""From datasets to the folder of figures and the page that compares them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pysmax.characteristics import plots
from pysmax.characteristics.projection import Features, Progress, Projection, Settings, project
from pysmax.characteristics.source import Source, sources
from pysmax.characteristics.statistics import SCALES, Batch, Statistics
from pysmax.characteristics.summary import coverage_csv, coverage_rows, summarise
from pysmax.dataset.progress import progress
from pysmax.errors import SmaxError
from pysmax.files import write_atomically
from pysmax.report import html
from pysmax.report.plots import SIZE, composition, style


def report(
    datasets: list[str],
    folder: Path,
    settings: Settings,
    features: Features | None,
    level: Sequence[str] = (),
) -> Path:
    """Write index.html, one PNG per figure, summary.json and coverage.csv; return the page's path.

    ``datasets`` are PATH or NAME=PATH; without ``features`` there are neither components nor coverage.
    ``level``: see sources.
    """
    found = sources(datasets, level)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SmaxError(f"{folder}: cannot be made: {e.strerror}") from None
    statistics, projection = _analyse(found, settings, features)
    levels = {s.name: s.levels() for s in found}
    summary = summarise(statistics, {k: list(v.values()) for k, v in levels.items()}, projection, settings)
    with style():
        drawn = {name: (caption, html.png(f)) for name, caption, f in figures(statistics, projection)}
    for name, (_, png) in drawn.items():
        write_atomically(folder / f"{name}.png", png)
    write_atomically(folder / "summary.json", (json.dumps(summary, indent=1) + "\n").encode())
    covered = dict(zip(statistics, projection.coverage, strict=True)) if projection else {}
    if covered:
        write_atomically(folder / "coverage.csv", coverage_csv(covered).encode())
    images = {name: png for name, (_, png) in drawn.items()}
    panels = dict(zip(drawn, html.panels(images, {n: c for n, (c, _) in drawn.items()}), strict=True))
    page = html.render(
        "pysmax.characteristics",
        summary=summary,
        size=SIZE,
        panels=panels,
        labels={k: f"{v.label} ({v.unit})" for k, v in SCALES.items()},
        coverage={name: coverage_rows(c) for name, c in covered.items()},
        mixed=len({level for found in levels.values() for level in found}) > 1,
    )
    write_atomically(folder / "index.html", page.encode())
    return folder / "index.html"


def _analyse(
    found: Sequence[Source], settings: Settings, features: Features | None
) -> tuple[dict[str, Statistics], Projection | None]:
    statistics, samples = {}, []
    sample = settings.project if features else 0
    for i, source in enumerate(found):
        s = statistics[source.name] = Statistics()
        with progress(f"reading {source.name}", None) as advance:

            def consume(b: Batch, s: Statistics = s, advance: Progress = advance) -> None:
                s.add(b)
                advance(len(b.natoms))

            samples.append(source.scan(consume, sample, settings.seed + i))
    check_labels({name: s.labels for name, s in statistics.items()})
    if features is None:
        return statistics, None
    with progress("features", sum(map(len, samples))) as advance:
        return statistics, project(list(statistics), samples, features, settings, advance)


def check_labels(labels: dict[str, set[str]]) -> None:
    """Datasets without any label are fine; those with labels must share one."""
    labelled = {name: found for name, found in labels.items() if found}
    if labelled and not set.intersection(*labelled.values()):
        each = "; ".join(f"{name}: {', '.join(sorted(v))}" for name, v in labelled.items())
        raise SmaxError(f"the datasets have no label in common ({each}), expected at least one")


def figures(
    statistics: dict[str, Statistics], projection: Projection | None
) -> Iterator[tuple[str, str, Figure]]:
    """Name, caption and figure of every panel that the datasets allow."""
    for name, scale in SCALES.items():
        histograms = {k: s.histograms[name] for k, s in statistics.items()}
        if any(h.total for h in histograms.values()):
            caption = (
                f"{scale.label.capitalize()}; the axis is logarithmic beyond {scale.width:g} {scale.unit}."
            )
            yield name, caption, plots.distribution(histograms)
    richness = {k: s.richness for k, s in statistics.items()}
    yield (
        "elements",
        "Distinct elements in a structure.",
        plots.integers(richness, "distinct elements in a structure"),
    )
    sizes = {k: s.sizes for k, s in statistics.items()}
    yield "sizes", "Atoms in a structure.", plots.integers(sizes, "atoms in a structure")
    yield from _tables(statistics)
    if projection is None:
        return
    shares = projection.components.shares
    scores = dict(zip(statistics, projection.scores, strict=True))
    for i in range(0, projection.scores[0].shape[1], 2):
        caption = f"Components {i + 1} and {i + 2} of the common PCA, in common standard deviations."
        yield f"components_{i + 1}_{i + 2}", caption, plots.component_pair(scores, i, shares)
    yield "variance", "Variance explained by the components.", plots.explained(shares)
    covered = dict(zip(statistics, projection.coverage, strict=True))
    yield "coverage", "Coverage of the feature space at the same number of atoms.", plots.covered(covered)


def _tables(statistics: dict[str, Statistics]) -> Iterator[tuple[str, str, Figure]]:
    for what, attribute in (("structures", "structures_with"), ("atoms", "atoms_of")):
        most = max(int(np.max(getattr(s, attribute))) for s in statistics.values())
        for i, (name, s) in enumerate(statistics.items()):
            counts = s.elements(getattr(s, attribute))
            caption = f"{name}: {what} {'with' if what == 'structures' else 'of'} each element."
            yield f"table_{what}_{i + 1}", caption, composition(counts, what, most, name)
