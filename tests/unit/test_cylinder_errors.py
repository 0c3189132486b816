"""Errors of labelled cylinders, as in Table 10, from known differences."""

from __future__ import annotations

from pathlib import Path

import ase
import ase.build
import numpy as np
import pytest

from pysmax.analysis.cylinder_errors import cylinder_errors
from pysmax.analysis.cylinders import cut
from pysmax.analysis.quench_options import QuenchOptions
from pysmax.dataset.record import Label, Level, Record
from pysmax.dataset.store import Dataset
from pysmax.errors import SmaxError
from pysmax.settings import checked

DFT, MODEL = Level("vasp", "6", {"xc": "PBE"}), Level("ase", "1", {"model": "x"})


def cylinder() -> ase.Atoms:
    atoms = ase.build.bulk("Po", "sc", a=2.5, cubic=True) * (10, 10, 2)
    return cut(atoms.positions, np.array(atoms.symbols), atoms.cell.array, centre=5)


def labelled(
    atoms: ase.Atoms, level: Level, energy: float, forces: np.ndarray, bulk_radius: float = 1.0
) -> Record:
    label = Label(energy=energy, forces=forces, stress=np.zeros(6))
    return Record(atoms, "test", {"bulk_radius_A": bulk_radius}, level, label)


def write(path: Path, *records: Record) -> Path:
    with Dataset.create(path).writer() as w:
        for record in records:
            w.add(record)
    return path


def test_errors_in_the_middle_and_all_over(tmp_path: Path) -> None:
    """Forces off by 1 eV/A in the middle and 3 eV/A elsewhere, the energy by 0.2 eV/atom."""
    atoms = cylinder()
    bulk, n = atoms.arrays["bulk"], len(atoms)
    forces = np.random.default_rng(2).normal(size=(n, 3))
    off = np.where(bulk[:, None], 1.0, -3.0)
    dft = write(tmp_path / "dft", labelled(atoms, DFT, -1.0, forces))
    model = write(tmp_path / "model", labelled(atoms, MODEL, -1.0 - 0.2 * n, forces + off))
    (row,) = cylinder_errors(dft, [model]).rows
    assert bulk.sum() == 2 and n > 20 and row[:2] == ["model", 1]
    assert row[2:] == pytest.approx([200.0, 1000 * (2 * 1 + (n - 2) * 3) / n, 1000.0])


def test_cylinders_without_bulk_have_no_error_of_it(tmp_path: Path) -> None:
    atoms = cylinder()
    forces = np.zeros((len(atoms), 3))
    dft = write(tmp_path / "dft", labelled(atoms, DFT, -1.0, forces, 0.0))
    model = write(tmp_path / "model", labelled(atoms, MODEL, -1.0, forces + 1, 0.0))
    (row,) = cylinder_errors(dft, [model]).rows
    assert row[3:] == [pytest.approx(1000.0), None]


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    atoms = cylinder()
    forces = np.zeros((len(atoms), 3))
    dft = write(tmp_path / "dft", labelled(atoms, DFT, -1.0, forces))
    other = write(tmp_path / "other", labelled(atoms[1:], MODEL, -1.0, forces[1:]))
    with pytest.raises(SmaxError, match=r"no labelled cylinder that .*dft has"):
        cylinder_errors(dft, [other])
    both = write(tmp_path / "two", labelled(atoms, DFT, -1.0, forces), labelled(atoms, MODEL, -1.0, forces))
    with pytest.raises(SmaxError, match="labelled at 2 levels, expected one"):
        cylinder_errors(dft, [both])
    with pytest.raises(SmaxError, match=r"labels: .*expected the dataset of the reference and at least one"):
        checked(QuenchOptions, {"labels": ["dft"]}, "option")
