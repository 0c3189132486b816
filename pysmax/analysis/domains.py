"""Metallic and oxide domains, and their clusters: bonded atoms of one domain."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pysmax.analysis.bonds import bonded

if TYPE_CHECKING:
    from ovito.data import DataCollection

METALLIC, OXIDE = "metallic", "oxide"


@dataclass(frozen=True)
class Domain:
    """``inside`` [n]: atoms of the domain; ``cluster`` [n]: 1, the largest, 2, ... or 0; ``sizes``: atoms."""

    name: str
    inside: npt.NDArray[np.bool_]
    cluster: npt.NDArray[np.intp]
    sizes: npt.NDArray[np.intp]

    @property
    def largest(self) -> int:
        return int(self.sizes.max(initial=0))

    @property
    def typical(self) -> float:
        """Size of the cluster of an atom of the domain, on average: sum n^2 / sum n."""
        return float((self.sizes.astype(float) ** 2).sum() / max(self.sizes.sum(), 1))


def oxide_share(data: DataCollection, anions: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Of each atom: the share of anions among the atoms it is bonded to [n]; nan: bonded to none."""
    n = data.particles.count
    pairs = bonded(data)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    neighbours = np.bincount(both[:, 0], minlength=n)
    near_anions = np.bincount(both[:, 0], weights=anions[both[:, 1]], minlength=n)
    with np.errstate(invalid="ignore"):
        share: npt.NDArray[np.float64] = near_anions / neighbours
    return share


def domains(
    data: DataCollection, elements: Sequence[str], anions: Collection[str], threshold: float
) -> dict[str, Domain]:
    """Of a frame with bonds; ``elements``: of atom types 1, 2, ...

    Oxide: anions, and atoms with at least ``threshold`` of anions among those they are bonded to. Metallic:
    all others that are bonded to something.
    """
    anion = np.array([e in anions for e in elements])[np.asarray(data.particles.particle_types) - 1]
    share = oxide_share(data, anion)
    oxide = anion | (share >= threshold)
    metallic = ~oxide & ~np.isnan(share)
    return {name: _domain(name, data, mask) for name, mask in ((METALLIC, metallic), (OXIDE, oxide))}


def _domain(name: str, data: DataCollection, inside: npt.NDArray[np.bool_]) -> Domain:
    from ovito.modifiers import ClusterAnalysisModifier

    selected = data.clone()
    particles: Any = selected.particles_
    particles.create_property("Selection", data=inside.astype(int))
    mode = ClusterAnalysisModifier.NeighborMode.Bonding
    selected.apply(ClusterAnalysisModifier(neighbor_mode=mode, only_selected=True, sort_by_size=True))
    cluster = np.asarray(selected.particles["Cluster"], dtype=np.intp)
    return Domain(name, inside, cluster, np.bincount(cluster)[1:])
