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
        str | None,
        typer.Option(help="Largest stress error in eV/A^3, or 'std': of the errors themselves. [0.084]"),
    ] = None,
) -> None:
    """Join datasets, with the paper's filters for those of another origin; or merge moments files."""
    from pysmax.dataset import formats
    from pysmax.errors import SmaxError

    endings = tuple(e for found in formats.ENDINGS.values() for e in found)
    given = [*parts, *(filtered or [])]
    other = [p for p in given if not p.is_dir() and not p.name.endswith(endings)]
    if len(other) == len(given) and not filtered and model is None:
        merge_moments(out, parts)
        return
    if other:
        raise SmaxError(f"{other[0]}: is no dataset, expected datasets alone, or moments files alone")
    if model is None and stress_limit is not None:
        raise SmaxError(
            "--stress-limit is given without --model, expected the model whose stress is compared"
        )
    _merge_labelled(out, parts, filtered or [], drop, keep_u, model, stress_limit)


def _merge_labelled(
    out: Path,
    parts: list[Path],
    filtered: list[Path],
    drop: str,
    keep_u: bool,
    model: Path | None,
    limit: str | None,
) -> None:
    from pysmax.dataset.combine import combine
    from pysmax.dataset.filters import Filters
    from pysmax.dataset.progress import progress

    filters = Filters(
        hubbard=not keep_u,
        elements=tuple(_element(s.strip()) for s in drop.split(",") if s.strip()),
        stress_limit=None if limit == "std" or model is None else _number(limit),
    )
    predict, close, which = _predictor(model) if model else (None, lambda: None, "")
    try:
        with progress("merge", None) as step:
            done = combine(out, parts, filtered, filters, predict, limit == "std", step, which)
    finally:
        close()
    for line in done.lines():
        typer.echo(line)
    typer.echo(f"wrote {out}")


def _predictor(model: Path) -> tuple[Predicts, Callable[[], None], str]:
    from pysmax.grace.model import Model
    from pysmax.grace.predict import Predictor

    opened = Model.open(model)
    predictor = Predictor(opened)
    return (lambda frames: [p.stress for p in predictor.predict(frames)]), predictor.close, opened.hash


def _element(symbol: str) -> str:
    from ase.data import chemical_symbols

    from pysmax.errors import SmaxError

    if symbol not in chemical_symbols[1:]:
        raise SmaxError(f"--drop: found '{symbol}', expected symbols of elements")
    return symbol


def _number(text: str | None) -> float:
    from pysmax.dataset.filters import STRESS_LIMIT
    from pysmax.errors import SmaxError

    if text is None:
        return STRESS_LIMIT
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
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
