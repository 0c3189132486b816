"""The main job in every layout and mode: its files agree with each other and with stock LAMMPS."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from end_to_end.run_tools import (
    GEN_ENTROPY,
    QUICK,
    Run,
    check_entropies,
    check_files,
    launch,
    log_rows,
    script,
    succeed,
)

LAYOUTS = {
    "serial": {},
    "2 ranks": {"ranks": 2},
    "4 ranks": {"ranks": 4},
    "2x1": {"ranks": 2, "partition": "2x1"},
    "2x2": {"ranks": 4, "partition": "2x2"},
}


def check_log(done_log: str, run: Run, nconf: int) -> None:
    """The log's table is the file's; its summary counts the same."""
    rows, table = log_rows(done_log), run.table
    assert [r["index"] for r in rows] == [r["index"] for r in table]
    for shown, kept in zip(rows, table, strict=True):
        assert shown["verdict"] == kept["verdict"]
        assert (shown["atoms"], shown["evaluations"]) == (kept["atoms"], kept["evaluations"])
        assert int(shown["elements"]) == len(kept["elements"].split("-"))
        assert abs(float(shown["S"]) - float(kept["S"])) <= 0.51e-5
    z = run.arrays
    summary = re.search(r"accepted (\d+) of (\d+) tried .*rejected (\d+) for entropy, (\d+) for", done_log)
    assert summary
    counted = [z[k] for k in ("frames", "tried", "rejected_entropy", "rejected_distance")]
    assert [int(n) for n in summary.groups()] == counted
    assert int(summary.group(1)) == nconf
    assert "atom-evaluations/s" in done_log and "s per accepted configuration" in done_log
    shares = re.search(
        r"kernel ([-\d.]+) %, LAMMPS ([-\d.]+) %, exchange ([-\d.]+) %, I/O ([-\d.]+) %", done_log
    )
    assert shares
    assert abs(sum(float(s) for s in shares.groups()) - 100.0) < 0.3
    assert all(float(s) >= 0.0 for s in shares.groups())


@pytest.mark.parametrize(
    ("layout", "mode", "elements", "nconf"),
    [
        ("serial", "atom", "all", 10),
        ("serial", "config", "W Be H", 10),
        ("2 ranks", "config", "all", 5),
        ("2x1", "atom", "W Be H", 10),
    ],
)
def test_the_main_job(tmp_path: Path, layout: str, mode: str, elements: str, nconf: int) -> None:
    variables = {"nconf": nconf, "mode": mode, "out": "mine", "seed": 5}
    # a list is one value, as a shell passes it in quotes
    done = launch(
        tmp_path,
        GEN_ENTROPY,
        variables=variables,
        args=["-var", "elements", elements],
        **LAYOUTS[layout],
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    run = Run(tmp_path, "mine")
    check_files(run, nconf, mode=mode)
    check_log(done.log, run, nconf)
    check_log(done.stdout, run, nconf)
    check_entropies(run)
    assert {f.info["seed"] for f in run.frames} == {5}
    assert [f.info["index"] for f in run.random] == list(range(100))
    if elements != "all":
        assert set().union(*(set(f.symbols) for f in run.frames)) <= set(elements.split())


@pytest.mark.parametrize(("layout", "mode"), [("4 ranks", "atom"), ("2x2", "config")])
def test_four_ranks(tmp_path: Path, layout: str, mode: str) -> None:
    # few and short: on two cores every message of a third rank waits for a time slice
    text = script("natoms 16-20 1 volume 2.5 3.5 reference 4 core_steps 4 steps 4", fix=f"mode {mode}")
    run = succeed(tmp_path, text, variables={"nconf": 2}, **LAYOUTS[layout])
    check_files(run, 2, mode=mode)
    check_entropies(run)


def test_the_frames_are_plain_extended_xyz(tmp_path: Path) -> None:
    """Every reader of the format takes a header such as this, ASE and OVITO among them."""
    run = succeed(tmp_path, script(f"natoms 3 {QUICK}"), variables={"nconf": 2})
    lines = run.path("extxyz").read_text().splitlines()
    assert lines[0] == "3" and lines[5] == "3" and len(lines) == 10
    number = r"-?\d+(\.\d+)?(e[-+]?\d+)?"
    lattice = " ".join([number] * 9)
    info = " ".join(f"{key}=\\S+" for key in ("index", "seed", "dS", "S", "n_eval", "d_min", "mode"))
    header = rf'Lattice="{lattice}" Properties=species:S:1:pos:R:3:r_eff:R:1 {info} pbc="T T T"'
    assert re.fullmatch(header, lines[1]), lines[1]
    for line in lines[2:5]:
        assert re.fullmatch(rf"[A-Z][a-z]? {' '.join([number] * 4)}", line), line
