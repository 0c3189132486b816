"""What an analysis makes, and how it is written: CSV, PNG, summary.json, one page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pysmax.analysis.rendered import Rendered
from pysmax.errors import SmaxError
from pysmax.files import write_atomically
from pysmax.studies import stand_in


@dataclass
class Table:
    """``page``: shown on the page too."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    page: bool = True


@dataclass
class Output:
    """Names are those of the files: ``figures[name]`` is name.png, ``tables[name]`` name.csv.

    ``pictures``: PNG from a renderer. ``files``: anything else. ``summary``: plain data, units in its keys;
    ``details``: more of it, in the file alone and not on the page.
    """

    about: str
    summary: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    captions: dict[str, str] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


def write(run: Rendered, output: Output, to: Path) -> Path:
    """Write everything to folder ``to``; the page's path."""
    from pysmax.report import html, plots

    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SmaxError(f"{to}: cannot be made: {e.strerror}") from None
    with plots.style():
        images = {name: html.png(figure) for name, figure in output.figures.items()} | output.pictures
    for name, png in images.items():
        write_atomically(to / f"{name}.png", png)
    for name, table in output.tables.items():
        write_atomically(to / f"{name}.csv", _csv(table).encode())
    for name, data in output.files.items():
        write_atomically(to / name, data)
    head = {
        "study": run.study,
        "system": run.system,
        "scale": run.scale,
        "potential": run.potential,
        "note": stand_in.LABEL if run.stand_in else "",
        "atoms": run.natoms,
        "elements": run.counts,
    }
    summary = {**head, **output.summary, **output.details}
    write_atomically(to / "summary.json", (json.dumps(summary, indent=2) + "\n").encode())
    panels = html.panels(images, {name: output.captions.get(name, name) for name in images})
    text = html.render(
        "pysmax.analysis",
        about=output.about,
        head=head,
        values=_flat(output.summary),
        panels=[(*panel, _wide(png)) for panel, png in zip(panels, images.values(), strict=True)],
        tables=[t for t in output.tables.values() if t.page],
    )
    write_atomically(to / "index.html", text.encode())
    return to / "index.html"


def _wide(png: bytes) -> bool:
    """Whether a PNG is more than twice as wide as high: its header has both after 16 bytes."""
    width, height = (int.from_bytes(png[k : k + 4], "big") for k in (16, 20))
    return width > 2 * height


def _csv(table: Table) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([[shown(v) for v in row] for row in table.rows])
    return buffer.getvalue()


def shown(value: object) -> str:
    """A number with six digits, anything else as it is."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _flat(summary: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Numbers and words of the summary as rows of the page; long lists stay in the file."""
    rows = []
    for key, value in summary.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, dict):
            rows += _flat(value, f"{name}: ")
        elif isinstance(value, list):
            if len(value) <= 6:
                rows.append((name, ", ".join(map(shown, value))))
        else:
            rows.append((name, shown(value)))
    return rows
