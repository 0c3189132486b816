"""pysmax dataset: what is in a dataset, is it sound, turn it into something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pysmax.cli.characteristics import report

if TYPE_CHECKING:
    from pysmax.dataset.select import Choice
    from pysmax.dataset.store import Dataset
    from pysmax.dataset.tally import Tally

app = typer.Typer(help="Datasets: look into, check, convert, split, select, recover.", no_args_is_help=True)
app.command()(report)

Folder = Annotated[Path, typer.Argument(help="Folder of the dataset.")]
LevelOption = Annotated[
    str,
    typer.Option(help="Level of theory, if there are several: an engine or the first digits of a hash."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def info(ds: Folder, as_json: AsJson = False) -> None:
    """Print what is in a dataset: counts by source, level and status, elements, sizes, energies."""
    from pysmax.dataset.info import gather
    from pysmax.dataset.store import Dataset

    found = gather(Dataset.open(ds))
    if as_json:
        typer.echo(json.dumps(found))
        return
    status = ", ".join(f"{n} {s}" for s, n in sorted(found["status"].items()))
    typer.echo(f"{found['records']} records ({status}), {found['atoms']} atoms")
    if found["status"].get("unlabelled"):
        typer.echo(f"{found['waiting']} of the unlabelled structures have no label or failure at any level")
    typer.echo(f"{found['bytes'] / 1e6:.1f} MB in {found['shards']} shards")
    rows = [
        [source or "-", level, state, reason or "-", str(n)]
        for source, levels in sorted(found["counts"].items())
        for level, states in sorted(levels.items())
        for state, reasons in sorted(states.items())
        for reason, n in sorted(reasons.items())
    ]
    _table(["source", "level", "status", "reason", "records"], rows)
    energies = found["energy_eV_per_atom"]
    _table(
        ["level", "engine", "version", "eV/atom: min", "median", "max"],
        [
            [
                v["hash"],
                v["engine"],
                v["version"],
                *(f"{e:.3f}" for e in energies.get(v["hash"], {}).values()),
            ]
            for v in found["levels"]
        ],
    )
    elements = [[s, str(v["configurations"]), str(v["atoms"])] for s, v in found["elements"].items()]
    _table(["element", "configurations", "atoms"], elements)
    if found["natoms"]:
        typer.echo(f"atoms per record: {min(found['natoms'])} to {max(found['natoms'])}")


@app.command()
def check(
    ds: Folder,
    tolerances: Annotated[
        Path | None,
        typer.Option("--tolerances", help="YAML or JSON: force_sum, virial, contact, energy, outlier."),
    ] = None,
    force_sum: Annotated[float | None, typer.Option(help="Largest |sum of forces| per atom, eV/A.")] = None,
    contact: Annotated[
        float | None, typer.Option(help="Smallest distance, in sums of covalent radii.")
    ] = None,
    virial: Annotated[
        float | None, typer.Option(help="Largest stress component x volume per atom, eV.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove a dataset; exit code 1 if something is wrong."""
    from pysmax.dataset.check import check as proved
    from pysmax.dataset.progress import progress
    from pysmax.dataset.tally import load_tolerances, text

    given = {"force_sum": force_sum, "contact": contact, "virial": virial}
    limits = load_tolerances(tolerances, {k: v for k, v in given.items() if v is not None})
    with progress("check", None) as step:
        tallies = proved(ds, limits, step)
    wrong = [t for t in tallies if t.verdict == "wrong"]
    if as_json:
        typer.echo(
            json.dumps([vars(t) | {"verdict": t.verdict, "worst": text(t.worst, "")} for t in tallies])
        )
    else:
        _table(["check", "", "checked", "bad", "worst", "example"], [_row(t) for t in tallies])
        typer.echo(f"{len(wrong)} of {len(tallies)} checks are wrong" if wrong else "nothing is wrong")
    raise typer.Exit(1 if wrong else 0)


def _row(t: Tally) -> list[str]:
    from pysmax.dataset.tally import text

    limit = f" (limit {t.limit:g})" if t.limit else ""
    worst = text(t.worst, t.unit) + limit if t.worst is not None else t.remark
    example = f"{t.example}: {t.remark}" if t.bad and t.remark else t.example
    return [t.name, t.verdict, str(t.checked), str(t.bad), worst, example]


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Dataset, file, or a folder of numbered files.")],
    target: Annotated[Path, typer.Argument(help="Dataset (added to if it is there) or new file.")],
    format_: Annotated[
        str,
        typer.Option("--format", help="extxyz, asedb, aselmdb, grace or dataset; else by TARGET's ending."),
    ] = "",
    source_format: Annotated[str, typer.Option("--from", help="Format of SOURCE; else by its ending.")] = "",
    shard_size: Annotated[
        int | None, typer.Option(help="Records per file: TARGET-00000, TARGET-00001, ...", min=1)
    ] = None,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Also records without a label.")] = False,
    level: LevelOption = "",
    level_name: Annotated[
        str, typer.Option(help="Name of the level of theory of labels that do not say it.")
    ] = "",
    energy: Annotated[
        Literal["force-consistent", "extrapolated"],
        typer.Option(help="Energy in files: the free energy if there is one, or that of zero smearing."),
    ] = "force-consistent",
    source_name: Annotated[str, typer.Option("--source", help="Source of records that do not say it.")] = "",
) -> None:
    """Convert to and from extended XYZ, ASE's databases (.db, .aselmdb); to gracemaker's frames (.pkl.gz)."""
    from dataclasses import replace

    from pysmax.dataset import formats
    from pysmax.dataset.convert import Source
    from pysmax.dataset.convert import convert as converted
    from pysmax.dataset.levels import choose
    from pysmax.dataset.progress import progress
    from pysmax.dataset.store import Dataset
    from pysmax.errors import SmaxError

    origin, name = Source.of(source, source_format), format_ or formats.guess(target)
    if level and origin.format != "dataset":
        raise SmaxError(f"{source}: --level chooses in a dataset, expected --level-name for a file")
    if level or (name == "grace" and origin.format == "dataset"):  # these frames do not say their level
        origin = replace(origin, level=choose(Dataset.open(source), [level] if level else []))
    with progress("convert", origin.count()) as step:
        done = converted(origin, target, name, shard_size, unlabelled, level_name, source_name, step, energy)
    typer.echo(str(done))


