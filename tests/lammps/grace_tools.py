"""Structures for pair styles of GRACE models, and LAMMPS inputs that evaluate many of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

ELEMENTS = ("Ag", "Cu", "Pd")
NKTV2P = 1.6021765e6  # eV/A^3 to bar, as LAMMPS metal units have it


@dataclass(frozen=True)
class Case:
    """A structure and the types of its atoms; atoms of type NULL are not in ``seen``."""

    name: str
    atoms: Atoms
    types: tuple[int, ...]
    elements: tuple[str, ...] = ELEMENTS

    @property
    def seen(self) -> np.ndarray:
        return np.array([self.elements[t - 1] != "NULL" for t in self.types])

    @property
    def as_model_sees(self) -> Atoms:
        return self.atoms[self.seen]


@dataclass(frozen=True)
class Evaluated:
    """What LAMMPS says: eV, eV/A, eV/A^3 in ASE's order and sign."""

    energy: float
    forces: np.ndarray
    stress: np.ndarray
    energies: np.ndarray
    stress_of_atoms: np.ndarray


def case(name: str, atoms: Atoms) -> Case:
    return Case(name, atoms, tuple(ELEMENTS.index(s) + 1 for s in atoms.symbols))


def alloy(seed: int, repeat: tuple[int, int, int], rattle: float, a: float = 3.9) -> Atoms:
    """An fcc alloy of random elements, rattled."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Cu", "fcc", a=a, cubic=True).repeat(repeat)
    atoms.symbols[:] = rng.choice(ELEMENTS, len(atoms))
    atoms.positions += rng.normal(0.0, rattle, (len(atoms), 3))
    atoms.wrap()
    return atoms


def tilted(seed: int) -> Atoms:
    """18 atoms in a cell tilted by nearly half of its edges in each plane."""
    rng = np.random.default_rng(seed)
    cell = [[7.9, 0.0, 0.0], [3.9, 7.2, 0.0], [-3.8, 3.5, 6.8]]
    grid = np.stack(np.meshgrid(*(np.arange(3) / 3,) * 2, np.arange(2) / 2), -1).reshape(-1, 3)
    atoms = Atoms(rng.choice(ELEMENTS, len(grid)), scaled_positions=grid, cell=cell, pbc=True)
    atoms.positions += rng.normal(0.0, 0.08, (len(atoms), 3))
    atoms.wrap()
    return atoms


def surface(seed: int) -> Atoms:
    """A slab, vacuum, and one atom that no other can reach."""
    slab = alloy(seed, (2, 2, 1), 0.08)
    cell = slab.cell[:] * [[1], [1], [4.5]]
    slab.set_cell(cell)
    slab += Atoms("Pd", positions=[[1.0, 1.0, 10.5]])
    slab.wrap()
    return slab


def several_types(seed: int) -> Case:
    """Two types for Cu, two of NULL, in an order that is not the model's."""
    elements = ("Cu", "NULL", "Pd", "Cu", "Ag", "NULL")
    atoms = alloy(seed, (2, 2, 1), 0.1)
    rng = np.random.default_rng(seed)
    types = rng.integers(1, len(elements) + 1, len(atoms))
    for k, t in enumerate(types):
        atoms.symbols[k] = "H" if elements[t - 1] == "NULL" else elements[t - 1]
    return Case("types", atoms, tuple(int(t) for t in types), elements)


def cases() -> list[Case]:
    """From large to small: what was compiled for the first serves all."""
    one = Atoms("Cu", cell=[[2.6, 0, 0], [1.3, 2.25, 0], [1.3, 0.75, 2.12]], pbc=True)
    two = Atoms("AgPd", positions=[[0, 0, 0], [1.6, 1.4, 1.7]], cell=[3.1, 3.0, 3.3], pbc=True)
    return [
        case("random", alloy(1, (2, 2, 2), 0.15)),
        case("tilted", tilted(2)),
        several_types(3),
        case("surface", surface(4)),
        case("two", two),
        case("one", one),
    ]


def write_data(path: Path, this: Case) -> None:
    """A data file with every digit; the cell must be lower triangular."""
    cell = this.atoms.cell[:]
    assert np.all(np.triu(cell, 1) == 0.0)
    lines = ["", "", f"{len(this.atoms)} atoms", f"{len(this.elements)} atom types", ""]
    lines += [f"0 {cell[k, k]:.17g} {axis}lo {axis}hi" for k, axis in enumerate("xyz")]
    tilt = (cell[1, 0], cell[2, 0], cell[2, 1])
    if any(tilt):
        lines.append("{:.17g} {:.17g} {:.17g} xy xz yz".format(*tilt))
    lines += ["", "Masses", "", *(f"{t + 1} 60.0" for t in range(len(this.elements)))]
    lines += ["", "Atoms # atomic", ""]
    for k, (t, x) in enumerate(zip(this.types, this.atoms.positions, strict=True)):
        lines.append("{} {} {:.17g} {:.17g} {:.17g}".format(k + 1, t, *x))
    path.write_text("\n".join(lines) + "\n")


def evaluation(this: Case, model: Path, style: str, folder: Path) -> str:
    """Commands that evaluate one case after ``clear`` and write it to files."""
    write_data(folder / f"{this.name}.data", this)
    return f"""clear
units metal
boundary p p p
box tilt large
read_data {this.name}.data
pair_style {style}
pair_coeff * * {model} {" ".join(this.elements)}
neighbor 0.5 bin
compute energy all pe/atom
compute stress all stress/atom NULL virial
compute pressure all pressure NULL virial
thermo_style custom pe c_pressure[*]
run 0 post no
print "energy $(pe:%.17g)" file {this.name}.txt
print "pressure $(c_pressure[1]:%.17g) $(c_pressure[2]:%.17g) $(c_pressure[3]:%.17g) &
$(c_pressure[6]:%.17g) $(c_pressure[5]:%.17g) $(c_pressure[4]:%.17g)" append {this.name}.txt
write_dump all custom {this.name}.dump fx fy fz c_energy c_stress[*] modify sort id format float %.17g
"""


def read_evaluation(this: Case, folder: Path) -> Evaluated:
    words = (folder / f"{this.name}.txt").read_text().split()
    table = np.loadtxt(folder / f"{this.name}.dump", skiprows=9, ndmin=2)
    return Evaluated(
        energy=float(words[1]),
        forces=table[:, :3],
        stress=-np.array(words[3:9], float) / NKTV2P,
        energies=table[:, 3],
        stress_of_atoms=table[:, 4:][:, [0, 1, 2, 5, 4, 3]] / NKTV2P,
    )
