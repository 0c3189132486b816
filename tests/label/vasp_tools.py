"""A campaign of VASP, the stand-in in its place: inputs and site.yaml in a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml
from label import fake_vasp
from label.campaign_tools import write
from label.trial_engine import structures

N = 12
# what VASP does with a structure that has the element
MODES = {"He": "crash", "Ne": "unconverged", "Ar": "garbage"}


def prepare(folder: Path, executor: dict[str, object]) -> None:
    """run.extxyz of N structures, three of them troublesome, and site.yaml."""
    write(folder / "run.extxyz", structures(N, trouble={2: "He", 5: "Ne", 7: "Ar"}))
    library = fake_vasp.write_library(folder / "library", "W_sv", "Be", "H", *MODES)
    (folder / "jobs").mkdir()
    (folder / "jobs" / "fake_vasp.json").write_text(json.dumps({"elements": MODES}))
    engine = {
        "command": [sys.executable, fake_vasp.__file__],
        "potcar_dir": str(library),
        "work_dir": str(folder / "jobs"),
        "potentials": {"Be": "Be"},
        "limits": {"max_force_eV_per_A": None},
    }
    (folder / "site.yaml").write_text(yaml.safe_dump({"engine": engine, "executor": executor}))
