"""The command line. Thin: each command imports what it needs when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pysmax.cli.dataset import app as dataset
from pysmax.cli.enrich import app as enrich
from pysmax.cli.grace import app as grace
from pysmax.cli.grace import evaluate, runs, train
from pysmax.cli.label import label
from pysmax.cli.merge import merge
from pysmax.cli.studies import analyse, render, watch

app = typer.Typer(
    help="Maximum-entropy datasets of atomic structures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Prefix = Annotated[str, typer.Argument(help="Prefix of the run's files, as in lmp -var out PREFIX.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Folder to write to.")]

app.command()(label)
app.add_typer(dataset, name="dataset")
app.add_typer(enrich, name="enrich")
app.command()(merge)
app.command()(train)
app.command()(evaluate)
app.command()(runs)
app.add_typer(grace, name="grace")
app.command()(render)
app.command()(analyse)
app.command()(watch)


@app.command()
def report(prefix: Prefix, output: Output = None) -> None:
    """Draw a run: figures, summary.json and one page, in PREFIX.report."""
    from pysmax.report.build import report as build

    typer.echo(f"wrote {build(_bare(prefix), output)}")


@app.command()
def info(prefix: Prefix) -> None:
    """Print the key figures of PREFIX.moments."""
    from pysmax.moments import entropy, load

    m = load(_bare(prefix) + ".moments")
    s = m.state
    typer.echo(f"mode {m.descriptor.mode}, {len(m.mean)} features, {m.count} vectors")
    typer.echo(f"accepted {s.frames} of {s.tried} tried, {s.evaluations} evaluations, {s.seconds:.1f} s")
    if len(m.variance):
        typer.echo(f"S = {entropy(m):.6f} nats")


@app.command()
def inputs(
    output: Output = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value: print an input with it, from the template.")
    ] = None,
) -> None:
    """Print gen_entropy.in (with --set: made to measure), or copy all LAMMPS inputs to a folder (-o)."""
    from pysmax.cli.files import make_folder, refuse_existing
    from pysmax.files import read_text, write_atomically
    from pysmax.paths import inputs_folder

    source = Path(inputs_folder())
    if settings:
        from pysmax.generate import parse_settings, render

        text = render(parse_settings(settings))
        if output is None:
            typer.echo(text, nl=False)
            return
        target = output / "gen_entropy.in"
        refuse_existing([target])
        make_folder(output)
        write_atomically(target, text.encode())
        typer.echo(f"wrote {target}")
        return
    if output is None:
        typer.echo(read_text(source / "gen_entropy.in"), nl=False)
        return
    files = sorted(p for p in source.rglob("*") if p.is_file())
    targets = [output / p.relative_to(source) for p in files]
    refuse_existing(targets)
    for file, target in zip(files, targets, strict=True):
        make_folder(target.parent)
        write_atomically(target, file.read_bytes())
        typer.echo(f"wrote {target}")


def main() -> None:
    """Console script: a user's mistake is one sentence and exit code 2."""
    from pysmax.errors import SmaxError

    try:
        app()
    except SmaxError as e:
        print(f"pysmax: {e}", file=sys.stderr)
        sys.exit(2)


def _bare(prefix: str) -> str:
    for suffix in (".moments", ".extxyz", ".table.csv"):
        prefix = prefix.removesuffix(suffix)
    return prefix
