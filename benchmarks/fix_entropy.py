"""Atom-evaluations per second of fix entropy: against mliap and pair snap, by instruction set, by ranks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from cells import RCUTFAC, Cell, Material
from harness import Loop, Row, Setting, fix_line, interleaved, lmp, middle, ratio

TWOJMAX, COMPONENTS = 8, 55
SNAP = {"rfac0": "0.99363", "rmin0": "0.0", "bzeroflag": "1", "switchflag": "1"}
W_LATTICE, W_CUTOFF, W_REPEAT = 3.1803, 4.8123, 4  # Angstrom; 26 neighbours; 128 atoms
GOAL_MLIAP, GOAL_SNAP, GOAL_RANKS = 10.0, 4.0, 1.8

# Energy and forces at every step, of atoms that hardly move.
STEPS = """timestep 1.0e-9
fix move all nve
thermo 1
run {steps}
"""
START = """clear
units metal
boundary p p p
atom_style atomic
neigh_modify one 20000 page 1000000
"""
BCC = f"""lattice bcc {W_LATTICE}
region box block 0 {W_REPEAT} 0 {W_REPEAT} 0 {W_REPEAT}
create_box 1 box
create_atoms 1 box
mass 1 183.84
displace_atoms all random 0.1 0.1 0.1 4711
"""


def measure(setting: Setting, material: Material) -> list[Row]:
    """Rows of the table, and the levels of the kernel."""
    return [*_against_mliap(setting, material), *_against_snap(setting, material), *_ranks(setting)]


def speeds(sides: Sequence[str], pairs: int, folder: Path, start: str) -> list[list[float]]:
    """Atom-evaluations per second of processor time, [pair][side]; all sides in turn in one process."""
    loops = lmp(start + "".join(sides) * pairs, folder).loops()
    each = [side.count("\nrun ") for side in sides]
    if len(loops) != pairs * sum(each):
        raise SystemExit(f"bench: {len(loops)} loops in {folder}, expected {pairs * sum(each)}")
    rest = iter(loops)
    return [[speed(list(islice(rest, n))) for n in each] for _ in range(pairs)]


def speed(loops: list[Loop]) -> float:
    """Atom-evaluations per second of processor time."""
    return sum(x.steps * x.atoms for x in loops) / sum(x.cpu_s for x in loops)


def read(reference: Path, dataset: str = "default") -> str:
    """Input that takes a moments file as the dataset of that name, which outlives 'clear'."""
    return (
        f"{START}{BCC}{fix_line(elements='W', dataset=dataset)}\nentropy_dataset entropy read {reference}\n"
    )


def cells_by_fix(material: Material, steps: int, **keywords: str) -> str:
    """Input that evaluates every cell ``steps`` times with the fix, and prints its kernel seconds."""
    text = ""
    for cell in material.cells:
        radii = " ".join(map(repr, cell.radius))
        text += START + f"read_data {cell.data}\n"
        text += fix_line(elements=" ".join(cell.symbols), radii=radii, **keywords) + "\n"
        text += STEPS.format(steps=steps)
        text += 'print "kernel: $(f_entropy[9])"\n'
    return text


def cells_by_mliap(material: Material, folder: Path, steps: int) -> str:
    """The same with stock pair styles, one element per atom."""
    text = ""
    for k, cell in enumerate(material.cells):
        stem = folder / f"mliap{k}"
        _mliap_files(cell, stem)
        text += START + f"read_data {cell.data}\npair_style hybrid/overlay soft 1.0 mliap model linear "
        text += f"{stem}.model descriptor sna {stem}.descriptor\n"
        for i, a in enumerate(cell.radius, 1):
            for j, b in enumerate(cell.radius[i - 1 :], i):
                text += f"pair_coeff {i} {j} soft 10.0 {a + b!r}\n"
        names = " ".join(f"A{i}" for i in range(1, cell.atoms + 1))
        text += f"pair_coeff * * mliap {names}\n" + STEPS.format(steps=steps)
    return text


def _mliap_files(cell: Cell, stem: Path) -> None:
    m, rng = cell.atoms, random.Random(1)
    keys = {"rcutfac": str(RCUTFAC), "twojmax": str(TWOJMAX), "nelems": str(m), "chemflag": "0"}
    keys |= {"elems": " ".join(f"A{i}" for i in range(1, m + 1))}
    keys |= {"radelems": " ".join(map(repr, cell.radius)), "welems": " ".join(["1.0"] * m)}
    keys |= SNAP
    Path(f"{stem}.descriptor").write_text("".join(f"{k} {v}\n" for k, v in keys.items()))
    beta = [f"{rng.uniform(-0.01, 0.01):.6f}" for _ in range(m * (COMPONENTS + 1))]
    Path(f"{stem}.model").write_text(f"{m} {COMPONENTS + 1}\n" + "\n".join(beta) + "\n")


def w_by_fix(steps: int, isa: str = "auto") -> str:
    """Input that evaluates bcc W with the fix."""
    radius = W_CUTOFF / (2.0 * RCUTFAC)
    return (
        START + BCC + fix_line(isa=isa, elements="W", radii=repr(radius)) + "\n" + STEPS.format(steps=steps)
    )


def w_by_snap(folder: Path, steps: int) -> str:
    """The same with pair_style snap, which computes the energy because thermo asks for it at every step."""
    rng = random.Random(1)
    beta = [f"{rng.uniform(-0.01, 0.01):.6f}" for _ in range(COMPONENTS + 1)]
    coeff, param = folder / "W.snapcoeff", folder / "W.snapparam"
    coeff.write_text(f"1 {COMPONENTS + 1}\nW 0.5 1.0\n" + "\n".join(beta) + "\n")
    keys = {"rcutfac": str(W_CUTOFF), "twojmax": str(TWOJMAX), "quadraticflag": "0", **SNAP}
    param.write_text("".join(f"{k} {v}\n" for k, v in keys.items()))
    pair = f"pair_style snap\npair_coeff * * {coeff} {param} W\n"
    return START + BCC + pair + STEPS.format(steps=steps)


def levels() -> list[str]:
    """What this processor runs, best first."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return [x for x, flag in (("avx512", "avx512dq"), ("avx2", "avx2"), ("plain", "")) if flag in flags]


