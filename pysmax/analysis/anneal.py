"""Study ``anneal``: temperature, pressure, energy and volume in time, and the last frame."""

from __future__ import annotations

from matplotlib.figure import Figure

from pysmax.analysis import thermo
from pysmax.analysis.frames import Frames
from pysmax.analysis.output import Output, Table
from pysmax.analysis.pictures import picture
from pysmax.analysis.rendered import Rendered
from pysmax.moments import Array
from pysmax.studies.study import Dynamics

BAR_PER_GPA = 1e4


def analyse(run: Rendered) -> Output:
    """Raises SmaxError for output that is missing, torn, or of another study."""
    output = Output("Molecular dynamics along a ramp")
    history(run, output)
    last_frame(run, output)
    return output


def last_frame(run: Rendered, output: Output) -> None:
    """Add picture ``structure``, and the number of frames."""
    frames = Frames(run)
    output.pictures["structure"] = picture(frames[-1], run.elements)
    output.captions["structure"] = f"Atoms at step {frames.steps[-1]}, coloured by element."
    output.summary["frames"] = len(frames)


def history(run: Rendered, output: Output) -> dict[str, Array]:
    """Add figure and table ``thermo``, and the means of its last fifth; the columns of the log."""
    p = run.parameters
    assert isinstance(p, Dynamics)
    log = thermo.read(run.log)
    ps = log["Step"] * p.timestep_fs / 1000
    columns = {
        "time_ps": ps,
        "temperature_K": log["Temp"],
        "pressure_GPa": log["Press"] / BAR_PER_GPA,
        "potential_energy_eV_per_atom": log["PotEng"] / run.natoms,
        "volume_A3_per_atom": log["Volume"] / run.natoms,
    }
    output.tables["thermo"] = Table(
        "Thermo output",
        list(columns),
        [list(map(float, r)) for r in zip(*columns.values(), strict=True)],
        page=False,
    )
    output.figures["thermo"] = _figure(columns)
    output.captions["thermo"] = "Temperature, pressure, potential energy and volume against time."
    tail = slice(-max(1, len(ps) // 5), None)
    output.summary["steps"] = int(log["Step"][-1])
    output.summary["steps_wanted"] = p.n_steps
    output.summary["mean_of_last_fifth"] = {
        k: float(v[tail].mean()) for k, v in columns.items() if k != "time_ps"
    }
    return log


def _figure(columns: dict[str, Array]) -> Figure:
    from pysmax.report.plots import BLUE, style

    labels = {
        "temperature_K": "T (K)",
        "pressure_GPa": "p (GPa)",
        "potential_energy_eV_per_atom": "E (eV/atom)",
        "volume_A3_per_atom": "V (Å³/atom)",
    }
    with style():
        figure = Figure(figsize=(6.0, 6.4))
        axes = figure.subplots(len(labels), 1, sharex=True)
        for ax, (name, label) in zip(axes, labels.items(), strict=True):
            ax.plot(columns["time_ps"], columns[name], color=BLUE, lw=1)
            ax.set_ylabel(label)
        axes[-1].set_xlabel("time (ps)")
    return figure
