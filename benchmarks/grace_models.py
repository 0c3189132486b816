"""Untrained GRACE models of the sizes that users train, for the benchmark of speed.

Runs under the Python that has tensorpotential:  python grace_models.py FOLDER tiny small large tiny-float32
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pysmax" / "grace"))

# Sizes of the library: n_rad_max, prod_func_n_max, n_mlp_dens, n_rad_base; tiny as users set it
SIZES = {
    "tiny": {
        "lmax": 3,
        "n_rad_max": 16,
        "prod_func_n_max": 16,
        "n_mlp_dens": 8,
        "n_rad_base": 8,
        "max_order": 3,
    },
    "small": {
        "lmax": 4,
        "n_rad_max": 32,
        "prod_func_n_max": 32,
        "n_mlp_dens": 10,
        "n_rad_base": 8,
        "max_order": 4,
    },
    "medium": {
        "lmax": 4,
        "n_rad_max": 32,
        "prod_func_n_max": 64,
        "n_mlp_dens": 12,
        "n_rad_base": 8,
        "max_order": 4,
    },
    "large": {
        "lmax": 4,
        "n_rad_max": 42,
        "prod_func_n_max": 64,
        "n_mlp_dens": 16,
        "n_rad_base": 10,
        "max_order": 4,
    },
    "2l-tiny": {
        "lmax": [3, 2],
        "n_rad_max": [16, 16],
        "prod_func_n_max": [16, 16],
        "n_mlp_dens": 8,
        "n_rad_base": 8,
        "max_order": 3,
        "indicator_lmax": 1,
    },
    "2l-small": {
        "lmax": [4, 3],
        "n_rad_max": [32, 32],
        "prod_func_n_max": [32, 32],
        "n_mlp_dens": 12,
        "n_rad_base": 8,
        "max_order": 4,
        "indicator_lmax": 1,
    },
    "2l-medium": {
        "lmax": [4, 3],
        "n_rad_max": [42, 32],
        "prod_func_n_max": [42, 64],
        "n_mlp_dens": 16,
        "n_rad_base": 10,
        "max_order": 4,
        "indicator_lmax": 1,
    },
    "2l-large": {
        "lmax": [4, 3],
        "n_rad_max": [42, 32],
        "prod_func_n_max": [42, 64],
        "n_mlp_dens": 16,
        "n_rad_base": 10,
        "max_order": 4,
        "indicator_lmax": 3,
    },
}
ELEMENTS = ["Mo", "Nb", "Ta"]
CUTOFF = 6.0


def make(folder: Path, size: str, dtype: str) -> None:
    import export_native
    import tensorflow as tf
    from tensorpotential import TensorPotential
    from tensorpotential.potentials import get_preset

    tf.keras.utils.set_random_seed(1)
    layers = 2 if size.startswith("2l-") else 1
    manager = get_preset(f"GRACE_{layers}LAYER_latest")(
        element_map={e: i for i, e in enumerate(ELEMENTS)},
        rcut=CUTOFF,
        avg_n_neigh=60.0,
        constant_out_scale=0.7,
        atomic_shift_map={i: -1.0 - i for i in range(len(ELEMENTS))},
        **SIZES[size.removesuffix("-float32")],
    )
    instructions = manager.get_instructions()
    potential = TensorPotential(potential=instructions, param_dtype=getattr(tf, dtype))
    listed = instructions.values() if isinstance(instructions, dict) else instructions
    for i in listed:
        if type(i).__name__ == "InvariantLayerRMSNorm":  # zero before a training
            i.scale.assign(tf.ones_like(i.scale))
    if layers == 2:  # with signatures for several ranks
        keys = manager.communicated_keys
        potential.save_model_with_aux_computes(
            exact_path=str(folder), jit_compile=True, communicated_keys=keys
        )
    else:
        potential.save_model(exact_path=str(folder), jit_compile=True)
    arrays = export_native.model_arrays({i.name: i for i in listed})
    export_native.write(str(folder / "native.npz"), arrays, {"parameters": dtype})


def main() -> None:
    root = Path(sys.argv[1])
    for size in sys.argv[2:]:
        make(root / size, size, "float32" if size.endswith("-float32") else "float64")


if __name__ == "__main__":
    main()
