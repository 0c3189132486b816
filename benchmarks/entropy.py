"""Growth of S: accepted configurations against random core-relaxed cells of the same recipe."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import mean

import ase.io
from cells import SEED
from harness import GENERATE, ROOT, Row, Setting, fix_line, lmp

from pysmax import moments

NCONF = 100
PICTURE = ROOT / "benchmarks" / "growth.png"

ADD = """units metal
boundary p p p
region cell prism 0 10 0 10 0 10 0 0 0
create_box 96 cell
mass * 1.0
{fix}
entropy_dataset entropy read reference.moments
print "grown: $(f_entropy[2]:%.10g) $(f_entropy[6])"
variable k loop {count}
label next
entropy_dataset entropy add random$k.extxyz
print "grown: $(f_entropy[2]:%.10g) $(f_entropy[6])"
next k
jump SELF next
"""


def measure(setting: Setting) -> list[Row]:
    """S gained from the same beginning, by configuration and by vector."""
    folder = setting.folder / "entropy"
    for old in folder.glob("*"):
        old.unlink()
    count = setting.times(NCONF)
    lmp(GENERATE, folder, variables={"nconf": count, "seed": SEED})
    start = moments.reference(moments.load(folder / "smax.moments"))
    moments.save(folder / "reference.moments", start)
    chosen, atoms = _accepted(folder)
    at_random, vectors = _random(folder, count)
    gained = [chosen[-1] - at_random[0], at_random[-1] - at_random[0]]
    draw([at_random[0], *chosen], at_random)
    return [
        Row(
            f"S gained by {count} accepted configurations over {count} random cells, nats",
            "",
            f"{gained[0]:.2f} over {gained[1]:.2f}, from S = {at_random[0]:.2f} "
            f"({mean(atoms):.1f} and {vectors / count:.1f} atoms each)",
        )
    ]


def _accepted(folder: Path) -> tuple[list[float], list[int]]:
    """S and atoms after each accepted configuration."""
    with (folder / "smax.table.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["verdict"] == "accepted"]
    return [float(row["S"]) for row in rows], [int(row["atoms"]) for row in rows]


def _random(folder: Path, count: int) -> tuple[list[float], int]:
    """S with 0, 1, ... random cells of another seed added, and their vectors."""
    lines = GENERATE.read_text().rstrip() + f" reference {count}\n"
    lmp(lines, folder, variables={"nconf": 1, "seed": SEED + 1, "out": "other"})
    frames = ase.io.read(folder / "other.random.extxyz", ":")
    for k, frame in enumerate(frames, 1):
        ase.io.write(folder / f"random{k}.extxyz", frame)
    run = lmp(ADD.format(fix=fix_line(), count=len(frames)), folder)
    grown = run.numbers("grown")
    return [s for s, _ in grown], round(grown[-1][1] - grown[0][1])


def draw(chosen: list[float], at_random: list[float]) -> None:
    """Both curves in one picture, beside this file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 3.2))
    axes.plot(chosen, label="accepted by entropy", color="#1b6ca8")
    axes.plot(at_random, label="random core-relaxed", color="#b5651d")
    axes.set(xlabel="configurations added", ylabel="S (nats)")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=100)
    pyplot.close(figure)
