"""Pages that stand alone: templates with every image inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import jinja2
from matplotlib.figure import Figure


def png(figure: Figure) -> bytes:
    """The figure as a PNG, in the style in force; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def panels(images: Mapping[str, bytes], captions: Mapping[str, str]) -> list[tuple[str, str]]:
    """Caption and base64 of every image, in the order of the images."""
    return [(captions[name], base64.b64encode(data).decode()) for name, data in images.items()]


def render(package: str, **values: Any) -> str:
    """page.html.j2 of ``package``, which may extend base.html.j2 of this one. Values are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(p, ".") for p in (package, "pysmax.report")]),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(**values)
