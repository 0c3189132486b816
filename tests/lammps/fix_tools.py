"""Cells, LAMMPS inputs and independent oracles for the tests of fix entropy."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ase
import numpy as np
import numpy.typing as npt
from ase.data import chemical_symbols
from ase.neighborlist import neighbor_list
from conftest import Finished, lmp_command, run_program

# With more ranks than cores a rank that waits must not spin: four on two cores are then 4 times as fast.
os.environ.setdefault("MPIR_CVAR_CH4_PROGRESS_THROTTLE", "1")
os.environ.setdefault("MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT", "64")

Array = npt.NDArray[np.float64]
DESCRIPTOR = {"twojmax": 8, "rfac0": 0.99363, "rmin0": 0.0, "bzeroflag": 1, "switchflag": 1}
RCUTFAC = 3.0
EPS = 1e-6
HEAD = "units metal\nboundary p p p\n"
PRECISE = "thermo_modify format float %.17g norm no\n"
MODES = ["atom", "config"]
OUTPUT = (
    "thermo_style custom step f_e f_e[1] f_e[2] f_e[3] f_e[4] f_e[5] f_e[6] pe etotal vol"
    " pxx pyy pzz pxy pxz pyz fmax ke\n" + PRECISE
)
BAR_A3_PER_EV = 1.6021765e6  # LAMMPS metal units


@dataclass(frozen=True)
class Cell:
    """A periodic configuration in LAMMPS's frame. Angstrom."""

    h: Array  # [3, 3] rows a = (lx, 0, 0), b = (xy, ly, 0), c = (xz, yz, lz)
    x: Array  # [n, 3]
    z: npt.NDArray[np.int64]  # [n] atomic numbers
    r: Array  # [n] effective radii

    def __len__(self) -> int:
        return len(self.z)

    @property
    def atoms(self) -> ase.Atoms:
        """With the radii as array r_eff."""
        out = ase.Atoms(self.z, positions=self.x, cell=self.h, pbc=True)
        out.new_array("r_eff", self.r)
        return out

    def rotated(self, rng: np.random.Generator) -> ase.Atoms:
        """The same crystal, turned, and described by a basis that is neither reduced nor right-handed."""
        q, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        change = np.array([[1, 2, 0], [0, 1, -1], [1, 2, -1]])  # det -1
        out = self.atoms
        out.set_cell(change @ self.h @ q)
        out.set_positions(self.x @ q)
        return out


def random_cell(
    rng: np.random.Generator,
    natoms: int,
    radii: tuple[float, float] = (0.5, 1.5),
    volume: tuple[float, float] = (1.0, 3.5),
) -> Cell:
    """Uniform positions in a random triclinic cell; volume per atom over the mean sphere."""
    r = rng.uniform(*radii, natoms)
    edges = rng.uniform(1.0, 2.0, 3)
    h = np.diag(edges)
    h[1, 0], h[2, 0] = rng.uniform(-0.5, 0.5, 2) * edges[0]
    h[2, 1] = rng.uniform(-0.5, 0.5) * edges[1]
    total = np.sum(4.0 / 3.0 * np.pi * r**3) * rng.uniform(*volume)
    h *= (total / np.prod(edges)) ** (1 / 3)
    return Cell(h, rng.random((natoms, 3)) @ h, rng.integers(1, 97, natoms), r)


def spaced_cell(rng: np.random.Generator, natoms: int, ratio: float = 0.6, **more: Any) -> Cell:
    """As random_cell(), but no pair, images included, closer than ratio (r_i + r_j)."""
    cell = random_cell(rng, natoms, **more)
    fractional = np.empty((0, 3))
    for _ in range(100000):
        trial = np.vstack([fractional, rng.random(3)])
        part = replace(cell, x=trial @ cell.h, z=cell.z[: len(trial)], r=cell.r[: len(trial)])
        if smallest_ratio(part) > ratio:
            fractional = trial
        if len(fractional) == natoms:
            return part
    raise AssertionError("cell too crowded for the ratio asked")


# ---- LAMMPS inputs -------------------------------------------------------------------------------


def data_text(cell: Cell, types: Sequence[int] | None = None, ntypes: int = 0) -> str:
    """LAMMPS data file, at full precision; default: one type per atom."""
    types = range(1, len(cell) + 1) if types is None else types
    h = cell.h
    lines = ["cell\n", f"{len(cell)} atoms", f"{ntypes or len(cell)} atom types"]
    lines += [f"0 {h[k, k]:.17g} {a}lo {a}hi" for k, a in enumerate("xyz")]
    lines += [f"{h[1, 0]:.17g} {h[2, 0]:.17g} {h[2, 1]:.17g} xy xz yz\n", "Atoms # atomic\n"]
    for i, (t, x) in enumerate(zip(types, cell.x, strict=True), 1):
        lines.append(f"{i} {t} {x[0]:.17g} {x[1]:.17g} {x[2]:.17g}")
    return "\n".join(lines) + "\n"


