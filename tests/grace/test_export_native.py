"""Models that the native evaluator does not know are refused by one line, and leave no file."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from conftest import ROOT
from grace_models import GraceModels

MANY = """
import contextlib, io, json, sys
sys.path.insert(0, sys.argv[1])
import export_native
found = []
for given in json.loads(sys.argv[2]):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = export_native.main(given)
    found.append([code, [s for s in said.getvalue().splitlines() if s.startswith("ERROR")]])
print("FOUND", json.dumps(found))
"""

# what is changed in the file of the two-layer model, and words of the error
CHANGES = {
    "activation": ("activation: tanh", "activation: sigmoid", ("activation sigmoid", "silu or tanh")),
    "layout": ("lm_first: false", "lm_first: true", ("basis A of another kind",)),
    "message": (
        "max_sum_l: null\n    sum_neighbors: true",
        "max_sum_l: null\n    sum_neighbors: false",
        ("YI of another layout",),
    ),
}


@pytest.fixture(scope="module")
def refusals(
    grace_models: GraceModels, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[int, list[str], bool]]:
    """Exit status, errors and whether there is a file, of an FS model and of changed two-layer models."""
    scratch = tmp_path_factory.mktemp("export")
    runs = {"fs": grace_models.folder / "fs" / "seed" / "1" / "model.yaml"}
    text = (grace_models.folder / "2l" / "seed" / "1" / "model.yaml").read_text()
    for name, (old, new, _) in CHANGES.items():
        assert old in text
        runs[name] = scratch / f"{name}.yaml"
        runs[name].write_text(text.replace(old, new))
    given = []
    for name, model in runs.items():
        work = grace_models.folder / ("fs" if name == "fs" else "2l") / "seed" / "1"
        checkpoint = work / "checkpoints" / "checkpoint.best_test_loss"
        given.append([str(model), str(checkpoint), str(scratch / f"{name}.npz")])
    env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", PYTHONNOUSERSITE="1")
    command = [grace_models.environment / "bin" / "python", "-c", MANY, ROOT / "pysmax" / "grace"]
    done = subprocess.run(
        [*map(str, command), json.dumps(given)], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    line = next(s for s in done.stdout.splitlines() if s.startswith("FOUND "))
    answers = zip(runs, json.loads(line[6:]), strict=True)
    return {name: (code, errors, (scratch / f"{name}.npz").exists()) for name, (code, errors) in answers}


@pytest.mark.parametrize("name", ["fs", *CHANGES])
def test_refused_by_one_line(refusals: dict[str, tuple[int, list[str], bool]], name: str) -> None:
    code, errors, written = refusals[name]
    assert code == 1 and len(errors) == 1 and not written
    words = ("radial basis SBessel", "expected Cheb") if name == "fs" else CHANGES[name][2]
    assert all(word in errors[0] for word in ("cannot be written for grace/native", *words)), errors[0]
