"""Configurations per second of two partitions against one: wall clock, so it needs two free cores."""

from __future__ import annotations

from cells import SEED
from generator import Summary, generate
from harness import GENERATE, Row, Setting, interleaved, middle, ratio

NCONF, GOAL = 100, 1.9


def measure(setting: Setting) -> list[Row]:
    """Two partitions over one, in the reproducible mode (default) and free-running."""
    return [_compare(setting, mode) for mode in ("reproducible", "free")]


def _compare(setting: Setting, mode: str) -> Row:
    folder = setting.folder / f"exchange_{mode}"
    text = GENERATE.read_text().rstrip() + f" exchange {mode}\n"
    variables = {"nconf": setting.times(NCONF), "seed": SEED}
    tried: list[list[float]] = []

    def accepted_per_s(**options: object) -> float:
        s: Summary = generate(folder, text, variables=variables, **options)
        tried.append([s.tried / s.seconds])
        return s.accepted / s.seconds

    two = {"ranks": 2, "partition": "2x1"}
    pairs = (setting.pairs + 1) // 2
    values = list(interleaved(pairs, lambda: accepted_per_s(**two), lambda: accepted_per_s()))
    gain = ratio(values)
    candidates = ratio([[a[0], b[0]] for a, b in zip(tried[::2], tried[1::2], strict=True)])
    return Row(
        f"2 partitions over 1, configurations/s, {mode}",
        f"{GOAL}x",
        f"{gain:.2f}x ({middle(values, 0):.2f} / {middle(values, 1):.2f}; candidates/s {candidates:.2f}x)",
        gain >= GOAL,
    )
