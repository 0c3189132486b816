"""From vasprun.xml and OUTCAR to a Label.

Energy: E(sigma -> 0), extrapolated from the paper's smearing (0.1 eV), so comparable between smearings and
with the energies of other PBE sets. Forces and stress are derivatives of the free energy F, which is kept in
``extra['free_energy_eV']``.
"""

from __future__ import annotations

import gzip
import re
import warnings
from pathlib import Path
from typing import Any

import ase
import numpy as np
from ase.units import GPa

from pysmax.dataset.record import Array, Label
from pysmax.label.engine import EngineFailure, failing_as
from pysmax.label.engines.vasp.incar import changes, same
from pysmax.label.engines.vasp.inputs import Job

DECIMALS = 1e-8  # vasprun.xml has INCAR's numbers to 8 decimals
MATCH = 1e-5  # A: vasprun.xml has 8 decimals of fractional coordinates
VOIGT = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))
_MOMENTS = re.compile(r"magnetization \(x\)\s*\n# of ion.*\n *-+ *\n((?: *\d+(?: +[-\d.*]+)+ *\n)+)")
KBAR = 0.1 * GPa  # in eV/A^3


def read_label(folder: Path, job: Job) -> Label:
    """The label in a job folder, atoms in the order of the structure; raises EngineFailure."""
    run = read_vasprun(folder)
    outcar = read_optional(folder, "OUTCAR")
    check_run(run, folder, job, outcar)
    step = run.ionic_steps[-1]
    n = len(job.atoms)
    forces = np.empty((n, 3))
    forces[job.order] = _array(step, "forces", (n, 3))
    stress = voigt_stress(_array(step, "stress", (3, 3))) if job.atoms.pbc.all() else None
    moments = magmoms(outcar, n)
    if moments is not None:
        moments = moments[np.argsort(job.order)]
    return Label(float(run.final_energy), forces, stress, moments, _extra(run, job, outcar))


def read_vasprun(folder: Path) -> Any:
    """pymatgen's Vasprun; EngineFailure('error') if there is none or it is not whole."""
    from pymatgen.io.vasp.outputs import Vasprun

    path = find(folder, "vasprun.xml")
    if path is None:
        raise EngineFailure("error", "no vasprun.xml was written")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = Vasprun(path, parse_dos=False, parse_eigen=False, parse_potcar_file=False)
            _ = run.parameters, run.final_structure  # missing where the header is not whole
    except Exception as e:  # a broken file makes the reader fail in many ways
        raise EngineFailure("error", f"vasprun.xml is not whole: {type(e).__name__}: {e}"[:500]) from e
    return run


def check_run(run: Any, folder: Path, job: Job, outcar: str) -> None:
    """Raise EngineFailure unless the run is of these inputs, collinear, a single point, and converged."""
    if len(run.ionic_steps) != 1:
        raise EngineFailure("error", f"vasprun.xml has {len(run.ionic_steps)} ionic steps, expected 1")
    if run.parameters.get("LNONCOLLINEAR") or run.parameters.get("LSORBIT"):
        raise EngineFailure("error", "a non-collinear run, labels are collinear")
    _check_structure(run.final_structure, job.atoms)
    differ = _other_inputs(run.incar, read_optional(folder, "INCAR"))
    if differ:
        raise EngineFailure("error", f"vasprun.xml is not of this INCAR: {differ}")
    check_convergence(run, outcar)


def check_convergence(run: Any, outcar: str) -> None:
    """EngineFailure('scf') if the SCF did not reach EDIFF.

    OUTCAR says so; without it, NELM steps count as not converged.
    """
    steps, most = len(run.ionic_steps[-1]["electronic_steps"]), run.parameters.get("NELM")
    if steps == 0 or most is None:
        raise EngineFailure("error", "vasprun.xml has no electronic steps")
    reached = "aborting loop because EDIFF is reached" in outcar
    missed = "EDIFF was not reached" in outcar or "soft stop encountered" in outcar
    if missed or (steps >= most and not reached):
        raise EngineFailure("scf", f"no self-consistency in {steps} steps (NELM {most})")


def voigt_stress(stress_kB: Array) -> Array:
    """[3, 3] of VASP, kB and positive under compression -> [6] of ASE, eV/A^3 and negative."""
    symmetric = 0.5 * (stress_kB + stress_kB.T)
    result: Array = -KBAR * symmetric[VOIGT]
    return result


