"""Inputs rendered from the template run; wrong settings are refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import ase.io
import pytest
from conftest import BIN, run_program

from pysmax.errors import SmaxError
from pysmax.generate import parse_settings, render


def test_a_rendered_input_runs(tmp_path: Path, lmp) -> None:
    script = tmp_path / "in.made"
    script.write_text(
        render(
            parse_settings(
                [
                    "nconf=2",
                    "stoichiometry=W 2 Be 4",
                    "natoms=6",
                    "reference=20",
                    "steps=20",
                    "volume=1.5,2.5",
                ]
            )
        )
    )
    done = lmp(script)
    assert done.returncode == 0, done.stdout
    frames = ase.io.read(done.folder / "smax.extxyz", index=":")
    assert [f.get_chemical_formula() for f in frames] == ["Be4W2", "Be4W2"]


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("nconf=0", "nconf"),
        ("volume=1", "volume"),
        ("no_such=1", "no_such"),
        ("elements=W\nshell rm", "elements"),
        ("ftol=nan", "ftol"),
        ("strength=inf", "strength: found 'inf'; input should be a finite number"),
        ("strength=0", "strength"),
        ("core=inf", "core: found 'inf'; input should be a finite number"),
        ("core=nan", "core"),
        ("volume=3,1", "volume: .*; 3 is above 1, expected the lower number first"),
        ("out=a b", r"string should match pattern '\^\[A-Za-z0-9"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_wrong_setting_is_named(word: str, names: str) -> None:
    with pytest.raises(SmaxError, match=names):
        render(parse_settings([word]))


def test_the_command_line_prints_it(tmp_path: Path) -> None:
    done = run_program([BIN / "pysmax", "inputs", "--set", "mode=config"], tmp_path)
    assert done.returncode == 0
    assert "mode config" in done.stdout and "strength 0.05" in done.stdout
    wrong = run_program([BIN / "pysmax", "inputs", "--set", "mode=molecule"], tmp_path)
    assert wrong.returncode == 2
    assert "mode" in wrong.stderr and "molecule" in wrong.stderr and "Traceback" not in wrong.stderr
