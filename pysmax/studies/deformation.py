"""``deformation``: energy of a crystal over volume and uniaxial scaling (II.4, VII.3.3, figure 3)."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import ase
import numpy as np
from pydantic import Field, model_validator

from pysmax.errors import SmaxError
from pysmax.studies.study import Element, Parameters, Positive, Prepared, Study, System

CRYSTALS = ("fcc", "bcc", "sc", "hcp", "diamond")
POINTS = "points"  # in a run: one file for each point of the grid
Range = tuple[Positive, Positive]
Points = Annotated[int, Field(ge=4, le=1000)]


class DeformationParameters(Parameters):
    """Of study ``deformation``.

    A crystal of cell (a, b, c) and volume V0 is scaled by s along c, then uniformly to the volume V:
    ``c = c0 f s^(2/3)``, ``a = a0 f s^(-1/3)``, ``b`` likewise, ``f = (V/V0)^(1/3)``. So s is c/a over that
    of the crystal: 1 is the crystal, 1/sqrt(2) of fcc is bcc.
    """

    element: Annotated[Element, Field(description="of a named crystal")] = "Sn"
    crystal: Annotated[
        str,
        Field(description=f"{', '.join(CRYSTALS)}, or a file that ASE reads; c must be across a and b"),
    ] = "diamond"
    volume_A3: Annotated[
        Positive | None,
        Field(description="of an atom, undeformed; null: that of the file, or of the element's own crystal"),
    ] = None
    volume: Annotated[
        Range, Field(description="first and last, over that of the crystal (not in the paper)")
    ] = (0.6, 1.4)
    n_volume: Annotated[Points, Field(description="volumes (not in the paper)")] = 41
    scaling: Annotated[
        Range, Field(description="first and last s: c/a over that of the crystal (not in the paper)")
    ] = (0.5, 1.3)
    n_scaling: Annotated[Points, Field(description="scalings (not in the paper)")] = 41

    @model_validator(mode="after")
    def _rising(self) -> DeformationParameters:
        for key in ("volume", "scaling"):
            low, high = getattr(self, key)
            if not low < high:
                raise ValueError(f"{key}: found {low:g} to {high:g}; expected the first below the last")
        return self

    def scalings(self) -> Any:
        """s of the columns [n_scaling]."""
        return np.linspace(*self.scaling, self.n_scaling)

    def volumes(self) -> Any:
        """V/V0 of the rows [n_volume]."""
        return np.linspace(*self.volume, self.n_volume)


def crystal(p: DeformationParameters) -> ase.Atoms:
    """The undeformed crystal, its c axis along z. SmaxError if there is none, or c is not across a and b."""
    from pysmax.studies.anneal import crystal as from_file

    if p.crystal in CRYSTALS and not Path(p.crystal).exists():
        atoms = _named(p.element, p.crystal)
        volume = p.volume_A3 or _own_volume(p.element)
    else:
        if not Path(p.crystal).exists():
            raise SmaxError(
                f"crystal {p.crystal}: no such file, expected one of {', '.join(CRYSTALS)}, or a file"
            )
        atoms = from_file(p.crystal)
        volume = p.volume_A3 or volume_of(atoms)
    atoms.pbc = True
    cell = atoms.cell.array * (volume / volume_of(atoms)) ** (1 / 3)
    atoms.set_cell(cell, scale_atoms=True)  # type: ignore[no-untyped-call]
    off = max(abs(cell[2, :2]).max(), abs(cell[:2, 2]).max())
    if off > 1e-6 * np.linalg.norm(cell[2]) or np.linalg.det(cell) <= 0:
        raise SmaxError(
            f"crystal {p.crystal}: its cell is {np.round(cell, 4).tolist()}, expected a right-handed one "
            "with the third vector along z, across the other two"
        )
    return atoms


def deformed(atoms: ase.Atoms, volume: float, scaling: float) -> ase.Atoms:
    """The crystal at V/V0 and s, atoms carried along."""
    f = volume ** (1 / 3)
    stretch = np.array([f * scaling ** (-1 / 3)] * 2 + [f * scaling ** (2 / 3)])
    result: ase.Atoms = atoms.copy()  # type: ignore[no-untyped-call]
    result.set_cell(atoms.cell.array * stretch, scale_atoms=True)  # type: ignore[no-untyped-call]
    return result


def grid(atoms: ase.Atoms, p: DeformationParameters) -> Iterator[ase.Atoms]:
    """All points, volume by volume, with ``volume_A3`` (of an atom) and ``scaling`` in info."""
    for v in p.volumes():
        for s in p.scalings():
            point = deformed(atoms, float(v), float(s))
            point.info = {"volume_A3": volume_of(point), "scaling": float(s)}
            yield point


def _named(element: str, name: str) -> ase.Atoms:
    from ase.build import bulk

    if name == "hcp":
        return bulk(element, "hcp", a=1.0, c=math.sqrt(8 / 3), orthorhombic=True)
    return bulk(element, name, a=1.0, cubic=True)


def _own_volume(element: str) -> float:
    """A^3 of an atom in the element's own crystal as ASE has it."""
    from ase.build import bulk

    try:
        atoms = bulk(element)
    except (ValueError, RuntimeError, KeyError) as e:
        raise SmaxError(
            f"element {element}: ASE has no volume of its crystal ({e}), expected volume_A3"
        ) from None
    return volume_of(atoms)


