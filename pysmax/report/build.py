"""From a run to its folder of figures and its page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import ase
import numpy as np
from matplotlib.figure import Figure

from pysmax.errors import SmaxError
from pysmax.features import features
from pysmax.files import write_atomically
from pysmax.moments import Array, Moments, covariance, entropy, prior
from pysmax.report import html, plots
from pysmax.report.run import Run, Summary, element_counts, read_run, summarise

MAX_FRAMES = 300  # whose features are computed for the principal components

CAPTIONS = {
    "entropy": "Feature entropy of the dataset against the number of accepted configurations.",
    "progress": "Acceptance and energy-and-force evaluations, candidate by candidate.",
    "elements": "Atoms of each element in the dataset.",
    "sizes": "Atoms per configuration.",
    "components": "First two principal components of the standardised features; axes from all of the "
    f"dataset, points from at most {MAX_FRAMES} of its configurations and random cells each.",
}


def report(prefix: str, folder: Path | None = None) -> Path:
    """Write index.html, one PNG per figure and summary.json; return the page's path."""
    run = read_run(prefix)
    folder = folder or Path(f"{prefix}.report")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SmaxError(f"{folder}: cannot be made: {e.strerror}") from None
    summary = summarise(run)
    with plots.style():
        drawn = figures(run, summary)
        images = {name: html.png(figure) for name, figure in drawn.items()}
    for name, png in images.items():
        write_atomically(folder / f"{name}.png", png)
    write_atomically(folder / "summary.json", (summary.model_dump_json(indent=2) + "\n").encode())
    page = folder / "index.html"
    write_atomically(page, render(run.name, summary, images, captions(drawn)).encode())
    return page


def figures(run: Run, summary: Summary) -> dict[str, Figure]:
    """The panels that the files of this run allow."""
    entropies = np.array([f.info["S"] for f in run.frames if "S" in f.info], dtype=float)
    result = {}
    if len(entropies):
        m = run.moments
        before = "random cells + " if m.prior_count == m.ref_count else "earlier data + "
        label = (before if m.prior_count else "") + "accepted"
        start = entropy(prior(m)) if m.prior_count else None
        result["entropy"] = plots.entropy_growth(entropies, start, summary.S_random_nats, label)
    if run.table is not None and run.table.verdict:
        result["progress"] = plots.progress(run.table.accepted, run.table.evaluations)
    result["elements"] = plots.composition(element_counts(run.frames))
    result["sizes"] = plots.sizes([len(f) for f in run.frames])
    axes, shares = principal_axes(run.moments)
    ours, random = (project(_some(frames), run.moments, axes) for frames in (run.frames, run.random))
    result["components"] = plots.components(ours, random, shares)
    return result


def captions(drawn: Mapping[str, Figure]) -> dict[str, str]:
    """What is said below each figure."""
    result = {name: CAPTIONS[name] for name in drawn}
    if "entropy" in drawn and (below := plots.points_below(drawn["entropy"])):
        points = "The first point is" if below == 1 else f"The first {below} points are"
        result["entropy"] += f" {points} below the range shown."
    return result


def principal_axes(m: Moments) -> tuple[Array, Array]:
    """Two leading eigenvectors [n, 2] of the standardised covariance and their shares of its trace [2]."""
    values, vectors = np.linalg.eigh(covariance(m))
    share = values[::-1][:2] / max(values.sum(), np.finfo(float).tiny)
    return vectors[:, ::-1][:, :2], share


def project(frames: list[ase.Atoms], m: Moments, axes: Array) -> Array:
    """Standardised, centred features of the frames along the axes [m, 2]."""
    b = (features(frames, m) - m.mean) / np.sqrt(m.variance)
    projected: Array = b @ axes
    return projected


def render(name: str, summary: Summary, images: Mapping[str, bytes], captions: Mapping[str, str]) -> str:
    """The page, with every image inside."""
    return html.render("pysmax.report", name=name, s=summary, panels=html.panels(images, captions))


def _some(frames: list[ase.Atoms]) -> list[ase.Atoms]:
    if len(frames) <= MAX_FRAMES:
        return frames
    return [frames[i] for i in np.linspace(0, len(frames) - 1, MAX_FRAMES).astype(int)]
