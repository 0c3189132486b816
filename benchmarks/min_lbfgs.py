"""What min_style lbfgs saves against the stock minimisers at the same accepted count."""

from __future__ import annotations

import re

from cells import SEED
from generator import Summary, generate
from harness import GENERATE, Row, Setting

NCONF = 50
STYLES = ("lbfgs", "cg", "fire")


def measure(setting: Setting) -> list[Row]:
    """One row a minimiser: evaluations and processor time, and the entropy reached."""
    return [_row(style, _run(setting, style)) for style in STYLES]


def _run(setting: Setting, style: str) -> Summary:
    folder = setting.folder / f"min_{style}"
    folder.mkdir(parents=True, exist_ok=True)
    text, found = re.subn(r"(?m)^min_style.*$", f"min_style {style}", GENERATE.read_text())
    if found != 1:
        raise SystemExit(f"bench: {GENERATE} has {found} lines min_style, expected one")
    return generate(folder, text, variables={"nconf": setting.times(NCONF), "seed": SEED})


def _row(style: str, s: Summary) -> Row:
    return Row(
        f"min_style {style}: at {s.accepted} accepted",
        "",
        f"{s.cpu_s / s.accepted:.3f} s/accepted, {s.evaluations:.0f} evaluations/candidate, "
        f"{s.accepted} of {s.tried} accepted, S = {s.entropy:.2f}",
    )
