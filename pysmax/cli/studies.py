"""pysmax render, analyse, watch: the simulations of the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

Study = Annotated[str | None, typer.Argument(help="See --list.")]


def render(
    study: Study = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Studies and their systems; of STUDY, its parameters.")
    ] = False,
    system: Annotated[str | None, typer.Option(help="A named set of values; default: the first.")] = None,
    potential: Annotated[
        str | None, typer.Option(help="potential.yaml, the folder of a GRACE model, or stand-in.")
    ] = None,
    to: Annotated[Path | None, typer.Option("-o", "--output", help="Folder to write, new or empty.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value (YAML): a parameter of the study.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML with parameters; --set goes over them.")] = None,
    scale: Annotated[Literal["full", "smoke"], typer.Option(help="smoke: about a minute.")] = "full",
) -> None:
    """Write a LAMMPS input of a study, with all it needs, to a folder."""
    import shlex

    from pysmax.cli.label import parse_settings
    from pysmax.errors import SmaxError
    from pysmax.settings import read_yaml
    from pysmax.studies import describe
    from pysmax.studies import render as rendered

    if listed:
        for line in describe.parameters(study) if study else describe.studies():
            typer.echo(line)
        return
    if study is None or potential is None or to is None:
        raise SmaxError(
            "expected pysmax render STUDY --potential FILE -o FOLDER (pysmax render --list shows them)"
        )
    given: dict[str, Any] = {**(read_yaml(config) if config else {}), **parse_settings(settings or [])}
    folder = rendered(study, to, potential=potential, system=system, settings=given, scale=scale)
    typer.echo(f"wrote {folder}; now: cd {shlex.quote(str(folder))} && mpirun -np 2 lmp -in in.{study}")


def analyse(
    study: Annotated[str, typer.Argument(help="The study.")],
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Its folder; several: the runs are compared, too.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("-o", "--output", help="Default: FOLDER/analysis; of a comparison, needed.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value (YAML): an option of the analysis.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="The options of the analysis.")] = False,
) -> None:
    """Tables, figures and one page from a study that has run."""
    from pysmax.analysis import registry
    from pysmax.cli.label import parse_settings
    from pysmax.errors import SmaxError
    from pysmax.studies import describe

    if listed:
        for line in describe.fields(registry.options_of(study)) or [f"{study}: no options"]:
            typer.echo(line)
        return
    options = parse_settings(settings or [])
    if not folders:
        raise SmaxError("expected pysmax analyse STUDY FOLDER (pysmax analyse STUDY --list shows options)")
    if len(folders) == 1:
        typer.echo(f"wrote {registry.analyse(study, folders[0], to, options)}")
        return
    if to is None:
        raise SmaxError(
            f"found {len(folders)} folders and no -o FOLDER, expected where to write the comparison"
        )
    typer.echo(f"wrote {registry.compare(study, folders, to, options)}")


def watch(
    folder: Annotated[Path, typer.Argument(help="Of a study that runs.")],
    once: Annotated[bool, typer.Option("--once", help="One line, then end.")] = False,
) -> None:
    """Progress, temperature and pressure of a study that runs."""
    from pysmax.analysis.rendered import open_study
    from pysmax.analysis.watch import watch as watched

    watched(open_study(folder), once, typer.echo)
