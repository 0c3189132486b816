"""The report and the command line, on a made-up run whose features stock LAMMPS computes."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import zlib
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from ase.build import make_supercell

from pysmax import cli
from pysmax.errors import SmaxError
from pysmax.features import features
from pysmax.moments import Descriptor, Moments, State, entropy, load, save
from pysmax.report.build import principal_axes
from pysmax.report.periodic_table import place
from pysmax.report.plots import running_mean
from pysmax.report.run import COLUMNS, read_run

DESCRIPTOR = Descriptor("atom", 4, 0.99363, 0.0, 3.0, 1, 1)
EMPTY = Moments(
    0, np.zeros(14), np.zeros((14, 14)), np.ones(14), 1e-6, DESCRIPTOR, 0, np.zeros(14), np.zeros(14)
)


def cell(rng: np.random.Generator, natoms: int) -> ase.Atoms:
    """A random triclinic cell with effective radii."""
    lattice = 3.0 * np.eye(3) + rng.uniform(0, 1.2, (3, 3))
    numbers = rng.choice([1, 6, 8, 26, 74], natoms)
    atoms = ase.Atoms(numbers, cell=lattice, scaled_positions=rng.random((natoms, 3)), pbc=True)
    atoms.set_array("r_eff", rng.uniform(0.6, 1.0, natoms))
    return atoms


def make_run(prefix: Path, naccepted: int = 12, mode: str = "atom", seed: int = 3) -> Moments:
    """Write the files of a run: 12 accepted and 4 rejected candidates, 6 random cells."""
    rng = np.random.default_rng(seed)
    empty = dataclasses.replace(EMPTY, descriptor=dataclasses.replace(DESCRIPTOR, mode=mode))
    frames = [cell(rng, int(n)) for n in rng.integers(2, 6, naccepted)]
    random = [cell(rng, 3) for _ in range(6)]
    b, r = features(frames, empty), features(random, empty)
    rows = [",".join(COLUMNS)]
    for i, f in enumerate(frames):
        f.info |= {"index": i, "seed": 1, "dS": 0.1, "S": -20 + 10 * np.log1p(i), "n_eval": 90, "mode": mode}
        rows.append(f"{i},{len(f)},Fe-H,{f.get_volume() / len(f)},{f.info['S']},0.1,90,0.2,accepted")
    rows += [f"{naccepted + i},3,H,9,-1,-0.1,130,0.2,rejected: entropy would fall" for i in range(4)]
    ase.io.write(f"{prefix}.extxyz", frames, format="extxyz")
    ase.io.write(f"{prefix}.random.extxyz", random, format="extxyz")
    Path(f"{prefix}.table.csv").write_text("\n".join(rows) + "\n")
    state = State(
        frames=naccepted,
        tried=naccepted + 4,
        rejected_entropy=4,
        evaluations=90 * naccepted + 4 * 130,
        file_bytes=Path(f"{prefix}.extxyz").stat().st_size,
        file_crc=zlib.crc32(Path(f"{prefix}.extxyz").read_bytes()),
        table_bytes=Path(f"{prefix}.table.csv").stat().st_size,
        seconds=3.2,
    )
    scatter, ref_scatter = (np.cov(x.T, ddof=0) * len(x) for x in (b, r))
    m = Moments(
        len(b), b.mean(0), scatter, r.var(0), 1e-6, empty.descriptor, len(r), r.mean(0), ref_scatter, state
    )
    save(f"{prefix}.moments", m)
    return m


def run_cli(monkeypatch: pytest.MonkeyPatch, *args: str | Path) -> int:
    """Exit code of ``pysmax args``."""
    monkeypatch.setattr(sys, "argv", ["pysmax", *map(str, args)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


@pytest.mark.parametrize("mode", ["atom", "config"])
def test_the_page_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    m = make_run(tmp_path / "a", mode=mode)
    assert run_cli(monkeypatch, "report", tmp_path / "a") == 0
    folder = tmp_path / "a.report"
    names = {"entropy.png", "progress.png", "elements.png", "sizes.png", "components.png"}
    assert {p.name for p in folder.iterdir()} == names | {"index.html", "summary.json"}
    assert all((folder / n).read_bytes().startswith(b"\x89PNG") for n in names)
    page = (folder / "index.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert len(sources) == 5
    assert all(s.startswith("data:image/png;base64,") for s in sources)
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["accepted"], summary["tried"], summary["elements"]) == (12, 16, 5)
    assert summary["acceptance"] == 0.75
    assert summary["S_nats"] == entropy(m)
    assert summary["vectors"] == m.count
    assert f"{entropy(m):.4f} nats" in page


def test_a_run_that_goes_on_is_read_up_to_its_checkpoint(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    with open(tmp_path / "a.extxyz", "a") as f:
        f.write('5\nLattice="3 0 0 0 3')
    with open(tmp_path / "a.table.csv", "a") as f:
        f.write("17,3,H,9,-1")
    run = read_run(str(tmp_path / "a"))
    assert len(run.frames) == 12
    assert run.table is not None
    assert len(run.table.verdict) == 16


def test_a_report_needs_neither_table_nor_random_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path / "a")
    (tmp_path / "a.table.csv").unlink()
    (tmp_path / "a.random.extxyz").unlink()
    assert run_cli(monkeypatch, "report", tmp_path / "a.extxyz", "-o", tmp_path / "out") == 0
    assert not (tmp_path / "out" / "progress.png").exists()
    assert (tmp_path / "out" / "components.png").exists()


TABLES = {
    "bad table": "a,b\n1,2\n",
    "huge field": f"{','.join(COLUMNS)}\n{'9' * 200_000}{',1' * 8}\n",
}
COUNTS = {
    "huge count": "99999999999\n\nH 0 0 0\n",
    "huge second count": "1\n\nH 0 0 0\n99999999999\n\nH 0 0 0\n",
    "huge count behind a vector": "1\n\nH 0 0 0\nVEC1 1 0 0\n99999999999\n\nH 0 0 0\n",
    "no atoms": "0\n\n",
    "negative count": "-5\n\nH 0 0 0\n",
}


def set_state(prefix: Path, **changes: int) -> None:
    """Change the state in the moments file."""
    m = load(f"{prefix}.moments")
    save(f"{prefix}.moments", dataclasses.replace(m, state=dataclasses.replace(m.state, **changes)))


def spoil(prefix: Path, what: str) -> None:
    """Make one mistake."""
    if what == "short extxyz":
        path = Path(f"{prefix}.extxyz")
        path.write_bytes(path.read_bytes()[:-10])
    elif what == "not extxyz":
        Path(f"{prefix}.extxyz").write_text("hello\n" * 10000)
    elif what == "one digit":
        path = Path(f"{prefix}.extxyz")
        path.write_text(path.read_text().replace("1", "2", 1))
    elif what in TABLES:
        Path(f"{prefix}.table.csv").write_text(TABLES[what])
        set_state(prefix, table_bytes=0)
    elif what in COUNTS:
        Path(f"{prefix}.extxyz").write_text(COUNTS[what])
        set_state(prefix, file_bytes=0)
    else:
        Path(f"{prefix}.{what}").unlink()


@pytest.mark.parametrize(
    "what", ["moments", "extxyz", "short extxyz", "not extxyz", "one digit", *TABLES, *COUNTS]
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    make_run(tmp_path / "a")
    spoil(tmp_path / "a", what)
    assert run_cli(monkeypatch, "report", tmp_path / "a") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"pysmax: {tmp_path}/a.")
    assert error.count("\n") == 1
    assert not (tmp_path / "a.report" / "index.html").exists()


def test_info_and_merge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    m = make_run(tmp_path / "a")
    assert run_cli(monkeypatch, "info", tmp_path / "a") == 0
    assert f"accepted 12 of 16 tried, {m.state.evaluations} evaluations" in capsys.readouterr().out
    other = make_run(tmp_path / "c", seed=4)
    both = [tmp_path / "a.moments", tmp_path / "c.moments"]
    assert run_cli(monkeypatch, "merge", tmp_path / "b.moments", *both) == 0
    assert load(tmp_path / "b.moments").count == m.count + other.count
    assert run_cli(monkeypatch, "merge", tmp_path / "b.moments", *both) == 2
    assert "exists already" in capsys.readouterr().err
    assert run_cli(monkeypatch, "merge", tmp_path / "d.moments", both[0], both[0]) == 2
    assert "the same file twice" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["merge", "info", "report"])
def test_a_name_too_long_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    make_run(tmp_path / "a")
    parts = [tmp_path / "a.moments"] if command == "merge" else []
    assert run_cli(monkeypatch, command, tmp_path / ("x" * 300), *parts) == 2
    assert "File name too long" in capsys.readouterr().err


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    spoil(tmp_path / "a", "one digit")
    with pytest.raises(SmaxError, match=r"a\.extxyz: its first \d+ bytes have CRC-32 .* expected"):
        read_run(str(tmp_path / "a"))


def test_principal_axes_are_those_of_the_data(tmp_path: Path) -> None:
    m = make_run(tmp_path / "a")
    b = (features(read_run(str(tmp_path / "a")).frames, m) - m.mean) / np.sqrt(m.variance)
    _, s, vt = np.linalg.svd(b)
    axes, shares = principal_axes(m)
    np.testing.assert_allclose(shares, (s**2 / (s**2).sum())[:2], rtol=1e-8)
    np.testing.assert_allclose(np.abs(np.sum(axes.T * vt[:2], axis=1)), 1, rtol=1e-8)


def test_features_belong_to_the_crystal_not_to_its_cell() -> None:
    atoms = cell(np.random.default_rng(5), 4)
    other = atoms.copy()
    c = atoms.cell.array
    other.set_cell([c[1], c[0], c[2] + 3 * c[0] - 2 * c[1]])  # left-handed, far from reduced
    other.rotate(33, (1, 2, 3), rotate_cell=True)
    double = make_supercell(atoms, [[2, 0, 0], [0, 1, 0], [1, 0, 1]])
    b = features([atoms], EMPTY)
    np.testing.assert_allclose(features([other], EMPTY), b, rtol=1e-10)
    rows = {tuple(np.round(row, 6)) for row in features([double], EMPTY)}
    assert rows == {tuple(np.round(row, 6)) for row in b}


def test_running_mean() -> None:
    x = np.random.default_rng(0).random(20)
    expected = [x[max(0, i - 6) : i + 1].mean() for i in range(20)]
    np.testing.assert_allclose(running_mean(x, 7), expected, rtol=1e-12)


def test_places_in_the_periodic_table() -> None:
    corners = {
        1: (1, 1),
        2: (18, 1),
        5: (13, 2),
        26: (8, 4),
        57: (3, 8.3),
        71: (17, 8.3),
        72: (4, 6),
        86: (18, 6),
    }
    assert {z: place(z) for z in corners} == corners
    assert len({place(z) for z in range(1, 97)}) == 96
