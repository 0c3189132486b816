"""What pair_style grace refuses: one line that names what was found and expected, on all ranks."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import Finished, environment, lmp_command, run_program
from grace_models import GraceModels
from grace_tools import alloy, case, evaluation, write_data

TIMEOUT_S = 120
METADATA = "chemical_symbols:\n- Ag\n- Cu\n- Pd\ncutoff: 4.0\n"


@dataclass(frozen=True)
class Bad:
    """A style, a pair_coeff, commands before the box, and what the error must say."""

    words: tuple[str, ...]
    style: str = "grace"
    coeff: str = "* * model Ag Cu Pd"
    head: str = "units metal\n"
    after: str = "run 0\n"
    env: tuple[tuple[str, str], ...] = ()


def bad(*words: str, **options: object) -> Bad:
    return Bad(words, **options)  # type: ignore[arg-type]


def at(place: str) -> tuple[tuple[str, str], ...]:
    return (("PYSMAX_GRACE", place),)


# "model" is a folder that has good metadata and a saved_model.pb of a few bytes
WITHOUT_TENSORFLOW = {
    "keyword": bad("unknown keyword 'foo'", "references", style="grace foo 1"),
    "keyword value": bad("references", "'maybe'", "no or yes", style="grace references maybe"),
    "chunk": bad("chunk", "'0'", "integer from 1", style="grace chunk 0"),
    "threads": bad("threads", "'many'", "integer from 1", style="grace threads many"),
    "element": bad("element 'Xx'", "Ag Cu Pd or NULL", coeff="* * model Ag Xx Pd"),
    "too few": bad("found 2 elements, expected 3", coeff="* * model Ag Cu"),
    "too many": bad("found 4 elements, expected 3", coeff="* * model Ag Cu Pd Ag"),
    "units": bad("found units real, expected metal", head="units real\n"),
    "newton": bad("newton off", "expected 'newton on'", head="units metal\nnewton off\n"),
    "no folder": bad("found no folder 'nowhere'", coeff="* * nowhere Ag Cu Pd"),
    "a file": bad("'in.test' is no folder", coeff="* * in.test Ag Cu Pd"),
    "no metadata": bad("cannot read 'empty/metadata.yaml'", coeff="* * empty Ag Cu Pd"),
    "bad metadata": bad("bad/metadata.yaml'", "cutoff is 'wide'", coeff="* * bad Ag Cu Pd"),
    "vast cutoff": bad("vast/metadata.yaml'", "cutoff is '1e9'", "below 1000", coeff="* * vast Ag Cu Pd"),
    "too rich": bad("rich/metadata.yaml'", "201 chemical_symbols", "up to 200", coeff="* * rich Ag Cu Pd"),
    "a pipe": bad("'pipe/metadata.yaml' is no regular file", coeff="* * pipe Ag Cu Pd"),
    "a graph from a pipe": bad("'pipe2/saved_model.pb' is no regular file", coeff="* * pipe2 Ag Cu Pd"),
    "no graph": bad("cannot read 'nograph/saved_model.pb'", coeff="* * nograph Ag Cu Pd"),
    "corrupt graph": bad("'model/saved_model.pb'", "broken or truncated"),
    "references": bad("cannot read 'model/references.yaml'", style="grace references yes"),
    "no reference": bad("no energy of Pd", style="grace references yes", coeff="* * bad2 Ag Cu Pd"),
}

NEEDING_A_MODEL = {
    "no tensorflow": bad("no TensorFlow", "/nowhere", "pysmax grace install", env=at("/nowhere")),
    "no library": bad("cannot load TensorFlow", "in.test", env=at("in.test")),
    "no symbols": bad("no function TF_Version", "expected the C API", env=at("plain.so")),
}


def prepare(folder: Path) -> None:
    for name in ("model", "nograph", "empty", "bad", "bad2", "vast", "rich", "pipe", "pipe2"):
        (folder / name).mkdir()
    os.mkfifo(folder / "pipe" / "metadata.yaml")
    os.mkfifo(folder / "pipe2" / "saved_model.pb")
    (folder / "vast" / "metadata.yaml").write_text(METADATA.replace("4.0", "1e9"))
    (folder / "rich" / "metadata.yaml").write_text(METADATA.replace("- Ag\n", "- Ag\n" * 199))
    for name in ("model", "nograph", "bad2", "pipe2"):
        (folder / name / "metadata.yaml").write_text(METADATA)
    for name in ("model", "bad2"):
        (folder / name / "saved_model.pb").write_bytes(b"\x08\x01\x12\x7fnonsense")
    (folder / "bad2" / "references.yaml").write_text("Ag: -1.0\nCu: -2.0\n")
    (folder / "bad" / "metadata.yaml").write_text(METADATA.replace("4.0", "wide"))
    write_data(folder / "cell.data", case("cell", alloy(1, (1, 1, 1), 0.05)))


def run(this: Bad, folder: Path, ranks: int = 2) -> Finished:
    style = f"pair_style {this.style}\npair_coeff {this.coeff}\n"
    (folder / "in.test").write_text(f"{this.head}read_data cell.data\n{style}{this.after}")
    command = lmp_command("in.test", ranks=ranks)
    return run_program(command, folder, TIMEOUT_S, environment(**dict(this.env)))


def check(this: Bad, done: Finished) -> None:
    assert done.returncode != 0, done.stdout
    errors = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1, done.stdout + done.stderr
    for word in ("pair_style grace", *this.words):
        assert word in errors[0]
    assert "terminate called" not in done.stderr and "Segmentation" not in done.stderr


@pytest.mark.parametrize("name", WITHOUT_TENSORFLOW)
def test_refused_before_tensorflow_is_loaded(tmp_path: Path, name: str) -> None:
    prepare(tmp_path)
    this = WITHOUT_TENSORFLOW[name]
    check(this, run(this, tmp_path, ranks=2 if name in ("element", "corrupt graph") else 1))


@pytest.mark.parametrize("name", NEEDING_A_MODEL)
def test_refused_with_a_model(tmp_path: Path, grace_models: GraceModels, name: str) -> None:
    prepare(tmp_path)
    shutil.rmtree(tmp_path / "model")
    (tmp_path / "model").symlink_to(grace_models["1l"])
    shutil.copy(next(Path("/lib").glob("*/libm.so.6")), tmp_path / "plain.so")
    this = NEEDING_A_MODEL[name]
    check(this, run(this, tmp_path))


def copied(model: Path, folder: Path) -> None:
    """A model of one's own, in the folder ``model``."""
    shutil.rmtree(folder / "model")
    shutil.copytree(model, folder / "model")


