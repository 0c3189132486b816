"""Runs of entropy_generate for tests: inputs, files, independent oracles, sudden deaths."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
from ase.data import chemical_symbols
from conftest import ROOT, Finished, environment, lmp_command, run_program

from pysmax import moments as moments_file
from pysmax.features import features

GEN_ENTROPY = ROOT / "lammps_inputs" / "gen_entropy.in"
# Cheap candidates: what is tested here does not depend on how long a minimisation is.
QUICK = "reference 30 core_steps 15 steps 15 ftol 5.0e-4"
SMALL = "elements W Be H natoms 2-8 nelements 1-3 1"
# More ranks than cores: MPICH has to sleep where it waits, or each message costs a time slice.
YIELD = {"MPIR_CVAR_CH4_PROGRESS_THROTTLE": "1", "MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT": "1"}
TIMEOUT_S = 240

HEAD = """\
variable        restart index no
variable        nconf index 8
variable        out index smax
units           metal
boundary        p p p
region          cell prism 0 10 0 10 0 10 0 0 0
create_box      96 cell
mass            * 1.0
fix             entropy all entropy strength 0.005 {fix}
min_style       lbfgs
min_modify      norm max
"""


def script(
    generate: str = f"{SMALL} {QUICK}", *, fix: str = "mode atom", seed: int = 7, before: str = ""
) -> str:
    """gen_entropy.in with keywords of one's own; ``before``: lines ahead of entropy_generate."""
    return (
        HEAD.format(fix=fix)
        + before
        + f"entropy_generate entropy nconf ${{nconf}} seed {seed} out ${{out}} "
        + f"restart ${{restart}} {generate}\n"
    )


def command(folder: Path, source: str | Path, **options: Any) -> list[str]:
    """Command line of an input, given as a path or as its text."""
    if isinstance(source, str):
        text, source = source, folder / "in.run"
        source.write_text(text)
    return lmp_command(source, **options)


def launch(
    folder: Path, source: str | Path = "", *, timeout_s: float = TIMEOUT_S, **options: Any
) -> Finished:
    """Run an input in a folder; options as in lmp_command()."""
    folder.mkdir(exist_ok=True)
    return run_program(
        command(folder, source or script(), **options), folder, timeout_s, environment(**YIELD)
    )


def succeed(folder: Path, source: str | Path = "", **options: Any) -> Run:
    """The files of a run that must end well."""
    done = launch(folder, source, **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "ERROR" not in done.stdout
    return Run(folder, str((options.get("variables") or {}).get("out", "smax")))


def refuse(folder: Path, source: str | Path = "", *, timeout_s: float = 60, **options: Any) -> str:
    """The one error on the terminal of a run that must fail: soon, under MPI too."""
    done = launch(folder, source, timeout_s=timeout_s, **options)
    printed = done.stdout + done.stderr
    assert done.returncode != 0, printed[-3000:]
    assert "Traceback" not in printed and "terminate called" not in printed, printed[-3000:]
    # LAMMPS adds where in its sources; under -partition the same is said to the terminal and in screen.0
    errors = set(re.findall(r"^ERROR(?: on proc \d+)?: (.*?)(?: \([^()]*:\d+\))?$", printed, re.MULTILINE))
    assert len(errors) == 1, printed[-3000:]
    return errors.pop()


# ---- files ---------------------------------------------------------------------------------------

ROW = re.compile(
    r"^ *(?P<index>\d+) +(?P<atoms>\d+) +(?P<elements>\d+) +(?P<volume>\S+) +(?P<S>\S+) +(?P<dS>\S+) +"
    r"(?P<evaluations>\d+) +(?P<seconds>\d+\.\d+)  (?P<verdict>accepted|rejected: .+)\n",
    re.MULTILINE,
)


def log_rows(text: str) -> list[dict[str, str]]:
    """Rows of the table in a log; a torn last line is none."""
    return [m.groupdict() for m in ROW.finditer(text)]


@dataclass(frozen=True)
class Run:
    """The files PREFIX.* of a run, each read again whenever it is asked for."""

    folder: Path
    prefix: str = "smax"

    def path(self, suffix: str) -> Path:
        """PREFIX.suffix"""
        return self.folder / f"{self.prefix}.{suffix}"

    @property
    def frames(self) -> list[ase.Atoms]:
        return read_frames(self.path("extxyz"))

    @property
    def random(self) -> list[ase.Atoms]:
        return read_frames(self.path("random.extxyz"))

    @property
    def table(self) -> list[dict[str, str]]:
        with open(self.path("table.csv"), newline="") as f:
            return list(csv.DictReader(f))

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        with np.load(self.path("moments"), allow_pickle=False) as z:
            return {k: z[k] for k in z.files}

    @property
    def moments(self) -> moments_file.Moments:
        return moments_file.load(self.path("moments"))

    @property
    def bytes(self) -> bytes:
        return self.path("extxyz").read_bytes()


def read_frames(path: Path) -> list[ase.Atoms]:
    """Every frame; none of an empty file."""
    return ase.io.read(path, index=":") if path.stat().st_size else []  # type: ignore[return-value]


def same_moments(a: Run, b: Run) -> None:
    """Every array equal, but for the wall time."""
    x, y = a.arrays, b.arrays
    assert x.keys() == y.keys()
    for key in x.keys() - {"seconds"}:
        assert np.array_equal(x[key], y[key]), key


# ---- oracles -------------------------------------------------------------------------------------


def closest_pair(frame: ase.Atoms) -> tuple[float, float]:
    """Smallest r / (r_i + r_j) and smallest r over all pairs and images (of a reduced cell), own ones too."""
    steps = np.arange(-2, 3)
    shifts = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3) @ frame.cell.array
    x, radius = frame.positions, frame.arrays["r_eff"]
    r = np.linalg.norm(x[None, :, None] + shifts - x[:, None, None], axis=-1)  # [i, j, shift]
    own = (np.eye(len(x), dtype=bool)[:, :, None]) & (np.abs(shifts).sum(axis=1) == 0)
    r[own] = np.inf
    return float((r / (radius[:, None, None] + radius[None, :, None])).min()), float(r.min())


