"""Bad input: one error that names keyword, value and what was expected; no hang, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from end_to_end.run_tools import GEN_ENTROPY, HEAD, refuse

LAYOUTS = {
    "serial": {},
    "2 ranks": {"ranks": 2},
    "2x1": {"ranks": 2, "partition": "2x1"},
}
# words of entropy_generate after the fix's ID: what the error must name
CASES = {
    "nconf 3 colour red": ["unknown keyword 'colour'", "nconf", "seed"],
    "seed 3": ["nconf", "missing"],
    "": ["nconf", "missing"],
    "nconf": ["nconf", "no value"],
    "nconf 3 4": ["nconf", "2 values", "expected 1"],
    "nconf 3 nconf 4": ["nconf", "twice"],
    "nconf 0": ["nconf", "'0'", "integer from 1"],
    "nconf -5": ["nconf", "'-5'", "integer from 1"],
    "nconf 2.5": ["nconf", "'2.5'", "integer"],
    "nconf 1e3": ["nconf", "'1e3'", "integer"],
    "nconf 99999999999999999999": ["nconf", "'99999999999999999999'", "integer"],
    "nconf 3 seed -1": ["seed", "'-1'", "integer from 0"],
    "nconf 3 reference 1": ["reference", "'1'", "integer from 2"],
    "nconf 3 steps -1": ["steps", "'-1'", "integer from 0"],
    "nconf 3 ftol nan": ["ftol", "'nan'", "positive number"],
    "nconf 3 ftol -0.1": ["ftol", "'-0.1'", "positive number"],
    "nconf 3 ftol inf": ["ftol", "'inf'", "positive number"],
    "nconf 3 closest 0.9": ["closest", "1 values", "expected 2"],
    "nconf 3 closest nan 0.6": ["closest", "'nan'", "ratio from 0 to 1.5"],
    "nconf 3 closest 0.9 -1": ["closest", "'-1'", "length"],
    "nconf 3 restart maybe": ["restart", "'maybe'", "no or yes"],
    "nconf 3 exchange sometimes": ["exchange", "'sometimes'", "free or reproducible"],
    "nconf 3 placements 0": ["placements", "'0'", "integer from 1"],
    "nconf 3 lag 0": ["lag", "'0'", "integer from 1"],
    "nconf 3 max_tries 0": ["max_tries", "'0'", "integer from 1"],
    "nconf 3 elements W Xx": ["elements", "'Xx'", "symbol from H to Cm"],
    "nconf 3 weights W -1": ["weights", "'-1'", "number from 0"],
    "nconf 3 weights W": ["weights", "1 values", "pairs"],
    "nconf 3 radii W nan": ["radii", "'nan'", "number from"],
    "nconf 3 natoms 0 1": ["natoms", "'0'", "count"],
    "nconf 3 natoms 5-3 1": ["natoms", "'5-3'", "range"],
    "nconf 3 natoms 3 0": ["natoms", "only weights of 0", "above 0"],
    "nconf 3 elements W Be nelements 3 1": ["nelements", "3", "2"],
    "nconf 3 stoichiometry W 2 Be": ["stoichiometry", "3 values", "pairs"],
    "nconf 3 stoichiometry W 0": ["stoichiometry", "'0'", "above 0"],
    "nconf 3 radius_width 2": ["radius_width", "'2'", "0.9"],
    "nconf 3 radius_beta 0 1": ["radius_beta", "'0'", "number from"],
    "nconf 3 volume 1": ["volume", "1 values", "2 numbers"],
    "nconf 3 volume 3 1": ["volume", "3 above 1", "lower number first"],
    "nconf 3 volume 0.1 0.2": ["volume", "0.1", "0.35"],
    "nconf 3 volume nan 2": ["volume", "'nan'", "number"],
    "nconf 3 angles 120 125": ["angles", "120", "118"],
    "nconf 3 shapes 1 1": ["shapes", "2 values", "triples"],
    "nconf 3 recipe no/such/file": ["no/such/file", "recipe file"],
    "nconf 3 recipe .": [".", "recipe file"],
    "nconf 3 recipe my.recipe": ["my.recipe:2", "natoms", "'many'"],
    "nconf 3 out no/such/folder/smax reference 3 core_steps 1": ["no/such/folder/smax", "No such file"],
}
RECIPE = "# mine\nnatoms many\n"


def words(line: str) -> str:
    return f"{HEAD.format(fix='mode atom')}entropy_generate entropy {line}\n"


def check(folder: Path, line: str, layout: str, timeout_s: float = 60) -> None:
    (folder / "my.recipe").write_text(RECIPE)
    error = refuse(folder, words(line), timeout_s=timeout_s, **LAYOUTS[layout])
    assert all(word in error for word in CASES[line]), error
    assert not [p.name for p in folder.glob("smax.*")]


@pytest.mark.parametrize("line", CASES)
def test_a_bad_word(tmp_path: Path, line: str) -> None:
    check(tmp_path, line, "serial")


@pytest.mark.parametrize("layout", ["2 ranks", "2x1"])
@pytest.mark.parametrize(
    "line", ["nconf 3 colour red", "seed 3", "nconf 3 volume 0.1 0.2", "nconf 3 recipe my.recipe"]
)
def test_no_rank_waits_for_the_others(tmp_path: Path, line: str, layout: str) -> None:
    check(tmp_path, line, layout)


@pytest.mark.parametrize("layout", ["2 ranks", "2x1"])
def test_a_folder_that_is_not_there(tmp_path: Path, layout: str) -> None:
    """Found late and by one rank alone, when the others wait for it."""
    check(tmp_path, "nconf 3 out no/such/folder/smax reference 3 core_steps 1", layout)


WRONG_SETUP = {
    "no such fix": (
        HEAD.format(fix="") + "entropy_generate wrong nconf 3\n",
        ["entropy_generate", "'wrong'", "fix entropy"],
    ),
    "no type for an element": (
        HEAD.format(fix="elements W Be").replace("create_box      96", "create_box      2")
        + "entropy_generate entropy nconf 3 elements W H\n",
        ["element H", "no atom type"],
    ),
    "a box that is not triclinic": (
        HEAD.format(fix="").replace("prism 0 10 0 10 0 10 0 0 0", "block 0 10 0 10 0 10")
        + "entropy_generate entropy nconf 3\n",
        ["triclinic"],
    ),
    "an open boundary": (
        HEAD.format(fix="").replace("p p p", "p p f") + "entropy_generate entropy nconf 3\n",
        ["boundary p p p"],
    ),
    "no arguments": (HEAD.format(fix="") + "entropy_generate\n", ["entropy_generate"]),
    "fix keyword": (HEAD.format(fix="twojmax 15"), ["fix entropy", "twojmax", "'15'", "2 to 14"]),
    "fix number": (HEAD.format(fix="core nan"), ["fix entropy", "core", "'nan'"]),
}


@pytest.mark.parametrize("layout", ["serial", "2x1"])
@pytest.mark.parametrize("name", WRONG_SETUP)
def test_a_wrong_set_up(tmp_path: Path, name: str, layout: str) -> None:
    text, says = WRONG_SETUP[name]
    error = refuse(tmp_path, text, **LAYOUTS[layout])
    assert all(word in error for word in says), error


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"nconf": "none"}, ["nconf", "'none'"]),
        ({"elements": "Wo"}, ["elements", "'Wo'"]),
        ({"mode": "both"}, ["mode", "'both'", "atom or config"]),
        ({"restart": "si"}, ["restart", "'si'"]),
    ],
)
def test_a_bad_variable_of_the_main_job(tmp_path: Path, variables: dict, says: list[str]) -> None:
    error = refuse(tmp_path, GEN_ENTROPY, variables=variables, ranks=2)
    assert all(word in error for word in says), error


@pytest.mark.parametrize("layout", LAYOUTS)
def test_too_few_candidates(tmp_path: Path, layout: str) -> None:
    """Pairs asked farther apart than cells can hold them: it gives up, and says so."""
    from end_to_end.run_tools import launch

    line = "nconf 3 closest 1.5 0.6 max_tries 4 natoms 9 1 volume 1 1.1 reference 3 core_steps 3 steps 3"
    done = launch(tmp_path, words(line), timeout_s=60, **LAYOUTS[layout])
    assert done.returncode == 0
    assert "accepted 0 of 4 tried" in done.stdout and "max_tries 4" in done.stdout
