"""Engine ase: any calculator by import path, and how its failures are recorded."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from engine_tools import difference_forces, difference_stress, triclinic

from pysmax.errors import SmaxError
from pysmax.label.engine import Engine, Limits, compute_label
from pysmax.label.engines import load_config

CALCULATORS = '''
import numpy as np
from ase.calculators.calculator import Calculator, SCFError, all_changes


class Odd(Calculator):
    """Energy 0 and forces 0, but for what ``mode`` says."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, mode="", file=""):
        super().__init__()
        self.mode, self.calls = mode, 0

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        if self.mode == "scf":
            raise SCFError("no convergence in 7 steps")
        if self.mode == "raises":
            raise ZeroDivisionError("division by zero")
        n = len(atoms)
        self.results = {"energy": 0.0, "forces": np.zeros((n, 3))}
        if self.mode == "nan":
            self.results["forces"][-1, 1] = np.nan
        if self.mode == "inf":
            self.results["energy"] = -np.inf
        if self.mode == "shape":
            self.results["forces"] = np.zeros((n + 1, 3))
        if self.mode == "broken once" and self.calls == 1:
            raise RuntimeError("first call")


class NoForces(Calculator):
    implemented_properties = ["energy"]


def not_a_calculator():
    return 3
'''


@pytest.fixture
def odd_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "odd_calculators.py").write_text(CALCULATORS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "odd_calculators", raising=False)
    return "odd_calculators"


def make(calculator: str, **kwargs: object) -> Engine:
    return load_config("ase", None, {"calculator": calculator, "kwargs": kwargs}).make()


LJ = {"epsilon": 0.01, "sigma": 3.4, "rc": 8.0, "smooth": True}


@pytest.mark.parametrize(
    ("calculator", "kwargs", "atoms"),
    [
        ("ase.calculators.emt:EMT", {}, triclinic("Cu", "fcc", 3.5)),
        ("ase.calculators.lj:LennardJones", LJ, triclinic("Ar", "fcc", 5.1)),
    ],
    ids=["emt", "lj"],
)
def test_forces_and_stress_equal_finite_differences(
    calculator: str, kwargs: dict[str, object], atoms: Atoms
) -> None:
    engine = make(calculator, **kwargs)
    label = engine.compute(atoms, 0)
    assert label.stress is not None and np.abs(label.stress).min() > 1e-5
    pairs = [(i, k) for i in range(len(atoms)) for k in range(3)]
    np.testing.assert_allclose(
        difference_forces(engine, atoms, pairs, 1e-4), label.forces.ravel(), rtol=1e-4, atol=1e-7
    )
    np.testing.assert_allclose(
        difference_stress(engine, atoms, range(6), 1e-5), label.stress, rtol=1e-4, atol=1e-8
    )


def test_compression_is_negative_stress_and_tension_positive() -> None:
    engine = make("ase.calculators.emt:EMT")
    small, large = (engine.compute(bulk("Cu", a=a), 0).stress for a in (3.4, 3.8))  # 3.61 A
    assert max(small[:3]) < -0.05 and min(large[:3]) > 0.02


def test_numbers_are_the_calculators() -> None:
    engine, atoms = make("ase.calculators.lj:LennardJones", **LJ), triclinic("Ar", "fcc", 5.1)
    for structure in (atoms, atoms * (1, 2, 1), atoms):
        label = engine.compute(structure.copy(), 0)
        alone = structure.copy()
        alone.calc = LennardJones(**LJ)
        assert label.energy == alone.get_potential_energy()
        np.testing.assert_array_equal(label.forces, alone.get_forces())
        np.testing.assert_array_equal(label.stress, alone.get_stress())


def test_no_stress_without_a_cell_or_without_the_calculators(odd_module: str) -> None:
    emt = make("ase.calculators.emt:EMT").compute(molecule("N2"), 0)
    assert emt.stress is None and "stress_missing" not in emt.extra
    odd = make(f"{odd_module}:Odd").compute(bulk("Cu"), 0)
    assert odd.stress is None and odd.extra["stress_missing"] is True


@pytest.mark.parametrize(
    ("mode", "reason", "detail"),
    [
        ("scf", "scf", "SCFError: no convergence in 7 steps"),
        ("raises", "error", "ZeroDivisionError: division by zero"),
        ("nan", "not finite", "forces is not finite"),
        ("inf", "not finite", "energy is not finite"),
        ("shape", "error", "forces has shape (2, 3), expected (1, 3)"),
    ],
)
def test_failures_have_their_reason(odd_module: str, mode: str, reason: str, detail: str) -> None:
    done = compute_label(make(f"{odd_module}:Odd", mode=mode), bulk("Cu"), Limits())
    assert (done.label, done.reason, done.attempts[-1].detail) == (None, reason, detail)
    assert done.attempts[-1].reason == reason and done.attempts[-1].seconds >= 0


def test_an_unknown_element_is_a_matter_of_the_structure() -> None:
    done = compute_label(make("ase.calculators.emt:EMT"), bulk("W"), Limits())
    assert done.reason == "structure" and "W" in done.attempts[0].detail


def test_a_calculator_is_made_anew_after_an_error(odd_module: str) -> None:
    engine = make(f"{odd_module}:Odd", mode="broken once")
    reasons = [compute_label(engine, bulk("Cu", a=a), Limits()).reason for a in (3.5, 3.6)]
    assert reasons == ["error", "error"]  # each time a new one, that breaks at its first call


@pytest.mark.parametrize(
    ("calculator", "kwargs", "said"),
    [
        ("no_such_module:Thing", {}, "module no_such_module is not found"),
        ("ase.calculators.emt:Emt", {}, "has no Emt to call"),
        ("odd_calculators:Odd", {"wrong": 1}, "cannot be made from .*wrong"),
        ("odd_calculators:NoForces", {}, "lacks forces"),
        ("odd_calculators:not_a_calculator", {}, "lacks energy and forces"),
    ],
)
def test_a_calculator_that_cannot_serve_is_refused_at_once(
    odd_module: str, calculator: str, kwargs: dict[str, object], said: str
) -> None:
    assert odd_module
    with pytest.raises(SmaxError, match=said):
        make(calculator, **kwargs)
    with pytest.raises(SmaxError, match="setting 'calculator' is 'emt'"):
        load_config("ase", None, {"calculator": "emt"})


def test_level_and_version_know_the_calculator_and_its_files(odd_module: str, tmp_path: Path) -> None:
    config = load_config("ase", None, {"calculator": "ase.calculators.emt:EMT"})
    import ase

    assert config.version() == f"ase {ase.__version__}" and config.level().settings["calculator"].endswith(
        "EMT"
    )
    with pytest.raises(SmaxError, match="module no_such_module is not found"):
        load_config("ase", None, {"calculator": "no_such_module:Thing"}).version()
    assert (
        "odd_calculators odd_calculators.py@"
        in load_config("ase", None, {"calculator": f"{odd_module}:Odd"}).version()
    )
    hashes = []
    for name, content in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").write_text(content)
        file = tmp_path / name / "ase.yaml"
        file.write_text(f"calculator: {odd_module}:Odd\nkwargs: {{file: model.bin}}\n")
        hashes.append(load_config("ase", file).level().hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_structure_is_not_changed() -> None:
    atoms = triclinic("Cu", "fcc", 3.5)
    before = atoms.copy()
    compute_label(make("ase.calculators.emt:EMT"), atoms, Limits())
    assert atoms == before and atoms.calc is None
    before.calc = EMT()
    assert atoms == before
