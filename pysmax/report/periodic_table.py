"""Where an element stands in the periodic table of 18 columns."""

from __future__ import annotations

from ase.data import chemical_symbols

NOBLE = (0, 2, 10, 18, 36, 54, 86, 118)


def symbol(z: int) -> str:
    """Chemical symbol of atomic number z."""
    return str(chemical_symbols[z])


def place(z: int) -> tuple[int, float]:
    """Column 1..18 and row 1..7 of an element; lanthanides and actinides in rows 8.3 and 9.3."""
    for first, row in ((57, 8.3), (89, 9.3)):
        if first <= z < first + 15:
            return z - first + 3, row
    row = next(i for i, last in enumerate(NOBLE) if z <= last)
    from_left, from_right = z - NOBLE[row - 1], NOBLE[row] - z
    short = {1: 1, 2: 2, 3: 2}
    column = from_left if from_left <= short.get(row, 2) and z != 2 else 18 - from_right
    return column, float(row)