def test_corrupt_weights(tmp_path: Path, grace_models: GraceModels) -> None:
    prepare(tmp_path)
    copied(grace_models["1l"], tmp_path)
    (weights,) = (tmp_path / "model" / "variables").glob("*.data*")
    weights.write_bytes(weights.read_bytes()[:1000])
    this = bad("cannot load the model 'model'", "TensorFlow 2")
    check(this, run(this, tmp_path))


def rename_signature(folder: Path, old: bytes, new: bytes) -> None:
    """In saved_model.pb, keys of the signatures alone."""
    assert len(old) == len(new)
    path = folder / "saved_model.pb"
    key = b"\n" + bytes([len(old)])
    data = path.read_bytes()
    assert key + old + b"\x12" in data
    path.write_bytes(data.replace(key + old + b"\x12", key + new + b"\x12"))


def test_signatures_that_lack(tmp_path: Path, grace_models: GraceModels) -> None:
    """A two-layer model without its layers is refused on several ranks, not taken for one layer."""
    prepare(tmp_path)
    copied(grace_models["2l"], tmp_path)
    rename_signature(tmp_path / "model", b"forward_layer_1", b"forward_layer_x")
    this = bad("passes messages", "has no signature forward_layer_1", "backward_layer_2")
    check(this, run(this, tmp_path))
    rename_signature(tmp_path / "model", b"compute", b"compuxx")
    this = bad("has no signature compute (found", "compuxx")
    check(this, run(this, tmp_path))


def test_a_position_that_is_no_number(tmp_path: Path, grace_models: GraceModels) -> None:
    """Between two neighbour lists, on one rank of two, told by both."""
    prepare(tmp_path)
    shutil.rmtree(tmp_path / "model")
    (tmp_path / "model").symlink_to(grace_models["1l"])
    push = "fix n all nve\ngroup one id 1\nvariable big equal 1e308*1e10\nfix p one addforce v_big 0 0\n"
    this = bad("no finite number at step 1", after=f"neigh_modify every 50 delay 50 check no\n{push}run 5\n")
    check(this, run(this, tmp_path))


def test_comm_modify_cannot_make_the_reach_too_short(tmp_path: Path, grace_models: GraceModels) -> None:
    runs = [case(name, alloy(1, (1, 1, 1), 0.05)) for name in ("usual", "short")]
    text = [evaluation(c, grace_models["1l"], "grace", tmp_path) for c in runs]
    text[1] = text[1].replace("read_data", "comm_modify cutoff 2.0\nread_data")
    (tmp_path / "in.test").write_text("".join(text))
    done = run_program(lmp_command("in.test", ranks=2), tmp_path, TIMEOUT_S)
    assert done.returncode == 0, done.stdout
    usual, short = (float((tmp_path / f"{c.name}.txt").read_text().split()[1]) for c in runs)
    assert short == pytest.approx(usual, rel=1e-13)