def volume_of(atoms: ase.Atoms) -> float:
    """A^3 of an atom."""
    return float(abs(np.linalg.det(atoms.cell.array)) / len(atoms))


def ratio_of(atoms: ase.Atoms) -> float:
    """c over the side of a square as large as the face of a and b."""
    a, b, c = atoms.cell.array
    return float(np.linalg.norm(c) / math.sqrt(np.linalg.norm(np.cross(a, b))))


def _prepare(p: DeformationParameters) -> Prepared:
    import ase.io

    atoms = crystal(p)
    text = io.StringIO()
    ase.io.write(text, list(grid(atoms, p)), format="extxyz")
    n = p.n_volume * p.n_scaling
    return Prepared(
        structures={"system.data": atoms},
        values={"n_points": n, "box": _box(atoms)},
        texts={"grid.extxyz": text.getvalue()},
        facts={"items": n, "results": f"{POINTS}/*.txt"},
    )


def _box(atoms: ase.Atoms) -> dict[str, float]:
    """LAMMPS turns the cell about z until a lies along x."""
    a, b, _, _, _, angle = atoms.cell.cellpar()
    gamma = math.radians(angle)
    skew = 0.0 if abs(angle - 90) < 1e-9 else b * math.cos(gamma)
    return {
        "lx": float(a),
        "ly": float(b * math.sin(gamma)),
        "lz": float(atoms.cell[2, 2]),
        "xy": float(skew),
    }


STUDY = Study(
    name="deformation",
    about="Energy of a crystal over volume and uniaxial scaling: the Bain path and others.",
    parameters=DeformationParameters,
    prepare=_prepare,
    systems={
        # alpha-Sn, a = 6.489 A; beta-Sn lies at c/a = 0.546/sqrt(2) = 0.386
        "sn-diamond": System(
            "diamond-cubic Sn, compressed to beta-Sn (figure 3, left)",
            {"element": "Sn", "crystal": "diamond", "volume_A3": 34.16}
            | {"scaling": (0.3, 1.3), "n_scaling": 51},
        ),
        "sn-fcc": System(
            "fcc Sn along the Bain path to bct and bcc (figure 3, right)",
            {"element": "Sn", "crystal": "fcc", "volume_A3": 27.6},
        ),
        "any": System("element and crystal; the other parameters as --set says"),
    },
    smoke={"n_volume": 9, "n_scaling": 13, "volume": (0.3, 1.1)},
)
