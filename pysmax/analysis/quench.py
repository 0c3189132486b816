"""Study ``quench``: distances, domains, clusters to label, the bond graph (II.7; Figs. 6, 7, 18, 19)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pysmax.analysis import quench_figures, silicides
from pysmax.analysis.anneal import history
from pysmax.analysis.bonds import bond_counts, bond_modifiers
from pysmax.analysis.communities import Community, communities
from pysmax.analysis.domains import METALLIC, domains
from pysmax.analysis.frames import Frames, elements_of
from pysmax.analysis.output import Output, Table
from pysmax.analysis.pictures import colours, picture
from pysmax.analysis.quench_compare import compare
from pysmax.analysis.quench_cylinders import cut_cylinders
from pysmax.analysis.quench_domains import domain_history
from pysmax.analysis.quench_options import QuenchOptions
from pysmax.analysis.rdf import Pair, Rdf, partial_rdf
from pysmax.analysis.rendered import Rendered
from pysmax.errors import SmaxError
from pysmax.moments import Array

if TYPE_CHECKING:
    from ovito.data import DataCollection

__all__ = ["OPTIONS", "analyse", "compare"]

OPTIONS = QuenchOptions
PAIRS = 6  # shown if none are given


def analyse(run: Rendered, options: QuenchOptions) -> Output:
    """Raises SmaxError for output that is missing, torn, or of another study."""
    output = Output("A mixture cooled from the melt")
    history(run, output)
    frames = Frames(run, bond_modifiers(run.elements, options.bond_factor))
    tail = range(max(0, len(frames) - options.average_frames), len(frames))
    present = [k for k, e in enumerate(run.elements) if run.counts.get(e)]
    elements = [run.elements[k] for k in present]
    counts = bond_counts((frames[k] for k in tail), len(run.elements))[np.ix_(present, present)]
    output.summary |= {"frames": len(frames), "frames_averaged": len(tail)}
    pairs = [_pair(text, elements) for text in options.pairs] or _most_bonded(elements, counts)
    _distances(run, options, frames, tail, pairs, output)
    cut_cylinders(run, options, frames, output)
    domain_history(run, options, frames, output)
    _silicides(run, options, frames, tail, output)
    shown = add_graph(output, counts, elements, options)
    panels = [_members(frames[-1], run, k, c) for k, c in enumerate(shown, 1)]
    output.figures["communities"] = quench_figures.gallery(panels)
    output.captions["communities"] = "Atoms of the most significant communities in the last frame."
    output.summary["options"] = options.model_dump(mode="json", exclude_unset=True)
    return output


def _distances(
    run: Rendered, options: QuenchOptions, frames: Frames, tail: range, pairs: list[Pair], output: Output
) -> None:
    rdf = partial_rdf((frames[k] for k in tail), run.elements, pairs, options.rdf_cutoff_A, options.rdf_bins)
    names = ["-".join(p) for p in rdf.g]
    columns = [rdf.r, *rdf.g.values()]
    output.tables["rdf"] = Table(
        "g(r)", ["r_A", *names], [list(map(float, row)) for row in zip(*columns, strict=True)], page=False
    )
    output.figures["rdf"] = quench_figures.rdf_figure(rdf)
    output.captions["rdf"] = f"Partial radial distribution functions, mean of the last {len(tail)} frames."


def _pair(text: str, elements: Sequence[str]) -> Pair:
    a, b = text.split("-")
    if unknown := [e for e in (a, b) if e not in elements]:
        raise SmaxError(f"pairs: element {unknown[0]} is not in this study, which has {' '.join(elements)}")
    return a, b


def _most_bonded(elements: Sequence[str], counts: Array) -> list[Pair]:
    """The pairs with most bonds, and Fe-Si where there is any."""
    first, second = np.triu_indices(len(elements))
    order = np.argsort(-counts[first, second], kind="stable")[:PAIRS]
    pairs = [(elements[first[k]], elements[second[k]]) for k in order]
    if {"Fe", "Si"} <= set(elements) and not {("Fe", "Si"), ("Si", "Fe")} & set(pairs):
        pairs[-1] = ("Fe", "Si")
    return pairs


def _silicides(run: Rendered, options: QuenchOptions, frames: Frames, tail: range, output: Output) -> None:
    """Iron and silicon of the metallic domain against crystals; nothing where there is no such phase."""

    def metallic(data: DataCollection) -> npt.NDArray[np.bool_]:
        return domains(data, run.elements, options.anions, options.oxide_share)[METALLIC].inside

    if not {"Fe", "Si"} <= set(run.counts):
        return
    size = (options.reference_cutoff_A, options.rdf_bins)
    rdf = partial_rdf((frames[k] for k in tail), run.elements, silicides.PAIRS, *size, chosen=metallic)
    neighbours = rdf.neighbours("Fe", "Si", silicides.BOND_A)
    if neighbours < 1 or not all(rdf[p].any() for p in silicides.PAIRS):
        near = f"{neighbours:.2f} neighbours Si within {silicides.BOND_A} A"
        output.summary["silicide"] = f"none: iron in the metallic domain has {near}"
        return
    known = silicides.reference_rdfs(*size, options.reference_sigma_A)
    likeness = silicides.likeness(rdf, known)
    nearest = max(likeness, key=lambda name: likeness[name]["overlap_mean"])
    output.summary["silicide"] = {"most_similar": nearest, "Si_around_Fe": neighbours, **likeness}
    output.figures["silicides"] = quench_figures.silicide_figure(rdf, known, silicides.PAIRS)
    output.captions["silicides"] = (
        "Iron and silicon of the metallic domain, and crystals, their shells "
        f"{options.reference_sigma_A:g} Å wide; every curve has area 1. Most similar: {nearest}."
    )
    output.tables["silicides"] = _silicide_table(rdf, known)


def _silicide_table(rdf: Rdf, known: dict[str, Rdf]) -> Table:
    names, columns = ["r_A"], [rdf.r]
    for label, one in {"run": rdf, **known}.items():
        for pair in silicides.PAIRS:
            names.append(f"{label}_{'-'.join(pair)}_per_A")
            columns.append(one.shape(pair) / (rdf.r[1] - rdf.r[0]))
    rows = [list(map(float, row)) for row in zip(*columns, strict=True)]
    return Table("g(r) of the Fe-Si phase and of crystals, area 1", names, rows, page=False)


def add_graph(
    output: Output, counts: Array, elements: Sequence[str], options: QuenchOptions
) -> list[Community]:
    """Tables and heat map of the bond graph of ``counts`` [n, n]; its most significant communities."""
    found = communities(counts, elements, options.resolution, options.seed)
    output.tables["bonds"] = Table(
        "Bonds per pair of elements",
        ["element_1", "element_2", "bonds"],
        [
            [a, elements[j], float(counts[i, j])]
            for i, a in enumerate(elements)
            for j in range(i, len(elements))
        ],
        page=False,
    )
    output.tables["partition"] = Table(
        "Community of each element",
        ["element", "community"],
        [[e, k] for k, c in enumerate(found, 1) for e in c.elements],
        page=False,
    )
    shown = found[: quench_figures.SHOWN]
    output.tables["communities"] = Table(
        "Most significant communities of the bond graph",
        ["community", "elements", "bonds_inside", "bonds_by_chance", "significance_sigma"],
        [[k, " ".join(c.elements), c.bonds, c.expected, c.significance] for k, c in enumerate(shown, 1)],
    )
    output.summary["communities"] = len(found)
    output.summary |= {f"community_{k}": " ".join(c.elements) for k, c in enumerate(shown, 1)}
    output.figures["bonds"] = quench_figures.bond_figure(counts, elements, found, "bonds")
    output.captions["bonds"] = "Bonds between elements; blue frames: the most significant communities."
    return shown


def _members(data: DataCollection, run: Rendered, rank: int, community: Community) -> quench_figures.Panel:
    """The atoms of a community, alone."""
    inside = np.isin(elements_of(data, run), community.elements)
    chosen = colours(community.elements)
    every = dict.fromkeys(run.elements, (0.0, 0.0, 0.0)) | chosen
    png = picture(data, run.elements, colour=every, only=inside, size=quench_figures.SMALL)
    return f"{rank}: {inside.sum()} atoms", png, chosen
