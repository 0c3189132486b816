"""``pysmax label``: from what the user asked for to a campaign and its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, cast

from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError
from pysmax.label.campaign import Campaign, Executor, Options
from pysmax.label.engine import EngineConfig
from pysmax.label.inputs import Unreadable, open_inputs
from pysmax.label.page import Summary, report, summarise
from pysmax.label.pool import Pool
from pysmax.label.site import Local, Site, read_site, read_site_alone
from pysmax.label.table import live_table

TRIES = 3


@dataclass(frozen=True)
class Job:
    """Everything that a campaign needs."""

    inputs: Sequence[Path]
    config: EngineConfig
    site: Site
    to: Path | None = None
    source: str = ""
    timeout_s: float | None = None  # None: that of the engine's settings
    tries: int = TRIES
    relabel: bool = False
    options: Options = field(default_factory=Options)

    @property
    def target(self) -> Path:
        """The dataset to write: by default beside the first input, or the dataset that is the input."""
        if self.to:
            return self.to
        first = self.inputs[0]
        return first if first.is_dir() else first.with_suffix(".dataset")


@dataclass(frozen=True)
class Finished:
    """What a campaign leaves: its figures, its page, and the signal that ended it (0: none)."""

    summary: Summary
    page: Path
    signal: int


def settings(
    engine: str, config: Path | None, overrides: Mapping[str, Any], executor: str, site: Path | None
) -> tuple[EngineConfig, Site]:
    """Read the settings of engine and executor; every mistake in them is found here."""
    from pysmax.label.engines import load_config
    from pysmax.label.site import load_site

    where, sections = read_site(config, executor) if config else (load_site(executor, {}), False)
    if site:
        where = read_site_alone(site, executor)
    return load_config(engine, config, overrides, "engine" if sections else ""), where


def run(job: Job) -> Finished:
    """Label, and write the report."""
    sources = open_inputs(job.inputs, job.relabel, job.source)
    level = job.config.level()  # the engine is asked for before anything is written
    dataset = Dataset.create(job.target, exist_ok=True)
    try:
        campaign = Campaign(dataset, level, sources, job.options)
        with (
            live_table(campaign.progress, f"{job.target}: {level.engine}"),
            executor(job, dataset) as workers,
        ):
            campaign.run(cast(Executor, workers))
        summary = summarise(
            dataset,
            level,
            [str(p) for p in job.inputs],
            campaign.progress,
            workers=cast(Executor, workers).slots,
            interrupted=bool(campaign.signal),
        )
        page = report(dataset, level, summary, campaign.progress.times)
        return Finished(summary, page, campaign.signal)
    finally:
        dataset.close()


def executor(job: Job, dataset: Dataset) -> AbstractContextManager[object]:
    """The workers, not yet started."""
    timeout_s = job.config.timeout_s if job.timeout_s is None else job.timeout_s
    if isinstance(job.site, Local):
        return Pool(job.config, job.site.workers, timeout_s, job.tries)
    from pysmax.label.cluster import Cluster

    return Cluster(job.config, job.site, dataset.path / "label" / "pilots", timeout_s, job.tries)


def dry_run(job: Job, folder: Path) -> tuple[int, list[Unreadable]]:
    """Write the job folder of every structure, where the engine has such; nothing is computed.

    Returns how many, and the frames that are no structure.
    """
    write = getattr(job.config, "dry_run", None)
    if write is None:
        raise SmaxError(f"engine {job.config.engine_name()} has no job files to write (--dry-run), vasp has")
    sources = open_inputs(job.inputs, job.relabel, job.source)
    unreadable: list[Unreadable] = []
    n = 0
    for s in chain.from_iterable(source.structures() for source in sources):
        if n == job.options.limit:
            break
        if isinstance(s, Unreadable):
            unreadable.append(s)
        else:
            write(s.atoms, folder)
            n += 1
    return n, unreadable
