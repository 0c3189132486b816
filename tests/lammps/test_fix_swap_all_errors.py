"""Bad input of fix swap/all ends at once, with one error that names what was found and expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from conftest import Finished

Lmp = Callable[..., Finished]
BOX = "region b block 0 3 0 3 0 3\ncreate_box 3 b\ncreate_atoms 1 box\n"
CELL = f"units metal\nlattice fcc 3.8\n{BOX}set atom 1*40 type 2\nmass * 20\n"
PAIR = "pair_style lj/cut 4.5\npair_coeff * * 0.2 2.4\n"
GOOD = "fix s all swap/all 1 4 7 900 swap 1 2\n"


@dataclass(frozen=True)
class Bad:
    """Lines after a cell and a pair style, and what the error must say."""

    lines: str
    words: tuple[str, ...]
    head: str = CELL + PAIR


def fix(arguments: str, *words: str) -> Bad:
    """A bad command."""
    return Bad(f"fix s all swap/all {arguments}\n", ("fix swap/all", *words))


def run(lines: str, *words: str, head: str = CELL + PAIR) -> Bad:
    """A good command that cannot be run."""
    return Bad(f"{lines}run 2\n", ("fix swap/all", *words), head)


ARGUMENTS = {
    "none": fix("", "found 0 arguments, expected N M seed T"),
    "few": fix("1 4 7", "found 3 arguments, expected N M seed T"),
    "no kind": fix("1 4 7 300", "found neither keyword swap nor displace"),
    "N zero": fix("0 4 7 300 swap 1 2", "N: found '0', expected an integer from 1"),
    "N real": fix("1.5 4 7 300 swap 1 2", "N: found '1.5'", "an integer"),
    "M negative": fix("1 -1 7 300 swap 1 2", "M: found '-1', expected an integer from 0"),
    "seed": fix("1 4 0 300 swap 1 2", "seed: found '0', expected an integer from 1"),
    "T zero": fix("1 4 7 0 swap 1 2", "T: found '0', expected a positive number"),
    "T negative": fix("1 4 7 -3 swap 1 2", "T: found '-3', expected a positive number"),
    "T nan": fix("1 4 7 nan swap 1 2", "T: found 'nan', expected a positive number"),
    "T inf": fix("1 4 7 inf swap 1 2", "T: found 'inf', expected a positive number"),
    "T text": fix("1 4 7 hot swap 1 2", "T: found 'hot', expected a positive number"),
    "unknown": fix("1 4 7 300 swap 1 2 foo 1", "found 'foo', expected an integer"),
    "unknown first": fix("1 4 7 300 types 1 2", "unknown keyword 'types', expected one of batch, displace"),
    "twice": fix("1 4 7 300 swap 1 2 batch 2 batch 3", "keyword 'batch' is given twice"),
    "swap none": fix("1 4 7 300 swap", "swap: no value"),
    "swap one": fix("1 4 7 300 swap 1", "swap: found 1 types, expected at least 2"),
    "swap same": fix("1 4 7 300 swap 1 1", "swap: found type 1 a second time, expected each type once"),
    "swap large": fix("1 4 7 300 swap 1 4", "swap: found '4', expected an integer from 1 to 3"),
    "swap zero": fix("1 4 7 300 swap 0 1", "swap: found '0', expected an integer from 1 to 3"),
    "swap order": fix("1 4 7 300 swap 3*2", "swap: found '3*2', expected types from a smaller"),
    "swap wildcard": fix("1 4 7 300 swap 2*9", "swap: found '9', expected an integer from 1 to 3"),
    "swap overlap": fix("1 4 7 300 swap 1*2 2*", "swap: found type 2 a second time"),
    "both": fix("1 4 7 300 swap 1 2 displace 0.1 2", "displace: found type 2 a second time"),
    "displace none": fix("1 4 7 300 displace 0.1", "displace: found 0 types, expected at least 1"),
    "dmax": fix("1 4 7 300 displace 0 1", "displace: found '0', expected a positive number"),
    "dmax nan": fix("1 4 7 300 displace nan 1", "displace: found 'nan', expected a positive number"),
    "fraction": fix(
        "1 4 7 300 swap 1 2 fraction 1.5", "fraction: found '1.5', expected a number from 0 to 1"
    ),
    "range": fix("1 4 7 300 swap 1 2 range -2", "range: found '-2', expected a positive number"),
    "batch": fix("1 4 7 300 swap 1 2 batch 0", "batch: found '0', expected an integer from 1"),
    "ke": fix("1 4 7 300 swap 1 2 ke maybe", "ke: found 'maybe', expected no or yes"),
    "no atoms": run(
        GOOD.replace("1 2", "2 3").replace("all swap", "one swap"),
        "no two types",
        head=f"{CELL}group one type 1\n{PAIR}",
    ),
    "variable": run(GOOD.replace("900", "v_T"), "T: found 'v_T', expected an equal-style variable"),
    "variable style": run(
        "variable T atom x\n" + GOOD.replace("900", "v_T"), "T: found 'v_T'", "equal-style"
    ),
    "variable value": run("variable T equal 300-300*step\n" + GOOD.replace("900", "v_T"), "variable T is 0"),
    "variable inf": run("variable T equal 1e300*1e300\n" + GOOD.replace("900", "v_T"), "variable T is inf"),
    "no pair": run(GOOD, "found no pair style", head=CELL),
    "suffix intel": run(
        GOOD, "found suffix intel, whose pair styles keep copies", head=f"suffix intel\n{CELL}{PAIR}"
    ),
    "suffix hybrid": run(
        GOOD, "found suffix intel", head=f"package omp 1\nsuffix hybrid intel omp\n{CELL}{PAIR}"
    ),
    "suffix gpu": run(GOOD, "found suffix gpu", head=f"suffix gpu\n{CELL}{PAIR}"),
    "respa": run(f"run_style respa 2 2 inner 1 3.0 3.5 outer 2\n{GOOD}", "run_style respa, expected verlet"),
    "shrink-wrapped": run(
        "fix s all swap/all 1 4 7 300 displace 0.1 1\n",
        "displace: found a shrink-wrapped boundary, expected p or f",
        head=f"boundary p p s\n{CELL}{PAIR}",
    ),
    "molecules": run(GOOD, "found an atom style with molecules", head=f"atom_style bond\n{CELL}{PAIR}"),
    "spheres": run(
        GOOD,
        "atoms have their own mass",
        head="atom_style sphere\nunits metal\nlattice fcc 3.8\n" + BOX + "set atom 1*40 type 2\n" + PAIR,
    ),
    "energy elsewhere": run(
        f"fix e all entropy elements W Be H entropy no\n{GOOD}",
        "fix e adds its energy elsewhere",
        "fix_modify e energy no",
    ),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_bad_input_is_one_error(lmp: Lmp, name: str) -> None:
    """One error line, with the words."""
    bad = ARGUMENTS[name]
    done = lmp(bad.head + bad.lines, check=False, timeout_s=60)
    errors = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
    assert done.returncode != 0
    assert len(errors) == 1, done.stdout[-2000:]
    for word in bad.words:
        assert word in errors[0]


@pytest.mark.parametrize("name", ["T nan", "swap large", "no atoms", "variable value", "suffix intel"])
def test_ranks_do_not_wait_for_each_other(lmp: Lmp, name: str) -> None:
    """The same on two ranks, without a hang."""
    bad = ARGUMENTS[name]
    done = lmp(bad.head + bad.lines, check=False, ranks=2, timeout_s=60)
    assert done.returncode != 0
    assert bad.words[-1] in done.stdout


def test_steps_too_long_for_the_domains_are_refused(lmp: Lmp) -> None:
    """An atom must come to its new rank in one exchange."""
    lines = f"processors 2 1 1\n{CELL}{PAIR}fix s all swap/all 1 4 7 300 displace 4.0 1\nrun 2\n"
    done = lmp(lines, check=False, ranks=2, timeout_s=60)
    assert "displace: found 4, expected at most half the smallest sub-domain" in done.stdout
