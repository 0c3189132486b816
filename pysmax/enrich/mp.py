"""Structures on the convex hulls of the Materials Project."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import ase
import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from pydantic import BaseModel, ConfigDict, Field

from pysmax.dataset.record import Record
from pysmax.enrich.mp_hull import SLACK, Entry, above_hull
from pysmax.enrich.tally import Skip, Tally

ACTINIDES = range(89, 104)
CLOSEST = 0.4  # Angstrom
SYMPREC = 0.1  # Angstrom, the Materials Project's own


class Choice(BaseModel):
    """What is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_above_hull: float = Field(0.0, ge=0, description="eV/atom above the hull")
    check_hull: bool = False
    cell: Literal["given", "primitive", "conventional"] = "given"
    max_atoms: int | None = Field(None, gt=0)
    actinides: bool = False


def read(
    source: Callable[[], Iterable[Any]], choice: Choice, tally: Tally, name: str
) -> Iterator[Record | Skip]:
    """Documents of ``source`` (asked up to three times) that are on the hull and can be used.

    A document's own distance decides, as today's energies mix functionals: those of an element and of its
    compounds may be tens of eV/atom apart. Where there is none, the hull of all energies of the source does;
    with ``check_hull``, wherever it can be made. ``tally.notes`` counts disagreements.
    """
    recompute = choice.check_hull or any(_flag(document) is None for document in source())
    distances = above_hull(_entries(source())) if recompute else {}
    for number, document in enumerate(source(), 1):
        id_ = material_id(document, number)
        try:
            distance = _distance(document, distances.get(id_), choice, tally)
            structure = Cell.of(document)
            if not choice.actinides and any(z in ACTINIDES for z in structure.numbers):
                raise Skip("actinide")
            atoms = structure.atoms(choice.cell)
            if choice.max_atoms is not None and len(atoms) > choice.max_atoms:
                raise Skip("too many atoms", f"{len(atoms)}, limit {choice.max_atoms}")
        except Skip as e:
            yield Skip(e.reason, f"{id_}: {e.detail}" if e.detail else id_)
            continue
        info = {
            "id": id_,
            "file": name,
            "material_id": id_,
            "cell": choice.cell,
            "above_hull_eV_per_atom": distance,
        }
        yield Record(atoms, source="mp", info=info)


def material_id(document: Any, number: int) -> str:
    """``mp-149``, in whatever form the document has it; its number in the file if it has none."""
    if isinstance(document, dict):
        data = document.get("data")
        for key in ("material_id", "task_id", "entry_id"):
            for place in (document, data if isinstance(data, dict) else {}):
                value = place.get(key)
                if isinstance(value, dict):
                    value = value.get("string")
                if isinstance(value, str) and value:
                    return value
    return f"document {number}"


def _entries(documents: Iterable[Any]) -> dict[str, Entry]:
    """What the hull needs of every document that has it."""
    entries = {}
    for number, document in enumerate(documents, 1):
        try:
            cell = Cell.of(document)
        except Skip:
            continue
        energy = _energy(document, len(cell.numbers))
        if energy is not None:
            entries[material_id(document, number)] = Entry(cell.composition(), energy)
    return entries


def _distance(document: Any, own: float | None, choice: Choice, tally: Tally) -> float:
    """Above the hull, eV/atom; raises Skip if that is too far or unknown."""
    flag = _flag(document)
    limit = choice.max_above_hull + SLACK
    if own is not None and flag is not None and (own <= limit) != (flag <= limit):
        word = "on" if own <= limit else "off"
        tally.notes[f"{word} the hull of the entries given, against their own distance"] += 1
    first, second = (own, flag) if choice.check_hull else (flag, own)
    distance = second if first is None else first
    if distance is None:
        raise Skip("hull unknown", "no energy above hull, and no energies of it and its elements")
    if own is None and choice.check_hull:
        tally.notes["hull not recomputed (energies missing): own distance taken"] += 1
    if distance > limit:
        raise Skip("off the hull", f"{distance:.4g} eV/atom above it")
    return distance