def _against_mliap(setting: Setting, material: Material) -> list[Row]:
    folder = setting.folder / "fix_entropy"
    folder.mkdir(exist_ok=True)
    sides = [cells_by_fix(material, setting.times(100), isa=x) for x in levels()]
    sides.append(cells_by_mliap(material, folder, setting.times(5)))
    atoms = sum(c.atoms for c in material.cells)
    neighbours = sum(c.atoms * c.neighbours for c in material.cells) / atoms
    where = f"recipe cells ({neighbours:.0f} neighbours)"
    return _compare(setting, material, sides, where, "mliap", GOAL_MLIAP)


def _against_snap(setting: Setting, material: Material) -> list[Row]:
    folder = setting.folder / "fix_entropy"
    sides = [w_by_fix(setting.times(100), x) for x in levels()]
    sides.append(w_by_snap(folder, setting.times(10)))
    return _compare(setting, material, sides, "bcc W (26 neighbours)", "pair snap with energy", GOAL_SNAP)


def _compare(
    setting: Setting, material: Material, sides: list[str], where: str, stock: str, goal: float
) -> list[Row]:
    """The best level of the kernel over the stock side, which is the last; then level by level."""
    folder, isas = setting.folder / "fix_entropy", levels()
    values = speeds(sides, 2 * setting.pairs, folder, read(material.reference))
    gain, plain = ratio(values, 0, -1), isas.index("plain")
    rows = [
        Row(
            f"{where}: fix entropy over {stock}, atom-evaluations/s",
            f"{goal:.0f}x",
            f"{gain:.1f}x ({middle(values, 0):.0f} / {middle(values, -1):.0f})",
            gain >= goal,
        )
    ]
    for k, level in enumerate(isas):
        measured = f"{middle(values, k):.0f} ({ratio(values, k, plain):.2f} of plain)"
        rows.append(Row(f"  isa {level}, atom-evaluations/s", "", measured))
    return rows


def _ranks(setting: Setting) -> list[Row]:
    """One candidate of 2000 atoms over two ranks: seconds of the wall clock."""
    folder = setting.folder / "ranks"
    text = f"""units metal
boundary p p p
region cell prism 0 10 0 10 0 10 0 0 0
create_box 96 cell
mass * 1.0
{fix_line()}
entropy_dataset entropy read {setting.folder}/cells/reference.moments
entropy_candidate entropy seed 7 stoichiometry W 500 Be 500 O 500 Cu 500
fix_modify entropy entropy no
min_style lbfgs
min_modify dmax 0.1 norm max
minimize 0.0 0.0 20 200
fix_modify entropy entropy yes
{STEPS.format(steps=setting.times(15))}"""

    def evaluations_per_s(ranks: int) -> float:
        loop = lmp(text, folder, ranks=ranks).loops()[-1]
        return loop.steps / loop.wall_s

    values = list(interleaved(setting.pairs, lambda: evaluations_per_s(2), lambda: evaluations_per_s(1)))
    two, one = (max(side) for side in zip(*values, strict=True))  # wall clock: the least disturbed
    gain = two / one
    return [
        Row(
            "2000 atoms: 2 ranks over 1, evaluations/s",
            f"{GOAL_RANKS}x",
            f"{gain:.2f}x ({two:.1f} / {one:.1f})",
            gain >= GOAL_RANKS,
        )
    ]
