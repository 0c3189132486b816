"""grace/native against TPCalculator, with untrained models of sizes that the trained ones do not have.

One process of the GRACE environment makes the models, exports them and labels the structures.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase.io import write
from conftest import ROOT, Finished
from grace_models import in_environment, read_labels
from grace_tools import ELEMENTS, Case, cases, evaluation
from test_pair_grace import compare

Lmp = Callable[..., Finished]

# Preset and arguments. Numbers that fill no vector; layers of different sizes; atoms that tell a scalar.
MODELS: dict[str, tuple[str, dict[str, object]]] = {
    "scalar": (
        "GRACE_2LAYER_latest",
        {
            "lmax": [3, 1],
            "n_rad_max": [5, 9],
            "prod_func_n_max": [5, 11],
            "n_mlp_dens": 1,
            "n_rad_base": 7,
            "max_order": 4,
            "indicator_lmax": 0,
            "zbl_cutoff": {"Ag": 2.7, "Cu": 2.2, "Pd": 2.4, "AgCu": 2.7, "CuPd": 2.6},
        },
    ),
    "sums": (
        "GRACE_1LAYER_latest",
        {"lmax": 2, "n_rad_max": 3, "prod_func_n_max": 3, "n_mlp_dens": 3, "n_rad_base": 1, "max_order": 1},
    ),
}

MAKE = """
import json
scripts, structures, root, models = sys.argv[1:]
sys.path.insert(0, scripts)
import export_native
import tensorflow as tf
from tensorpotential import TensorPotential
from tensorpotential.potentials import get_preset

tf.keras.utils.set_random_seed(1)
for name, (preset, sizes) in json.loads(models).items():
    manager = get_preset(preset)(
        element_map={"Ag": 0, "Cu": 1, "Pd": 2}, rcut=4.5, avg_n_neigh=30.0, constant_out_scale=0.7,
        atomic_shift_map={0: -1.0, 1: -2.0, 2: -3.0}, embedding_size=4, **sizes)
    given = manager.get_instructions()
    potential = TensorPotential(potential=given, param_dtype=tf.float64)
    instructions = {i.name: i for i in (given.values() if isinstance(given, dict) else given)}
    for i in instructions.values():
        if type(i).__name__ == "InvariantLayerRMSNorm":  # zero before a training
            i.scale.assign(tf.random.normal(i.scale.shape, 1.0, 0.3, dtype=i.scale.dtype))
    folder = f"{root}/{name}"
    potential.save_model(exact_path=folder, jit_compile=False)
    export_native.write(folder + "/native.npz", export_native.model_arrays(instructions), {})
    label(folder, structures, folder + "/labels.npz")
"""


def chosen() -> list[Case]:
    return [c for c in cases() if c.name in ("tilted", "types", "two")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the models, each with native.npz and labels.npz."""
    assert ELEMENTS == ("Ag", "Cu", "Pd")
    folder = tmp_path_factory.mktemp("presets")
    write(folder / "cells.traj", [c.as_model_sees for c in chosen()], format="traj")
    in_environment(MAKE, ROOT / "pysmax" / "grace", folder / "cells.traj", folder, json.dumps(MODELS))
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_equals_ase(lmp: Lmp, tmp_path: Path, made: Path, name: str) -> None:
    lmp("".join(evaluation(c, made / name, "grace/native", tmp_path) for c in chosen()), ranks=2)
    labels = read_labels(made / name / "labels.npz")
    for this, label in zip(chosen(), labels, strict=True):
        assert np.max(np.abs(label.forces)) > 1e-3
        compare(this, label, tmp_path)