def entropy_of(vectors: np.ndarray, variance: np.ndarray, eps: float) -> float:
    """S = 1/2 log det (C + eps diag(variance)) of rows, in two passes over standardised features."""
    b = (vectors - vectors.mean(axis=0)) / np.sqrt(variance)
    c = b.T @ b / len(b) + eps * np.eye(len(variance))
    sign, log_det = np.linalg.slogdet(c)
    assert sign > 0
    return 0.5 * float(log_det + np.log(variance).sum())


def split_features(frames: list[ase.Atoms], m: moments_file.Moments) -> list[np.ndarray]:
    """Rows of each frame, by stock LAMMPS."""
    rows = features(frames, m)
    sizes = [len(f) if m.descriptor.mode == "atom" else 1 for f in frames]
    return np.split(rows, np.cumsum(sizes)[:-1])


def check_entropies(run: Run, head_start: list[ase.Atoms] | None = None, tolerance: float = 1e-8) -> None:
    """S and dS of every frame, and the moments, from features that stock LAMMPS computes."""
    m, frames = run.moments, run.frames
    before = run.random if head_start is None else head_start
    rows = split_features([*before, *frames], m)
    data = np.vstack(rows[: len(before)])
    if head_start is None:
        np.testing.assert_allclose(m.variance, data.var(axis=0), rtol=1e-9)
        assert m.ref_count == len(data)
    last = entropy_of(data, m.variance, m.eps)
    for frame, b in zip(frames, rows[len(before) :], strict=True):
        data = np.vstack([data, b])
        now = entropy_of(data, m.variance, m.eps)
        assert abs(frame.info["S"] - now) < tolerance
        assert abs(frame.info["dS"] - (now - last)) < tolerance
        assert frame.info["dS"] > 0.0
        last = now
    assert m.count == len(data)
    sd = np.sqrt(m.variance)
    assert np.abs((m.mean - data.mean(axis=0)) / sd).max() < 1e-9
    centred = (data - data.mean(axis=0)) / sd
    difference = m.scatter / np.outer(sd, sd) - centred.T @ centred
    assert np.abs(difference).max() < 1e-9 * len(data)


def check_files(
    run: Run, nconf: int, *, mode: str = "atom", ratio: float = 0.9, distance: float = 0.6
) -> None:
    """What holds for every run's files, whatever made them: see the parts."""
    check_frames(run.frames, nconf, mode, ratio, distance)
    check_table(run)
    check_counters(run)


