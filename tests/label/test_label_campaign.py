"""Campaigns: what is done is skipped, in any order; what cannot be done is recorded, and the run goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path

import ase
import numpy as np
import pytest
from label import trial_engine as trial
from label.campaign_tools import (
    check_labelled,
    computed,
    key,
    label,
    read,
    records,
    start,
    succeed,
    write,
)
from label.trial_engine import TrialConfig, structures

from pysmax.dataset.record import Record
from pysmax.dataset.store import Dataset
from pysmax.label import campaign
from pysmax.label.engine import Outcome
from pysmax.label.inputs import FrameFile
from pysmax.label.pool import Done, Task

N = 60


def summary(dataset: Path) -> dict:
    """summary.json of the only level."""
    (file,) = dataset.glob("label/*/summary.json")
    return dict(json.loads(file.read_text()))


def test_a_rerun_skips_what_is_there_in_any_order(tmp_path: Path) -> None:
    cells = structures(N)
    cells[0].info |= {"seed": 7, "S": -1.5, "note": "first"}
    cells[1].set_array("r_eff", np.array([1.0, 0.8, 0.5]))
    run = write(tmp_path / "run.extxyz", cells)
    log = ("--set", f"log={tmp_path / 'log'}")
    succeed(tmp_path, "run.extxyz", *log)
    cells = read(run)
    check_labelled(tmp_path / "run.dataset", cells)
    assert len(computed(tmp_path / "log")) == N

    assert f"0 labelled, 0 failed, {N} were there" in succeed(tmp_path, "run.extxyz", *log)
    write(tmp_path / "other.extxyz", cells[::-1] + cells[:5])
    out = succeed(tmp_path, "other.extxyz", "--to", "run.dataset", *log)
    assert f"0 labelled, 0 failed, {N} were there" in out
    assert len(computed(tmp_path / "log")) == N
    assert summary(tmp_path / "run.dataset")["duplicates"] == 5

    first, second = (records(tmp_path / "run.dataset")[key(c)] for c in cells[:2])
    assert (first.source, first.info) == (
        "run",
        {"file": "run.extxyz", "frame": 0, "seed": 7, "S": -1.5, "note": "first"},
    )
    np.testing.assert_array_equal(second.atoms.arrays["r_eff"], [1.0, 0.8, 0.5])


def test_two_campaigns_at_once_compute_nothing_twice(tmp_path: Path) -> None:
    run = write(tmp_path / "run.extxyz", structures(200))
    write(tmp_path / "reversed.extxyz", read(run)[::-1])
    arguments = ("--to", "both", "--workers", 1, "--set", f"log={tmp_path / 'log'}", "--set", "sleep_s=0.02")
    both = [start(tmp_path, name, *arguments) for name in ("run.extxyz", "reversed.extxyz")]
    shares = []
    for process in both:
        out, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        shares.append(int(re.search(r"(\d+) labelled", out).group(1)))  # type: ignore[union-attr]
    assert sum(shares) == 200 and min(shares) >= 25
    log = computed(tmp_path / "log")
    assert len(log) == len(set(log)) == 200
    check_labelled(tmp_path / "both", read(run))


class Instant:
    """An executor that answers at once, each structure only once."""

    slots = 1

    def run(self, tasks: Iterable[Task | None]) -> Iterator[Done | None]:
        for task in tasks:
            if task:
                label = TrialConfig().make().compute(task.atoms, 0)
                yield Done(task.key, Outcome(label, "", ()))
            yield None

    def halt(self) -> Iterator[Done]:
        return iter(())


def test_a_structure_that_comes_again_before_its_label_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "COMMIT_S", 1e9)  # nothing is written before the end
    monkeypatch.setattr(campaign, "COMMIT_SHARE", 1e-9)
    monkeypatch.setattr(campaign, "BATCH", 8)
    cells = read(write(tmp_path / "run.extxyz", structures(8)))
    write(tmp_path / "run.extxyz", [*cells, *cells[-3:]])
    dataset = Dataset.create(tmp_path / "ds")
    passes = []
    run = campaign.Campaign(
        dataset, TrialConfig().level(), [FrameFile(tmp_path / "run.extxyz")], campaign.Options()
    )
    run._commit_s = 1.0

    def once(first: bool, f: Callable = run._pass) -> Generator:
        assert not passes.append(first) and len(passes) < 3
        return f(first)

    monkeypatch.setattr(campaign, "RETURN_S", (0.0, 0.0))
    monkeypatch.setattr(run, "_pass", once)
    progress = run.run(Instant())
    assert (progress.ok, progress.duplicates, progress.waiting, len(passes)) == (8, 3, 0, 1)
    check_labelled(tmp_path / "ds", cells)


def test_trouble_is_recorded_and_the_run_goes_on(tmp_path: Path) -> None:
    trouble = {3: trial.KILLS, 5: trial.HANGS, 8: trial.RAISES, 9: trial.NAN, 14: trial.HUGE}
    run = write(tmp_path / "run.extxyz", structures(N, trouble=trouble))
    text = run.read_text().split("\n")
    text[5 * 20 + 2] = text[5 * 20 + 2].replace("W", "Qq")  # no such element
    text[5 * 21 + 3] = "Be nan 0 0"
    text[5 * 22 + 3] = "Be 1.0 zero 0.0"
    text[5 * 23 + 3] = "X 1.0 1.0 1.0"
    run.write_text("\n".join(text))
    out = succeed(tmp_path, "run.extxyz", "--timeout", 1, "--tries", 2)
    assert f"{N - 9} labelled, 5 failed" in out
    assert re.findall(r"unreadable: .*frame (\d+) \(line (\d+)\): (.*)", out) == [
        ("20", "101", "'Qq' is no element, or a column that is missing"),
        ("21", "106", "a position or the cell is not finite"),
        ("22", "111", "ValueError: could not convert string to float: 'zero'"),
        ("23", "116", "atomic number 0, expected 1 to 118"),
    ]
    reasons = {
        r.atoms.symbols[0]: r for r in records(tmp_path / "run.dataset").values() if r.status == "failed"
    }
    assert {k: r.reason for k, r in reasons.items()} == {
        trial.KILLS: "crash",
        trial.HANGS: "timeout",
        trial.RAISES: "error",
        trial.NAN: "not finite",
        trial.HUGE: "limits",
    }
    assert [a.detail for a in reasons[trial.KILLS].attempts] == ["was killed by SIGKILL: about to die"] * 2
    s = summary(tmp_path / "run.dataset")
    assert s["failed"] == {"crash": 1, "timeout": 1, "error": 1, "not finite": 1, "limits": 1}
    assert s["dataset_labelled"] == N - 9 and len(s["unreadable"]) == 4

    assert f"0 labelled, 0 failed, {N - 4} were there" in succeed(tmp_path, "run.extxyz", "--timeout", 1)
    again = succeed(tmp_path, "run.extxyz", "--timeout", 1, "--tries", 1, "--retry-failed")
    assert f"0 labelled, 5 failed, {N - 9} were there" in again


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_campaign_goes_on(tmp_path: Path, number: signal.Signals, code: int) -> None:
    run = write(tmp_path / "run.extxyz", structures(200))
    arguments = ("run.extxyz", "--set", f"log={tmp_path / 'log'}", "--workers", 2)
    process = start(tmp_path, *arguments, "--set", "sleep_s=0.02")
    while len(computed(tmp_path / "log")) < 50:
        time.sleep(0.02)
    process.send_signal(number)
    out, error = process.communicate(timeout=20)
    assert process.returncode == code
    assert "interrupted: what was finished is kept; the same command goes on" in error
    assert "Traceback" not in error
    kept = len(records(tmp_path / "run.dataset"))
    assert kept >= 48 and f"{kept} labelled" in out
    assert summary(tmp_path / "run.dataset")["interrupted"]
    succeed(tmp_path, *arguments)
    check_labelled(tmp_path / "run.dataset", read(run))
    assert len(computed(tmp_path / "log")) <= 200 + 2  # the two that were being computed


def test_a_dataset_is_labelled_in_place(tmp_path: Path) -> None:
    cells = structures(20)
    dataset = Dataset.create(tmp_path / "ds")
    with dataset.writer() as writer:
        for i, c in enumerate(cells):
            writer.add(Record(c, source="relax", info={"step": i}))
    dataset.close()
    assert "5 labelled" in succeed(tmp_path, "ds", "--limit", 5)
    assert "15 labelled, 0 failed, 5 were there" in succeed(tmp_path, "ds")
    found = {k: r for k, r in records(tmp_path / "ds").items() if r.level}
    assert set(found) == {key(c) for c in cells}
    assert found[key(cells[7])].source == "relax" and found[key(cells[7])].info == {"step": 7}
    # the structures of a labelled dataset, at another level, to another dataset
    assert "20 labelled" in succeed(tmp_path, "ds", "--relabel", "--to", "other", "--set", "scale=2.0")
    other = records(tmp_path / "other").values()
    assert {r.level.hash for r in other if r.level} == {TrialConfig(scale=2.0).level().hash}


def test_an_empty_pass_over_labelled_records_says_so(tmp_path: Path) -> None:
    write(tmp_path / "run.extxyz", structures(3))
    succeed(tmp_path, "run.extxyz")
    done = label(tmp_path, "run.dataset")
    assert done.returncode == 2
    assert done.stderr == (
        "pysmax: run.dataset: has no unlabelled record, expected some (--relabel takes labelled ones too)\n"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t[:-20], r"ends inside the frame of line 46 \(3 atoms\)"),
        (
            lambda t: t.replace("3\nLattice", "three\nLattice", 1),
            "line 1 is 'three', expected a number of atoms",
        ),
        (lambda t: "", "is empty, expected frames in extended XYZ"),
        (lambda t: t[:400] + "\n" + t[400:], "expected a number of atoms"),
    ],
    ids=["torn", "no number", "empty", "a line too many"],
)
def test_a_corrupted_input_is_found_before_anything_is_computed(tmp_path: Path, change, said: str) -> None:
    run = write(tmp_path / "run.extxyz", structures(10))
    run.write_text(change(run.read_text()))
    done = label(tmp_path, "run.extxyz")
    assert done.returncode == 2
    assert re.fullmatch(rf"pysmax: run\.extxyz: .*{said}.*\n", done.stderr)
    assert not (tmp_path / "run.dataset").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.extxyz",), "none.extxyz: No such file or directory"),
        (("run.extxyz", "--set", "scal=1"), "'scal'"),
        (("run.extxyz", "--set", "scale"), "--set scale: expected key=value"),
        (("run.extxyz", "--to", "run.extxyz"), "exists already, expected a new folder"),
        (("run.extxyz", "--set", "fails_to_load=raises"), "ImportError: no such library"),
        (("run.extxyz", "--executor", "pbs"), "'pbs' is unknown, expected one of local, slurm, flux"),
        (("run.extxyz", "--config", "typo.yaml"), "typo.yaml: executor: 'worker' is unknown"),
        (("run.extxyz", "--config", "section.yaml"), "section 'engines' is unknown"),
        (("run.extxyz", "--config", "broken.yaml"), "broken.yaml: not YAML"),
        (("run.extxyz", "--site", "list.yaml"), "list.yaml: expected settings"),
        (("run.extxyz", "--site", "day.yaml"), "day.yaml: not YAML (month must be in 1..12)"),
        (("run.extxyz", "--set", "scale=2001-99-99"), "--set scale=2001-99-99: the value is not YAML"),
        (
            ("run.extxyz", "--executor", "slurm", "--site", "hours.yaml"),
            'walltime: 43200: expected hours:minutes:seconds in quotes, as "12:00:00"',
        ),
        (("run.extxyz", "--dry-run", "jobs"), "engine trial has no job files to write"),
    ],
    ids=lambda a: "" if isinstance(a, str) else " ".join(a),
)
def test_a_mistake_is_one_sentence(tmp_path: Path, arguments: tuple, said: str) -> None:
    write(tmp_path / "run.extxyz", structures(3))
    (tmp_path / "typo.yaml").write_text("executor: {worker: 2}\n")
    (tmp_path / "section.yaml").write_text("executor: {workers: 2}\nengines: {}\n")
    (tmp_path / "broken.yaml").write_text("a: [1,\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "day.yaml").write_text("workers: 2001-99-99\n")
    (tmp_path / "hours.yaml").write_text("walltime: 12:00:00\n")
    done = label(tmp_path, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("pysmax: ") and done.stderr.count("\n") == 1 and said in done.stderr, (
        done.stderr
    )


def test_sections_of_a_configuration(tmp_path: Path) -> None:
    write(tmp_path / "run.extxyz", structures(4))
    (tmp_path / "both.yaml").write_text("engine: {scale: 3.0}\nexecutor: {workers: 1}\n")
    (tmp_path / "engine.yaml").write_text("scale: 3.0\n")
    (tmp_path / "site.yaml").write_text("workers: 1\n")
    succeed(tmp_path, "run.extxyz", "--config", "both.yaml")
    s = summary(tmp_path / "run.dataset")
    assert s["workers"] == 1 and s["settings"] == {"scale": 3.0}
    out = succeed(tmp_path, "run.extxyz", "--config", "engine.yaml", "--site", "site.yaml")
    assert "4 were there" in out
    succeed(tmp_path, "run.extxyz", "--config", "both.yaml", "--set", "scale=4", "--to", "four")
    assert summary(tmp_path / "four")["settings"] == {"scale": 4.0}


def test_the_page_stands_alone(tmp_path: Path) -> None:
    cells = structures(30, trouble={2: trial.RAISES})
    cells.append(ase.Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.7]]))  # a molecule: energy and forces
    run = write(tmp_path / "run.extxyz", cells)
    out = succeed(tmp_path, "run.extxyz")
    page = tmp_path / re.search(r"wrote (.*)", out).group(1)  # type: ignore[union-attr]
    text = page.read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,22})', text)
    assert sources == ["data:image/png;base64,"] * 4
    assert {p.name for p in page.parent.iterdir()} == {
        "index.html",
        "summary.json",
        *(f"{n}.png" for n in ("failures", "rate", "energies", "forces")),
    }
    assert "failed, error</th><td>1<" in text and "labelled</th><td>30<" in text

    assert "structures per second</th>" in text
    succeed(tmp_path, "run.extxyz")  # computes nothing: it has no rate
    assert "structures per second</th>" not in page.read_text()
    assert not (page.parent / "rate.png").exists()

    from pysmax.label.page import FORCE_BINS, distributions

    dataset = Dataset.open(tmp_path / "run.dataset")
    energies, counts = distributions(dataset, TrialConfig().level())
    labelled = [c for i, c in enumerate(read(run)) if i != 2]
    assert sorted(energies) == pytest.approx(sorted((c.positions**2).sum() / len(c) for c in labelled))
    forces = np.concatenate([2 * np.linalg.norm(c.positions, axis=1) for c in labelled])
    np.testing.assert_array_equal(counts, np.histogram(forces.clip(FORCE_BINS[0]), FORCE_BINS)[0])


def test_workers_end_with_the_campaign(tmp_path: Path) -> None:
    write(tmp_path / "run.extxyz", structures(3))
    succeed(tmp_path, "run.extxyz", "--set", f"log={tmp_path / 'log'}")
    inside = [p for p in Path("/proc").iterdir() if p.name.isdigit() and _folder(p) == str(tmp_path)]
    assert inside == []


def _folder(process: Path) -> str:
    try:
        return os.readlink(process / "cwd")
    except OSError:
        return ""
