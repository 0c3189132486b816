"""`pysmax dataset report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    datasets: Annotated[
        list[str],
        typer.Argument(
            help="Dataset folders or extended XYZ files: PATH, or NAME=PATH to name it in figures."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")] = Path(
        "characteristics"
    ),
    seed: Annotated[int, typer.Option(help="Seed of all samples.", min=0)] = 0,
    features: Annotated[
        bool, typer.Option("--features/--no-features", help="Principal components and coverage of bispectra.")
    ] = True,
    fit: Annotated[int, typer.Option(help="Structures of each dataset that fit the components.")] = 5000,
    project: Annotated[int, typer.Option(help="Structures of each dataset that are projected.")] = 20000,
    components: Annotated[int, typer.Option(help="Principal components to draw, in pairs: even.")] = 6,
    resamples: Annotated[int, typer.Option(help="Resamples for the error bars.")] = 20,
    eps: Annotated[float, typer.Option(help="Regularisation of S.")] = 1e-6,
    radii: Annotated[
        str,
        typer.Option(help="Radii in the features: covalent for all, or stored (r_eff) where there are some."),
    ] = "covalent",
    level: Annotated[
        list[str] | None,
        typer.Option(
            help="Level of theory where a folder has several: an engine or the first digits of a hash; "
            "'each': every one as a dataset. May be repeated."
        ),
    ] = None,
    ranks: Annotated[int, typer.Option(help="MPI ranks that compute features.", min=1)] = 1,
) -> None:
    """Compare datasets: distributions, elements, principal components and coverage, on one page."""
    from functools import partial

    from pydantic import ValidationError

    from pysmax.characteristics.build import report as build
    from pysmax.characteristics.projection import Settings
    from pysmax.errors import SmaxError

    try:
        settings = Settings(
            seed=seed, fit=fit, project=project, components=components, resamples=resamples, eps=eps,
            radii=radii,  # type: ignore[arg-type]
        )  # fmt: skip
    except ValidationError as e:
        first = e.errors()[0]
        raise SmaxError(f"--{first['loc'][0]}: is {first['input']}: {first['msg']}") from None
    compute = None
    if features:
        from pysmax.dataset.features import bispectrum

        compute = partial(bispectrum, ranks=ranks)
    typer.echo(f"wrote {build(datasets, output, settings, compute, level or ())}")
