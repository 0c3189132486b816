"""pysmax merge: labelled datasets, or the moments of feature datasets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pysmax.dataset.combine import Predicts


def merge(
    out: Annotated[Path, typer.Argument(help="Dataset to write; or moments file, where all parts are.")],
    parts: Annotated[list[Path], typer.Argument(help="Labelled datasets (as they are), or moments files.")],
    filtered: Annotated[
        list[Path] | None, typer.Option(help="A dataset of another origin (OMAT): the filters apply to it.")
    ] = None,
    drop: Annotated[
        str, typer.Option(help="Elements whose pseudopotentials differ, comma separated.")
    ] = "Eu,Gd,Yb",
    keep_u: Annotated[bool, typer.Option("--keep-u", help="Keep what was computed with +U.")] = False,
    model: Annotated[Path | None, typer.Option(help="GRACE model whose stress is compared.")] = None,
    stress_limit: Annotated[
        str, typer.Option(help="Largest stress error in eV/A^3, or 'std': of the errors themselves.")
    ] = "0.084",
) -> None:
    """Join datasets, with the paper's filters for those of another origin; or merge moments files."""
    from pysmax.dataset import formats
    from pysmax.errors import SmaxError

    endings = tuple(e for found in formats.ENDINGS.values() for e in found)
    labelled = [p.is_dir() or p.name.endswith(endings) for p in [*parts, *(filtered or [])]]
    if not any(labelled):
        merge_moments(out, parts)
        return
    if not all(labelled):
        found = parts[labelled.index(False)]
        raise SmaxError(f"{found}: is no dataset, expected datasets alone, or moments files alone")
    _merge_labelled(out, parts, filtered or [], drop, keep_u, model, stress_limit)


def _merge_labelled(
    out: Path,
    parts: list[Path],
    filtered: list[Path],
    drop: str,
    keep_u: bool,
    model: Path | None,
    limit: str,
) -> None:
    from pysmax.dataset.combine import combine
    from pysmax.dataset.filters import Filters
    from pysmax.dataset.progress import progress

    filters = Filters(
        hubbard=not keep_u,
        elements=tuple(s for s in drop.split(",") if s),
        stress_limit=None if limit == "std" or model is None else _number(limit),
    )
    predict, close = _predictor(model) if model else (None, lambda: None)
    try:
        with progress("merge", None) as step:
            done = combine(out, parts, filtered, filters, predict, limit == "std", step)
    finally:
        close()
    for line in done.lines():
        typer.echo(line)
    typer.echo(f"wrote {out}")


def _predictor(model: Path) -> tuple[Predicts, Callable[[], None]]:
    from pysmax.grace.model import Model
    from pysmax.grace.predict import Predictor

    predictor = Predictor(Model.open(model))
    return (lambda frames: [p.stress for p in predictor.predict(frames)]), predictor.close


def _number(text: str) -> float:
    from pysmax.errors import SmaxError

    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value > 0:
        raise SmaxError(f"--stress-limit is '{text}', expected a number above 0, or std")
    return value


def merge_moments(out: Path, parts: list[Path]) -> None:
    """OUT can start a run that fills what all of PARTS lack."""
    from pysmax.cli.files import refuse_existing
    from pysmax.merge import merge_files
    from pysmax.moments import entropy, save

    refuse_existing([out])
    m = merge_files(parts)
    save(out, m)
    tail = f", S = {entropy(m):.6f} nats" if len(m.variance) else ""
    typer.echo(f"wrote {out}: {m.count} vectors{tail}")
