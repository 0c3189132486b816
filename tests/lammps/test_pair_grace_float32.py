"""A one-layer model of single precision: TPCalculator, pair_style grace and grace/native say the same.

The weights are those of the trained model, rounded: in one process of the GRACE environment that also
labels the structures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase.io import write
from conftest import ROOT, Finished
from grace_models import GraceModels, Label, in_environment, read_labels
from grace_tools import Case, Evaluated, cases, evaluation, read_evaluation

Lmp = Callable[..., Finished]
RELATIVE = 1e-5  # of single precision, by the largest number of a kind

CAST = """
sys.path.insert(0, sys.argv[1])
scripts, model_yaml, checkpoint, structures, folder = sys.argv[1:]
import export_native
import tensorflow as tf
from tensorpotential import TensorPotential
from tensorpotential.instructions.base import load_instructions

double, dtype = export_native.load(model_yaml, checkpoint)
assert dtype == "float64"
single = load_instructions(model_yaml)
potential = TensorPotential(potential=single, param_dtype=tf.float32)
for i in single.values() if isinstance(single, dict) else single:
    given = double[i.name].variables
    assert [v.name for v in given] == [v.name for v in i.variables]
    for to, value in zip(i.variables, given):
        assert to.dtype == (tf.float32 if value.dtype == tf.float64 else value.dtype), to
        to.assign(tf.cast(value, to.dtype) if value.dtype == tf.float64 else value)
potential.save_model(exact_path=folder, jit_compile=True)
listed = {i.name: i for i in (single.values() if isinstance(single, dict) else single)}
export_native.write(folder + "/native.npz", export_native.model_arrays(listed), {"parameters": "float32"})
label(folder, structures, folder + "/labels.npz")
"""


def chosen() -> list[Case]:
    return [c for c in cases() if c.name in ("random", "tilted", "surface")]


@pytest.fixture(scope="module")
def single(grace_models: GraceModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the model of float32 parameters, with native.npz and labels.npz."""
    scratch = tmp_path_factory.mktemp("float32")
    write(scratch / "cells.traj", [c.as_model_sees for c in chosen()], format="traj")
    work = grace_models.folder / "1l" / "seed" / "1"
    given = (work / "model.yaml", work / "checkpoints" / "checkpoint.best_test_loss")
    in_environment(CAST, ROOT / "pysmax" / "grace", *given, scratch / "cells.traj", scratch / "model")
    return scratch / "model"


@pytest.fixture(scope="module")
def labels(single: Path) -> list[Label]:
    return read_labels(single / "labels.npz")


def distance(got: Evaluated, label: Label | Evaluated, name: str) -> float:
    """Largest difference, by the largest number of its kind and 1."""
    want = np.asarray(getattr(label, name))
    scale = max(float(np.max(np.abs(want))), 1.0)
    return float(np.max(np.abs(np.asarray(getattr(got, name)) - want))) / scale


def test_single_precision(lmp: Lmp, tmp_path: Path, single: Path, labels: list[Label]) -> None:
    got: dict[str, list[Evaluated]] = {}
    for style in ("grace", "grace/native"):
        lmp("".join(evaluation(c, single, style, tmp_path) for c in chosen()), ranks=2)
        got[style] = [read_evaluation(c, tmp_path) for c in chosen()]
    apart = []
    for k, this in enumerate(chosen()):
        for name in ("energy", "forces", "stress", "energies"):
            of_native = distance(got["grace/native"][k], labels[k], name)
            pairs = {
                "grace and TPCalculator": distance(got["grace"][k], labels[k], name),
                "native and TPCalculator": of_native,
                "native and grace": distance(got["grace/native"][k], got["grace"][k], name),
            }
            for what, off in pairs.items():
                assert off <= RELATIVE, f"{this.name} {name}, {what}: off by {off}"
            apart.append(of_native)
    # it was single precision that was compared: double would agree to 1e-13
    assert max(apart) > 1e-12
