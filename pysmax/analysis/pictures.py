"""Pictures of structures by OVITO's Tachyon renderer, without a screen."""

from __future__ import annotations

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
) -> bytes:
    """PNG of the frame, atoms coloured by element; ``elements``: of atom types 1, 2, ...

    ``only``: mask of the atoms shown [n]; ``rgb``: colours [n, 3] instead of those of the elements.
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
        view = Viewport(type=Viewport.Type.Perspective, camera_dir=direction)
        view.zoom_all(size=size)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "picture.png"
            renderer = TachyonRenderer(shadows=False, antialiasing_samples=6)
            view.render_image(filename=str(path), size=size, renderer=renderer, background=(1, 1, 1))
            return path.read_bytes()
    finally:
        pipeline.remove_from_scene()
