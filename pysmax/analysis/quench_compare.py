"""Runs of study ``quench`` that differ in their seeds: do their bond graphs have the same communities?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from pysmax.analysis import quench_figures
from pysmax.analysis.communities import adjusted_rand_index, communities
from pysmax.analysis.output import Output, Table
from pysmax.analysis.quench_options import QuenchOptions
from pysmax.analysis.rendered import Rendered
from pysmax.errors import SmaxError
from pysmax.moments import Array


def compare(runs: Sequence[Rendered], outputs: Iterable[Output]) -> Output:
    """Adjusted Rand index of every two partitions of the elements, and the communities of all bonds.

    Raises SmaxError for runs of different elements.
    """
    names = [str(run.folder) for run in runs]
    elements = [e for e, n in runs[0].counts.items() if n]
    for run in runs:
        if other := sorted(set(elements) ^ {e for e, n in run.counts.items() if n}):
            raise SmaxError(
                f"{run.folder}: {other[0]} is in some runs alone, expected runs of the same elements"
            )
    outputs = list(outputs)
    partitions = [{str(e): int(str(k)) for e, k in o.tables["partition"].rows} for o in outputs]
    labels = [[p[e] for e in elements] for p in partitions]
    two = list(combinations(range(len(runs)), 2))
    indices = [adjusted_rand_index(labels[i], labels[j]) for i, j in two]
    output = Output("Runs compared: communities of the bond graph")
    output.summary["runs"] = len(runs)
    output.summary["seeds"] = [run.parameters.seed for run in runs]
    output.summary["agreement_mean_adjusted_rand_index"] = float(np.mean(indices))
    output.summary["agreement_lowest"] = min(indices)
    output.tables["agreement"] = Table(
        "Adjusted Rand index: 1 for equal communities, 0 for unrelated ones",
        ["run_1", "run_2", "adjusted_rand_index"],
        [[names[i], names[j], index] for (i, j), index in zip(two, indices, strict=True)],
    )
    together = np.mean([np.equal.outer(x, x) for x in map(np.array, labels)], axis=0)
    bonds = np.mean([_counts(o, elements) for o in outputs], axis=0)
    found = communities(bonds, elements, QuenchOptions(**outputs[0].summary["options"]).resolution)
    output.tables["communities"] = Table(
        "Most significant communities of the bonds of all runs",
        ["community", "elements", "bonds_inside", "bonds_by_chance", "significance_sigma", "kept_together"],
        [
            [
                k,
                " ".join(c.elements),
                c.bonds,
                c.expected,
                c.significance,
                _kept(together, elements, c.elements),
            ]
            for k, c in enumerate(found[: quench_figures.SHOWN], 1)
        ],
    )
    output.figures["bonds"] = quench_figures.bond_figure(bonds, elements, found, "bonds")
    output.captions["bonds"] = "Bonds of all runs; blue frames: their most significant communities."
    output.figures["together"] = quench_figures.together_figure(together, elements, found)
    output.captions["together"] = "Share of the runs in which two elements are in one community."
    return output


def _counts(output: Output, elements: Sequence[str]) -> Array:
    at = {e: k for k, e in enumerate(elements)}
    counts = np.zeros((len(at), len(at)))
    for a, b, n in output.tables["bonds"].rows:
        counts[at[str(a)], at[str(b)]] = counts[at[str(b)], at[str(a)]] = float(str(n))
    return counts


def _kept(together: Array, elements: Sequence[str], members: Sequence[str]) -> float:
    """Mean share of the runs in which two of the members are together."""
    k = [elements.index(e) for e in members]
    pairs = [together[i, j] for i, j in combinations(k, 2)]
    return float(np.mean(pairs)) if pairs else 1.0
