"""What an analysis writes: figures of their width, tables, a summary."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from pysmax.analysis.output import Output, Table, write
from pysmax.analysis.rendered import open_study
from pysmax.errors import SmaxError
from pysmax.studies import render


def output() -> Output:
    figures = {"flat": Figure(figsize=(6, 2)), "high": Figure(figsize=(3, 4))}
    rows = [("a & b", 1 / 3), ("c,d", 2)]
    table = Table("Numbers", ["name", "value"], rows)
    summary = {"sum": {"of_both_eV": 7 / 3}}
    return Output("A trial", summary, figures=figures, tables={"numbers": table})


def test_everything_is_written(tmp_path: Path) -> None:
    run = open_study(render("anneal", tmp_path / "x", potential="stand-in"))
    page = write(run, output(), tmp_path / "out").read_text()
    flat, high = (page.index(f'alt="{name}"') for name in ("flat", "high"))
    assert 'class="wide"' in page[:flat] and 'class="wide"' not in page[flat:high]
    assert "a &amp; b" in page and "sum: of both eV" in page and "stand-in: not a physical result" in page
    assert list(csv.reader((tmp_path / "out" / "numbers.csv").open())) == [
        ["name", "value"],
        ["a & b", "0.333333"],
        ["c,d", "2"],
    ]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["sum"]["of_both_eV"] == 7 / 3 and summary["elements"] == {"Cu": 4000}


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    run = open_study(render("anneal", tmp_path / "x", potential="stand-in"))
    (tmp_path / "out").write_text("")
    with pytest.raises(SmaxError, match="out: cannot be made"):
        write(run, output(), tmp_path / "out")
