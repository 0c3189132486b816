"""Study ``strain`` as a user runs it: moduli against elastic constants, killed, pressed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from deform_tools import analysed, example, killed, potential, pysmax, rendered, run, summary

from pysmax.errors import SmaxError
from pysmax.label.engines.lammps import LammpsConfig

# slow and cold enough that what is measured is the crystal's
COLD = {
    "structure": "Cu", "repeat": [3, 3, 3], "temperature": [10.0], "timestep_fs": 2.0, "n_steps": 3000,
    "equilibration_steps": 1000, "strain": 0.02, "barostat_ps": 0.5, "frames": 5, "thermo_lines": 100,
}  # fmt: skip


@pytest.fixture(scope="module")
def constants() -> dict[str, float]:
    """C11, C12, C44 of the potential, GPa: stress of a strained cell at 0 K, by central differences."""
    config = {
        "elements": ("Cu",),
        "commands": ("pair_style eam/alloy", "pair_coeff * * Cu_mishin1.eam.alloy Cu"),
    }
    engine = LammpsConfig.model_validate(config).make()

    def stress(strain: np.ndarray) -> np.ndarray:
        atoms = bulk("Cu", a=3.615)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        return engine.compute(atoms, 0).stress * 160.21766

    pulled, sheared = np.diag([1e-3, 0, 0]), np.array([[0, 5e-4, 0], [5e-4, 0, 0], [0, 0, 0]])
    normal = (stress(pulled) - stress(-pulled)) / 2e-3
    shear = (stress(sheared) - stress(-sheared)) / 2e-3
    engine.close()
    return {"C11": normal[0], "C12": normal[1], "C44": shear[5]}


@pytest.mark.parametrize("mode", ["uniaxial", "shear"])
def test_the_modulus_is_that_of_the_elastic_constants(
    mode: str, constants: dict[str, float], tmp_path: Path
) -> None:
    folder = rendered("strain", tmp_path / mode, potential("cu", tmp_path), system=mode, **COLD)
    run(folder)
    found = analysed("strain", folder)
    assert found["strain_reached"] == pytest.approx(0.02, rel=0.01)
    c11, c12, c44 = constants.values()
    assert (c11, c12, c44) == pytest.approx((169.9, 122.6, 76.2), rel=0.01)  # as published
    if mode == "shear":
        assert found["shear_modulus_GPa"] == pytest.approx(c44, rel=0.03)
        assert found["shear_modulus_standard_error_GPa"] < 0.03 * c44
    else:
        young = (c11 - c12) * (c11 + 2 * c12) / (c11 + c12)
        assert found["young_modulus_GPa"] == pytest.approx(young, rel=0.05)
        assert found["young_modulus_standard_error_GPa"] < 0.05 * young


def lines(folder: Path) -> list[int]:
    """Steps of means.dat as they were written."""
    text = (folder / "means.dat").read_text().splitlines()
    return [int(line.split()[0]) for line in text if line and line[0] != "#"]


def test_smoke_is_killed_and_goes_on_with_the_same_strain(tmp_path: Path) -> None:
    pysmax(tmp_path, *"render strain --system uniaxial --potential stand-in --scale smoke -o cu".split())
    folder = tmp_path / "cu"
    killed(folder, "frames/strain.0000001200.dump", 1, ranks=2)  # the strain began at 500
    assert (folder / "state" / "newest.restart").exists() and max(lines(folder), default=0) < 2000
    run(folder, ranks=2)
    assert "read_restart" in (folder / "log.strain").read_text()
    pysmax(tmp_path, "analyse", "strain", "cu")
    found = summary(folder)
    assert found["frames"] == 11 and found["steps"] == 2000
    assert found["strain_reached"] == pytest.approx(0.1, abs=0.1 * 20 / 1500)
    assert found["note"] == "stand-in: not a physical result"
    table = np.genfromtxt(folder / "analysis" / "stress.csv", delimiter=",", names=True)
    # a straight line in time, over the kill
    assert table["strain"] == pytest.approx(0.1 * table["time_ps"] / 1.5, abs=1e-4)


def test_pressed_along_z(tmp_path: Path) -> None:
    settings: dict[str, Any] = {**COLD, "axis": "z", "strain": -0.02, "n_steps": 2000}
    folder = rendered("strain", tmp_path / "z", potential("cu", tmp_path), system="uniaxial", **settings)
    run(folder)
    found = analysed("strain", folder)
    assert found["strain_reached"] == pytest.approx(-0.02, rel=0.03)
    assert found["largest_stress_GPa"] < -0.8 and found["young_modulus_GPa"] > 50


def test_full_scale_starts(tmp_path: Path) -> None:
    for system in ("uniaxial", "shear"):
        folder = rendered("strain", tmp_path / system, potential("cu", tmp_path), system=system)
        run(folder, variables={"n_steps": 0})
        assert "4000 atoms" in (folder / "log.strain").read_text()


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    for wrong, message in (
        ({"strain": 0.0}, "strain: found 0"),
        ({"equilibration_steps": 300_000}, "expected fewer than n_steps, 220000"),
        ({"temperature": [300.0, 600.0]}, "temperature: found 2 values; expected one"),
        ({"pressure": [1.0]}, "pressure: found"),
        ({"barostat": "tri"}, "barostat: found 'tri'"),
        ({"structure": "Mg", "mode": "twist"}, "mode: found 'twist'"),
    ):
        with pytest.raises(SmaxError, match=message):
            rendered("strain", tmp_path / "x", "stand-in", system="uniaxial", **wrong)
    settings: dict[str, Any] = {**COLD, "repeat": [2, 2, 2], "n_steps": 200, "equilibration_steps": 100}
    folder = rendered("strain", tmp_path / "x", "stand-in", system="uniaxial", **settings)
    with pytest.raises(SmaxError, match=r"means\.dat: No such file"):
        analysed("strain", folder)
    run(folder)
    text = (folder / "means.dat").read_text()
    (folder / "means.dat").write_text("".join(text.splitlines(keepends=True)[:40]))
    with pytest.raises(SmaxError, match="the strain has not begun"):
        analysed("strain", folder)
    (folder / "means.dat").write_text(text + text.splitlines()[-1][:20])  # a torn line is no line
    assert analysed("strain", folder)["strain_reached"] == pytest.approx(0.02, rel=0.03)
    (folder / "state" / "reference.mod").write_text("nothing\n")
    with pytest.raises(SmaxError, match="the length that the strain began with"):
        analysed("strain", folder)


def test_the_example(tmp_path: Path) -> None:
    folder = example("strain", tmp_path)
    assert summary(folder / "shear")["shear_modulus_GPa"] == pytest.approx(76.2, rel=0.05)
    assert summary(folder / "uniaxial")["strain_reached"] == pytest.approx(0.05, rel=0.02)
