"""Seconds per accepted configuration, and where the time goes that the kernel does not take."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from cells import SEED, Material
from fix_entropy import cells_by_fix, read
from harness import GENERATE, Finished, Row, Setting, fix_line, interleaved, lmp

NCONF, SEEDS = 100, 3
GOAL_SECONDS, GOAL_OUTSIDE = 0.4, 10.0


@dataclass(frozen=True)
class Summary:
    """What a run of the generator says of itself at its end."""

    accepted: int
    tried: int
    seconds: float  # wall clock of entropy_generate
    cpu_s: float  # of the whole process
    atom_evaluations_per_s: float
    shares: dict[str, float]  # % of the time: kernel, LAMMPS, exchange, I/O
    entropy: float
    evaluations: float  # mean of a candidate

    @property
    def seconds_per_accepted(self) -> float:
        """Wall clock."""
        return self.seconds / max(1, self.accepted)


def generate(folder: Path, script: str | Path = GENERATE, **options: object) -> Summary:
    """Run the generator into ``folder``; ranks, partition and variables as in lmp()."""
    for old in folder.glob("smax.*"):
        old.unlink()
    return summary(lmp(script, folder, **options), folder)  # type: ignore[arg-type]


def summary(run: Finished, folder: Path) -> Summary:
    """Read the closing summary and the table."""
    accepted, tried = _find(r"accepted (\d+) of (\d+) tried", run.text)
    each, speed = _find(r"accepted now: ([\d.]+) s per accepted .*, (\d+) atom-evaluations/s", run.text)
    shares = dict(re.findall(r"(kernel|LAMMPS|exchange|I/O) ([\d.]+) %", run.text))
    (entropy,) = _find(r"S = (\S+) nats", run.text)
    with (folder / "smax.table.csv").open() as table:
        evaluations = mean(int(row["evaluations"]) for row in csv.DictReader(table))
    return Summary(
        int(accepted),
        int(tried),
        each * max(1.0, accepted),
        run.cpu_s,
        speed,
        {k: float(v) for k, v in shares.items()},
        entropy,
        evaluations,
    )


def measure(setting: Setting, material: Material) -> list[Row]:
    """The default run on one core, and its parts."""
    folder, nconf = setting.folder / "generator", setting.times(NCONF)
    seeds = range(SEED, SEED + (SEEDS if setting.pairs > 1 else 1))
    runs = [generate(folder, variables={"nconf": nconf, "seed": seed}) for seed in seeds]
    seconds = median(r.seconds_per_accepted for r in runs)
    outside = 100.0 - median(r.shares["kernel"] for r in runs)
    split = ", ".join(f"{k} {median(r.shares[k] for r in runs):.1f}" for k in runs[0].shares)
    accepted, tried = sum(r.accepted for r in runs), sum(r.tried for r in runs)
    return [
        Row(
            f"seconds per accepted configuration, one core, nconf {nconf}, {len(runs)} seeds",
            f"< {GOAL_SECONDS}",
            f"{seconds:.3f} ({accepted} of {tried} accepted)",
            seconds < GOAL_SECONDS,
        ),
        Row("  the same in processor seconds", "", f"{median(r.cpu_s / r.accepted for r in runs):.3f}"),
        Row("  evaluations per candidate", "", f"{mean(r.evaluations for r in runs):.1f}"),
        Row(
            "  atom-evaluations/s over the whole run",
            "",
            f"{median(r.atom_evaluations_per_s for r in runs):.0f}",
        ),
        Row(
            "share of the time outside the kernel",
            f"< {GOAL_OUTSIDE:.0f} %",
            f"{outside:.1f} % ({split} %)",
            outside < GOAL_OUTSIDE,
        ),
        *_parts(setting, material),
    ]


def _find(pattern: str, text: str) -> tuple[float, ...]:
    found = re.search(pattern, text)
    if not found:
        raise SystemExit(f"bench: found no '{pattern}' in the output of the generator:\n{text[-1000:]}")
    return tuple(float(x) for x in found.groups())


# ---------------------------------------------------------------------------
# microseconds of one evaluation, one minimisation, one candidate
# ---------------------------------------------------------------------------

CANDIDATES = """units metal
boundary p p p
region cell prism 0 10 0 10 0 10 0 0 0
create_box 96 cell
mass * 1.0
{fix}
entropy_dataset entropy read {reference}
fix_modify entropy entropy {term}
min_style lbfgs
min_modify dmax 0.1 norm max
variable k loop {count}
label next
{work}
next k
jump SELF next
"""


def _parts(setting: Setting, material: Material) -> list[Row]:
    steps = setting.times(200)
    folder = setting.folder / "parts"
    rows = []
    for what, term in (("with the entropy", "yes"), ("core only", "no")):
        text = read(material.reference) + cells_by_fix(material, steps, entropy=term)
        run = lmp(text, folder)
        loops = run.loops()
        count = sum(x.steps for x in loops)
        wall = 1e6 * sum(x.wall_s for x in loops) / count
        kernel = 1e6 * sum(k for (k,) in run.numbers("kernel")) / (count + len(loops))
        atoms = sum(x.atoms for x in loops) / len(loops)
        share = f", {100 * (1 - kernel / wall):.1f} % outside" if term == "yes" else ""
        rows.append(
            Row(
                f"  evaluation {what}, {atoms:.1f} atoms, list kept: microseconds",
                "",
                f"{wall:.0f} (kernel {kernel:.0f}{share})",
            )
        )
    place = "entropy_candidate entropy seed 1 index $k natoms 14:1"
    each = {
        "place a candidate of 14 atoms": ("no", place),
        "  and minimize it by 0 steps, core only": ("no", f"{place}\nminimize 0.0 0.0 0 1"),
        "  and minimize it by 0 steps, with the entropy": ("yes", f"{place}\nminimize 0.0 0.0 0 1"),
        "  and 'run 0 post no', with the entropy": ("yes", f"{place}\nrun 0 post no"),
    }
    for what, (term, work) in each.items():
        cost = _per_candidate(setting, material, term, work)
        rows.append(Row(f"  {what}: microseconds", "", f"{1e6 * cost:.0f}"))
    return rows


def _per_candidate(setting: Setting, material: Material, term: str, work: str) -> float:
    """Processor seconds of one round, from a long and a short loop."""
    few, many = 10, 10 + setting.times(500)

    def cpu(count: int) -> float:
        text = CANDIDATES.format(
            fix=fix_line(), reference=material.reference, term=term, count=count, work=work
        )
        return lmp("log none\n" + text, setting.folder / "parts").cpu_s

    values = interleaved(3, lambda: cpu(many), lambda: cpu(few))
    return median(a - b for a, b in values) / (many - few)
