"""Configurations per second of two partitions against one: wall clock, so it needs two free cores."""

from __future__ import annotations

from pathlib import Path

from cells import SEED
from generator import Summary, generate
from harness import GENERATE, Row, Setting

NCONF, SEEDS, GOAL = 100, 3, 1.9
TWO = {"ranks": 2, "partition": "2x1"}


def measure(setting: Setting) -> list[Row]:
    """Two partitions in the reproducible mode (default) and free-running, over one; seed after seed."""
    folder, nconf = setting.folder / "exchange", setting.times(NCONF)
    one: list[Summary] = []
    two: dict[str, list[Summary]] = {"reproducible": [], "free": []}
    for seed in range(SEED, SEED + (SEEDS if setting.pairs > 1 else 1)):
        variables = {"nconf": nconf, "seed": seed}
        repeats = range(2 if setting.pairs > 1 else 1)
        rounds = [
            (_generate(folder, variables), *(_generate(folder, variables, m) for m in two)) for _ in repeats
        ]
        best = [min(runs, key=lambda r: r.seconds) for runs in zip(*rounds, strict=True)]
        one.append(best[0])
        for runs, found in zip(two.values(), best[1:], strict=True):
            runs.append(found)
    return [_row(mode, runs, one) for mode, runs in two.items()]


def _generate(folder: Path, variables: dict[str, int], mode: str = "") -> Summary:
    """On two partitions if a mode is given; for the clock, the better of two such runs counts."""
    if not mode:
        return generate(folder, variables=variables)
    text = GENERATE.read_text().rstrip() + f" exchange {mode}\n"
    return generate(folder, text, variables=variables, **TWO)


def _row(mode: str, two: list[Summary], one: list[Summary]) -> Row:
    a, b = _per_second(two), _per_second(one)
    gain, waited = a[0] / b[0], sum(r.shares["exchange"] for r in two) / len(two)
    return Row(
        f"2 partitions over 1, configurations/s, {mode}, {len(one)} seeds",
        f"{GOAL}x",
        f"{gain:.2f}x ({a[0]:.2f} / {b[0]:.2f}; candidates {a[1] / b[1]:.2f}x, "
        f"atom-evaluations {a[2] / b[2]:.2f}x; exchange {waited:.1f} % of the time)",
        gain >= GOAL,
    )


def _per_second(runs: list[Summary]) -> tuple[float, float, float]:
    """Accepted, tried, atom-evaluations per second over all runs."""
    seconds = sum(r.seconds for r in runs)
    work = sum(r.atom_evaluations_per_s * r.seconds for r in runs)
    return sum(r.accepted for r in runs) / seconds, sum(r.tried for r in runs) / seconds, work / seconds
