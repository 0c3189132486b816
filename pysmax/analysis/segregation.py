"""Study ``segregation``: composition against the distance from grain boundaries, and moves by pair."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pysmax.analysis import boundaries, thermo
from pysmax.analysis import segregation_figures as figures
from pysmax.analysis.anneal import history
from pysmax.analysis.frames import Frames
from pysmax.analysis.moves import by_pair
from pysmax.analysis.output import Output, Table
from pysmax.analysis.profiles import Counts, Segregation, count, segregation
from pysmax.analysis.registry import Options
from pysmax.analysis.rendered import Rendered
from pysmax.errors import SmaxError
from pysmax.moments import Array
from pysmax.studies.render import NOTE
from pysmax.studies.segregation import SegregationParameters
from pysmax.studies.study import Positive

# at.% of Nb at the boundary and in the bulk of equimolar NbMoTaW, with which the paper compares
LI_2020 = {"boundary": 57.0, "bulk": 15.5, "source": "X.-G. Li et al., npj Comput. Mater. 6, 70 (2020)"}
START_A = 5.0  # from where they were built, boundaries of the first frame at most
QUATERNARY = {"W", "Nb", "Mo", "Ta"}


class SegregationOptions(Options):
    """Of the analysis of study ``segregation``."""

    bin_A: Annotated[Positive, Field(description="width of the bins of the profiles, A")] = 2.0
    boundary_A: Annotated[
        Positive, Field(description="nearer than this to a boundary is boundary, A; not in the paper")
    ] = 5.0
    bulk_A: Annotated[
        Positive | None,
        Field(
            description="farther than this from both boundaries is bulk, A; null: 20, in short cells two "
            "thirds of the way between boundary and middle; not in the paper"
        ),
    ] = None
    discard: Annotated[
        float, Field(ge=0, lt=1, description="share of the frames that is left out as equilibration")
    ] = 0.5
    match_rmsd: Annotated[
        Positive, Field(description="largest RMSD of polyhedral template matching that is bcc")
    ] = 0.15

    def bulk(self, length: float) -> float:
        """bulk_A in a cell of this length, A. SmaxError if that is boundary."""
        found = self.bulk_A or min(20.0, length / 6)
        if found < self.boundary_A:
            raise SmaxError(
                f"option boundary_A: found {self.boundary_A} A, expected no more than bulk_A = {found:.1f} A"
            )
        return found


OPTIONS = SegregationOptions


def analyse(run: Rendered, options: SegregationOptions) -> Output:
    """Raises SmaxError for output that is missing, torn, or of another study, and lost boundaries."""
    _check(run)
    output = Output("Segregation at two grain boundaries")
    log = history(run, output)
    frames = Frames(run, boundaries.modifiers(_types(run, run.facts["swapped"]), options.match_rmsd))
    counts = _read(run, frames, options)
    found = segregation(counts, options.discard)
    order = [e for e in (*run.facts["swapped"], *run.facts["displaced"]) if run.counts.get(e)]
    reference = _reference(run)
    _compositions(output, found, order, reference)
    _profiles(run, output, found, order, counts, reference)
    _convergence(run, output, counts, found, order, log)
    _places(output, counts)
    by_pair(run, output)
    shown = figures.palette(order)
    output.figures["structure"] = figures.structure(frames[-1], run.elements, shown, _kinds(run, order)[1])
    output.captions["structure"] = (
        f"Step {frames.steps[-1]}, the normal of the boundaries across; atoms coloured by element"
        + (" (below: impurities, and in grey metals out of the crystal)." if _kinds(run, order)[1] else ".")
    )
    output.summary |= {
        "boundary": run.facts["boundary"],
        "frames": len(frames),
        "frames_used": len(found.used),
        "boundary_is_nearer_than_A": counts.boundary_A,
        "bulk_is_farther_than_A": counts.bulk_A,
    }
    return output


def _check(run: Rendered) -> None:
    """SmaxError unless the run is one of this study that has begun."""
    if missing := [k for k in ("swapped", "displaced", "boundary", "boundaries_A") if k not in run.facts]:
        raise SmaxError(f"{run.folder / NOTE}: facts: has no {missing[0]}, expected what pysmax render wrote")
    if "v_tried" not in thermo.read(run.log):
        raise SmaxError(f"{run.log}: has no column v_tried, expected thermo output of in.{run.study}")


def _types(run: Rendered, elements: list[str]) -> list[int]:
    return [run.elements.index(e) + 1 for e in elements if e in run.elements]


def _read(run: Rendered, frames: Frames, options: SegregationOptions) -> Counts:
    """Count one frame after another; only the counts are kept."""
    counts: Counts | None = None
    before: tuple[float, float] | None = None
    for step, data in zip(frames.steps, frames, strict=True):
        length = float(np.asarray(data.cell)[2, 2])
        if counts is None:
            regions = options.boundary_A, options.bulk(length)
            counts = Counts.empty(run.elements, frames.steps, options.bin_A, *regions)
        try:
            found = boundaries.find(*boundaries.out_of_crystal(data), length)
            if before is None:
                boundaries.check_start(found, run.facts["boundaries_A"], length, START_A)
        except SmaxError as e:
            raise SmaxError(f"{frames.run.folder}: frame of step {step}: {e}") from None
        before = boundaries.follow(found, before or found)
        count(counts, data, before)
    assert counts is not None  # there are frames
    return counts


def _kinds(run: Rendered, order: list[str]) -> tuple[list[str], list[str]]:
    """Metals, and impurities."""
    p = run.parameters
    assert isinstance(p, SegregationParameters)
    return [e for e in order if e in p.composition], [e for e in order if e not in p.composition]


def _reference(run: Rendered) -> dict[str, Any] | None:
    p = run.parameters
    assert isinstance(p, SegregationParameters)
    equal = len(set(p.composition.values())) == 1 and set(p.composition) == QUATERNARY
    return dict(LI_2020) if equal and not (p.substitutional or p.interstitial) else None


def _compositions(
    output: Output, found: Segregation, order: list[str], reference: dict[str, Any] | None
) -> None:
    columns = [
        "element", "overall_at_percent",
        "boundary_at_percent", "boundary_error", "bulk_at_percent", "bulk_error",
        "difference_at_percent", "difference_error", "excess_per_nm2", "excess_error",
    ]  # fmt: skip
    rows: list[list[object]] = []
    for e in order:
        k = found.elements.index(e)
        values = (
            found.overall[k],
            found.boundary[k], found.boundary_error[k], found.bulk[k], found.bulk_error[k],
            found.difference[k], found.difference_error[k], found.excess[k], found.excess_error[k],
        )  # fmt: skip
        rows.append([e, *map(float, values)])
    output.tables["compositions"] = Table(
        "Composition at the boundaries and in the bulk, and excess per area", columns, rows
    )
    output.details["compositions"] = {
        row[0]: {name: _known(x) for name, x in zip(columns[1:], row[1:], strict=True)} for row in rows
    }
    if reference:
        output.summary["Nb_of_the_literature_at_percent"] = reference


def _known(x: Any) -> float | None:
    """None for nan, which JSON has not."""
    return None if np.isnan(x) else float(x)


def _profiles(
    run: Rendered,
    output: Output,
    found: Segregation,
    order: list[str],
    counts: Counts,
    reference: dict[str, Any] | None,
) -> None:
    kinds = _kinds(run, order)
    output.figures["profile"] = figures.profile(found, kinds, counts.boundary_A, counts.bulk_A, reference)
    output.captions["profile"] = (
        "Composition against the distance from the nearer boundary. Error bars: standard errors over "
        "blocks of frames and both boundaries, none where an element was never counted. Shaded: boundary and "
        "bulk." + (f" Dotted: Nb of {reference['source']}." if reference else "")
    )
    output.figures["profile_normal"] = figures.along(found, kinds)
    output.captions["profile_normal"] = (
        "Composition along the normal, boundaries at the dashed lines; standard errors over blocks of frames."
    )
    for name, caption, x, c, error in (
        ("profile", "Composition against distance", found.distance, found.profile, found.profile_error),
        ("profile_normal", "Composition along the normal", found.normal, found.along, found.along_error),
    ):
        columns = ["distance_A" if name == "profile" else "z_A"]
        columns += [f"{e}_{what}" for e in order for what in ("at_percent", "error")]
        which = [found.elements.index(e) for e in order]
        rows = [
            [float(x[b]), *(float(v) for k in which for v in (c[b, k], error[b, k]))] for b in range(len(x))
        ]
        output.tables[name] = Table(caption, columns, rows, page=False)


def _convergence(
    run: Rendered,
    output: Output,
    counts: Counts,
    found: Segregation,
    order: list[str],
    log: dict[str, Array],
) -> None:
    """Composition of the boundaries, frame by frame, against the moves tried per atom."""
    tried = np.interp(counts.steps, log["Step"], log["v_tried"]) / run.natoms
    which = [counts.elements.index(e) for e in order]
    each = 100 * counts.near / np.maximum(counts.near.sum(axis=2, keepdims=True), 1)
    columns = ["step", "moves_per_atom"]
    columns += [f"{e}_at_percent_{b}" for e in order for b in ("boundary_1", "boundary_2")]
    rows = [
        [int(s), float(m), *(float(x[b, k]) for k in which for b in (0, 1))]
        for s, m, x in zip(counts.steps, tried, each, strict=True)
    ]
    output.tables["convergence"] = Table("Composition of the boundaries", columns, rows, page=False)
    output.figures["convergence"] = figures.convergence(
        tried, each, counts.elements, _kinds(run, order), found.used
    )
    output.captions["convergence"] = (
        "Composition of both boundaries (thin) and their mean (thick) against Monte Carlo moves; "
        "shaded: what the other numbers are taken from."
    )
    if len(found.used) > 1:
        output.details["drift_of_boundary"] = {
            e: {
                "second_less_first_half_at_percent": _known(found.drift[k]),
                "error": _known(found.drift_error[k]),
            }
            for e, k in zip(order, which, strict=True)
        }
    output.summary["moves_per_atom"] = float(tried[-1])


def _places(output: Output, counts: Counts) -> None:
    rows = [
        [int(s), float(a * L), float(b * L), float(L)]
        for s, (a, b), L in zip(counts.steps, counts.places, counts.lengths, strict=True)
    ]
    output.tables["boundaries"] = Table(
        "Boundaries in each frame", ["step", "z_1_A", "z_2_A", "cell_A"], rows, page=False
    )
    moved = np.unwrap(counts.places, axis=0, period=1.0) * counts.lengths.mean()
    output.summary["boundaries_moved_A"] = [float(x) for x in moved[-1] - moved[0]]
