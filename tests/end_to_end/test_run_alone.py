"""What happens on one rank, or in one process, alone: no hang, no file written by two."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from end_to_end.run_tools import HEAD, QUICK, SMALL, Run, launch, refuse, script, succeed

# the rank that owns atom 1 fails in the middle of a minimisation; the others know nothing of it
DIVIDE = """\
variable        zero atom 0.0
variable        bad atom 1/(id-1)
fix             push all addforce v_bad 0.0 0.0 energy v_zero
"""


@pytest.mark.parametrize("layout", [{"ranks": 2}, {"ranks": 4, "partition": "2x2"}], ids=str)
def test_one_rank_fails_while_the_others_minimise(tmp_path: Path, layout: dict) -> None:
    done = launch(tmp_path, script(before=DIVIDE), timeout_s=60, variables={"nconf": 3}, **layout)
    printed = done.stdout + done.stderr
    assert done.returncode != 0
    assert "'minimize " in printed and "Divide by 0 in variable formula" in printed


def test_one_out_belongs_to_one_run(tmp_path: Path) -> None:
    """A second run of the same prefix is told so before it costs anything, and harms nothing."""
    (tmp_path / "smax.extxyz").touch()
    with (tmp_path / "smax.extxyz").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for restart in ("no", "yes"):
            error = refuse(tmp_path, variables={"nconf": 3, "restart": restart})
            assert "smax.extxyz: another run is writing it" in error
    assert sorted(p.name for p in tmp_path.glob("smax*")) == ["smax.extxyz"]
    assert len(succeed(tmp_path, variables={"nconf": 3}).frames) == 3


def test_max_tries_holds_over_restarts(tmp_path: Path) -> None:
    text = script(f"{SMALL} {QUICK} max_tries 5 closest 1.4 0.6")
    for _ in range(3):
        succeed(tmp_path, text, variables={"restart": "yes"})
        assert len(Run(tmp_path).table) == 5


STEPS = """\
fix_modify      entropy entropy no
entropy_candidate entropy seed 3 index 1 {small}
entropy_dataset entropy reference random.extxyz
entropy_accept  entropy out one closest 1.5 0.6
fix_modify      entropy entropy yes
entropy_candidate entropy seed 3 index 2 {small}
minimize        0.0 5.0e-4 10 100
entropy_accept  entropy out one closest 0.0 0.0
entropy_candidate entropy seed 3 index 3 {small}
entropy_accept  entropy out one closest 1.5 0.6
"""


def test_accept_goes_on_after_a_rejection(tmp_path: Path) -> None:
    """The first candidate rejected: the files are there, without a frame. Evaluations are each its own."""
    succeed(tmp_path, variables={"nconf": 2, "out": "other"})
    (tmp_path / "other.random.extxyz").rename(tmp_path / "random.extxyz")
    succeed(tmp_path, HEAD.format(fix="mode atom") + STEPS.format(small=SMALL), variables={"out": "one"})
    table = Run(tmp_path, "one").table
    assert [row["verdict"].split(":")[0] for row in table] == ["rejected", "accepted", "rejected"]
    evaluations = [int(row["evaluations"]) for row in table]
    assert 2 <= evaluations[1] <= 25 and evaluations[2] == 1
    assert len(Run(tmp_path, "one").frames) == 1


def test_accept_refuses_to_share_its_files(tmp_path: Path) -> None:
    text = (
        HEAD.format(fix="mode atom") + f"entropy_candidate entropy {SMALL}\nentropy_accept entropy out one\n"
    )
    error = refuse(tmp_path, text, ranks=2, partition="2x1")
    assert "entropy_accept out" in error and "2 partitions" in error


@pytest.mark.parametrize("order", ["natoms 9 recipe r.txt", "recipe r.txt natoms 9"])
def test_keywords_refine_the_recipe_file(tmp_path: Path, order: str) -> None:
    (tmp_path / "r.txt").write_text("natoms 5\nelements W Be\n")
    text = (
        HEAD.format(fix="mode atom entropy no")
        + f"entropy_candidate entropy {order}\nprint 'ATOMS $(atoms)'\n"
    )
    assert "ATOMS 9\n" in launch(tmp_path, text).stdout
