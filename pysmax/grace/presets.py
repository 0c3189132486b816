"""Sizes of models: gracemaker's presets, whose names and sizes are those of the GRACE papers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    """A preset of gracemaker with its arguments."""

    layers: int  # 0: FS, no message and one cutoff for all
    name: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    remark: str = ""


def _one(n: int, products: int, dens: int, radial: int) -> Preset:
    sizes = {"lmax": 4, "n_rad_max": n, "prod_func_n_max": products, "n_mlp_dens": dens, "n_rad_base": radial}
    return Preset(1, "GRACE_1LAYER_latest", {**sizes, "max_order": 4})


def _two(n: list[int], products: list[int], dens: int, radial: int, indicator: int) -> Preset:
    sizes = {"lmax": [4, 3], "n_rad_max": n, "prod_func_n_max": products, "n_mlp_dens": dens}
    return Preset(
        2,
        "GRACE_2LAYER_latest",
        {**sizes, "n_rad_base": radial, "max_order": 4, "indicator_lmax": indicator},
    )


_TINY = {"embedding_size": 8, "n_rad_base": 6, "n_mlp_dens": 4}
PRESETS: dict[str, Preset] = {
    "1l-small": _one(32, 32, 10, 8),
    "1l-medium": _one(32, 64, 12, 8),
    "1l-large": _one(42, 64, 16, 10),
    "2l-small": _two([32, 32], [32, 32], 12, 8, 1),
    "2l-medium": _two([42, 32], [42, 64], 16, 10, 1),
    "2l-large": _two([42, 32], [42, 64], 16, 10, 3),
    "fs-small": Preset(
        0,
        "FS",
        {
            "max_order": 3,
            "lmax": [5, 5, 4],
            "n_rad_max": [20, 15, 10],
            "embedding_size": 32,
            "fs_parameters": [[1.0, 1.0], [1.0, 0.5]],
        },
    ),
    "tiny": Preset(
        1,
        "GRACE_1LAYER_latest",
        {**_TINY, "lmax": 3, "n_rad_max": 8, "prod_func_n_max": 8, "max_order": 4},
        "trains in minutes on a laptop: for trying things out",
    ),
    "2l-tiny": Preset(
        2,
        "GRACE_2LAYER_latest",
        {
            **_TINY,
            "lmax": [2, 2],
            "n_rad_max": [6, 6],
            "prod_func_n_max": [6, 6],
            "max_order": 3,
            "indicator_lmax": 1,
        },
        "for trying things out",
    ),
    "fs-tiny": Preset(
        0,
        "FS",
        {
            "max_order": 3,
            "lmax": [2, 2, 2],
            "n_rad_max": [6, 4, 3],
            "n_rad_base": 6,
            "embedding_size": 4,
            "fs_parameters": [[1.0, 1.0], [1.0, 0.5]],
        },
        "for trying things out",
    ),
}