def symbols(cell: Cell) -> str:
    """Chemical symbols, in the order of the atoms."""
    return " ".join(chemical_symbols[z] for z in cell.z)


def write_frames(path: Path, frames: Sequence[ase.Atoms]) -> None:
    """Extended XYZ at full precision (ASE's own writer keeps 8 decimals); r_eff where the frames have it."""
    text = ""
    for atoms in frames:
        columns = [atoms.positions] + [atoms.arrays[k][:, None] for k in ("r_eff",) if atoms.has(k)]
        cell = f'Lattice="{numbers(atoms.cell.array.ravel())}" ' if atoms.cell.rank else ""
        radius = ":r_eff:R:1" if atoms.has("r_eff") else ""
        pbc = " ".join("FT"[int(p)] for p in atoms.pbc)
        text += f'{len(atoms)}\n{cell}Properties=species:S:1:pos:R:3{radius} pbc="{pbc}"\n'
        rows = zip(atoms.get_chemical_symbols(), np.hstack(columns), strict=True)
        text += "".join(f"{name} {numbers(row)}\n" for name, row in rows)
    path.write_text(text)


def numbers(values: Sequence[float] | Array) -> str:
    """Full precision, blank between."""
    return " ".join(f"{v:.17g}" for v in values)


def keywords(options: Mapping[str, object]) -> str:
    """``key value key value``."""
    return " ".join(f"{k} {v}" for k, v in options.items())


def system(cell: Cell, name: str, folder: Path, options: str = "", mass: float = 1.0) -> str:
    """Reads the cell, one type per atom, and defines ``fix e all entropy``."""
    (folder / name).write_text(data_text(cell))
    return (
        f"{HEAD}read_data {name}\nmass * {mass}\n"
        f"fix e all entropy elements {symbols(cell)} radii {numbers(cell.r)} {options}\n"
    )


def dump(name: str, columns: str, every: int = 1) -> str:
    """A text dump at full precision, atoms by ID."""
    return (
        f"dump {name} all custom {every} {name}.dump id {columns}\n"
        f"dump_modify {name} sort id format float %.17g\n"
    )


def read_dump(path: Path) -> list[dict[str, Array]]:
    """Frames of a dump: column -> values; 'f_e' and 'c_s' hold all their columns [n, k]."""
    lines = path.read_text().splitlines()
    frames, at = [], 0
    while at < len(lines):
        natoms = int(lines[at + 3])
        names = lines[at + 8].split()[2:]
        table = np.array([line.split() for line in lines[at + 9 : at + 9 + natoms]], dtype=float)
        table = table.reshape(natoms, len(names))
        frame = {name: table[:, k] for k, name in enumerate(names)}
        for stem in {name.split("[")[0] for name in names if "[" in name}:
            frame[stem] = table[:, [k for k, name in enumerate(names) if name.startswith(f"{stem}[")]]
        frames.append(frame)
        at += 9 + natoms
    return frames


def forces(frame: Mapping[str, Array]) -> Array:
    """[n, 3] of a dumped frame."""
    return np.stack([frame["fx"], frame["fy"], frame["fz"]], axis=1)


def thermo(log: str) -> list[dict[str, float]]:
    """Rows of all thermo tables of a log."""
    rows, names = [], []
    for line in log.splitlines():
        words = line.split()
        if words[:1] == ["Step"]:
            names = words
        elif words[:2] == ["Loop", "time"]:
            names = []
        elif names and len(words) == len(names):
            try:
                rows.append(dict(zip(names, map(float, words), strict=True)))
            except ValueError:
                continue
    return rows


def run(text: str, folder: Path, **options: Any) -> Finished:
    """As the fixture lmp, where a fixture of one test is too narrow."""
    (folder / "in.tools").write_text(text)
    done = run_program(lmp_command("in.tools", **options), folder)
    assert done.returncode == 0 and "ERROR" not in done.stdout, done.stdout[-3000:] + done.stderr
    return done


# ---- oracles -------------------------------------------------------------------------------------


