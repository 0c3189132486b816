"""Trainings side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from pysmax.errors import SmaxError
from pysmax.grace.maker import Work

HEADER = [
    "run",
    "preset",
    "structures",
    "epochs",
    "energy RMSE (eV/atom)",
    "forces (eV/A)",
    "stress (eV/A^3)",
    "hours",
]


def table(folder: Path, sort: str) -> list[str]:
    """Lines of a table: all runs under ``folder``; errors are those of the held-out sets."""
    if not folder.is_dir():
        raise SmaxError(f"{folder}: no such folder")
    found = [r for p in sorted(folder.rglob("config.yaml")) if (r := _row(p.parent, folder))]
    if not found:
        raise SmaxError(f"{folder}: holds no run, expected folders of pysmax train")
    found.sort(key=lambda r: r["name"] if sort == "name" else r["errors"].get(sort, float("inf")))
    rows = [_cells(r) for r in found]
    widths = [max(len(r[k]) for r in [HEADER, *rows]) for k in range(len(HEADER))]
    return ["  ".join(f"{c:{w}}" for c, w in zip(r, widths, strict=True)).rstrip() for r in [HEADER, *rows]]


def _row(run: Path, base: Path) -> dict[str, Any] | None:
    try:
        config = yaml.safe_load((run / "config.yaml").read_text())
        preset, epochs = config["model"]["preset"], config["fit"]["epochs"]
        seed = config["fit"]["seed"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return None  # a config.yaml of something else
    data, summary = _json(run / "data" / "data.json"), _json(run / "evaluation" / "summary.json")
    return {
        "name": str(run.relative_to(base)) if run != base else run.resolve().name,
        "preset": str(preset),
        "structures": data.get("parts", {}).get("train", 0),
        "epochs": f"{Work(run / 'seed' / str(seed)).epoch()}/{epochs}",
        "errors": {q: v["rmse"] for q, v in summary.get("errors", {}).items() if v.get("n")},
        "hours": sum(_json(run / "seconds.json") or [0.0]) / 3600,
    }


def _cells(r: dict[str, Any]) -> list[str]:
    errors = [f"{r['errors'][q]:.4g}" if q in r["errors"] else "-" for q in ("energy", "forces", "stress")]
    return [r["name"], r["preset"], str(r["structures"]), r["epochs"], *errors, f"{r['hours']:.2f}"]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
