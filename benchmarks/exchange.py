"""Configurations per second of two partitions against one: wall clock, so it needs two free cores."""

from __future__ import annotations

from cells import SEED
from generator import Summary, generate
from harness import GENERATE, Row, Setting

NCONF, SEEDS, GOAL = 100, 4, 1.9
TWO = {"ranks": 2, "partition": "2x1"}


def measure(setting: Setting) -> list[Row]:
    """Two partitions in the reproducible mode (default) and free-running, over one; seed after seed."""
    folder, nconf = setting.folder / "exchange", setting.times(NCONF)
    one: list[Summary] = []
    two: dict[str, list[Summary]] = {"reproducible": [], "free": []}
    for seed in range(SEED, SEED + (SEEDS if setting.pairs > 1 else 1)):
        variables = {"nconf": nconf, "seed": seed}
        one.append(generate(folder, variables=variables))
        for mode, runs in two.items():
            text = GENERATE.read_text().rstrip() + f" exchange {mode}\n"
            runs.append(generate(folder, text, variables=variables, **TWO))
    return [_row(mode, runs, one) for mode, runs in two.items()]


def _row(mode: str, two: list[Summary], one: list[Summary]) -> Row:
    a, b = _per_second(two), _per_second(one)
    gain = a[0] / b[0]
    return Row(
        f"2 partitions over 1, configurations/s, {mode}, {len(one)} seeds",
        f"{GOAL}x",
        f"{gain:.2f}x ({a[0]:.2f} / {b[0]:.2f}; candidates {a[1] / b[1]:.2f}x, "
        f"atom-evaluations {a[2] / b[2]:.2f}x)",
        gain >= GOAL,
    )


def _per_second(runs: list[Summary]) -> tuple[float, float, float]:
    """Accepted, tried, atom-evaluations per second over all runs."""
    seconds = sum(r.seconds for r in runs)
    work = sum(r.atom_evaluations_per_s * r.seconds for r in runs)
    return sum(r.accepted for r in runs) / seconds, sum(r.tried for r in runs) / seconds, work / seconds
