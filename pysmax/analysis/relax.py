"""Study ``relax``: what became of each structure, as one extended XYZ file and a table."""

from __future__ import annotations

import io
from collections import Counter
from typing import Annotated

import ase.io
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pydantic import Field

from pysmax.analysis import relaxed
from pysmax.analysis.output import Output, Table
from pysmax.analysis.registry import Options
from pysmax.analysis.relaxed import CONVERGED, FAILED, MISSING, OUT_OF_STEPS, Result
from pysmax.analysis.rendered import Rendered
from pysmax.errors import SmaxError
from pysmax.moments import Array
from pysmax.studies.relax import RelaxParameters

COLUMNS = (
    "structure", "formula", "atoms", "status", "steps", "energy_eV_per_atom", "change_eV_per_atom",
    "volume_change_percent", "largest_force_eV_per_A", "largest_stress_GPa", "given_energy_eV_per_atom",
    "reason",
)  # fmt: skip
ABOUT = {
    "single": "Energies of structures as they are",
    "internal": "Structures relaxed in their cells",
    "full": "Structures and cells relaxed",
}


class RelaxOptions(Options):
    """Of the analysis of ``relax``."""

    partial: Annotated[bool, Field(description="structures without a result yet are no error")] = False


OPTIONS = RelaxOptions


def analyse(run: Rendered, options: RelaxOptions) -> Output:
    """Raises SmaxError for structures without a result, and for damaged results."""
    p = run.parameters
    assert isinstance(p, RelaxParameters)
    found = list(relaxed.results(run))
    missing = [r.number for r in found if r.status == MISSING]
    if len(missing) == len(found) or (missing and not options.partial):
        raise SmaxError(
            f"{run.folder}: {len(missing)} of {len(found)} structures have no result, the first is number "
            f"{missing[0]}: run lmp -in in.relax (again), or --set partial=true"
        )
    output = Output(ABOUT[p.mode])
    text = io.StringIO()
    ase.io.write(text, [relaxed.with_provenance(r, p.mode) for r in found], format="extxyz")
    output.files["relaxed.extxyz"] = text.getvalue().encode()
    rows = [_row(r) for r in found]
    output.tables["structures"] = Table("All structures", COLUMNS, rows, page=len(rows) <= 50)
    if bad := [r for r in found if r.status != CONVERGED]:
        output.tables["failures"] = Table(
            "Structures that did not converge, have failed or are missing",
            ["structure", "formula", "status", "reason"],
            [[r.number, r.given.get_chemical_formula(), r.status, r.reason] for r in bad],  # type: ignore[no-untyped-call]
        )
    counts = Counter(r.status for r in found)
    output.summary |= {
        "mode": p.mode,
        "structures": len(found),
        **{s.replace(" ", "_"): counts[s] for s in (CONVERGED, OUT_OF_STEPS, FAILED, MISSING)},
    }
    good = [r for r in found if r.status in (CONVERGED, OUT_OF_STEPS)]
    if good:
        _numbers(output, good, p.mode)
    return output


def _row(r: Result) -> list[object]:
    n = len(r.given)
    given = r.given.calc.results.get("energy") if r.given.calc is not None else None
    numbers: list[object] = [""] * 6
    if r.status in (CONVERGED, OUT_OF_STEPS):
        change = 100 * (r.volume_ratio - 1)
        numbers = [r.steps, r.energy / n, (r.energy - r.start) / n]
        numbers += ["" if np.isnan(change) else change, r.force, r.stress]
    formula = r.given.get_chemical_formula()  # type: ignore[no-untyped-call]
    return [r.number, formula, n, r.status, *numbers, "" if given is None else float(given) / n, r.reason]


def _numbers(output: Output, good: list[Result], mode: str) -> None:
    n = np.array([len(r.given) for r in good])
    energy = np.array([r.energy for r in good]) / n
    change = energy - np.array([r.start for r in good]) / n
    volume = np.array([100 * (r.volume_ratio - 1) for r in good])
    if mode == "single":
        panels = {"energy (eV/atom)": energy, "largest force (eV/Å)": np.array([r.force for r in good])}
    else:
        panels = {"energy change (meV/atom)": 1000 * change}
        output.summary["mean_change_eV_per_atom"] = float(change.mean())
    if mode == "full":
        panels["volume change (%)"] = volume
        output.summary["mean_volume_change_percent"] = float(volume.mean())
    output.figures["changes"] = _histograms(panels)
    output.captions["changes"] = f"Distributions over {len(good)} structures."
    pairs = [
        (e, r.given.calc.results["energy"] / len(r.given))
        for e, r in zip(energy, good, strict=True)
        if r.given.calc is not None and "energy" in r.given.calc.results
    ]
    if pairs:
        d = np.diff(np.array(pairs), axis=1)[:, 0] * -1
        output.summary["against_given_energies"] = {
            "structures": len(d),
            "mean_eV_per_atom": float(d.mean()),
            "mae_eV_per_atom": float(np.abs(d).mean()),
            "rmse_eV_per_atom": float(np.sqrt((d**2).mean())),
        }


def _histograms(panels: dict[str, Array]) -> Figure:
    from pysmax.report.plots import BLUE, style

    with style():
        figure = Figure(figsize=(4.2 * len(panels), 3.4))
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for ax, (name, values) in zip(axes, panels.items(), strict=True):
            ax.hist(values, bins=min(40, max(5, len(values) // 3)), color=BLUE, edgecolor="white")
            ax.set_xlabel(name)
            ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0].set_ylabel("structures")
    return figure
