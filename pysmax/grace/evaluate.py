"""A model against labels: errors.csv, figures, one page, summary.json."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from pysmax.batches import batched
from pysmax.dataset.progress import progress
from pysmax.dataset.record import Record
from pysmax.errors import SmaxError
from pysmax.files import one_sentence, write_atomically
from pysmax.grace.config import Data
from pysmax.grace.data import Tally, labelled
from pysmax.grace.errors import QUANTITIES, Errors
from pysmax.grace.model import Model
from pysmax.grace.predict import BATCH, Prediction, Predictor
from pysmax.report import html
from pysmax.report.plots import BLUE, GREY, ORANGE, style


@dataclass(frozen=True)
class Evaluation:
    """What was found, and where it is written."""

    errors: Errors
    folder: Path

    def lines(self) -> list[str]:
        """For the terminal."""
        e = self.errors
        lines = [f"{e.structures} structures, {e.atoms} atoms"]
        for q, unit in QUANTITIES.items():
            s = e.total[q].as_dict()
            if s["n"]:
                lines.append(
                    f"  {q}: MAE {s['mae']:.4g}, RMSE {s['rmse']:.4g}, largest {s['max']:.4g} {unit}"
                )
        if grade := e.as_dict()["grade"]:
            above = f"{100 * grade['share_above_1']:.1f} % above 1"
            lines.append(f"  grade: median {grade['q50']:.3g}, 95 % {grade['q95']:.3g}, {above}")
        lines += [f"  failed, {why}: {n}" for why, n in e.failed.items()]
        return [*lines, f"wrote {self.folder / 'index.html'}"]


def evaluate(
    model: Model,
    sets: Sequence[Path],
    folder: Path,
    energy: Literal["force-consistent", "extrapolated"] | None = None,
    uq: bool = False,
    level: str = "",
) -> Evaluation:
    """Compare a model, its reference energies included, with labels; SmaxError if there are none."""
    data = Data(train=list(sets), level=level, energy=energy or model.energy, held_out=0.0)
    errors, tally = Errors(), Tally()
    with ExitStack() as stack:
        stack.enter_context(one_sentence(folder))
        folder.mkdir(parents=True, exist_ok=True)
        predictor = stack.enter_context(Predictor(model, grade=uq))
        write = _table(stack.enter_context(open(folder / "errors.csv", "w", newline="")))
        step = stack.enter_context(progress("evaluate", None))
        for record, value, found in _compared(labelled(data, tally, lambda n: None), predictor):
            step(1)
            if found.why:
                errors.failed[found.why] = errors.failed.get(found.why, 0) + 1
                continue
            reference = sum(model.references.get(s, 0.0) for s in record.atoms.symbols)
            errors.add(record, value, float(reference), found)
            write(record, value, found)
    if not errors.structures:
        why = ", ".join(f"{n} {reason}" for reason, n in {**tally.left_out, **errors.failed}.items())
        raise SmaxError(f"{', '.join(map(str, sets))}: found nothing to compare with ({why or 'no record'})")
    _write(errors, model, sets, folder)
    return Evaluation(errors, folder)


def _compared(
    records: Iterator[tuple[Record, str, float]], predictor: Predictor
) -> Iterator[tuple[Record, float, Prediction]]:
    for part in batched(records, BATCH):
        predictions = predictor.predict([record.atoms for record, _, _ in part])
        for (record, _, energy), found in zip(part, predictions, strict=True):
            yield record, energy, found


def _table(file: IO[str]) -> Any:
    columns = [
        "key",
        "formula",
        "atoms",
        "energy_eV",
        "predicted_eV",
        "force_rmse_eV_per_A",
        "stress_max_eV_per_A3",
        "grade",
    ]
    writer = csv.writer(file)
    writer.writerow(columns)

    def write(record: Record, energy: float, found: Prediction) -> None:
        assert record.label is not None
        force = np.sqrt(np.mean((found.forces - record.label.forces) ** 2))
        stress = (
            "" if record.label.stress is None else f"{np.abs(found.stress - record.label.stress).max():.6g}"
        )
        grade = f"{found.grade:.6g}" if np.isfinite(found.grade) else ""
        row = [record.key, record.atoms.symbols.formula.format("hill"), len(record.atoms)]
        writer.writerow([*row, f"{energy:.9g}", f"{found.energy:.9g}", f"{force:.6g}", stress, grade])

    return write


def _write(errors: Errors, model: Model, sets: Sequence[Path], folder: Path) -> None:
    summary = {"model": str(model.folder), "sets": [str(p) for p in sets], **errors.as_dict()}
    with style():
        drawn = {name: (caption, html.png(f)) for name, caption, f in figures(errors)}
    for name, (_, png) in drawn.items():
        write_atomically(folder / f"{name}.png", png)
    images = {name: png for name, (_, png) in drawn.items()}
    page = html.render(
        "pysmax.grace",
        summary=summary,
        panels=html.panels(images, {n: c for n, (c, _) in drawn.items()}),
    )
    write_atomically(folder / "index.html", page.encode())
    write_atomically(folder / "summary.json", (json.dumps(summary, indent=1) + "\n").encode())


def figures(errors: Errors) -> Iterator[tuple[str, str, Figure]]:
    """Name, caption, figure."""
    for q, unit in QUANTITIES.items():
        pairs = errors.points[q].pairs
        if len(pairs):
            yield f"parity_{q}", f"{q.capitalize()}: the model against the labels.", _parity(pairs, q, unit)
    yield "elements", "Root mean square error of the forces on atoms of each element.", _elements(errors)
    if errors.grades:
        yield (
            "grade",
            "Extrapolation grade: the largest of each structure; 1 is the edge of the training set.",
            _grades(errors),
        )


def _parity(pairs: Any, quantity: str, unit: str) -> Figure:
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.subplots()
    low, high = float(pairs.min()), float(pairs.max())
    pad = 0.03 * (high - low) or 1.0
    span = (low - pad, high + pad)
    if len(pairs) > 2000:
        bins = axes.hexbin(
            pairs[:, 0], pairs[:, 1], gridsize=80, norm=LogNorm(), extent=(*span, *span), linewidths=0
        )
        figure.colorbar(bins, ax=axes, label="values")
    else:
        axes.plot(pairs[:, 0], pairs[:, 1], ".", color=BLUE, ms=4, alpha=0.6)
    axes.plot(span, span, color=GREY, lw=0.8)
    axes.set(xlim=span, ylim=span, xlabel=f"{quantity}, label ({unit})", ylabel=f"{quantity}, model ({unit})")
    axes.set_aspect("equal")
    return figure


def _elements(errors: Errors) -> Figure:
    found = {s: sums["forces"].as_dict()["rmse"] for s, sums in sorted(errors.elements.items())}
    figure = Figure(figsize=(max(4.0, 0.25 * len(found) + 1.5), 3.4))
    axes = figure.subplots()
    axes.bar(list(found), list(found.values()), color=BLUE)
    axes.set(ylabel="RMSE of forces (eV/A)")
    axes.tick_params(axis="x", rotation=90 if len(found) > 20 else 0)
    return figure


def _grades(errors: Errors) -> Figure:
    figure = Figure(figsize=(4.6, 3.4))
    axes = figure.subplots()
    values = np.maximum(errors.grades, 1e-6)
    axes.hist(np.log10(values), bins=50, color=BLUE)
    axes.axvline(0.0, color=ORANGE, ls="--")
    axes.set(xlabel="log10 of the grade", ylabel="structures")
    return figure
