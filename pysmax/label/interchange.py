"""Parsl's broker between driver and pilots, made to end with the driver even if that is killed.

Pilots that hear no broker end by themselves: a killed driver leaves no jobs behind.
"""

from __future__ import annotations

import runpy
import sys

from pysmax.label.worker import die_with_parent

if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    runpy.run_module("parsl.executors.high_throughput.interchange", run_name="__main__")