def stock_features(folder: Path, cells: Sequence[Cell], **changed: object) -> list[Array]:
    """Features [n, k] of each cell by stock ``compute sna/atom``, one type per atom."""
    p = DESCRIPTOR | changed
    text = ""
    for k, cell in enumerate(cells):
        (folder / f"stock{k}.data").write_text(data_text(cell))
        text += f"clear\n{HEAD}read_data stock{k}.data\nmass * 1.0\n" + stock_compute(cell, p)
        text += dump(f"stock{k}", "c_s[*]") + "run 0\n"
    run(text, folder)
    return [read_dump(folder / f"stock{k}.dump")[0]["c_s"] for k in range(len(cells))]


def stock_compute(cell: Cell, p: Mapping[str, object]) -> str:
    """``compute s all sna/atom`` with R_ij = RCUTFAC (r_i + r_j)."""
    reach = 2.0 * RCUTFAC * cell.r.max() + 0.01
    return (
        f"neigh_modify one 100000 page 1000000\npair_style zero {reach:.17g}\npair_coeff * *\n"
        f"compute s all sna/atom {RCUTFAC} {p['rfac0']} {p['twojmax']} {numbers(cell.r)}"
        f" {'1 ' * len(cell)} rmin0 {p['rmin0']} bzeroflag {p['bzeroflag']}"
        f" switchflag {p['switchflag']}\n"
    )


def smallest_ratio(cell: Cell) -> float:
    """Smallest r / (r_i + r_j) over all images, at most RCUTFAC."""
    i, j, d = neighbor_list("ijd", cell.atoms, cutoff=list(RCUTFAC * cell.r))
    return float(min((d / (cell.r[i] + cell.r[j])).min(initial=RCUTFAC), RCUTFAC))


def core_energy(cell: Cell, strength: float) -> float:
    """sum_{i<j} A [1 + cos(pi r / (r_i + r_j))], self-images included."""
    i, j, d = neighbor_list("ijd", cell.atoms, cutoff=list(cell.r))
    return float(0.5 * strength * np.sum(1.0 + np.cos(np.pi * d / (cell.r[i] + cell.r[j]))))


def entropy(rows: Array, variance: Array, eps: float = EPS) -> np.longdouble:
    """1/2 log det (C + eps R) by a Cholesky of long doubles."""
    b = rows.astype(np.longdouble)
    d = b - b.mean(axis=0)
    a = d.T @ d / len(b) + np.diag(np.longdouble(eps) * variance)
    out = np.longdouble(0.0)
    for k in range(len(a)):
        out += np.log(a[k, k]) / 2
        a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :]) / a[k, k]
    return out


def moments(rows: Array) -> tuple[int, Array, Array]:
    """Count, mean, scatter."""
    d = rows - rows.mean(axis=0)
    return len(rows), rows.mean(axis=0), d.T @ d


# ---- a dataset to begin with ---------------------------------------------------------------------


@dataclass(frozen=True)
class Dataset:
    """A moments file, and the cells of which the fix made it."""

    path: Path
    reference: list[Cell]
    cells: list[Cell]

    def rows(self, folder: Path, mode: str, **changed: object) -> tuple[Array, Array]:
        """Feature vectors of reference and dataset, by stock LAMMPS."""
        features = stock_features(folder, [*self.reference, *self.cells], **changed)
        vectors = features if mode == "atom" else [f.mean(axis=0, keepdims=True) for f in features]
        nref = len(self.reference)
        return np.vstack(vectors[:nref]), np.vstack(vectors[nref:])


def empty_box(options: str = "") -> str:
    """A box of 96 types, without atoms, and ``fix e all entropy``."""
    return (
        f"{HEAD}region box prism 0 9 0 9 0 9 0 0 0\ncreate_box 96 box\nmass * 1.0\n"
        f"fix e all entropy {options}\n"
    )


def make_dataset(folder: Path, mode: str, seed: int = 5, **changed: object) -> Dataset:
    """Reference and dataset of random cells: enough vectors for the covariance to be regular."""
    rng = np.random.default_rng(seed)
    nref, count, size = (12, 12, 8) if mode == "atom" else (20, 80, 3)
    cells = [random_cell(rng, size, radii=(0.7, 1.3)) for _ in range(nref + count)]
    write_frames(folder / "ref.extxyz", [c.atoms for c in cells[:nref]])
    write_frames(folder / "set.extxyz", [c.atoms for c in cells[nref:]])
    run(
        empty_box(f"mode {mode} {keywords(changed)}") + "entropy_dataset e reference ref.extxyz\n"
        f"entropy_dataset e add set.extxyz\nentropy_dataset e write {mode}.moments\n",
        folder,
    )
    return Dataset(folder / f"{mode}.moments", cells[:nref], cells[nref:])
