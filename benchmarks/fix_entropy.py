"""Atom-evaluations per second of fix entropy: against mliap and pair snap, by instruction set, by ranks."""

from __future__ import annotations

import random
from pathlib import Path

from cells import RCUTFAC, Cell, Material
from harness import Finished, Row, Setting, fix_line, interleaved, lmp, middle, ratio

TWOJMAX, COMPONENTS = 8, 55
SNAP = "rfac0 0.99363 rmin0 0.0 bzeroflag 1 switchflag 1".split()
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


def speed(run: Finished) -> float:
    """Atom-evaluations per second of processor time over all loops."""
    loops = run.loops()
    return sum(x.steps * x.atoms for x in loops) / sum(x.cpu_s for x in loops)


def cells_by_fix(material: Material, reference: Path, steps: int, **keywords: str) -> str:
    """Input that evaluates every cell ``steps`` times with the fix, and prints its kernel seconds."""
    text = ""
    for cell in material.cells:
        radii = " ".join(map(repr, cell.radius))
        text += START + f"read_data {cell.data}\n"
        text += fix_line(elements=" ".join(cell.symbols), radii=radii, **keywords) + "\n"
        text += "" if "entropy_dataset" in text else f"entropy_dataset entropy read {reference}\n"
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
    keys |= dict(zip(SNAP[::2], SNAP[1::2], strict=True))
    Path(f"{stem}.descriptor").write_text("".join(f"{k} {v}\n" for k, v in keys.items()))
    beta = [f"{rng.uniform(-0.01, 0.01):.6f}" for _ in range(m * (COMPONENTS + 1))]
    Path(f"{stem}.model").write_text(f"{m} {COMPONENTS + 1}\n" + "\n".join(beta) + "\n")


def w_by_fix(reference: Path, steps: int, isa: str = "auto") -> str:
    """Input that evaluates bcc W with the fix."""
    radius = W_CUTOFF / (2.0 * RCUTFAC)
    text = START + BCC + fix_line(isa=isa, elements="W", radii=repr(radius))
    return text + f"\nentropy_dataset entropy read {reference}\n" + STEPS.format(steps=steps)


def w_by_snap(folder: Path, steps: int) -> str:
    """The same with pair_style snap, which computes the energy because thermo asks for it at every step."""
    rng = random.Random(1)
    beta = [f"{rng.uniform(-0.01, 0.01):.6f}" for _ in range(COMPONENTS + 1)]
    coeff, param = folder / "W.snapcoeff", folder / "W.snapparam"
    coeff.write_text(f"1 {COMPONENTS + 1}\nW 0.5 1.0\n" + "\n".join(beta) + "\n")
    keys = ["rcutfac", str(W_CUTOFF), "twojmax", str(TWOJMAX), "quadraticflag", "0", *SNAP]
    param.write_text("".join(f"{k} {v}\n" for k, v in zip(keys[::2], keys[1::2], strict=True)))
    pair = f"pair_style snap\npair_coeff * * {coeff} {param} W\n"
    return START + BCC + pair + STEPS.format(steps=steps)


def _levels() -> list[str]:
    """What this processor runs, best first."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return [x for x, flag in (("avx512", "avx512dq"), ("avx2", "avx2"), ("plain", "")) if flag in flags]


def _against_mliap(setting: Setting, material: Material) -> list[Row]:
    folder = setting.folder / "fix_entropy"
    folder.mkdir(exist_ok=True)
    levels = _levels()
    texts = [cells_by_fix(material, material.reference, setting.times(300), isa=x) for x in levels]
    stock = cells_by_mliap(material, folder, setting.times(10))
    sides = [lambda t=t: speed(lmp(t, folder)) for t in (*texts, stock)]
    values = list(interleaved(setting.pairs, *sides))
    atoms = sum(c.atoms for c in material.cells)
    neighbours = sum(c.atoms * c.neighbours for c in material.cells) / atoms
    gain, last = ratio(values, 0, len(levels)), len(levels)
    rows = [
        Row(
            f"recipe cells ({neighbours:.0f} neighbours): fix entropy over mliap, atom-evaluations/s",
            f"{GOAL_MLIAP:.0f}x",
            f"{gain:.1f}x ({middle(values, 0):.0f} / {middle(values, last):.0f})",
            gain >= GOAL_MLIAP,
        )
    ]
    return rows + _level_rows("recipe cells", levels, values)


def _against_snap(setting: Setting, material: Material) -> list[Row]:
    folder = setting.folder / "fix_entropy"
    levels = _levels()
    texts = [w_by_fix(material.reference, setting.times(300), x) for x in levels]
    stock = w_by_snap(folder, setting.times(40))
    sides = [lambda t=t: speed(lmp(t, folder)) for t in (*texts, stock)]
    values = list(interleaved(setting.pairs, *sides))
    gain, last = ratio(values, 0, len(levels)), len(levels)
    rows = [
        Row(
            "bcc W (26 neighbours): fix entropy over pair snap with energy, atom-evaluations/s",
            f"{GOAL_SNAP:.0f}x",
            f"{gain:.1f}x ({middle(values, 0):.0f} / {middle(values, last):.0f})",
            gain >= GOAL_SNAP,
        )
    ]
    return rows + _level_rows("bcc W", levels, values)


def _level_rows(where: str, levels: list[str], values: list[list[float]]) -> list[Row]:
    plain = levels.index("plain")
    return [
        Row(
            f"{where}: isa {level}, atom-evaluations/s",
            "",
            f"{middle(values, k):.0f} ({ratio(values, k, plain):.2f} of plain)",
        )
        for k, level in enumerate(levels)
    ]


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
    gain = ratio(values)
    return [
        Row(
            "2000 atoms: 2 ranks over 1, evaluations/s",
            f"{GOAL_RANKS}x",
            f"{gain:.2f}x ({middle(values, 0):.1f} / {middle(values, 1):.1f})",
            gain >= GOAL_RANKS,
        )
    ]
