"""A model's folder: gracemaker's SavedModel with what this project keeps beside it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pysmax.dataset.formats import Energy
from pysmax.errors import SmaxError
from pysmax.files import one_sentence, read_text
from pysmax.grace import references

NOTE = "pysmax.json"  # which energy it was trained on, by what, on what
UQ = "uq"  # folder of the artefact of uncertainties, and of the SavedModel that carries it


@dataclass(frozen=True)
class Model:
    """saved_model.pb, metadata.yaml; of ours also references.yaml (eV), native.npz and pysmax.json."""

    folder: Path
    elements: list[str]
    cutoff: float
    references: dict[str, float] = field(default_factory=dict)
    note: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, path: str | Path) -> Model:
        """Of a model's folder, or of a run's; SmaxError if it is neither."""
        path = Path(path)
        folder = path / "model" if (path / "model" / "saved_model.pb").exists() else path
        if not (folder / "saved_model.pb").is_file():
            raise SmaxError(
                f"{path}: found no saved_model.pb, expected the folder of a GRACE model or of its run"
            )
        meta = _mapping(folder / "metadata.yaml")
        symbols, cutoff = meta.get("chemical_symbols", meta.get("symbols")), meta.get("cutoff")
        if not isinstance(symbols, list) or not isinstance(cutoff, (int, float)):
            raise SmaxError(f"{folder / 'metadata.yaml'}: expected chemical_symbols and cutoff")
        return cls(folder, [str(s) for s in symbols], float(cutoff), references.read(folder), _note(folder))

    @property
    def hash(self) -> str:
        """32 hex digits of the graph and its weights, wherever the folder is."""
        h = hashlib.sha256()
        files = [self.folder / "saved_model.pb", *sorted((self.folder / "variables").glob("*"))]
        with one_sentence(self.folder):
            for path in files:
                h.update(path.read_bytes())
        return h.hexdigest()[:32]

    @property
    def energy(self) -> Energy:
        """Which energy it was trained on; SmaxError if its note says something else."""
        found = self.note
        for name in ("config", "data"):
            found = found.get(name, {}) if isinstance(found, dict) else {}
        energy = found.get("energy", "force-consistent") if isinstance(found, dict) else None
        if energy == "force-consistent" or energy == "extrapolated":
            return "force-consistent" if energy == "force-consistent" else "extrapolated"
        raise SmaxError(
            f"{self.folder / NOTE}: config.data.energy is {energy!r}, "
            "expected force-consistent or extrapolated"
        )

    @property
    def uq(self) -> Path:
        """SavedModel with uncertainties; SmaxError if none was built."""
        found = sorted((self.folder / UQ).glob("**/saved_model.pb"))
        if not found:
            raise SmaxError(
                f"{self.folder / UQ}: holds no model with uncertainties, expected a training with uq: true"
            )
        return found[0].parent


def _mapping(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(read_text(path))
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        raise SmaxError(f"{path}: not the metadata of a GRACE model")
    return found


def _note(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / NOTE).read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise SmaxError(f"{folder / NOTE}: cannot be read, expected JSON") from None
    return found if isinstance(found, dict) else {}
