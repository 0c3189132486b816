"""Study quench as it is rendered: counts, boxes, random places, refusals."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.data import chemical_symbols
from hypothesis import given
from hypothesis import strategies as st

from pysmax.errors import SmaxError
from pysmax.settings import checked
from pysmax.studies import render
from pysmax.studies.quench import LAVA, MENDELEEV, QuenchParameters, random_places, shared_out
from pysmax.studies.stand_in import radius


def test_paper() -> None:
    p = QuenchParameters()
    assert p.counts() == LAVA and sum(LAVA.values()) == 4983 and len(LAVA) == 9
    share = {"O": 46.26, "Si": 28.30, "Al": 8.27, "Fe": 5.66, "Ca": 4.17, "Na": 2.37, "Mg": 2.33, "K": 2.09}
    assert {e: round(100 * LAVA[e] / 4983, 2) for e in share} == share  # the other column of Table 8
    assert (p.n_steps, p.timestep_fs, p.temperature, p.pressure, p.barostat) == (
        4_000_000,
        1.0,
        (5000.0, 300.0),
        (1.0, 0.0),
        "aniso",
    )
    assert list(MENDELEEV) == chemical_symbols[1:95] and set(MENDELEEV.values()) == {106}


@given(
    st.dictionaries(st.sampled_from(chemical_symbols[1:95]), st.floats(1e-3, 1e3), min_size=1, max_size=12),
    st.integers(12, 5000),
)
def test_proportions_become_whole_numbers(proportions: dict[str, float], total: int) -> None:
    n = shared_out(proportions, total)
    assert sum(n.values()) == total and min(n.values()) >= 1
    quota = {e: p * total / sum(proportions.values()) for e, p in proportions.items()}
    if min(quota.values()) >= 1:
        assert all(abs(n[e] - quota[e]) < 1 for e in n)


def test_random_places() -> None:
    counts = {"O": 50, "Fe": 30, "Cs": 5}
    atoms = random_places(counts, 0.4, 3)
    assert {e: list(atoms.symbols).count(e) for e in counts} == counts
    spheres = sum(4 / 3 * np.pi * radius(e) ** 3 for e in atoms.symbols)
    assert spheres / atoms.get_volume() == pytest.approx(0.4)
    assert (atoms.get_scaled_positions(wrap=False) >= 0).all()
    assert (atoms.get_scaled_positions(wrap=False) < 1).all()
    assert random_places(counts, 0.4, 3) == atoms
    other = random_places(counts, 0.4, 4)
    assert not np.allclose(other.positions, atoms.positions)
    assert list(other.symbols) != list(atoms.symbols) != sorted(atoms.symbols)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"composition": {}}, "composition: found no element"),
        ({"composition": {"Fe": 0.5, "Si": 0.5}}, "found Fe: 0.5; expected whole numbers"),
        ({"composition": {"Fe": 1, "Qq": 2}}, "'Qq' is no element"),
        ({"composition": {"Fe": -1}}, "composition.Fe: found -1"),
        ({"composition": {"Fe": 1, "Si": 2}, "atoms": 1}, "found 1 for 2 elements"),
        ({"composition": {"Fe": True}}, "composition: found {'Fe': True}; yes, no, on"),
        ({"packing": 0.7}, "packing: found 0.7"),
        ({"heat_up_limit_A": 0}, "heat_up_limit_A: found 0"),
        ({"atom": 7}, "setting atom: unknown"),
    ],
)
def test_what_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(SmaxError, match=None) as e:
        checked(QuenchParameters, settings)
    assert told in str(e.value) and "\n" not in str(e.value)


@pytest.mark.parametrize(
    "settings", [{"composition": {"Fe": 1}}, {"composition": {"Fe": 2e12}}, {"atoms": 10**12}]
)
def test_too_few_and_too_many_atoms(settings: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(SmaxError, match=r"composition and atoms: found .* atoms, expected 2 to 2e\+07"):
        render("quench", tmp_path / "x", potential="stand-in", settings=settings)


@pytest.mark.parametrize(("system", "counts"), [("lava", LAVA), ("mendeleev", MENDELEEV)])
def test_data_file_of_the_paper(system: str, counts: dict[str, int], tmp_path: Path) -> None:
    to = render("quench", tmp_path / "x", potential="stand-in", system=system)
    atoms = ase.io.read(to / "system.data", format="lammps-data", atom_style="atomic")
    assert {e: list(atoms.symbols).count(e) for e in counts} == counts
    assert len(atoms) == sum(counts.values())
    a, b, c = atoms.cell.lengths()
    assert a == b == c and (atoms.cell.angles() == 90).all()
    again = render("quench", tmp_path / "y", potential="stand-in", system=system)
    assert all((again / f).read_bytes() == (to / f).read_bytes() for f in ("system.data", "in.quench"))
    pressure = "10000.0" if system == "lava" else "20000.0"
    assert f"npt temp 5000.0 300.0 0.1 aniso {pressure} 0.0 1.0" in (to / "in.quench").read_text()


def test_a_potential_must_know_all_elements(tmp_path: Path) -> None:
    few = tmp_path / "few.yaml"
    few.write_text("elements: [O, Si]\ncommands: [pair_style zero 5.0, pair_coeff * *]\n")
    with pytest.raises(SmaxError, match="element Al: not known to the potential few"):
        render("quench", tmp_path / "x", potential=few)
    assert not (tmp_path / "x").exists()
    given = {"composition": {"Si": 1, "O": 2}, "atoms": 30}
    to = render("quench", tmp_path / "x", potential=few, system="mixture", settings=given)
    atoms = ase.io.read(to / "system.data", format="lammps-data", atom_style="atomic")
    assert str(atoms.symbols.get_chemical_formula()) == "O20Si10"
