"""``anneal``: molecular dynamics of any structure along any ramp; the base of the other studies."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import ase
import numpy as np
from pydantic import Field

from pysmax.errors import SmaxError
from pysmax.studies.study import Count, Dynamics, Prepared, Study, System, countable


class AnnealParameters(Dynamics):
    """Of study ``anneal``."""

    structure: Annotated[
        str, Field(description="a file that ASE reads (its last frame), or an element in its crystal")
    ] = "Cu"
    repeat: Annotated[tuple[Count, Count, Count], Field(description="cells along each axis")] = (10, 10, 10)


def crystal(structure: str) -> ase.Atoms:
    """The last frame of a file, or the conventional cell of an element. SmaxError if it is neither."""
    import ase.build
    import ase.io
    from ase.data import atomic_numbers

    if structure in atomic_numbers and not Path(structure).exists():
        try:
            try:
                return ase.build.bulk(structure, cubic=True)
            except (ValueError, RuntimeError):  # hexagonal
                return ase.build.bulk(structure, orthorhombic=True)
        except (ValueError, RuntimeError, KeyError) as e:
            raise SmaxError(
                f"structure {structure}: ASE knows no crystal of it ({e}), expected a file"
            ) from None
    try:
        atoms = ase.io.read(structure, do_not_split_by_at_sign=Path(structure).exists())
    except FileNotFoundError:
        raise SmaxError(f"structure {structure}: no such file, and no element") from None
    except Exception as e:  # the readers of ASE raise what they like
        raise SmaxError(f"structure {structure}: ASE cannot read it: {e or type(e).__name__}") from None
    if not isinstance(atoms, ase.Atoms) or not len(atoms):
        raise SmaxError(f"structure {structure}: holds no atoms")
    if atoms.cell.rank < 3 or atoms.cell.volume < 1e-3 * len(atoms):
        raise SmaxError(f"structure {structure}: has no cell, expected a periodic structure")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise SmaxError(f"structure {structure}: has places that are no numbers")
    sites = atoms.info.get("occupancy")  # of a CIF file, of which ASE takes one atom a site
    for site, shares in sites.items() if isinstance(sites, dict) else ():
        if len(shares) > 1 or min(shares.values()) < 1 - 1e-6:
            found = ", ".join(f"{e} {x:g}" for e, x in shares.items())
            raise SmaxError(f"structure {structure}: site {site} has {found}, expected one whole atom")
    return atoms


def _prepare(p: AnnealParameters) -> Prepared:
    cell = crystal(p.structure)
    countable(len(cell) * math.prod(p.repeat), "structure and repeat")
    atoms: ase.Atoms = cell * p.repeat
    atoms.pbc = True
    return Prepared(structures={"system.data": atoms}, values={"create_velocity": True})


STUDY = Study(
    name="anneal",
    about="Molecular dynamics of any structure along any ramp of temperature and pressure.",
    parameters=AnnealParameters,
    prepare=_prepare,
    systems={
        "any": System("structure=FILE or an element; the other parameters as --set says"),
    },
    smoke={"repeat": (4, 4, 4), "n_steps": 2000, "frames": 20, "thermo_lines": 40, "restarts": 4},
)
