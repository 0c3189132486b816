"""Energies of study ``deformation`` on its grid: from a run, or from labelled structures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import ase
import numpy as np

from pysmax.analysis.rendered import Rendered
from pysmax.errors import SmaxError
from pysmax.files import read_text
from pysmax.moments import Array
from pysmax.studies.deformation import POINTS, DeformationParameters, grid, ratio_of, volume_of

BAR_A3_PER_EV = 1.6021765e6  # LAMMPS's own, units metal
TOLERANCE = 1e-4  # relative, of volume and scaling: the same point
COLUMNS = ("number", "V/V0", "s", "pe", "vol", "pxx", "pyy", "pzz", "pyz", "pxz", "pxy")


@dataclass(frozen=True)
class EnergyMap:
    """``volumes`` [nv] A^3 of an atom and ``scalings`` [ns], rising; energy [nv, ns] eV of an atom, nan where
    there is none; stress [nv, ns, 6] eV/A^3, ASE's sign, xx yy zz yz xz xy; ``missing``: points without.
    """

    name: str
    volumes: Array
    scalings: Array
    energy: Array
    stress: Array
    missing: list[str] = field(default_factory=list)

    def point(self, i: int, j: int) -> str:
        return f"{self.volumes[i]:.3f} A^3, s = {self.scalings[j]:.3f}"


def from_run(run: Rendered, partial: bool = False) -> EnergyMap:
    """All points that have run. SmaxError for a damaged one, and unless ``partial`` for a missing one."""
    p = run.parameters
    assert isinstance(p, DeformationParameters)
    crystal = crystal_of(run)
    result = _empty(run, crystal)
    for k in range(p.n_volume * p.n_scaling):
        i, j = divmod(k, p.n_scaling)
        path = run.folder / POINTS / f"{k + 1:06d}.txt"
        if not path.exists():
            result.missing.append(result.point(i, j))
            continue
        values = _point(path, k + 1, float(p.volumes()[i]), float(p.scalings()[j]))
        result.energy[i, j] = values["pe"] / len(crystal)
        pressure = np.array([values[f"p{c}"] for c in ("xx", "yy", "zz", "yz", "xz", "xy")])
        result.stress[i, j] = _turned(-pressure / BAR_A3_PER_EV, crystal)
    n = result.energy.size
    if len(result.missing) == n or (result.missing and not partial):
        raise SmaxError(
            f"{run.folder / POINTS}: {len(result.missing)} of {n} points are missing, the first "
            f"{result.missing[0]}: run lmp -in in.deformation (again), or --set partial=true"
        )
    return result


def from_labels(path: Path, run: Rendered) -> EnergyMap:
    """Labelled structures (extended XYZ, dataset, ...) on the grid of a run; the cell says which point it is.

    SmaxError if none is on the grid, one has other elements, or two energies of a point disagree.
    """
    crystal = crystal_of(run)
    result = _empty(run, crystal, path.name)
    fractions = _fractions(crystal)
    labelled = 0
    for n, atoms, total, stress in _labels(path):
        labelled += 1
        if _fractions(atoms) != fractions:
            raise SmaxError(
                f"{path}, structure {n}: is {atoms.symbols}, expected {crystal.symbols} as in the run"
            )
        where = _place(result, volume_of(atoms), ratio_of(atoms) / ratio_of(crystal))
        if where is None or len(atoms) != len(crystal):
            continue
        energy, known = total / len(atoms), result.energy[where]
        if abs(known - energy) > 1e-6:  # not so if none is known
            raise SmaxError(
                f"{path}: has {known:.6f} and {energy:.6f} eV/atom for {result.point(*where)}, "
                "expected labels of one level"
            )
        result.energy[where] = energy
        if stress is not None:
            result.stress[where] = stress
    if np.isnan(result.energy).all():
        raise SmaxError(
            f"{path}: none of {labelled} labelled structures is on the grid of {run.folder}, "
            "expected those of its grid.extxyz"
        )
    result.missing.extend(result.point(int(i), int(j)) for i, j in np.argwhere(np.isnan(result.energy)))
    return result


def _labels(path: Path) -> Iterator[tuple[int, ase.Atoms, float, Array | None]]:
    """Number, structure, energy (eV), stress of what has an energy; forces are not asked for."""
    from pysmax.dataset import formats
    from pysmax.dataset.convert import Source
    from pysmax.dataset.formats import extxyz

    if formats.guess(path) == "extxyz":
        for n, atoms in enumerate(extxyz.frames(path)):
            results = atoms.calc.results if atoms.calc is not None else {}
            if "energy" in results:
                yield n, atoms, float(results["energy"]), results.get("stress")
        return
    for n, record in enumerate(Source.of(path).records()):
        if record.label is not None:
            yield n, record.atoms, record.label.energy, record.label.stress


def reference(path: Path, run: Rendered) -> EnergyMap:
    """On the grid of ``run``: another run with points of it, or labelled structures."""
    from pysmax.analysis.rendered import open_study
    from pysmax.studies.render import NOTE

    if not path.exists():
        raise SmaxError(f"{path}: not there, expected a run of deformation, or labelled structures")
    if not (path / NOTE).exists():
        return from_labels(path, run)
    other = from_run(open_study(path, "deformation"), partial=True)
    ours, theirs = crystal_of(run), crystal_of(open_study(path))
    if sorted(ours.symbols) != sorted(theirs.symbols):
        raise SmaxError(f"{path}: is of {theirs.symbols}, expected {ours.symbols} as in {run.folder}")
    result = _empty(run, ours, other.name)
    scalings = other.scalings * ratio_of(theirs) / ratio_of(ours)  # each run's are over its own crystal's c/a
    for i, v in enumerate(other.volumes):
        for j, s in enumerate(scalings):
            if (where := _place(result, float(v), float(s))) is not None:
                result.energy[where] = other.energy[i, j]
                result.stress[where] = other.stress[i, j]
    if np.isnan(result.energy).all():
        raise SmaxError(f"{path}: has no point of the grid of {run.folder}")
    result.missing.extend(result.point(int(i), int(j)) for i, j in np.argwhere(np.isnan(result.energy)))
    return result


def structures(energies: EnergyMap, run: Rendered) -> list[ase.Atoms]:
    """The points with energy and stress, in the crystal's own axes."""
    from ase.calculators.singlepoint import SinglePointCalculator

    p = run.parameters
    assert isinstance(p, DeformationParameters)
    result = []
    for k, atoms in enumerate(grid(crystal_of(run), p)):
        where = divmod(k, p.n_scaling)
        if np.isnan(energies.energy[where]):
            continue
        atoms.calc = SinglePointCalculator(  # type: ignore[no-untyped-call]
            atoms, energy=float(energies.energy[where] * len(atoms)), stress=energies.stress[where]
        )
        result.append(atoms)
    return result


