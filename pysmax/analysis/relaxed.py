"""Results of study ``relax``, one structure at a time, back in the structure's own axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ase
import numpy as np

from pysmax.analysis.energy_map import BAR_A3_PER_EV
from pysmax.analysis.rendered import Rendered
from pysmax.errors import SmaxError
from pysmax.files import read_text
from pysmax.moments import Array
from pysmax.studies.relax import INPUT, LOGS, RESULTS, TRIED, RelaxParameters, read_structures
from pysmax.studies.relax_box import Placed

VALUES = "relaxed atoms step start pe fmax smax pxx pyy pzz pyz pxz pxy".split()
COLUMNS = "id type x y z ix iy iz fx fy fz".split()
CONVERGED, OUT_OF_STEPS, FAILED, MISSING = "converged", "not converged", "failed", "missing"


@dataclass(frozen=True)
class Result:
    """``atoms``: as LAMMPS left it, with energy, forces and (if periodic) stress as ASE has them; as it was
    given where it has failed or is missing. Energies in eV of the cell, force in eV/A, stress in GPa.
    """

    number: int
    given: ase.Atoms
    atoms: ase.Atoms
    status: str
    reason: str = ""
    steps: int = 0
    start: float = float("nan")
    energy: float = float("nan")
    force: float = float("nan")
    stress: float = float("nan")

    @property
    def volume_ratio(self) -> float:
        """Volume over that of the start; nan where there is none."""
        volumes = [abs(float(np.linalg.det(a.cell.array))) for a in (self.given, self.atoms)]
        return volumes[1] / volumes[0] if volumes[0] > 0 and self.given.pbc.all() else float("nan")


def results(run: Rendered) -> Iterator[Result]:
    """Of every structure, in the order of the input. SmaxError for a damaged file."""
    p = run.parameters
    assert isinstance(p, RelaxParameters)
    frames = read_structures(read_text(run.folder / INPUT), INPUT)
    if len(frames) != (n := run.facts.get("items")):
        raise SmaxError(f"{run.folder / INPUT}: has {len(frames)} structures, expected the {n} of the run")
    for n, atoms in enumerate(frames, 1):
        yield _result(run, p, n, atoms)


def _result(run: Rendered, p: RelaxParameters, n: int, atoms: ase.Atoms) -> Result:
    path = run.folder / RESULTS / f"{n:06d}.txt"
    if not path.exists():
        reason = _stopped(run.folder, n, p.tries)
        return Result(n, atoms, atoms, FAILED if reason else MISSING, reason)
    text = read_text(path)
    if text.startswith("failed: "):
        return Result(n, atoms, atoms, FAILED, text.removeprefix("failed: ").strip())
    lines = text.splitlines()
    placed = Placed.of(atoms, p.vacuum_A)
    try:
        values = dict(zip(VALUES, map(float, lines[-1].split()), strict=True))
        if int(values["atoms"]) != len(atoms):
            return Result(
                n, atoms, atoms, FAILED, f"lost {len(atoms) - int(values['atoms'])} of {len(atoms)} atoms"
            )
        moved, forces = _moved(run, path, lines[:-1], placed)
    except (ValueError, IndexError):
        raise SmaxError(f"{path}: damaged, expected what in.relax writes: remove it and run again") from None
    if not np.isfinite([*values.values()]).all() or not np.isfinite(forces).all():
        return Result(n, atoms, atoms, FAILED, "forces or stress are not finite")
    pressure = np.array([values[k] for k in ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")])
    _label(
        moved,
        values["pe"],
        placed.box.vectors_back(forces),
        placed.box.stress_back(-pressure / BAR_A3_PER_EV),
    )
    converged = p.mode == "single" or values["relaxed"] == 1
    return Result(
        n, atoms, moved, CONVERGED if converged else OUT_OF_STEPS, "", int(values["step"]), values["start"],
        values["pe"], values["fmax"], values["smax"] / 1e4,
    )  # fmt: skip


def _moved(run: Rendered, path: Path, lines: list[str], placed: Placed) -> tuple[ase.Atoms, Array]:
    """The structure and the forces in LAMMPS's axes, from the lines of a dump. ValueError if it is none."""
    n = len(placed.atoms)
    if not lines[4].startswith("ITEM: BOX BOUNDS xy xz yz") or lines[8].split()[2:] != COLUMNS:
        raise ValueError
    (xlo, xhi, xy), (ylo, yhi, xz), (zlo, zhi, yz) = (map(float, line.split()) for line in lines[5:8])
    xs, ys = (0.0, xy, xz, xy + xz), (0.0, yz)
    corner = np.array([xlo - min(xs), ylo - min(ys), zlo])
    cell = np.array(
        [[xhi - max(xs) - corner[0], 0, 0], [xy, yhi - max(ys) - corner[1], 0], [xz, yz, zhi - zlo]]
    )
    table = np.array([[float(w) for w in line.split()] for line in lines[9:]])
    if table.shape != (n, len(COLUMNS)) or (table[:, 0] != np.arange(1, n + 1)).any():
        raise ValueError
    symbols = [run.elements[int(t) - 1] for t in table[:, 1]]
    if symbols != list(placed.atoms.symbols):
        raise SmaxError(
            f"{path}: has {' '.join(symbols[:8])} ..., expected {placed.atoms.symbols} as in {INPUT}"
        )
    return placed.back(cell, table[:, 2:5] - corner, table[:, 5:8]), table[:, 8:11]


def _label(atoms: ase.Atoms, energy: float, forces: Array, stress: Array) -> None:
    from ase.calculators.singlepoint import SinglePointCalculator

    found = {"energy": energy, "forces": forces} | ({"stress": stress} if atoms.pbc.all() else {})
    atoms.calc = SinglePointCalculator(atoms, **found)  # type: ignore[no-untyped-call]


def _stopped(folder: Path, n: int, tries: int) -> str:
    """Why there is no result and will be none; empty if the next run tries again."""
    tried, log = folder / TRIED / f"{n:06d}.txt", folder / LOGS / f"{n:06d}.log"
    if not tried.exists():
        return ""
    text = log.read_text(errors="replace") if log.exists() else ""
    errors = [line for line in text.splitlines() if line.startswith("ERROR")]
    if errors:
        return f"LAMMPS stopped: {errors[0]}"
    return (
        f"LAMMPS ended {tries} times in it without a word" if read_text(tried).strip() == str(tries) else ""
    )


def with_provenance(result: Result, mode: str) -> ase.Atoms:
    """For the file of results: info and arrays as given, and what became of it.

    Energy, forces and stress that were given are kept as ``given_energy`` and so on.
    """
    from ase.io.extxyz import per_atom_properties

    atoms: ase.Atoms = result.atoms.copy()  # type: ignore[no-untyped-call]
    given = result.given.calc.results if result.given.calc is not None else {}
    for key, value in given.items():
        (atoms.arrays if key in per_atom_properties else atoms.info)[f"given_{key}"] = value
    if result.atoms is not result.given:
        atoms.calc = result.atoms.calc
        atoms.info |= {"relax_start_energy": result.start, "relax_steps": result.steps}
    atoms.info |= {"relax_mode": mode, "relax_converged": result.status == CONVERGED}
    if result.status != CONVERGED:
        atoms.info["relax_reason"] = result.reason.replace('"', "'") or result.status
    return atoms