def _flag(document: Any) -> float | None:
    """The document's own distance, eV/atom."""
    for place in (document, document.get("data") if isinstance(document, dict) else None):
        if not isinstance(place, dict):
            continue
        for key in ("energy_above_hull", "e_above_hull"):
            value = _number(place.get(key))
            if value is not None:
                return value
        if isinstance(place.get("is_stable"), bool):
            return 0.0 if place["is_stable"] else math.inf
    return None


def _energy(document: dict[str, Any], atoms: int) -> float | None:
    """eV/atom, with the Materials Project's corrections where they are given."""
    for key in ("energy_per_atom", "final_energy_per_atom"):
        value = _number(document.get(key))
        if value is not None:
            return value
    value = _number(document.get("energy"))
    return None if value is None else (value + (_number(document.get("correction")) or 0.0)) / atoms


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


class Cell:
    """A crystal of a document: cell [3, 3] A, fractional coordinates [n, 3], atomic numbers [n]."""

    def __init__(self, matrix: Any, scaled: Any, numbers: list[int]) -> None:
        self.matrix = np.array(matrix, dtype=float)
        self.scaled = np.array(scaled, dtype=float)
        self.numbers = numbers
        if self.matrix.shape != (3, 3) or self.scaled.shape != (len(numbers), 3) or not numbers:
            raise ValueError(f"lattice {self.matrix.shape} and sites {self.scaled.shape}")
        if not (np.isfinite(self.matrix).all() and np.isfinite(self.scaled).all()):
            raise Skip("not finite", "a coordinate is not finite")
        if abs(np.linalg.det(self.matrix)) < 1e-3:
            raise Skip("broken", "the cell has no volume")

    @classmethod
    def of(cls, document: Any) -> Cell:
        """From pymatgen's dict of a structure; raises Skip."""
        structure = document.get("structure") if isinstance(document, dict) else None
        if not isinstance(structure, dict):
            raise Skip("no structure")
        try:
            sites = structure["sites"]
            numbers = [_element(site["species"]) for site in sites]
            return cls(structure["lattice"]["matrix"], [site["abc"] for site in sites], numbers)
        except (KeyError, TypeError, ValueError, IndexError) as e:
            raise Skip("broken", f"{type(e).__name__}: {e}") from None

    def composition(self) -> dict[str, int]:
        """Atoms by symbol."""
        return dict(Counter(chemical_symbols[z] for z in self.numbers))

    def atoms(self, cell: str) -> ase.Atoms:
        """Periodic atoms in the given, the primitive or the conventional standard cell."""
        if cell != "given":
            return self._standard(cell == "primitive").atoms("given")
        atoms = ase.Atoms(self.numbers, scaled_positions=self.scaled, cell=self.matrix, pbc=True)
        _check_contacts(atoms)
        return atoms

    def _standard(self, primitive: bool) -> Cell:
        from pymatgen.core.structure import Structure
        from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

        try:
            analyzer = SpacegroupAnalyzer(
                Structure(self.matrix, [chemical_symbols[z] for z in self.numbers], self.scaled),
                symprec=SYMPREC,
            )
            if primitive:
                found = analyzer.get_primitive_standard_structure()
            else:
                found = analyzer.get_conventional_standard_structure()
        except Exception as e:  # spglib's and pymatgen's own kinds
            raise Skip("no symmetry found", f"{type(e).__name__}: {e}"[:200]) from None
        return Cell(found.lattice.matrix, found.frac_coords, list(found.atomic_numbers))


def _element(species: Any) -> int:
    if len(species) != 1 or abs(float(species[0]["occu"]) - 1) > 1e-8:
        raise Skip("disordered", "a site is shared or partly empty")
    symbol = species[0]["element"]
    if symbol not in atomic_numbers or symbol == "X":
        raise Skip("unknown element", str(symbol)[:20])
    return int(atomic_numbers[symbol])


def _check_contacts(atoms: ase.Atoms) -> None:
    from ase.neighborlist import neighbor_list

    distances = neighbor_list("d", atoms, CLOSEST)  # type: ignore[no-untyped-call]
    if len(distances):
        raise Skip("too close", f"two atoms at {distances.min():.3g} A, expected at least {CLOSEST} A")
