"""``pysmax label``: reference energies, forces and stresses for structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Inputs = Annotated[
    list[Path], typer.Argument(help="Extended XYZ files, or datasets with unlabelled records.")
]


def label(
    inputs: Inputs,
    engine: Annotated[str, typer.Option(help="xtb, dft, vasp, lammps or ase.")] = "xtb",
    config: Annotated[
        Path | None, typer.Option(help="YAML: the engine's settings, or sections engine, executor.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value: a setting of the engine.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Dataset to write; default: INPUT.dataset beside the input.")
    ] = None,
    executor: Annotated[str, typer.Option(help="local, slurm or flux.")] = "local",
    site: Annotated[Path | None, typer.Option(help="YAML: the executor's settings alone.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Local processes; default: one per core.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.001, help="Seconds allowed for one structure.")
    ] = None,
    tries: Annotated[int, typer.Option(min=1, help="Workers that one structure may kill.")] = 3,
    source: Annotated[str, typer.Option(help="What the records say where they come from.")] = "",
    relabel: Annotated[
        bool, typer.Option("--relabel", help="Of a dataset, label what has labels too.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try what has failed at this level.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Compute at most so many structures.")] = None,
    dry_run: Annotated[Path | None, typer.Option(help="Write the jobs to this folder, run nothing.")] = None,
) -> None:
    """Label structures with an engine; again: it goes on where it was."""
    from pysmax.errors import SmaxError
    from pysmax.label import job as jobs
    from pysmax.label.campaign import Options
    from pysmax.label.site import Local

    if workers and executor != "local":
        raise SmaxError(
            f"--workers is for local processes; for {executor} say workers_per_node in its settings"
        )
    engine_config, where = jobs.settings(engine, config, parse_settings(settings or []), executor, site)
    job = jobs.Job(
        inputs=inputs,
        config=engine_config,
        site=Local(workers=workers) if workers else where,
        to=to,
        source=source,
        timeout_s=timeout,
        tries=tries,
        relabel=relabel,
        options=Options(retry_failed=retry_failed, limit=limit),
    )
    if dry_run:
        n, unreadable = jobs.dry_run(job, dry_run)
        typer.echo(f"wrote {n} jobs to {dry_run}")
        tell([vars(u) for u in unreadable])
        return
    finish(jobs.run(job))


def finish(done: Any) -> None:
    """Say what has been done; exit with 128 + the signal that ended it."""
    s = done.summary
    failed = sum(s.failed.values())
    typer.echo(
        f"{s.dataset}: {s.labelled} labelled, {failed} failed, {s.skipped} were there, in {s.seconds:.1f} s"
    )
    for reason, n in sorted(s.failed.items()):
        typer.echo(f"  failed, {reason}: {n}")
    tell(s.unreadable, ", see summary.json")
    typer.echo(f"wrote {done.page}")
    if done.signal:
        typer.echo("interrupted: what was finished is kept; the same command goes on", err=True)
        raise typer.Exit(128 + done.signal)


def tell(unreadable: Sequence[Mapping[str, Any]], where: str = "") -> None:
    """The first ten frames that are no structure, and how many more there are."""
    for u in unreadable[:10]:
        typer.echo(f"  unreadable: {u['file']}, frame {u['frame']} (line {u['line']}): {u['why']}")
    if len(unreadable) > 10:
        typer.echo(f"  unreadable: {len(unreadable) - 10} more{where}")


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """``key=value``, the value in YAML."""
    import yaml

    from pysmax.errors import SmaxError
    from pysmax.settings import load_yaml

    parsed: dict[str, Any] = {}
    for item in settings:
        key, equals, value = item.partition("=")
        if not (key and equals):
            raise SmaxError(f"--set {item}: expected key=value")
        try:
            parsed[key] = load_yaml(value)
        except yaml.YAMLError:
            raise SmaxError(f"--set {item}: the value is not YAML") from None
        except (ValueError, RecursionError) as e:  # ValueError: a day that is none, a key twice
            raise SmaxError(f"--set {item}: the value is not YAML ({e})") from None
    return parsed
