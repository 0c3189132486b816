"""Monte Carlo moves by pair of elements, as fix swap/all has counted them."""

from __future__ import annotations

import numpy as np

from pysmax.analysis.output import Output, Table
from pysmax.analysis.rendered import Rendered
from pysmax.errors import SmaxError
from pysmax.files import read_text

NAME = "moves.dat"
COLUMNS = 5  # row, type, type, tried, accepted


def by_pair(run: Rendered, output: Output) -> None:
    """Add table ``moves`` and the totals. SmaxError if a pair that has to be exchanged was never tried."""
    swapped, displaced = run.facts["swapped"], run.facts["displaced"]
    step, counted = last_counts(run)
    pairs = {frozenset((run.elements[a - 1], run.elements[b - 1])): (n, k) for a, b, n, k in counted}
    wanted = [frozenset((a, b)) for i, a in enumerate(swapped) for b in swapped[i + 1 :]]
    wanted += [frozenset((e,)) for e in displaced]
    if set(pairs) != set(wanted):
        odd = "-".join(sorted(next(iter(set(pairs) ^ set(wanted)))))
        raise SmaxError(f"{run.folder / NAME}: moves of {odd} do not fit, expected those of this study")
    rows: list[list[object]] = []
    for names in wanted:
        tried, accepted = pairs[names]
        kind = "exchange" if len(names) == 2 else "displacement"
        label = "-".join(sorted(names, key=(swapped + displaced).index))
        rows.append([label, kind, tried, accepted, accepted / tried if tried else float("nan")])
    output.tables["moves"] = Table(
        f"Monte Carlo moves up to step {step}", ["elements", "move", "tried", "accepted", "acceptance"], rows
    )
    for kind in ("exchange", "displacement"):
        tried = sum(int(str(r[2])) for r in rows if r[1] == kind)
        accepted = sum(int(str(r[3])) for r in rows if r[1] == kind)
        if tried:
            output.summary[f"{kind}s"] = {
                "tried": tried,
                "accepted": accepted,
                "acceptance": accepted / tried,
            }
    output.summary["pairs_never_tried"] = [r[0] for r in rows if not r[2]]


def last_counts(run: Rendered) -> tuple[int, list[tuple[int, int, int, int]]]:
    """Step, and (type, type, tried, accepted) of each kind of move, from the last whole block."""
    path = run.folder / NAME
    lines = [line.split() for line in read_text(path).splitlines() if not line.startswith("#")]
    for k in range(len(lines) - 1, -1, -1):
        if len(lines[k]) != 2:
            continue
        try:
            step, n = map(int, lines[k])
            block = np.array(lines[k + 1 : k + 1 + n], dtype=float)
        except ValueError:
            continue
        if block.shape == (n, COLUMNS) and n:
            whole = [tuple(map(int, row[1:])) for row in block]
            return step, [(a, b, tried, accepted) for a, b, tried, accepted in whole]
    raise SmaxError(f"{path}: has no whole block of moves, expected what in.{run.study} writes")
