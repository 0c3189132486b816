"""The bond graph: elements are nodes, bonds between them weights; its communities (VII.3.8, Fig. 19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt

import numpy as np

from pysmax.moments import Array

STARTS = 20  # of the Louvain method, of which the best partition is kept


@dataclass(frozen=True)
class Community:
    """Elements, the most connected first; ``bonds`` among them and as many as ``expected`` by chance."""

    elements: tuple[str, ...]
    bonds: float
    expected: float

    @property
    def significance(self) -> float:
        """Bonds in excess of chance, in standard deviations of a Poisson process."""
        return (self.bonds - self.expected) / sqrt(self.expected) if self.expected > 0 else 0.0


def communities(
    counts: Array, elements: Sequence[str], resolution: float = 1.0, seed: int = 1
) -> list[Community]:
    """Louvain communities of the graph with ``counts`` [n, n] as weights, the most significant first.

    By chance: partners drawn at random, each element with as many bonds as it has (the null model of the
    modularity, Newman, PNAS 103 (2006) 8577, doi:10.1073/pnas.0601602103). Louvain: Blondel et al.,
    J. Stat. Mech. (2008) P10008, doi:10.1088/1742-5468/2008/10/P10008. An element alone is a community too.
    """
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(len(elements)))
    rows, columns = np.nonzero(np.triu(counts))
    graph.add_weighted_edges_from(
        (int(i), int(j), float(counts[i, j])) for i, j in zip(rows, columns, strict=True)
    )
    tries = [
        nx.community.louvain_communities(graph, weight="weight", resolution=resolution, seed=seed + k)
        for k in range(STARTS if graph.size() else 1)
    ]
    if graph.size():
        tries.sort(key=lambda t: -nx.community.modularity(graph, t, weight="weight", resolution=resolution))
    found = [_community(sorted(members), counts, elements) for members in tries[0]]
    return sorted(found, key=lambda c: (-c.significance, c.elements))


def _community(members: list[int], counts: Array, elements: Sequence[str]) -> Community:
    ends = counts.sum(axis=1) + np.diag(counts)  # a bond within an element has both its ends there
    inside = counts[np.ix_(members, members)]
    bonds = float(np.triu(inside).sum())
    total = float(ends.sum()) / 2
    expected = float(ends[members].sum()) ** 2 / (4 * total) if total else 0.0
    linked = (inside.sum(axis=1) + np.diag(inside)).argsort(kind="stable")[::-1]
    return Community(tuple(elements[members[k]] for k in linked), bonds, expected)


def adjusted_rand_index(a: Sequence[int], b: Sequence[int]) -> float:
    """Agreement of two partitions of the same things: 1 if equal, 0 as of random ones.

    Hubert and Arabie, J. Classification 2 (1985) 193, doi:10.1007/BF01908075.
    """
    n = len(a)
    both = _pairs(list(zip(a, b, strict=True)))
    first, second = _pairs(list(a)), _pairs(list(b))
    chance = first * second / comb(n, 2) if n > 1 else 0.0
    most = (first + second) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)


def _pairs(labels: Sequence[object]) -> int:
    """Pairs of things with the same label."""
    return sum(comb(labels.count(x), 2) for x in set(labels))
