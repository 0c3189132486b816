"""pysmax train, evaluate, runs, grace: GRACE potentials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    help="The environment in which GRACE runs (TensorFlow, tensorpotential).", no_args_is_help=True
)


@app.command()
def install(
    cuda: Annotated[
        bool, typer.Option("--cuda", help="TensorFlow for NVIDIA GPUs: 7 GB instead of 2.")
    ] = False,
    path: Annotated[Path | None, typer.Option(help="Folder; then set PYSMAX_GRACE to it.")] = None,
) -> None:
    """Make the GRACE environment with pip; nothing is done if it is complete."""
    from pysmax.grace.environment import install as made

    env = made(path, cuda, typer.echo)
    typer.echo(f"{env.folder}: {_listed(env.versions())}")


@app.command()
def info() -> None:
    """Print where the GRACE environment is, and what is in it."""
    from pysmax.grace.environment import locate

    env = locate()
    typer.echo(f"{env.folder}: {_listed(env.versions())}")


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def train(
    config: Annotated[Path | None, typer.Argument(help="YAML, see --init.")] = None,
    to: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder of the run; default: CONFIG without .yaml.")
    ] = None,
    init: Annotated[str | None, typer.Option(help="Print a commented configuration of this preset.")] = None,
    data: Annotated[list[Path] | None, typer.Option(help="With --init: datasets to name in it.")] = None,
) -> None:
    """Train a GRACE potential; again: it goes on where it was."""
    from pysmax.errors import SmaxError
    from pysmax.grace.config import commented, load

    if init is not None:
        typer.echo(commented(init, [str(p) for p in data or [Path("ds")]]), nl=False)
        return
    if config is None:
        raise SmaxError(
            "found no configuration, expected CONFIG.yaml (pysmax train --init 1l-small prints one)"
        )
    from pysmax.grace.finish import train_and_test

    train_and_test(load(config), to or config.with_suffix(""), typer.echo)


def evaluate(
    model: Annotated[Path, typer.Argument(help="Folder of a run, or of a GRACE model.")],
    sets: Annotated[list[Path], typer.Argument(help="Labelled datasets, or extended XYZ.")],
    to: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder; default: MODEL/evaluation.")
    ] = None,
    energy: Annotated[
        Literal["force-consistent", "extrapolated"] | None,
        typer.Option(help="Which energy; default: that of the training."),
    ] = None,
    uq: Annotated[
        bool, typer.Option("--uq", help="Also the extrapolation grade of every structure.")
    ] = False,
    level: Annotated[
        str, typer.Option(help="Hash of the level of theory, where the sets have several.")
    ] = "",
) -> None:
    """Compare a model with labels: errors, parity plots, per element and per energy; one page."""
    from pysmax.grace.evaluate import evaluate as evaluated
    from pysmax.grace.model import Model

    opened = Model.open(model)
    done = evaluated(opened, sets, to or opened.folder / "evaluation", energy=energy, uq=uq, level=level)
    for line in done.lines():
        typer.echo(line)


def runs(
    folder: Annotated[Path, typer.Argument(help="Looked through for runs.")] = Path(),
    sort: Annotated[Literal["forces", "energy", "stress", "name"], typer.Option(help="Order.")] = "forces",
) -> None:
    """List trainings with their errors on their held-out sets."""
    from pysmax.grace.runs import table

    for line in table(folder, sort):
        typer.echo(line)