def crystal_of(run: Rendered) -> ase.Atoms:
    """Undeformed, from the first structure of ``grid.extxyz``: the run needs nothing outside its folder."""
    import ase.io

    p = run.parameters
    assert isinstance(p, DeformationParameters)
    path = run.folder / "grid.extxyz"
    try:
        first = ase.io.read(path, index=0, format="extxyz")
    except Exception as e:  # the readers of ASE raise what they like
        raise SmaxError(f"{path}: ASE cannot read it: {e or type(e).__name__}") from None
    assert isinstance(first, ase.Atoms)
    v, s = p.volume[0], p.scaling[0]
    across = v ** (1 / 3) * s ** (-1 / 3)
    cell = first.cell.array / [across, across, v ** (1 / 3) * s ** (2 / 3)]
    first.set_cell(cell, scale_atoms=True)  # type: ignore[no-untyped-call]
    first.info = {}
    return first


def _empty(run: Rendered, crystal: ase.Atoms, name: str = "") -> EnergyMap:
    p = run.parameters
    assert isinstance(p, DeformationParameters)
    shape = (p.n_volume, p.n_scaling)
    volumes = p.volumes() * volume_of(crystal)
    return EnergyMap(
        name or run.potential, volumes, p.scalings(), np.full(shape, np.nan), np.full((*shape, 6), np.nan)
    )


def _point(path: Path, number: int, volume: float, scaling: float) -> dict[str, float]:
    words = read_text(path).split()
    try:
        values = dict(zip(COLUMNS, map(float, words), strict=True))
    except ValueError:
        raise SmaxError(f"{path}: found '{' '.join(words)[:60]}', expected {' '.join(COLUMNS)}") from None
    if not all(map(math.isfinite, values.values())):
        raise SmaxError(f"{path}: holds a number that is not finite: the potential fails there")
    found, wanted = (values["number"], values["V/V0"], values["s"]), (number, volume, scaling)
    if not np.allclose(found, wanted, rtol=1e-9):
        raise SmaxError(f"{path}: is of point {found}, expected {wanted}: of another grid?")
    return values


def _turned(stress: Array, crystal: ase.Atoms) -> Array:
    """From LAMMPS's box, where a lies along x, to the crystal's axes."""
    angle = math.atan2(crystal.cell[0, 1], crystal.cell[0, 0])
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    xx, yy, zz, yz, xz, xy = stress
    full = turn @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ turn.T
    result: Array = full[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return result


def _fractions(atoms: ase.Atoms) -> dict[str, float]:
    symbols = list(atoms.symbols)
    return {e: round(symbols.count(e) / len(symbols), 9) for e in sorted(set(symbols))}


def _place(energies: EnergyMap, volume: float, scaling: float) -> tuple[int, int] | None:
    i = int(np.abs(energies.volumes - volume).argmin())
    j = int(np.abs(energies.scalings - scaling).argmin())
    near = abs(energies.volumes[i] - volume) <= TOLERANCE * volume
    return (i, j) if near and abs(energies.scalings[j] - scaling) <= TOLERANCE * scaling else None
