"""pysmax enrich: add structures from elsewhere to a dataset, unlabelled; then label all with one engine."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from pysmax.dataset.store import Dataset
    from pysmax.enrich.tally import Tally
    from pysmax.label.job import Job

app = typer.Typer(help="Add unlabelled structures from elsewhere to a dataset.", no_args_is_help=True)

To = Annotated[Path, typer.Option("--to", help="Dataset to add to; made if it does not exist.")]
Vacuum = Annotated[float, typer.Option(help="Angstrom from the outermost nuclei to each face of the box.")]


class Cells(str, Enum):
    """Which cells relax."""

    fixed = "fixed"
    variable = "variable"
    both = "both"


class Standard(str, Enum):
    """Which cell of a crystal."""

    given = "given"
    primitive = "primitive"
    conventional = "conventional"


class Splits(str, Enum):
    """Groups of the Transition1x file."""

    data = "data"
    train = "train"
    val = "val"
    test = "test"


class Optimisers(str, Enum):
    """ASE's."""

    FIRE = "FIRE"
    LBFGS = "LBFGS"
    BFGSLineSearch = "BFGSLineSearch"


@app.command()
def relax(
    source: Annotated[Path, typer.Argument(help="Extended XYZ file, or a dataset.")],
    to: To,
    engine: Annotated[str, typer.Option(help="Potential: lammps, ase, xtb, ...")] = "xtb",
    config: Annotated[Path | None, typer.Option(help="YAML with the settings of the potential.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="key=value: one of them.")] = None,
    cell: Annotated[Cells, typer.Option(help="Cell held, relaxed too, or one after the other.")] = Cells.both,
    optimiser: Annotated[Optimisers, typer.Option(help="Of ASE.")] = Optimisers.FIRE,
    fmax: Annotated[float, typer.Option(help="Relaxed below this force, eV/A.")] = 0.05,
    steps: Annotated[int, typer.Option(help="Most steps; the last structure is kept all the same.")] = 500,
    max_step: Annotated[float, typer.Option(help="Longest move of an atom in a step, A.")] = 0.1,
    max_displacement: Annotated[float, typer.Option(help="Stop as runaway beyond, A.")] = 5.0,
    max_volume_change: Annotated[float, typer.Option(help="Stop as runaway beyond this factor.")] = 3.0,
    keep: Annotated[str, typer.Option(help="final, all, or every:N steps (and the final).")] = "final",
    executor: Annotated[str, typer.Option(help="local, slurm or flux.")] = "local",
    site: Annotated[Path | None, typer.Option(help="YAML: the executor's settings alone.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Local processes; default: one per core.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.001, help="Seconds allowed for one structure.")
    ] = None,
) -> None:
    """Optimise structures in a potential and keep the low-force ones. Run again to go on."""
    from pysmax.cli.label import parse_settings
    from pysmax.enrich.relax_settings import configs
    from pysmax.errors import SmaxError
    from pysmax.label import job
    from pysmax.label.site import Local

    if workers and executor != "local":
        raise SmaxError(
            f"--workers is for local processes; for {executor} say workers_per_node in its settings"
        )
    settings = {
        "optimiser": optimiser.value,
        "fmax": fmax,
        "steps": steps,
        "max_step": max_step,
        "max_displacement": max_displacement,
        "max_volume_change": max_volume_change,
    }
    potential, where = job.settings(engine, config, parse_settings(overrides or []), executor, site)
    chosen = configs(potential, cell.value, keep, settings)
    where = Local(workers=workers) if workers else where
    _relax(to, [job.Job((source,), one, where, timeout_s=timeout) for one in chosen])


def _relax(to: Path, jobs: list[Job]) -> None:
    """One kind of cell after the other."""
    from pysmax.enrich.relax import Run, count_parents, read_parents
    from pysmax.enrich.relax_engine import RelaxConfig
    from pysmax.enrich.tally import Tally
    from pysmax.label.job import executor

    (source,) = jobs[0].inputs
    total = count_parents(source)  # says what is wrong with it before a dataset is made
    dataset = _open(to)
    for one in jobs:
        run = Run(dataset, cast(RelaxConfig, one.config), Tally())
        typer.echo(f"{run.config.cell} cell, settings {run.settings}, recorded in {run.journal.path}")
        try:
            run.relax(read_parents(source), executor(one, dataset), total)
        except KeyboardInterrupt:
            typer.echo("interrupted: what was finished is kept; the same command goes on", err=True)
            raise typer.Exit(130) from None
        typer.echo(run.tally.table())
    typer.echo(f"next: pysmax label {to} labels what is new")


@app.command()
def mp(
    file: Annotated[Path, typer.Argument(help="Downloaded JSON (list, lines or API answer), .gz or not.")],
    to: To,
    download: Annotated[bool, typer.Option("--download", help="First fetch FILE, with MP_API_KEY.")] = False,
    max_above_hull: Annotated[float, typer.Option(min=0, help="eV/atom above the hull.")] = 0.0,
    check_hull: Annotated[
        bool, typer.Option("--check-hull", help="Of the energies in FILE, which are of one functional.")
    ] = False,
    cell: Annotated[Standard, typer.Option(help="As in FILE, or a standard cell.")] = Standard.given,
    max_atoms: Annotated[int | None, typer.Option(min=1, help="Skip larger cells.")] = None,
    actinides: Annotated[bool, typer.Option(help="Keep structures with actinides.")] = False,
) -> None:
    """Structures on the convex hulls of the Materials Project."""
    from pysmax.enrich.mp import Choice, read
    from pysmax.enrich.mp_files import documents
    from pysmax.enrich.mp_files import download as fetch
    from pysmax.enrich.tally import Tally, write

    choice = Choice(
        max_above_hull=max_above_hull,
        check_hull=check_hull,
        cell=cell.value,
        max_atoms=max_atoms,
        actinides=actinides,
    )
    if download:
        typer.echo(f"wrote {file}: {fetch(file, max_above_hull)} documents")
    tally = Tally()
    write(read(lambda: documents(file), choice, tally, file.name), _open(to), tally, "Materials Project")
    _end(tally, to)


@app.command()
def qm9(
    source: Annotated[
        Path, typer.Argument(help="dsgdb9nsd.xyz.tar.bz2, a folder of its files, or one of them.")
    ],
    to: To,
    exclude: Annotated[Path | None, typer.Option(help="uncharacterized.txt, or one index a line.")] = None,
    vacuum: Vacuum = 5.0,
) -> None:
    """Organic molecules of QM9, boxed."""
    from pysmax.enrich.qm9 import read, read_excluded
    from pysmax.enrich.tally import Tally, write

    excluded = read_excluded(exclude) if exclude else frozenset()
    tally = Tally()
    write(read(source, vacuum, excluded), _open(to), tally, "QM9")
    _end(tally, to)


@app.command()
def transition1x(
    file: Annotated[Path, typer.Argument(help="Transition1x.h5.")],
    to: To,
    split: Annotated[Splits, typer.Option(help="All reactions (data) or a published split.")] = Splits.data,
    endpoints: Annotated[bool, typer.Option(help="Reactant, transition state and product.")] = True,
    path: Annotated[str, typer.Option(help="Frames of the path: none, all, every:K or random:N.")] = "none",
    seed: Annotated[int, typer.Option(help="Of the random frames.")] = 0,
    vacuum: Vacuum = 5.0,
) -> None:
    """Molecules along the reaction paths of Transition1x, boxed."""
    from pysmax.enrich.tally import Tally, write
    from pysmax.enrich.transition1x import Frames, read

    frames = Frames.parse(path, endpoints, seed)
    tally = Tally()
    write(read(file, frames, vacuum, split.value), _open(to), tally, "Transition1x")
    _end(tally, to)


def _open(to: Path) -> Dataset:
    from pysmax.dataset.store import Dataset

    return Dataset.create(to, exist_ok=True)


def _end(tally: Tally, to: Path) -> None:
    typer.echo(tally.table())
    typer.echo(f"next: pysmax label {to} labels what is new")
