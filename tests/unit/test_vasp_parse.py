"""VASP outputs of every flavour, written by the stand-in; pymatgen and ASE read the same files as oracles."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from label.fake_vasp import Poscar, Result, outcar, read_incar, vasprun
from pymatgen.io.vasp.outputs import Outcar, Vasprun

from pysmax.dataset.record import Label
from pysmax.label.engine import EngineFailure, Limits, check_label
from pysmax.label.engines.vasp import VaspConfig
from pysmax.label.engines.vasp.inputs import Job, write_job
from pysmax.label.engines.vasp.parse import magmoms, mended, read_label

ENERGY, ENTROPY = -31.25, 0.04  # eV, of the cell; eV per atom
SYMBOLS = ["Fe", "O", "W", "O"]


def atoms() -> ase.Atoms:
    rng = np.random.default_rng(4)
    cell = 3.4 * np.eye(3) + rng.uniform(-0.3, 0.3, (3, 3))
    return ase.Atoms(SYMBOLS, cell=cell, scaled_positions=rng.random((4, 3)), pbc=True)


@dataclasses.dataclass
class Case:
    """A job folder, and what VASP is to say in it, in the order of POSCAR."""

    folder: Path
    job: Job
    result: Result

    @property
    def poscar(self) -> Poscar:
        return Poscar(list(self.job.atoms.symbols), self.job.atoms.cell.array, self.job.atoms.positions)

    def xml(self, **options: object) -> str:
        incar = read_incar((self.folder / "INCAR").read_text())
        return vasprun(self.poscar, self.result, incar, entropy=ENTROPY, **options)  # type: ignore[arg-type]

    def write(self, xml: str, outcar_text: str | None = None) -> None:
        (self.folder / "vasprun.xml").write_text(xml)
        if outcar_text is not None:
            (self.folder / "OUTCAR").write_text(outcar_text)

    def read(self) -> Label:
        label = read_label(self.folder, self.job)
        check_label(label, atoms(), Limits())
        return label


@pytest.fixture
def case(tmp_path: Path) -> Case:
    job = write_job(VaspConfig(), tmp_path, atoms(), need_potcar=False)
    stress = np.array([[120.0, -7.0, 3.0], [-7.0, 80.0, 11.0], [3.0, 11.0, -40.0]])
    return Case(tmp_path, job, Result(ENERGY, np.arange(12.0).reshape(4, 3) / 7 - 0.5, stress))


def fails(case: Case, words: str) -> str:
    with pytest.raises(EngineFailure, match=words) as e:
        case.read()
    return e.value.reason


@pytest.mark.parametrize("version", ["6.1.0", "6.3.0", "6.4.3", "6.5.1"])
@pytest.mark.parametrize("extra_sections", [False, True])
@pytest.mark.parametrize("sigma0_bug", [False, True])
def test_flavours(case: Case, version: str, extra_sections: bool, sigma0_bug: bool) -> None:
    case.write(case.xml(version=version, extra_sections=extra_sections, sigma0_bug=sigma0_bug))
    label = case.read()
    assert label.energy == pytest.approx(ENERGY, abs=1e-7)  # sigma -> 0
    assert label.extra["free_energy_eV"] == pytest.approx(ENERGY - 4 * ENTROPY / 2, abs=1e-7)
    assert label.extra["vasp_version"] == version
    assert label.extra["scf_steps"] == 9
    assert label.magmoms is None
    # POSCAR: O O Fe W
    np.testing.assert_allclose(label.forces, case.result.forces[[2, 0, 3, 1]], atol=1e-8)


def test_as_ase_and_pymatgen_read_it(case: Case) -> None:
    case.write(case.xml())
    label = case.read()
    oracle = ase.io.read(case.folder / "vasprun.xml")
    assert list(oracle.symbols) == list(case.job.atoms.symbols)
    np.testing.assert_allclose(label.forces[case.job.order], oracle.get_forces(), atol=1e-12)
    np.testing.assert_allclose(label.stress, oracle.get_stress(), rtol=1e-12)
    assert label.energy == pytest.approx(oracle.get_potential_energy(), abs=1e-7)
    assert label.extra["free_energy_eV"] == pytest.approx(oracle.get_potential_energy(force_consistent=True))
    run = Vasprun(case.folder / "vasprun.xml", parse_potcar_file=False)
    assert label.energy == pytest.approx(float(run.final_energy))
    # kB, positive under compression -> eV/A^3, negative under compression; 1 eV/A^3 = 1602.1766 kB
    assert label.stress is not None
    np.testing.assert_allclose(-1602.1766208 * label.stress, [120, 80, -40, 11, 3, -7], rtol=1e-6)


def test_stress_only_of_crystals(case: Case) -> None:
    case.job.atoms.pbc = [True, True, False]
    case.write(case.xml())
    assert case.read().stress is None


def test_gzipped_files(case: Case) -> None:
    case.write(case.xml(), outcar([1.0, 2.0, 3.0, 4.0], 10.0))
    plain = case.read()
    for name in ("vasprun.xml", "OUTCAR", "INCAR"):
        path = case.folder / name
        (case.folder / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    packed = case.read()
    assert packed.energy == plain.energy and packed.extra == plain.extra
    np.testing.assert_array_equal(packed.magmoms, plain.magmoms)


@pytest.mark.parametrize(
    ("steps", "said", "reason"),
    [
        (119, None, ""),
        (120, None, "scf"),
        (120, False, "scf"),
        (120, True, ""),  # EDIFF reached by the very last step
        (30, False, "scf"),  # stopped by hand
    ],
)
def test_self_consistency(case: Case, steps: int, said: bool | None, reason: str) -> None:
    case.write(case.xml(steps=steps), None if said is None else outcar(None, 0.0, converged=said))
    if reason:
        assert fails(case, f"no self-consistency in {steps} steps") == reason
    else:
        assert case.read().extra["scf_steps"] == steps


def test_no_electronic_steps(case: Case) -> None:
    case.write(case.xml(steps=0))
    assert fails(case, ".") == "error"


@pytest.mark.parametrize("columns", [3, 4])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_magnetisation_table(tmp_path: Path, columns: int, n: int) -> None:
    moments = [round(-1.5 + 0.9 * i, 3) for i in range(n)]
    text = outcar([0.0] * n, 0.0, columns=columns) + outcar(moments, sum(moments), columns=columns)
    found = magmoms(text, n)
    np.testing.assert_allclose(found, moments)
    (tmp_path / "OUTCAR").write_text(text)
    np.testing.assert_allclose(found, [row["tot"] for row in Outcar(tmp_path / "OUTCAR").magnetization])


def test_moments_in_the_order_of_the_structure(case: Case) -> None:
    case.write(case.xml(), outcar([0.1, 0.2, 2.5, -1.0], 1.8))
    label = case.read()
    np.testing.assert_allclose(label.magmoms, [2.5, 0.1, -1.0, 0.2])
    assert label.extra["total_magmom_muB"] == pytest.approx(1.8)


def test_faulty_moments() -> None:
    good = outcar([1.0, 2.0], 3.0)
    assert magmoms(outcar(None, 0.0), 2) is None
    for text, n, reason in (
        (good, 3, "error"),
        (good.replace("2.000\n", "*****\n"), 2, "not finite"),
        (good[: good.index("# of ion")], 2, "error"),
        (outcar([1.0, 2.0], 3.0, components="xyz"), 2, "error"),
    ):
        with pytest.raises(EngineFailure) as e:
            magmoms(text, n)
        assert e.value.reason == reason


def edit(old: str, new: str, count: int = -1) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, count)

    return change


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        (lambda t: "", "error", "not whole: XMLSyntaxError"),
        (lambda t: "\x00" * 100, "error", "not whole: XMLSyntaxError"),
        (lambda t: "<modeling></modeling>", "error", "not whole: AttributeError"),
        (lambda t: t[: t.index("<calculation>")] + "</modeling>", "error", "not whole"),
        (edit("-0.50000000", "****************", 1), "not finite", "forces"),
        (edit("120.00000000", "****************", 1), "not finite", "stress"),
        (edit("-0.50000000", "-0.500000000.1", 1), "error", "ValueError"),
        (edit('<varray name="stress" >', '<varray name="strain" >'), "error", "stress of shape"),
        (edit('<varray name="forces" >', '<varray name="force" >'), "error", "forces of shape"),
        (edit('"LNONCOLLINEAR"> F', '"LNONCOLLINEAR"> T'), "error", "non-collinear"),
        (edit("<c>W </c>", "<c>Mo</c>"), "error", "other species"),
        (
            edit("</calculation>", "</calculation><calculation><energy></energy></calculation>"),
            "error",
            "2 ionic",
        ),
        (edit("500.00000000", "400.00000000"), "error", "not of this INCAR: ENCUT 500.0 / 400.0"),
        (edit("2.50000000", "5.00000000"), "error", "not of this INCAR: MAGMOM"),
    ],
)
def test_faulty_files(case: Case, change: Callable[[str], str], reason: str, words: str) -> None:
    case.write(change(case.xml()))
    assert fails(case, words) == reason


def test_energy_that_overflows(case: Case) -> None:
    text = case.xml()
    case.write(text.replace(f"{ENERGY:16.8f}", "*" * 16))
    assert fails(case, "energy") == "not finite"


def test_every_cut_is_noticed(case: Case) -> None:
    text = case.xml(steps=2)
    for end in [*range(0, len(text.rstrip()) - 1, 97), len(text.rstrip()) - 1]:
        case.write(text[:end])
        assert fails(case, ".") == "error"


def test_another_structure_is_noticed(case: Case) -> None:
    true = case.job.atoms.copy()
    for move in (np.eye(3)[0] * 1e-3, np.eye(3)[2] * 0.3):
        case.job.atoms.positions[1] += move
        text = case.xml()
        case.job.atoms.positions = true.positions
        case.write(text)
        assert fails(case, "another structure") == "error"
    case.job.atoms.set_cell(true.cell.array * 1.001, scale_atoms=True)
    text = case.xml()
    case.job.atoms.set_cell(true.cell.array, scale_atoms=True)
    case.write(text)
    assert fails(case, "another structure") == "error"
    case.job.atoms.positions = true.positions + true.cell.array[1]  # a whole vector is no difference
    case.write(case.xml())
    case.job.atoms.positions = true.positions
    case.read()


def test_small_numbers_of_the_incar(tmp_path: Path) -> None:
    """vasprun.xml says 0.00000000 of an EDIFF of 1e-9."""
    job = write_job(VaspConfig(incar={"EDIFF": 1e-9}), tmp_path, atoms(), need_potcar=False)
    small = Case(tmp_path, job, Result(ENERGY, np.zeros((4, 3)), np.eye(3)))
    small.write(small.xml())
    assert "0.00000000</i>" in small.xml() and small.read().energy == pytest.approx(ENERGY)
    (tmp_path / "INCAR").write_text(job.files["INCAR"].replace("1e-09", "1e-08"))
    assert mended(tmp_path, job) == {"EDIFF": (1e-9, 1e-8)}


def test_no_file(case: Case) -> None:
    assert fails(case, "no vasprun.xml") == "error"


def test_changes_of_the_incar_are_seen(case: Case) -> None:
    assert mended(case.folder, case.job) == {}
    text = (case.folder / "INCAR").read_text()
    (case.folder / "INCAR").write_text(text.replace("SIGMA = 0.100000", "SIGMA = 0.05") + "ALGO = All\n")
    assert mended(case.folder, case.job) == {"SIGMA": (0.1, 0.05), "ALGO": (None, "All")}
