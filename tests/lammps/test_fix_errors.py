"""Bad input ends at once, with one error that names the keyword, the value and what was expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import Finished
from fix_tools import HEAD, make_dataset, random_cell, run, write_frames

Lmp = Callable[..., Finished]
TIMEOUT_S = 60
BOX = "region box prism 0 9 0 9 0 9 0 0 0\ncreate_box 3 box\nmass * 1.0\n"
ELEMENTS = "elements W Be H"
GOOD = f"fix e all entropy twojmax 2 {ELEMENTS}\n"
ATOMS = "create_atoms 1 random 5 11 NULL\n"


@dataclass(frozen=True)
class Bad:
    """Lines, the last of which must fail, and what the error must say."""

    lines: str
    words: list[str]
    head: str = HEAD + BOX


def fix(options: str, *words: str) -> Bad:
    """A bad ``fix entropy``."""
    return Bad(f"fix e all entropy {options}\n", [*words])


def later(lines: str, *words: str) -> Bad:
    """A bad command after a good fix."""
    return Bad(f"{GOOD}{lines}\n", [*words])


ARGUMENTS = {
    "unknown": fix("foo 1", "fix entropy", "unknown keyword 'foo'", "expected one of", "twojmax"),
    "no value": fix("twojmax", "twojmax: no value"),
    "no value within": fix(f"rfac0 {ELEMENTS}", "rfac0: no value"),
    "two values": fix("twojmax 8 9", "twojmax: found 2 values, expected 1"),
    "twice": fix("core 1 core 2", "'core' is given twice"),
    "twojmax large": fix("twojmax 15", "twojmax: found '15'", "from 2 to 14"),
    "twojmax real": fix("twojmax 8.5", "twojmax: found '8.5'", "integer"),
    "twojmax overflow": fix("twojmax 99999999999999999999999", "twojmax: found", "from 2 to 14"),
    "mode": fix("mode atoms", "mode: found 'atoms', expected atom or config"),
    "strength nan": fix("strength nan", "strength: found 'nan'", "positive number"),
    "strength inf": fix("strength inf", "strength: found 'inf'", "positive number"),
    "strength zero": fix("strength 0", "strength: found '0'", "positive number"),
    "strength negative": fix("strength -1", "strength: found '-1'", "positive number"),
    "strength text": fix("strength 1.0x", "strength: found '1.0x'", "positive number"),
    "core": fix("core -1", "core: found '-1'", "0 or more"),
    "core nan": fix("core nan", "core: found 'nan'", "0 or more"),
    "eps": fix("eps 0", "eps: found '0'", "from 1e-12 to 1"),
    "rfac0": fix("rfac0 1.5", "rfac0: found '1.5'", "above 0 and up to 1"),
    "rmin0": fix("rmin0 -0.1", "rmin0: found '-0.1'", "0 or more"),
    "rcutfac": fix("rcutfac 0", "rcutfac: found '0'", "from 1 to 20"),
    "bzeroflag": fix("bzeroflag 2", "bzeroflag: found '2'", "from 0 to 1"),
    "switchflag": fix("switchflag yes", "switchflag: found 'yes'", "from 0 to 1"),
    "scale": fix("scale counts", "scale: found 'counts', expected constant or count"),
    "entropy": fix("entropy maybe", "entropy: found 'maybe', expected no or yes"),
    "isa": fix("isa sse", "isa: found 'sse', expected auto or plain or avx2 or avx512"),
    "isa two": fix("isa plain avx2", "isa: found 2 values, expected 1"),
    "element": fix("elements W Be Xx", "elements: found 'Xx'", "chemical symbol"),
    "elements count": fix("elements W K", "elements: found 2 values", "3 atom types"),
    "radii count": fix(f"{ELEMENTS} radii 1 2", "radii: found 2 values", "3 atom types"),
    "radii zero": fix(f"{ELEMENTS} radii 1 0 1", "radii: found '0'", "positive number"),
    "radii negative": fix(f"{ELEMENTS} radii 1 1 -1", "radii: found '-1'", "positive number"),
    "radii nan": fix(f"{ELEMENTS} radii nan 1 1", "radii: found 'nan'", "positive number"),
    "group": Bad(f"group g type 1\nfix e g entropy {ELEMENTS}\n", ["group is not all, expected all"]),
    "newton": Bad(
        f"{GOOD}{ATOMS}run 0\n", ["newton pair is off, expected newton on"], f"newton off\n{HEAD}{BOX}"
    ),
    "reference": later(f"{ATOMS}run 0", "dataset 'default' has no reference", "entropy_dataset e reference"),
    "another descriptor": Bad(
        f"{GOOD}unfix e\nfix e all entropy twojmax 4 {ELEMENTS}\n",
        ["'default'", "twojmax", "is 2", "expected 4"],
    ),
    "modify unknown": later("fix_modify e foo 1", "fix_modify"),
    "modify entropy": later("fix_modify e entropy maybe", "maybe"),
    "modify radius none": later("fix_modify e radius", "fix_modify", "radius"),
    "modify radius number": later("fix_modify e radius 1.0", "radius: found '1.0'", "v_NAME"),
    "modify radius missing": later("fix_modify e radius v_r", "radius: found 'v_r'", "v_NAME"),
    "modify radius equal": later("variable r equal 1.0\nfix_modify e radius v_r", "'v_r'", "atom-style"),
    "candidate fix": later("entropy_candidate nope", "entropy_candidate: found 'nope'", "a fix entropy"),
    "candidate nothing": later("entropy_candidate", "entropy_candidate"),
    "candidate keyword": later("entropy_candidate e foo 1", "unknown keyword 'foo'"),
    "candidate seed": later("entropy_candidate e elements W seed -1", "seed: found '-1'"),
    "candidate index": later("entropy_candidate e elements W index 1.5", "index: found '1.5'"),
    "candidate element": later("entropy_candidate e elements W Xx", "elements", "Xx"),
    "candidate type": later("entropy_candidate e elements W Fe", "element Fe", "no atom type"),
    "candidate natoms": later("entropy_candidate e elements W natoms 0 1", "natoms", "0"),
    "candidate volume": later("entropy_candidate e elements W volume -1 2", "volume", "-1"),
    "candidate nan": later("entropy_candidate e elements W volume nan 2", "volume", "nan"),
    "candidate width": later("entropy_candidate e elements W radius_width 5", "radius_width", "5"),
    "candidate recipe": later("entropy_candidate e recipe nope.txt", "nope.txt"),
    "candidate box": Bad(
        f"{GOOD}entropy_candidate e {ELEMENTS}\n",
        ["triclinic"],
        f"{HEAD}region box block 0 9 0 9 0 9\ncreate_box 3 box\nmass * 1.0\n",
    ),
    "candidate open": Bad(
        f"{GOOD}entropy_candidate e {ELEMENTS}\n", ["boundary p p p"], f"units metal\nboundary p p f\n{BOX}"
    ),
    "accept reference": later(f"{ATOMS}entropy_accept e", "entropy_accept", "no reference variances"),
    "accept closest": later("entropy_accept e closest 0.9", "closest: found 1 values, expected 2"),
    "accept nan": later("entropy_accept e closest nan 1", "closest: found 'nan'", "ratio"),
    "accept negative": later("entropy_accept e closest 0.9 -1", "closest: found '-1'", "length"),
    "dataset nothing": later("entropy_dataset e", "entropy_dataset"),
    "dataset fix": later("entropy_dataset nope clear", "entropy_dataset: found 'nope'", "a fix entropy"),
    "dataset action": later(
        "entropy_dataset e load x", "found 'load'", "write, add, reference, clear or features"
    ),
    "dataset no file": later("entropy_dataset e read", "read: found 0 arguments, expected one file"),
    "dataset two files": later("entropy_dataset e add a b", "add: found 2 arguments, expected one file"),
    "features one file": later("entropy_dataset e features a", "found 1 arguments, expected two files"),
    "dataset clear": later("entropy_dataset e clear x", "clear: found 1 arguments, expected none"),
}

FILES = {
    "missing moments": later("entropy_dataset e read nope.moments", "nope.moments", "No such file"),
    "missing extxyz": later("entropy_dataset e add nope.extxyz", "nope.extxyz", "No such file"),
    "text": later("entropy_dataset e read text.moments", "text.moments"),
    "truncated": later("entropy_dataset e read torn.moments", "torn.moments"),
    "flipped bit": later("entropy_dataset e read flipped.moments", "flipped.moments"),
    "foreign": later("entropy_dataset e read foreign.npz", "foreign.npz", "not a moments file"),
    "version": later("entropy_dataset e read version.moments", "version.moments", "version 2, expected 1"),
    "nan": later("entropy_dataset e read nan.moments", "nan.moments", "not finite"),
    "mode": later("entropy_dataset e read config.moments", "mode is config, expected atom"),
    "twojmax": later("entropy_dataset e read four.moments", "twojmax is 4, expected 2"),
    "features folder": later(
        "entropy_dataset e features two.extxyz no/a.npz", "no/a.npz", "cannot be written"
    ),
    "folder": later("entropy_dataset e write no/folder/a.moments", "folder/a.moments", "cannot be written"),
    "empty": later("entropy_dataset e add empty.extxyz", "empty.extxyz", "no frames"),
    "cut off": later("entropy_dataset e add torn.extxyz", "torn.extxyz", "frame 2", "ends after 1 atoms"),
    "species": later("entropy_dataset e add species.extxyz", "frame 2", "found species 'Zz'"),
    "no type": later("entropy_dataset e add iron.extxyz", "Fe", "no atom type"),
    "radius": later("entropy_dataset e add radius.extxyz", "found r_eff '-1.0'", "above 0"),
    "radius nan": later("entropy_dataset e add nan.extxyz", "found r_eff 'nan'", "above 0"),
    "rmin0 long": later(
        f"{ATOMS}unfix e\nfix e all entropy dataset new rmin0 50 twojmax 2 {ELEMENTS}\n"
        "entropy_dataset e reference two.extxyz",
        "rmin0: found 50",
        "expected less than the shortest cutoff",
    ),
    "no spread": later("entropy_dataset e reference one.extxyz", "variance of feature", "use more cells"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good and spoilt files."""
    folder = tmp_path_factory.mktemp("files")
    make_dataset(folder, "config", twojmax=2)
    good = make_dataset(folder, "atom", twojmax=2).path
    content = good.read_bytes()
    (folder / "torn.moments").write_bytes(content[: len(content) // 2])
    at = content.index(b"scatter.npy") + 200
    (folder / "flipped.moments").write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    (folder / "text.moments").write_text("N = 7\n")
    arrays = dict(np.load(good))
    np.savez(folder / "foreign.npz", a=np.ones(3))
    for name, changed in {
        "version": {"version": np.int64(2)},
        "nan": {"mean": arrays["mean"] * np.nan},
    }.items():
        with (folder / f"{name}.moments").open("wb") as f:
            np.savez(f, **(arrays | changed))
    run(f"{HEAD}{BOX}fix e all entropy twojmax 4 {ELEMENTS}\nentropy_dataset e write four.moments\n", folder)

    spoilt_frames(folder)
    return folder


def spoilt_frames(folder: Path) -> None:
    """Extended XYZ files with their fault in the last frame."""
    cell = random_cell(np.random.default_rng(0), 2).atoms
    cell.symbols[:] = "W"
    write_frames(folder / "two.extxyz", [cell, cell])
    write_frames(folder / "one.extxyz", [cell[:1]])
    lines = (folder / "two.extxyz").read_text().splitlines()
    (folder / "empty.extxyz").write_text("")
    (folder / "torn.extxyz").write_text("\n".join(lines[:-1]) + "\n")
    words = lines[-1].split()
    for name, changed in {
        "species": ["Zz", *words[1:]],
        "iron": ["Fe", *words[1:]],
        "radius": [*words[:-1], "-1.0"],
        "nan": [*words[:-1], "nan"],
    }.items():
        (folder / f"{name}.extxyz").write_text("\n".join([*lines[:-1], " ".join(changed)]) + "\n")


def assert_fails(done: Finished, texts: list[str], bad: Bad) -> None:
    """One error a terminal or screen file; in the words asked."""
    assert done.returncode != 0
    errors = [[line for line in text.splitlines() if line.startswith("ERROR")] for text in texts]
    messages = [line for lines in errors for line in lines]
    assert messages, done.stdout + done.stderr
    assert all(len(lines) <= 1 for lines in errors)
    for word in bad.words:
        assert word in messages[0]
    assert "Traceback" not in done.stderr and "terminate called" not in done.stderr


def check(lmp: Lmp, bad: Bad, ranks: int, partition: str = "") -> None:
    done = lmp(bad.head + bad.lines, ranks=ranks, partition=partition, check=False, timeout_s=TIMEOUT_S)
    screens = [done.file(f"screen.{p}") for p in (0, 1)] if partition else [done.stdout]
    assert_fails(done, screens, bad)


@pytest.mark.parametrize("bad", ARGUMENTS.values(), ids=ARGUMENTS)
def test_bad_arguments(lmp: Lmp, bad: Bad) -> None:
    check(lmp, bad, ranks=2)


@pytest.mark.parametrize("name", ["unknown", "reference", "candidate type", "accept nan", "dataset action"])
def test_bad_arguments_on_partitions(lmp: Lmp, name: str) -> None:
    check(lmp, ARGUMENTS[name], ranks=2, partition="2x1")


@pytest.mark.parametrize("partition", ["", "2x1"])
@pytest.mark.parametrize("bad", FILES.values(), ids=FILES)
def test_bad_files(lmp: Lmp, files: Path, bad: Bad, partition: str) -> None:
    script = files / "in.bad"
    script.write_text(bad.head + bad.lines)
    for old in files.glob("screen.*"):
        old.unlink()
    done = lmp(script, folder=files, ranks=2, partition=partition, check=False, timeout_s=TIMEOUT_S)
    screens = [done.file(f"screen.{p}") for p in (0, 1)] if partition else [done.stdout]
    assert_fails(done, screens, bad)


def test_bad_radius_on_one_rank(lmp: Lmp, ranks: int) -> None:
    """Only the rank that owns the atom sees it: the others must not wait."""
    text = HEAD + BOX + GOOD + ATOMS + "variable r atom 2.5-id\nfix_modify e radius v_r\n"
    done = lmp(text, ranks=ranks, check=False, timeout_s=TIMEOUT_S)
    assert done.returncode != 0
    assert "fix_modify radius: found -" in done.stdout and "expected a positive length" in done.stdout


def test_full_disk(lmp: Lmp) -> None:
    text = HEAD + BOX + GOOD + "entropy_dataset e write /dev/full/a.moments\n"
    done = lmp(text, ranks=2, check=False, timeout_s=TIMEOUT_S)
    assert done.returncode != 0 and "/dev/full/a.moments: cannot be written" in done.stdout


def test_coincident_atoms_and_no_atoms(lmp: Lmp, files: Path, tmp_path: Path) -> None:
    """Odd but legal: no error, no value that is not finite."""
    text = f"{HEAD}{BOX}{GOOD}entropy_dataset e read {files / 'atom.moments'}\n"
    text += 'run 0\nprint "VALUES $(f_e) $(f_e[3])"\n' + 2 * "create_atoms 1 single 1 1 1\n"
    text += 'run 0\nprint "VALUES $(f_e) $(f_e[3]) $(f_e[5])"\n'
    done = lmp(text)
    lines = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("VALUES ")]
    assert lines[0] == ["0", "0"]
    assert len(lines) == 2 and np.all(np.isfinite(np.array(lines[1], dtype=float)))
    assert float(lines[1][2]) == 0.0
