"""Which levels of theory a dataset has, and which one is meant: energies of two must not be mixed."""

from __future__ import annotations

from collections.abc import Sequence

from pysmax.dataset.record import Level
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError


def used(dataset: Dataset) -> dict[str, int]:
    """Hash -> number of labels."""
    found: dict[str, int] = {}
    for by_level in dataset.counts().values():
        for digest, statuses in by_level.items():
            if labels := sum(statuses.get("ok", {}).values()):
                found[digest] = found.get(digest, 0) + labels
    return found


def names(dataset: Dataset) -> dict[str, str]:
    """Hash -> ``xtb 0.8 (1f2e3d)`` of the levels that have labels."""
    found: dict[str, list[Level]] = {}
    for level in dataset.levels():
        found.setdefault(level.hash, []).append(level)
    return {digest: _name(found[digest]) for digest in used(dataset)}


def choose(dataset: Dataset, wanted: Sequence[str] = ()) -> str | None:
    """Hash of the one level of the labels, None if there are no labels.

    ``wanted``: engines, names, or first digits of hashes; exactly one level with labels must match.
    """
    there, counts = names(dataset), used(dataset)
    matching = [h for h in there if not wanted or any(_matches(w, h, dataset) for w in wanted)]
    if len(matching) == 1:
        return matching[0]
    if not there:
        return None
    listed = ", ".join(f"{name}: {counts[h]} labels" for h, name in there.items())
    chosen = f"--level {' '.join(wanted)} is {len(matching)} of them" if wanted else "expected one"
    raise SmaxError(
        f"{dataset.path}: its levels of theory are {listed}; {chosen}: "
        "give --level with an engine or the first digits of a hash"
    )


def _matches(wanted: str, digest: str, dataset: Dataset) -> bool:
    if digest.startswith(wanted):
        return True
    return any(
        v.hash == digest and wanted in (v.engine, v.settings.get("name", "")) for v in dataset.levels()
    )


def _name(versions: Sequence[Level]) -> str:
    level = versions[0]
    what = str(level.settings.get("name", level.engine)) if level.engine == "imported" else level.engine
    return " ".join([what, *sorted({v.version for v in versions if v.version}), f"({level.hash[:6]})"])
