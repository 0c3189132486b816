"""Features of samples -> common components, projections and coverage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import ase
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pysmax.characteristics import components, coverage
from pysmax.characteristics.components import Components
from pysmax.characteristics.coverage import Coverage, Index
from pysmax.characteristics.source import bare
from pysmax.errors import SmaxError
from pysmax.moments import Array

# structures -> features [sum natoms, n] and natoms [m]; rows in the order of structures and atoms
Features = Callable[[Sequence[ase.Atoms]], tuple[Array, Index]]
Progress = Callable[[int], object]  # structures done
CHUNK = 2000  # structures whose features are in memory at a time


class Settings(BaseModel):
    """What the report samples."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    fit: int = Field(
        5000, ge=2, description="structures of each dataset that fit the components (paper: 5000)"
    )
    project: int = Field(20000, ge=2, description="structures of each dataset that are projected")
    components: int = Field(6, ge=2, multiple_of=2, description="principal components drawn, in pairs")
    resamples: int = Field(20, ge=2, description="resamples for the error bars")
    eps: float = Field(1e-6, gt=0, description="regularisation of S, as in fix entropy")
    radii: Literal["covalent", "stored"] = Field(
        "covalent",
        description="radii of atoms in the features: covalent for all, or r_eff where a dataset has it",
    )


@dataclass(frozen=True)
class Projection:
    """Common components; per dataset its scores [m, components] and its coverage."""

    components: Components
    fitted: int  # structures of each dataset
    projected: tuple[int, ...]  # structures
    scores: tuple[Array, ...]
    coverage: tuple[Coverage, ...]


def project(
    names: Sequence[str],
    samples: Sequence[Sequence[ase.Atoms]],
    features: Features,
    settings: Settings,
    progress: Progress = lambda n: None,
) -> Projection:
    """Fit on the first structures of every sample, the same number each; project all of them.

    Full features are kept of the fitted structures alone.
    """
    equal = min(settings.fit, *map(len, samples))
    if equal < 2:
        name = names[int(np.argmin([len(s) for s in samples]))]
        raise SmaxError(f"{name} has {equal} structure, expected at least 2 to compare features")

    def compute(structures: Sequence[ase.Atoms]) -> tuple[Array, Index]:
        return _compute(features, structures, settings.radii, progress)

    fitted = [compute(s[:equal]) for s in samples]
    common = components.fit([x for x, _ in fitted])
    k = min(settings.components, len(common.spread) // 2 * 2)
    if k < 2:
        raise SmaxError("the features vary along one direction only, expected at least two components")
    scores, covered = [], []
    atoms = coverage.common_atoms([n for _, n in fitted])
    for (x, natoms), structures in zip(fitted, samples, strict=True):
        standardised = common.standardise(x)
        parts = [common.scores(standardised, k)]
        covered.append(
            coverage.measure(
                standardised, parts[0], natoms, atoms, settings.resamples, settings.seed, settings.eps
            )
        )
        for i in range(equal, len(structures), CHUNK):
            more, _ = compute(structures[i : i + CHUNK])
            parts.append(common.scores(common.standardise(more), k))
        scores.append(np.concatenate(parts))
    return Projection(common, equal, tuple(map(len, samples)), tuple(scores), tuple(covered))


def _compute(
    features: Features, structures: Sequence[ase.Atoms], radii: str, progress: Progress
) -> tuple[Array, Index]:
    rows, sizes = [], []
    for i in range(0, len(structures), CHUNK):
        part = [_prepared(s, radii) for s in structures[i : i + CHUNK]]
        x, natoms = features(part)
        expected = [len(s) for s in part]
        if np.ndim(x) != 2 or np.shape(natoms) != (len(part),) or np.asarray(natoms).tolist() != expected:
            raise SmaxError("the feature function gave other atoms than the structures have")
        if len(x) != sum(expected):
            raise SmaxError(f"the feature function gave {len(x)} vectors, expected {sum(expected)}")
        if not np.isfinite(x).all():
            raise SmaxError("the feature function gave a value that is not finite")
        rows.append(np.asarray(x, dtype=float))
        sizes.append(np.asarray(natoms, dtype=np.int64))
        progress(len(part))
    return np.concatenate(rows), np.concatenate(sizes)


def _prepared(atoms: ase.Atoms, radii: str) -> ase.Atoms:
    """Without its own effective radii if all shall have the covalent ones."""
    result = bare(atoms)
    if radii == "covalent" and "r_eff" in result.arrays:
        del result.arrays["r_eff"]
    return result