def magmoms(outcar: str, n: int) -> Array | None:
    """[n] Bohr magnetons, of the last table 'magnetization (x)' of OUTCAR; None if there is none.

    VASP writes it where LORBIT is 10 or more. Not by pymatgen's Outcar, which reads on after the table of a
    single atom, as that has no sum below it.
    """
    if "magnetization (y)" in outcar:
        raise EngineFailure("error", "OUTCAR is of a non-collinear run, labels are collinear")
    if "magnetization (x)" not in outcar:
        return None
    table = _MOMENTS.match(outcar, outcar.rindex("magnetization (x)"))
    last = [row.split()[-1] for row in table[1].splitlines()] if table else []
    if len(last) != n:
        raise EngineFailure("error", f"OUTCAR has magnetic moments of {len(last)} atoms, expected {n}")
    with failing_as("not finite", ValueError):  # '******'
        return np.array([float(word) for word in last])


def mended(folder: Path, job: Job) -> dict[str, tuple[Any, Any]]:
    """INCAR tags that differ now from what was written -> (before, after)."""
    from pymatgen.io.vasp.inputs import Incar

    with failing_as("error", ValueError, KeyError, IndexError, TypeError):
        now = Incar.from_str(read_optional(folder, "INCAR"))
        return changes(Incar.from_str(job.files["INCAR"]), now)


def find(folder: Path, name: str) -> Path | None:
    """The file or its .gz."""
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def read_optional(folder: Path, name: str) -> str:
    """Text of a file or of its .gz, empty if there is none; bytes that are no text are replaced."""
    path = find(folder, name)
    if path is None:
        return ""
    with failing_as("error", OSError, EOFError):
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode(errors="replace")


def _check_structure(found: Any, atoms: ase.Atoms) -> None:
    """The cell and the atoms that VASP has computed are those of POSCAR."""
    if [site.specie.symbol for site in found] != list(atoms.symbols):
        raise EngineFailure("error", "vasprun.xml is of other species than POSCAR")
    cell = np.asarray(found.lattice.matrix)
    shift = found.frac_coords - np.linalg.solve(atoms.cell.array.T, atoms.positions.T).T
    off = (shift - np.rint(shift)) @ atoms.cell.array
    if not (np.abs(cell - atoms.cell.array).max() < MATCH and np.abs(off).max() < MATCH):
        raise EngineFailure("error", "vasprun.xml is of another structure than POSCAR")


def _other_inputs(used: Any, text: str) -> str:
    """Tags that VASP says it has read otherwise than INCAR has them; it leaves out some."""
    from pymatgen.io.vasp.inputs import Incar

    with failing_as("error", ValueError, KeyError, IndexError, TypeError):
        written = Incar.from_str(text)
    differ = [name for name in written if name in used and not same(written[name], used[name], DECIMALS)]
    return ", ".join(f"{name} {written[name]} / {used[name]}" for name in differ)


def _array(step: Any, name: str, shape: tuple[int, ...]) -> Array:
    """An array of the ionic step; VASP's '******' is NaN in it."""
    array = np.asarray(step.get(name, []), dtype=np.float64)
    if array.shape != shape:
        raise EngineFailure("error", f"vasprun.xml has {name} of shape {array.shape}, expected {shape}")
    return array


def _extra(run: Any, job: Job, outcar: str) -> dict[str, Any]:
    """Scalars worth keeping; what overflowed in the file is left out."""
    step = run.ionic_steps[-1]
    extra: dict[str, Any] = {
        "vasp_version": str(run.vasp_version).strip(),
        "scf_steps": len(step["electronic_steps"]),
        "potcars": "; ".join(
            f"{p['titel']} sha256:{p['sha256'][:16]}" for p in job.description["potentials"]
        ),
    }
    free = float(step.get("e_fr_energy", np.nan))
    if np.isfinite(free):
        extra["free_energy_eV"] = free
    total = re.findall(r"number of electron\s+\S+\s+magnetization\s+(-?[\d.]+)\s*$", outcar, re.MULTILINE)
    if total:
        extra["total_magmom_muB"] = float(total[-1])
    return extra
