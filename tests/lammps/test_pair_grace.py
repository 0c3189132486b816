"""pair_style grace against the models' own ASE calculator, on 1, 2 and 4 ranks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Finished
from grace_models import FAMILIES, GraceModels, Label
from grace_tools import Case, cases, evaluation, read_evaluation

RELATIVE = 1e-9  # double precision

Lmp = Callable[..., Finished]


def close(got: np.ndarray, want: np.ndarray, what: str) -> None:
    """Equal to rounding, measured against the largest value of its kind."""
    scale = max(float(np.max(np.abs(want), initial=0.0)), 1.0)
    worst = float(np.max(np.abs(np.asarray(got) - want), initial=0.0))
    assert worst <= RELATIVE * scale, f"{what}: off by {worst} of {scale}"


def compare(this: Case, label: Label, folder: Path) -> None:
    got = read_evaluation(this, folder)
    close(np.array([got.energy]), np.array([label.energy]), f"{this.name} energy")
    close(got.forces[this.seen], label.forces, f"{this.name} forces")
    close(got.energies[this.seen], label.energies, f"{this.name} energies")
    close(got.stress, label.stress, f"{this.name} stress")
    assert np.all(got.forces[~this.seen] == 0.0) and np.all(got.energies[~this.seen] == 0.0)
    total = got.stress_of_atoms.sum(axis=0) / this.atoms.get_volume()
    close(total, label.stress, f"{this.name} stress of atoms")


@pytest.fixture(scope="session")
def labels(
    grace_models: GraceModels, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], list[Label]]:
    """What TPCalculator says about cases(), once for each family."""
    known: dict[str, list[Label]] = {}

    def of(family: str) -> list[Label]:
        if family not in known:
            structures = [c.as_model_sees for c in cases()]
            known[family] = grace_models.label(family, structures, tmp_path_factory.mktemp("oracle"))
        return known[family]

    return of


# XLA compiles three programs on each rank of a two-layer model
RUNS = [
    pytest.param(f, n, marks=pytest.mark.slow if (f, n) == ("2l", 4) else ())
    for f in FAMILIES
    for n in (1, 2, 4)
]


@pytest.mark.parametrize(("family", "ranks"), RUNS)
def test_equals_ase(
    lmp: Lmp,
    tmp_path: Path,
    grace_models: GraceModels,
    labels: Callable[[str], list[Label]],
    family: str,
    ranks: int,
) -> None:
    script = "".join(evaluation(c, grace_models[family], "grace", tmp_path) for c in cases())
    lmp(script, ranks=ranks)
    for this, label in zip(cases(), labels(family), strict=True):
        compare(this, label, tmp_path)
