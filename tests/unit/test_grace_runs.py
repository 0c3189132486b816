"""Folders of trainings: whose they are, and what a kill leaves in them."""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

import pytest

from pysmax.errors import SmaxError
from pysmax.files import one_sentence
from pysmax.grace import maker, worker
from pysmax.grace.config import Config, parse
from pysmax.grace.environment import Environment
from pysmax.grace.maker import Work, run_program
from pysmax.grace.resume import BEFORE, BEST, LATEST, go_on, keep_best
from pysmax.grace.run import Run, owned


def config(**sections: object) -> Config:
    return parse({"data": {"train": ["ds"]}, **sections}, "c.yaml", Path("/base"))


def begin(folder: Path, c: Config) -> None:
    with owned(Run(folder, c)):
        pass


def test_a_configuration_can_be_mended_until_training_begins(tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(run, parse({"data": {"train": ["typo"]}}, "c.yaml", Path("relative")))
    (run / "data").mkdir()
    begin(run, config(fit={"epochs": 5}))
    assert not (run / "data").exists()  # it may be of other data
    assert "epochs: 5" in (run / "config.yaml").read_text()
    (run / "seed").mkdir()
    with pytest.raises(SmaxError, match=r"fit\.epochs is 5, now it is 6"):
        begin(run, config(fit={"epochs": 6}))


def test_what_is_no_run_is_left_alone(tmp_path: Path) -> None:
    for text, said in (
        ("a: [", "not YAML"),
        ("a: 1", "expected what this"),
        ("data: {train: [ds]}", "level"),
    ):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(SmaxError, match=said):
            begin(tmp_path, config())
        assert (tmp_path / "config.yaml").read_text() == text


def test_a_kill_before_the_configuration_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".config.yaml.abc").touch()
    begin(tmp_path, config())
    assert (tmp_path / "config.yaml").exists()


def work_of(run: Path, losses: list[float | str], *names: str) -> Work:
    """With metrics, and checkpoints whose files hold their names."""
    work = Work(run / "seed" / "1")
    work.best.parent.mkdir(parents=True, exist_ok=True)
    lines = [f'- {{"epoch": {k + 1}, "total_loss/test": {x}}}' for k, x in enumerate(losses)]
    (work.folder / "test_metrics.yaml").write_text("\n".join(lines) + "\n")
    for name in names:
        for ending in (".index", ".data-00000-of-00001"):
            (work.best.parent / f"{name}{ending}").write_text(name)
    return work


def note(work: Work) -> dict[str, float]:
    found: dict[str, float] = json.loads((work.folder / "best_before.json").read_text())
    return found


def test_the_best_epoch_is_that_of_its_checkpoint(tmp_path: Path) -> None:
    # killed after the loss of epoch 4 was written, before its checkpoint was; a NaN earlier
    work = work_of(tmp_path, ["NaN", 0.5, 0.6, 0.4], BEST, LATEST)
    keep_best(work, {LATEST: 4, BEST: 2})
    assert note(work) == {"loss": 0.5, "rows": 4}
    assert (work.best.parent / f"{BEFORE}.index").read_text() == BEST
    # a later start was worse: what is kept stays, and only what follows is compared
    work_of(tmp_path, ["NaN", 0.5, 0.6, 0.4, 0.55])
    keep_best(work, {LATEST: 4, BEST: 5, BEFORE: 2})
    assert note(work) == {"loss": 0.5, "rows": 5}
    # what was kept is torn
    keep_best(work, {LATEST: 4, BEST: 5, BEFORE: None})
    assert note(work) == {"loss": 0.55, "rows": 5}
    keep_best(work, {LATEST: 4, BEST: None, BEFORE: None})
    assert not (work.folder / "best_before.json").exists()


@pytest.mark.parametrize(
    ("epochs", "latest", "said"),
    [
        ({LATEST: 4, BEST: 3}, 4, "going on after epoch 4 of"),
        ({LATEST: None, BEST: 3}, 3, "going on after epoch 3 of"),
        ({BEST: 1}, 1, "going on after epoch 1 of"),
        ({LATEST: None, BEST: None}, 0, "from the beginning"),
        ({}, 0, ""),
    ],
)
def test_a_torn_checkpoint_costs_epochs_not_the_training(
    epochs: dict[str, int | None],
    latest: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = work_of(tmp_path, [0.5, 0.4, 0.3, 0.6], *epochs)
    with open(work.folder / "test_metrics.yaml", "a") as f:
        f.write('- {"epoch": 5, "tot')
    monkeypatch.setattr("pysmax.grace.resume._epochs", lambda *a: epochs)
    lines: list[str] = []
    assert go_on(Run(tmp_path, config()), Environment(tmp_path), io.StringIO(), lines.append) == latest
    assert said in "".join(lines)
    assert (work.folder / "test_metrics.yaml").read_text().endswith("\n")
    if latest:
        expected = LATEST if epochs.get(LATEST) else BEST
        assert (work.best.parent / f"{LATEST}.data-00000-of-00001").read_text() == expected


def program(folder: Path, text: str) -> Environment:
    (folder / "bin").mkdir()
    path = folder / "bin" / "gracemaker"
    path.write_text(text)
    path.chmod(0o755)
    return Environment(folder)


def test_a_moved_environment_is_one_sentence(tmp_path: Path) -> None:
    env = program(tmp_path, "#!/nowhere/python\n")
    with pytest.raises(SmaxError, match=r"gracemaker: cannot be run: No such file"):
        run_program(env, ["gracemaker"], tmp_path)


def test_the_workers_of_a_program_end_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maker, "POLL_S", 0.05)
    env = program(tmp_path, "#!/bin/sh\n(sleep 1; touch still_there) &\ntouch began\nwait\n")

    def interrupt() -> None:
        if (tmp_path / "began").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_program(env, ["gracemaker"], tmp_path, watch=interrupt)
    time.sleep(1.3)
    assert not (tmp_path / "still_there").exists()


def test_a_message_that_is_cut_off_is_an_end() -> None:
    whole = io.BytesIO()
    worker.send(whole, a=[1, 2])
    data = whole.getvalue()
    for cut in (0, 5, 8, len(data) - 1):
        assert worker.receive(io.BytesIO(data[:cut])) is None
    found = worker.receive(io.BytesIO(data))
    assert found is not None
    assert found["a"].tolist() == [1, 2]


def test_errors_of_the_system_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SmaxError, match="none/x: No such file"), one_sentence(tmp_path):
        (tmp_path / "none" / "x").read_text()
    with pytest.raises(SmaxError, match="No space left"), one_sentence(tmp_path):
        Path("/dev/full").write_text("x")
    assert "tensorflow" not in sys.modules
