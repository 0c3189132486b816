"""The analysis of each study, by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from pysmax.analysis.output import Output, write
from pysmax.analysis.rendered import Rendered, open_study


def analyse(study: str | None, folder: Path, to: Path | None = None) -> Path:
    """Analyse a run; its page. ``study``: None takes what the folder says it is."""
    run = open_study(folder, study)
    module = import_module(f"pysmax.analysis.{run.study}")  # a name that the registry of studies knows
    function = cast(Callable[[Rendered], Output], module.analyse)
    return write(run, function(run), to or folder / "analysis")