def check_frames(frames: list[ase.Atoms], nconf: int, mode: str, ratio: float, distance: float) -> None:
    """Each frame is periodic, complete, and as far apart as asked, by an oracle of all its images."""
    assert len(frames) == nconf
    S = [f.info["S"] for f in frames]
    assert all(a < b for a, b in pairwise(S))
    assert len({f.info["index"] for f in frames}) == nconf
    for f in frames:
        assert f.info.keys() == {"index", "seed", "dS", "S", "n_eval", "d_min", "mode"}
        assert f.info["mode"] == mode
        assert f.info["n_eval"] > 0
        assert f.pbc.all() and f.cell.volume > 0.0
        assert f.arrays["r_eff"].shape == (len(f),) and (f.arrays["r_eff"] > 0.0).all()
        nearest_ratio, nearest = closest_pair(f)
        assert nearest_ratio >= ratio and nearest >= distance
        assert abs(f.info["d_min"] - min(nearest_ratio, 3.0)) < 1e-10


def check_table(run: Run) -> None:
    """A row a candidate; the accepted ones are the frames."""
    table, frames = run.table, run.frames
    accepted = [row for row in table if row["verdict"] == "accepted"]
    assert [int(row["index"]) for row in accepted] == [f.info["index"] for f in frames]
    for row, f in zip(accepted, frames, strict=True):
        symbols = sorted(set(f.symbols), key=chemical_symbols.index)
        assert (int(row["atoms"]), row["elements"]) == (len(f), "-".join(symbols))
        assert (float(row["S"]), float(row["dS"])) == (f.info["S"], f.info["dS"])
        assert int(row["evaluations"]) == f.info["n_eval"]
        assert abs(float(row["volume_per_atom"]) * len(f) - f.cell.volume) < 1e-9 * f.cell.volume
    for row in table:
        assert row["verdict"] == "accepted" or row["verdict"].startswith("rejected: ")
    assert len({row["index"] for row in table}) == len(table)


def check_counters(run: Run) -> None:
    """The counters of the moments file are those of the table and of the frames."""
    z, table = run.arrays, run.table
    refused = [row["verdict"] for row in table if row["verdict"] != "accepted"]
    by_entropy = sum("entropy" in verdict for verdict in refused)
    assert z["frames"] == len(run.frames)
    assert z["tried"] == len(table)
    assert z["rejected_entropy"] == by_entropy
    assert z["rejected_distance"] == len(refused) - by_entropy
    assert z["evaluations"] == sum(int(row["evaluations"]) for row in table)
    assert z["atom_evaluations"] == sum(int(row["evaluations"]) * int(row["atoms"]) for row in table)
    assert z["next_index"] == max(int(row["index"]) for row in table) + 1
    assert z["file_bytes"] == run.path("extxyz").stat().st_size
    assert z["table_bytes"] == run.path("table.csv").stat().st_size
    vectors = sum(len(f) for f in run.frames) if str(z["mode"]) == "atom" else len(run.frames)
    assert z["count"] == z["prior_count"] + vectors


# ---- sudden death --------------------------------------------------------------------------------


def processes_in(folder: Path) -> Iterator[int]:
    """Processes whose working directory is this folder: the tree of a run started there."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.readlink(entry / "cwd") == str(folder):
                    yield int(entry.name)
            except OSError:
                continue  # gone, or not ours


def kill_tree(process: subprocess.Popen[bytes], folder: Path) -> None:
    """SIGKILL to launcher, mpirun and every rank, until nothing is left."""
    while left := list(processes_in(folder)):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.002)
    process.wait()


def run_until(
    folder: Path, argv: list[str], stop: Callable[[], bool], env: Mapping[str, str] | None = None
) -> bool:
    """Run until stop() says so, then kill it at once. False if it ended by itself before."""
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=environment(**YIELD) if env is None else env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + TIMEOUT_S
    try:
        while process.poll() is None:
            assert time.monotonic() < end, "the run hangs"
            if stop():
                return True
            time.sleep(0.001)
        assert process.returncode == 0
        return False
    finally:
        kill_tree(process, folder)
