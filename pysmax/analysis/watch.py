"""Follow a running study: progress, temperature, pressure, and what else its log shows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from pysmax.analysis import thermo
from pysmax.analysis.rendered import Rendered
from pysmax.errors import SmaxError

POLL_S = 2.0
COLUMNS = {"Temp": "T {:.0f} K", "Press": "p {:.2f} GPa", "PotEng": "E {:.4f} eV/atom"}


def state(run: Rendered) -> tuple[int, str]:
    """Last step in the log, and its values in words; step -1 before the first line.

    Of a study with items (its facts have ``items`` and ``results``, a pattern of files): how many are done.
    """
    if "items" in run.facts:
        return sum(1 for _ in run.folder.glob(run.facts["results"])), "one file each"
    try:
        log = thermo.read(run.log)
    except SmaxError:
        return -1, "waiting for thermo output"
    last = {k: float(v[-1]) for k, v in log.items()}
    scale = {"Press": 1e-4, "PotEng": 1 / run.natoms}
    words = [text.format(last[k] * scale.get(k, 1.0)) for k, text in COLUMNS.items() if k in last]
    words += [f"{k[2:]} {v:.3g}" for k, v in last.items() if k.startswith(("f_", "v_"))]
    return int(last["Step"]), ", ".join(words)


def watch(run: Rendered, once: bool, tell: Callable[[str], None]) -> None:
    """Until the last step, or ctrl-C; one line with ``once`` or where there is no terminal."""
    total = int(run.facts.get("items", getattr(run.parameters, "n_steps", 0)))
    what = "item" if "items" in run.facts else "step"
    step, words = state(run)
    total = max(total, step)  # -var n_steps may have asked for more
    if once or not sys.stderr.isatty():
        tell(f"{run.study}: {what} {max(step, 0)} of {total}: {words}")
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[words]}")) as bar:
        task = bar.add_task(run.study, total=total, words=words)
        while step < total:
            bar.update(task, completed=max(step, 0), words=words)
            time.sleep(POLL_S)
            step, words = state(run)
        bar.update(task, completed=total, words=words)
