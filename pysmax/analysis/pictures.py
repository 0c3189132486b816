"""Pictures of structures by OVITO's Tachyon renderer, without a screen."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ovito.data import DataCollection


def colours(elements: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """RGB of each element: colours that can be told apart, in the order of the elements."""
    import matplotlib as mpl

    few = len(elements) <= 10
    colormap = mpl.colormaps["tab10" if few else "turbo"]
    found = {}
    for k, e in enumerate(elements):
        r, g, b, _ = colormap(k if few else k / (len(elements) - 1))
        found[e] = (float(r), float(g), float(b))
    return found


def picture(
    data: DataCollection,
    elements: Sequence[str],
    size: tuple[int, int] = (800, 600),
    direction: tuple[float, float, float] = (-1.0, -2.0, -0.7),
    colour: dict[str, tuple[float, float, float]] | None = None,
    only: Any = None,
    rgb: Any = None,
    trim: bool = False,
    samples: int = 6,
    perspective: bool = True,
) -> bytes:
    """PNG of the frame, atoms coloured by element; ``elements``: of atom types 1, 2, ...

    ``only``: mask of the atoms shown [n]; ``rgb``: colours [n, 3] instead of those of the elements.
    ``trim``: without the white around it, so that a long cell fills the picture.
    ``samples``: rays a pixel; time goes with pixels and with them.
    """
    from ovito.pipeline import Pipeline, StaticSource
    from ovito.vis import TachyonRenderer, Viewport

    data = data.clone()
    chosen = colour or colours(elements)
    particles: Any = data.particles_
    if rgb is None:
        rgb = np.array([chosen[e] for e in elements])[np.asarray(particles.particle_types) - 1]
    particles.create_property("Color", data=rgb)
    if particles.bonds is not None:
        particles.bonds_.vis.enabled = False
    if only is not None:
        particles.delete_elements(~np.asarray(only))
    pipeline = Pipeline(source=StaticSource(data=data))
    pipeline.add_to_scene()
    try:
        kind = Viewport.Type.Perspective if perspective else Viewport.Type.Ortho
        view = Viewport(type=kind, camera_dir=direction)
        view.zoom_all(size=size)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "picture.png"
            renderer = TachyonRenderer(shadows=False, antialiasing_samples=samples)
            view.render_image(filename=str(path), size=size, renderer=renderer, background=(1, 1, 1))
            return _trimmed(path.read_bytes()) if trim else path.read_bytes()
    finally:
        pipeline.remove_from_scene()


def _trimmed(png: bytes, margin: int = 10) -> bytes:
    """The same picture without rows and columns at its edges that are white."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    ink = np.asarray(image).min(axis=2) < 250
    if not ink.any():
        return png
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    left, top = max(int(columns[0]) - margin, 0), max(int(rows[0]) - margin, 0)
    right, bottom = int(columns[-1]) + margin + 1, int(rows[-1]) + margin + 1
    buffer = io.BytesIO()
    image.crop((left, top, min(right, image.width), min(bottom, image.height))).save(buffer, "PNG")
    return buffer.getvalue()