@app.command()
def split(
    ds: Folder,
    train: Annotated[Path, typer.Argument(help="New dataset.")],
    test: Annotated[Path, typer.Argument(help="New dataset.")],
    fraction: Annotated[float, typer.Option(help="Of the groups, into TEST.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Another seed, another split.")] = 0,
    group: Annotated[
        str, typer.Option(help="Never in both: structure, composition, or info.FIELD of the records.")
    ] = "structure",
    level: LevelOption = "",
) -> None:
    """Split the labelled records by a hash of their contents: no leakage, the same on every machine."""
    from pysmax.dataset.levels import choose
    from pysmax.dataset.progress import progress
    from pysmax.dataset.split import split as divided
    from pysmax.dataset.store import Dataset

    dataset = Dataset.open(ds)
    with progress("split", len(dataset)) as step:
        chosen = choose(dataset, [level]) if level else None
        done = divided(dataset, train, test, fraction, seed, group, step, chosen)
    why = ", ".join(f"{n} {s}" for s, n in sorted(done.left_out.items()))
    typer.echo(
        f"{done.train} records in {train}, {done.test} in {test}" + (f"; left out: {why}" if why else "")
    )


@app.command()
def select(
    ds: Folder,
    n: Annotated[int, typer.Argument(help="Number of records.", min=1)],
    to: Annotated[Path, typer.Option("--to", help="New dataset; its first k records are the best k.")],
    by: Annotated[
        Literal["entropy", "random", "elements"],
        typer.Option(help="Log det of features, chance, or even elements."),
    ] = "entropy",
    mode: Annotated[
        Literal["atom", "config"], typer.Option(help="Entropy of atoms, or of means per configuration.")
    ] = "atom",
    seed: Annotated[int, typer.Option(help="Of random.", min=0)] = 0,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Choose among all records.")] = False,
    level: LevelOption = "",
) -> None:
    """Choose N records into a new dataset."""
    from pysmax.dataset.levels import choose
    from pysmax.dataset.progress import progress
    from pysmax.dataset.select import write
    from pysmax.dataset.store import Dataset

    dataset = Dataset.open(ds)
    # a structure with labels at two levels would be chosen twice
    chosen = choose(dataset, [level] if level else []) if level or not unlabelled else None
    choice = _choose(dataset, n, by, mode, seed, None if unlabelled else "ok", chosen)
    with progress("write", len(choice.positions)) as step:
        written = write(dataset, choice, to, step)
    gain = ""
    if choice.entropy is not None:
        gain = f"; S = {choice.entropy:.3f} nats, of all records {choice.entropy_of_all:.3f}"
    typer.echo(f"{written} of {len(dataset)} records in {to}{gain}")


def _choose(
    dataset: Dataset, n: int, by: str, mode: Any, seed: int, status: str | None, level: str | None
) -> Choice:
    from pysmax.dataset import select as s
    from pysmax.dataset.progress import progress

    if by == "random":
        return s.at_random(dataset, n, seed, status, level)
    with progress(f"select by {by}", None) as step:
        if by == "elements":
            return s.by_elements(dataset, n, status, step, level)
        from pysmax.dataset.features import bispectrum

        return s.by_entropy(dataset, n, bispectrum, mode, status, step, level)


@app.command()
def recover(ds: Folder) -> None:
    """Save what is readable of damaged shards into new ones; the damaged go to DS/damaged."""
    from pysmax.dataset.recover import Recovered
    from pysmax.dataset.recover import recover as recovered

    def show(r: Recovered) -> None:
        typer.echo(f"{r.shard}: damaged ({r.damage}), now in {ds / 'damaged'}")
        lost = f"; {r.homeless} without their level of theory, which is lost" if r.homeless else ""
        known = f"; {r.elsewhere} are in other shards" if r.elsewhere else ""
        typer.echo(f"  {r.saved} records saved{' in ' + r.new_shard if r.new_shard else ''}{known}{lost}")

    if not recovered(ds, show):
        typer.echo("nothing is damaged")


def _table(header: list[str], rows: list[list[str]]) -> None:
    """A plain table; the same on a terminal and in a file."""
    if not rows:
        return
    rows = [r + [""] * (len(header) - len(r)) for r in rows]
    widths = [max(len(r[k]) for r in [header, *rows]) for k in range(len(header))]
    for r in [header, *rows]:
        typer.echo("  ".join(f"{cell:{w}}" for cell, w in zip(r, widths, strict=True)).rstrip())
    typer.echo("")
