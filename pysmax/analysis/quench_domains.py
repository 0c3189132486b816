"""Metallic and oxide domains of study ``quench``: in time, in the last frame, in pictures (Fig. 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from pysmax.analysis import quench_figures
from pysmax.analysis.domains import METALLIC, OXIDE, Domain, domains
from pysmax.analysis.frames import Frames, elements_of
from pysmax.analysis.output import Output, Table
from pysmax.analysis.pictures import colours, picture
from pysmax.analysis.quench_options import QuenchOptions
from pysmax.analysis.rendered import Rendered
from pysmax.moments import Array
from pysmax.studies.study import Dynamics

if TYPE_CHECKING:
    from ovito.data import DataCollection

CLUSTERS = 10  # of each domain in the table
LEGEND = 20  # elements that a legend can hold
METALLIC_RGB, OXIDE_RGB, OTHER_RGB = (0.84, 0.37, 0.0), (0.62, 0.71, 0.84), (0.8, 0.8, 0.8)


def domain_history(run: Rendered, options: QuenchOptions, frames: Frames, output: Output) -> None:
    """Clusters in time, those of the last frame, and where they are; without anions a picture alone."""
    output.captions["structure"] = f"Atoms at step {frames.steps[-1]}."
    if not any(run.counts.get(e) for e in options.anions):
        output.summary["domains"] = f"no {', '.join(options.anions)} in this study"
        output.figures["structure"] = quench_figures.gallery([_all_atoms(frames[-1], run)])
        return
    p = run.parameters
    assert isinstance(p, Dynamics)
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), options.domain_frames)).round())
    steps = np.array([frames.steps[int(k)] for k in chosen])
    rows: list[list[float]] = []
    last, data = {}, frames[-1]
    for k in chosen:
        data = frames[int(k)]
        last = domains(data, run.elements, options.anions, options.oxide_share)
        rows.append([v for d in last.values() for v in _sizes(d)])
    table = np.array(rows)
    ps = steps * p.timestep_fs / 1000
    ramp = np.linspace(0, p.n_steps, max(2, len(p.temperature)))
    set_to = np.interp(steps, ramp, p.temperature if len(p.temperature) > 1 else p.temperature * 2)
    names = ["atoms", "clusters", "largest", "typical"]
    output.tables["domains"] = Table(
        "Domains in time",
        ["time_ps", "set_temperature_K", *(f"{d}_{name}" for d in last for name in names)],
        np.column_stack([ps, set_to, table]).tolist(),
        page=False,
    )
    columns = {d: dict(zip(names, table[:, 4 * k : 4 * k + 4].T, strict=True)) for k, d in enumerate(last)}
    output.figures["domains"] = quench_figures.domain_figure(ps, set_to, columns)
    output.captions["domains"] = (
        "Atoms of each domain, its clusters (bonded atoms of one domain), and their sizes: the largest, "
        "and that of the cluster an atom is in on average."
    )
    output.summary["domains"] = {
        f"{d}_{name}": float(values[-1]) for d, c in columns.items() for name, values in c.items()
    }
    output.tables["clusters"] = _clusters(data, run, last)
    output.figures["structure"] = _structure(data, run, last)
    output.captions["structure"] = (
        f"Step {steps[-1]}: all atoms, their domains, the metallic domain by element and by cluster."
    )


def _sizes(d: Domain) -> list[float]:
    return [float(d.inside.sum()), float(len(d.sizes)), float(d.largest), d.typical]


def _clusters(data: DataCollection, run: Rendered, found: Mapping[str, Domain]) -> Table:
    elements = elements_of(data, run)
    rows = [
        [name, k, int(size), _formula(elements[d.cluster == k])]
        for name, d in found.items()
        for k, size in enumerate(d.sizes[:CLUSTERS], 1)
    ]
    return Table("Largest clusters of the last frame", ["domain", "cluster", "atoms", "elements"], rows)


def _formula(elements: np.ndarray[tuple[int], np.dtype[np.str_]]) -> str:
    """Numbers of each element, the most frequent first."""
    names, n = np.unique(elements, return_counts=True)
    return " ".join(f"{names[k]}{n[k]}" for k in np.argsort(-n, kind="stable"))


def _all_atoms(data: DataCollection, run: Rendered) -> quench_figures.Panel:
    return "all atoms", picture(data, run.elements, size=quench_figures.SMALL), _legend(run)


def _legend(run: Rendered) -> quench_figures.Colours:
    """Of the elements that there are, unless they are too many for one."""
    present = {e: c for e, c in colours(run.elements).items() if run.counts.get(e)}
    return present if len(present) <= LEGEND else {}


def _structure(data: DataCollection, run: Rendered, found: Mapping[str, Domain]) -> Figure:
    metallic = found[METALLIC]
    in_domain = np.where(metallic.inside[:, None], METALLIC_RGB, OXIDE_RGB)
    by_size = colours([f"{k}: {n} atoms" for k, n in enumerate(metallic.sizes[:CLUSTERS], 1)])
    palette = np.array([OTHER_RGB, *by_size.values(), OTHER_RGB])
    in_cluster = palette[np.minimum(metallic.cluster, len(by_size) + 1)]

    def panel(
        title: str,
        legend: quench_figures.Colours,
        only: npt.NDArray[np.bool_] | None = None,
        rgb: Array | None = None,
    ) -> quench_figures.Panel:
        return title, picture(data, run.elements, size=quench_figures.SMALL, only=only, rgb=rgb), legend

    panels = [
        _all_atoms(data, run),
        panel("domains", {METALLIC: METALLIC_RGB, OXIDE: OXIDE_RGB}, rgb=in_domain),
    ]
    if metallic.inside.any():
        panels += [
            panel("metallic domain", _legend(run), only=metallic.inside),
            panel("metallic clusters", by_size, only=metallic.inside, rgb=in_cluster),
        ]
    return quench_figures.gallery(panels)
