"""The tiny models that tests share, trained as a user would: 1-layer, 2-layer and FS, of Ag, Cu and Pd.

EMT labels, double precision, a cutoff for each pair where the model has one. Kept in build/, keyed by
what they depend on, so that only the first run of a checkout trains them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ase
import ase.io
import numpy as np
import yaml
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from conftest import BIN, ROOT, environment

ELEMENTS = ("Ag", "Cu", "Pd")
CUTOFFS = {"Ag": 5.0, "Cu": 4.0, "Pd": 4.5}
FAMILIES = {
    "1l": {"preset": "tiny", "cutoffs": CUTOFFS},
    "2l": {"preset": "2l-tiny", "cutoffs": CUTOFFS},
    "fs": {"preset": "fs-tiny", "cutoffs": 4.5},
}
EPOCHS = {"1l": 12, "2l": 6, "fs": 10}
KILLED = "fs"  # the cheapest: its training is killed once, and goes on
TIMEOUT_S = 1500
# what a trained model depends on
SOURCES = ("config", "cutoffs", "data", "export_native", "maker", "presets", "publish", "references")
SOURCES += ("gracemaker_again", "resume", "train")


def cell(rng: np.random.Generator, repeat: tuple[int, int, int] = (2, 1, 1)) -> ase.Atoms:
    """A strained, shaken fcc cell of random elements, labelled by EMT."""
    a = bulk("Cu", "fcc", a=3.9 * rng.uniform(0.92, 1.12), cubic=True).repeat(repeat)
    a.symbols[:] = rng.choice(ELEMENTS, len(a))
    a.set_cell(a.cell.array @ (np.eye(3) + rng.normal(0.0, 0.03, (3, 3))), scale_atoms=True)
    a.positions += rng.normal(0.0, 0.12, (len(a), 3))
    a.calc = EMT()
    results = {"energy": a.get_potential_energy(), "forces": a.get_forces(), "stress": a.get_stress()}
    a.calc = SinglePointCalculator(a, **results)
    return a


def configuration(family: str) -> dict[str, object]:
    """Of a training that takes a minute or two."""
    return {
        "data": {"train": ["ds.extxyz"], "held_out": 0.1, "validation": 0.1},
        "model": {**FAMILIES[family], "param_dtype": "float64"},
        "fit": {"epochs": EPOCHS[family], "batch_size": 20, "shapes": 1, "checkpoint_every": 1},
        "uq": family == "1l",
    }


def train_all() -> Path:
    """Folder with 1l/, 2l/ and fs/, runs of pysmax train."""
    sources = [Path(__file__), *(ROOT / "pysmax" / "grace" / f"{name}.py" for name in SOURCES)]
    key = hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest()[:12]
    folder = ROOT / "build" / f"grace-models-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another pytest may be at it
        if not (folder / "ds.extxyz").exists():
            rng = np.random.default_rng(7)
            ase.io.write(folder / "part.extxyz", [cell(rng) for _ in range(200)])
            (folder / "part.extxyz").rename(folder / "ds.extxyz")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda family: _train(folder, family), ("2l", "1l", "fs")))
    return folder


def _train(folder: Path, family: str) -> None:
    if (folder / family / "evaluation" / "summary.json").exists():
        return
    config = folder / f"{family}.yaml"
    config.write_text(yaml.safe_dump(configuration(family)))
    command = [str(BIN / "pysmax"), "train", str(config)]
    if family == KILLED:
        _kill_after(command, folder / family, 2)
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_S)
    (folder / f"{family}.log").write_text(done.stdout + done.stderr)
    log = folder / family / "gracemaker.log"
    assert done.returncode == 0, done.stderr + (log.read_text()[-3000:] if log.exists() else "")


def _kill_after(command: list[str], run: Path, epochs: int) -> None:
    """SIGKILL the driver some time after so many epochs."""
    from pysmax.grace.maker import Work

    work, rng = Work(run / "seed" / "1"), random.Random(time.time())
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + TIMEOUT_S
    while work.epoch() < epochs and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(rng.uniform(0.0, 1.0))
    seen = work.epoch()
    process.send_signal(signal.SIGKILL)
    code = process.wait()
    (run / "killed.json").write_text(json.dumps({"code": code, "epoch": seen, "losses": _losses(work)}))


def _losses(work: object) -> list[float]:
    return [m["total_loss/test"] for m in work.metrics()]  # type: ignore[attr-defined]
