"""Settings of engines from files and overrides, and the paper's Table 11."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pysmax.errors import SmaxError
from pysmax.label.engines import ENGINES, load_config
from pysmax.label.engines.magmoms import initial_moments

PAPER_TABLE_11 = """
| Default | 1.00 |
| Ce | 5.00 |
| Co | 2.00 |
| Cr | 2.00 |
| Dy | 10.65 |
| Er | 9.58 |
| Eu | 10.00 |
| Fe | 2.50 |
| Gd | 7.94 |
| Ho | 10.60 |
| Mn | 5.00 |
| Nd | 3.62 |
| Ni | 1.50 |
| Pm | 2.68 |
| Pr | 3.58 |
| Sm | 0.85 |
| Tb | 9.72 |
| Tm | 7.56 |
| Yb | 4.54 |
"""


def test_table_11_is_the_papers_for_every_element() -> None:
    from ase.data import chemical_symbols

    rows = [line.replace("|", " ").split() for line in PAPER_TABLE_11.split("\n") if line]
    table = {name: float(value) for name, value in rows}
    default = table.pop("Default")
    assert len(table) == 18
    symbols = chemical_symbols[1:]
    expected = [table.get(s, default) for s in symbols]
    np.testing.assert_array_equal(initial_moments(symbols), expected)


def test_file_and_overrides_reach_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "xtb.yaml"
    file.write_text("engine: xtb\nmethod: GFN2-xTB\nlimits:\n  max_force_eV_per_A: 50\n")
    config = load_config(
        "xtb", file, {"electronic_temperature_K": "300", "limits.max_energy_eV_per_atom": None}
    )
    assert config.method == "GFN2-xTB" and config.electronic_temperature_K == 300.0
    assert config.limits.max_force_eV_per_A == 50 and config.limits.max_energy_eV_per_atom is None


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("# nothing yet\n")
    assert load_config("xtb", file) == load_config("xtb")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("metod: GFN2-xTB\n", ["metod", "not known", "method", "electronic_temperature_K"]),
        ("limits: {max_force: 3}\n", ["limits.max_force", "not known"]),
        ("method: GFN3-xTB\n", ["method", "GFN3-xTB", "GFN1-xTB"]),
        ("engine: dft\n", ["engine", "dft", "xtb"]),
        ("electronic_temperature_K: hot\n", ["electronic_temperature_K", "hot", "number"]),
        ("repeat: [2, 2, 2]\nmin_length_A: 8\n", ["repeat", "min_length_A"]),
        ("repeat: [2, 0, 2]\n", ["repeat", "[2, 0, 2]", "positive"]),
        ("solvers: []\n", ["solvers", "at least 1"]),
        ("- a list\n", ["expected settings", "name: value"]),
        ("a: [1\n", ["not YAML"]),
        ("cutoff: 5\na: {b: 1, b: 2}\n", ["not YAML (b is there twice)"]),
        ("!!python/object/apply:os.getcwd []\n", ["not YAML"]),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, said: list[str]) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(SmaxError) as e:
        load_config("xtb", file)
    message = str(e.value)
    assert "\n" not in message and all(s in message for s in [str(file), *said])


def test_mistakes_without_a_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        SmaxError, match=r"'gamess' is not known, expected one of xtb, dft, vasp, lammps, ase"
    ):
        load_config("gamess")
    with pytest.raises(SmaxError, match="No such file"):
        load_config("xtb", tmp_path / "none.yaml")
    with pytest.raises(SmaxError, match="setting 'calculator' is missing"):
        load_config("ase")
    with pytest.raises(SmaxError, match="'method' has no settings of its own"):
        load_config("xtb", None, {"method": "GFN1-xTB", "method.name": 1})


def test_a_level_knows_what_changes_numbers_and_nothing_else() -> None:
    level = load_config("xtb").level()
    same = load_config("xtb", None, {"timeout_s": 5, "limits.max_force_eV_per_A": 1}).level()
    other = load_config("xtb", None, {"electronic_temperature_K": 300}).level()
    assert level.hash == same.hash != other.hash
    assert level.settings["k_points"] == "Gamma" and "limits" not in level.settings


def test_names_of_engines_import_nothing_heavy() -> None:
    code = (
        "import sys; from pysmax.label.engines import load_config\n"
        "for n, o in (('xtb', {}), ('dft', {}), ('ase', {'calculator': 'ase.calculators.emt:EMT'}),\n"
        "    ('lammps', {'elements': ['W'], 'commands': ['pair_style zero 3']})): load_config(n, None, o)\n"
        "print(sorted({'tblite', 'gpaw', 'lammps', 'pymatgen', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert list(ENGINES) == ["xtb", "dft", "vasp", "lammps", "ase"]
