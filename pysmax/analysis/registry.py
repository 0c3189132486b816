"""The analysis of each study, by name.

Module ``pysmax.analysis.STUDY`` has ``analyse(run) -> Output``. With a model ``OPTIONS`` it is
``analyse(run, options)``; a function ``compare(runs, outputs) -> Output`` looks at several runs together,
``outputs`` an iterator that analyses them one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from pysmax.analysis.output import Output, write
from pysmax.analysis.rendered import Rendered, open_study
from pysmax.errors import SmaxError
from pysmax.settings import checked


class Options(BaseModel):
    """Of an analysis: what does not change the simulation."""

    model_config = ConfigDict(extra="forbid")


def analyse(
    study: str | None, folder: Path, to: Path | None = None, options: Mapping[str, Any] | None = None
) -> Path:
    """Analyse a run; its page. ``study``: None takes what the folder says it is."""
    run = open_study(folder, study)
    return write(run, _output(run, _options(run.study, options)), to or folder / "analysis")


def compare(study: str, folders: Sequence[Path], to: Path, options: Mapping[str, Any] | None = None) -> Path:
    """Analyse each run into its own folder, then all of them together into ``to``; that page."""
    function = getattr(_module(study), "compare", None)
    if function is None:
        raise SmaxError(f"study {study}: compares no runs, expected one folder, found {len(folders)}")
    chosen = _options(study, options)
    runs = [open_study(folder, study) for folder in folders]
    places = [folder.resolve() for folder in folders]
    if twice := [f for f, place in zip(folders, places, strict=True) if places.count(place) > 1]:
        raise SmaxError(f"{twice[0]}: is there twice, expected runs that differ")

    def outputs() -> Iterator[Output]:
        for run in runs:
            output = _output(run, chosen)
            write(run, output, run.folder / "analysis")
            yield output

    output = cast(Output, function(runs, outputs()))
    return write(_together(runs), output, to)


def _together(runs: Sequence[Rendered]) -> Rendered:
    """What a page on all of them says that they are; one stand-in makes it a page of a stand-in."""
    system, scale, potential = (
        ", ".join(dict.fromkeys(str(getattr(run, key)) for run in runs))
        for key in ("system", "scale", "potential")
    )
    stand_in = any(run.stand_in for run in runs)
    return replace(runs[0], system=system, scale=scale, potential=potential, stand_in=stand_in)


def options_of(study: str) -> type[Options]:
    """What ``--set`` can give to the analysis of a study. SmaxError if there is no such study."""
    return cast("type[Options]", getattr(_module(study), "OPTIONS", Options))


def _module(study: str) -> ModuleType:
    from pysmax.studies.registry import find

    return import_module(f"pysmax.analysis.{find(study).name}")


def _options(study: str, given: Mapping[str, Any] | None) -> Options:
    model = options_of(study)
    if given and not model.model_fields:
        raise SmaxError(f"option {next(iter(given))}: the analysis of study {study} has no options")
    return checked(model, given or {}, "option")


def _output(run: Rendered, options: Options) -> Output:
    module = _module(run.study)
    output: Output = module.analyse(run, options) if hasattr(module, "OPTIONS") else module.analyse(run)
    return output
