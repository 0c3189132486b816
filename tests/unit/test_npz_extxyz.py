"""Files against NumPy and ASE, both ways."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from cxx import Program, recipe_io  # noqa: F401

ARRAYS: dict[str, Any] = {
    "matrix": np.arange(12.0).reshape(3, 4) / 7,
    "special": np.array([np.inf, -np.inf, np.nan, -0.0, 5e-324]),
    "cube": np.arange(24, dtype=np.int64).reshape(2, 3, 4),
    "unsigned": np.array([2**64 - 1], dtype=np.uint64),
    "empty": np.zeros((0, 55)),
    "scalar": np.float64(np.pi),
    "count": np.int64(-(2**53) - 1),
    "text": np.str_("Ångström 😀"),
    "nothing": np.str_(""),
}


def same(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


def test_npz_both_ways(recipe_io: Program, tmp_path: Path) -> None:  # noqa: F811
    source, copy, again = (tmp_path / name for name in ("a.npz", "b.npz", "c.npz"))
    np.savez(source, **ARRAYS)
    recipe_io.out("npz-copy", source, copy)
    recipe_io.out("npz-copy", copy, again)
    with np.load(copy, allow_pickle=False) as loaded:
        assert sorted(loaded.files) == sorted(ARRAYS)
        for key, value in ARRAYS.items():
            assert same(loaded[key], np.asarray(value)), key
    assert zipfile.ZipFile(copy).testzip() is None
    assert copy.read_bytes() == again.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b.npz", "c.npz"]


def test_npz_with_zip64_and_descriptors(recipe_io: Program, tmp_path: Path) -> None:  # noqa: F811
    read, write = os.pipe()
    with os.fdopen(write, "wb") as sink:  # not seekable: sizes follow the data
        np.savez(sink, a=np.arange(3.0))
    with os.fdopen(read, "rb") as stream:
        (tmp_path / "pipe.npz").write_bytes(stream.read())
    recipe_io.out("npz-copy", tmp_path / "pipe.npz", tmp_path / "out.npz")
    assert np.load(tmp_path / "out.npz")["a"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({"x": np.zeros(3, np.float32)}, "'<f4'"),
        ({"x": np.zeros(3, bool)}, "'|b1'"),
        ({"x": np.array([None])}, "'|O'"),
        ({"x": np.zeros(3, ">f8")}, "'>f8'"),
        ({"x": np.array(["a", "b"])}, "'<U1'"),
        ({"x": np.zeros(3, [("a", "f8")])}, "structured"),
        ({"x": np.asfortranarray(np.zeros((2, 3)))}, "Fortran"),
    ],
)
def test_npz_refused(recipe_io: Program, tmp_path: Path, arrays: dict[str, Any], part: str) -> None:  # noqa: F811
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    done = recipe_io.run("npz-copy", path, tmp_path / "out.npz")
    assert done.returncode == 1
    assert part in done.stderr
    assert str(path) in done.stderr
    assert "'x'" in done.stderr


def test_npz_damaged(recipe_io: Program, tmp_path: Path) -> None:  # noqa: F811
    path, out = tmp_path / "bad.npz", tmp_path / "out.npz"
    np.savez_compressed(path, x=np.zeros(100))
    assert "savez_compressed" in recipe_io.run("npz-copy", path, out).stderr
    np.savez(path, x=np.arange(100.0))
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert "zip" in recipe_io.run("npz-copy", path, out).stderr
    path.write_bytes(whole[:400] + b"!" + whole[401:])
    assert "CRC" in recipe_io.run("npz-copy", path, out).stderr
    path.write_bytes(b"")
    assert "expected a .npz file" in recipe_io.run("npz-copy", path, out).stderr
    assert not out.exists()


def test_npz_on_a_full_disk(recipe_io: Program, tmp_path: Path) -> None:  # noqa: F811
    source, target = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(source, x=np.zeros(100000))
    target.write_bytes(b"precious")

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write then fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

    done = subprocess.run(
        [str(recipe_io.path), "npz-copy", str(source), str(target)],
        preexec_fn=little_room, capture_output=True, text=True, check=False, restore_signals=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert str(target) in done.stderr
    assert "File too large" in done.stderr
    assert target.read_bytes() == b"precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def dump(program: Program, path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in program.out("extxyz-dump", path).splitlines()]


def dressed_atoms() -> list[Atoms]:
    """Frames with what ASE writes into info and arrays."""
    rng = np.random.default_rng(3)
    bulk = ase.build.bulk("NaCl", "rocksalt", a=5.64).repeat((2, 1, 1))
    bulk.rattle(0.1, seed=1)
    bulk.info.update(
        energy=-1.5, name='a "quoted" = name', flag=True, nested=[[1, 2], [3, 4]], d={"k": "v w"},
        empty="", vector=np.arange(3.0), text="it's",
    )  # fmt: skip
    bulk.arrays["forces"] = rng.normal(size=(len(bulk), 3))
    bulk.arrays["tag"] = np.arange(len(bulk))
    bulk.arrays["fixed"] = np.arange(len(bulk)) % 2 == 0
    bulk.arrays["label"] = np.array([f"s{i}" for i in range(len(bulk))])
    bulk.arrays["r_eff"] = rng.uniform(0.5, 1.5, len(bulk))
    slab = ase.build.fcc111("Au", (2, 2, 3), vacuum=None)
    slab.info.clear()  # of what ASE itself cannot write
    molecule = ase.build.molecule("CH3CH2OH")
    return [bulk, slab, molecule]


def test_reads_what_ase_writes(recipe_io: Program, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "ase.xyz"
    frames = dressed_atoms()
    ase.io.write(path, frames, format="extxyz")
    for atoms, read in zip(frames, dump(recipe_io, path), strict=True):
        assert read["z"] == atoms.numbers.tolist()
        assert np.allclose(np.reshape(read["x"], (-1, 3)), atoms.positions, atol=1e-8)
        assert [bool(v) for v in read["pbc"]] == atoms.pbc.tolist()
        assert bool(read["has_cell"]) == bool(atoms.cell.rank > 0 and atoms.pbc.any())
        if read["has_cell"]:
            assert np.allclose(np.reshape(read["cell"], (3, 3)), atoms.cell, atol=1e-8)
        assert len(read["radius"]) == (len(atoms) if "r_eff" in atoms.arrays else 0)


def test_reads_plain_xyz(recipe_io: Program, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "plain.xyz"
    water = ase.build.molecule("H2O")
    ase.io.write(path, [water, water], format="xyz", comment="it's water")
    read = dump(recipe_io, path)
    assert [r["z"] for r in read] == [[8, 1, 1]] * 2
    assert not any(read[0]["pbc"])


def test_ase_reads_what_we_write(recipe_io: Program, tmp_path: Path) -> None:  # noqa: F811
    source, copy = tmp_path / "a.xyz", tmp_path / "b.xyz"
    ase.io.write(source, dressed_atoms(), format="extxyz")
    recipe_io.out("extxyz-copy", source, copy)
    frames = ase.io.read(copy, index=":")
    assert [len(a) for a in frames] == [len(a) for a in dressed_atoms()]
    for atoms, ours in zip(frames, dump(recipe_io, copy), strict=True):
        assert atoms.pbc.all()
        assert atoms.positions.ravel().tolist() == ours["x"]
        assert atoms.cell.array.ravel().tolist() == ours["cell"]
        assert atoms.arrays["r_eff"].tolist() == ours["radius"]
        assert atoms.get_scaled_positions(wrap=False).min() > -1e-9
        assert atoms.get_scaled_positions(wrap=False).max() < 1 + 1e-9


def distances(atoms: Atoms, cutoff: float) -> NDArray[np.float64]:
    """Sorted (Z_i, Z_j, d) of all pairs within cutoff, images included [npairs, 3]."""
    i, j, d = neighbor_list("ijd", atoms, cutoff)
    rows = np.stack([atoms.numbers[i], atoms.numbers[j], np.round(d, 6)], axis=1)
    return np.asarray(rows[np.lexsort(rows.T)], dtype=np.float64)


def skewed(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    """Same crystal: another basis of either hand, atoms in other images, turned."""
    cell = atoms.cell.array
    for _ in range(4):
        i, j = rng.permutation(3)[:2]
        cell[i] += int(rng.integers(-3, 4)) * cell[j]
    cell = cell[rng.permutation(3)]
    shift = rng.integers(-3, 4, (len(atoms), 3)) @ cell
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    return Atoms(atoms.numbers, (atoms.positions + shift) @ turn, cell=cell @ turn, pbc=True)


def test_any_cell_keeps_its_neighbours(recipe_io: Program, tmp_path: Path) -> None:  # noqa: F811
    rng = np.random.default_rng(4)
    source, copy = tmp_path / "a.xyz", tmp_path / "b.xyz"
    frames = []
    for _ in range(30):
        cell = rng.uniform(-1, 1, (3, 3)) + 4 * np.eye(3)
        frames.append(Atoms("NaClH2O", rng.random((5, 3)) @ cell, cell=cell, pbc=True))
    ase.io.write(source, [skewed(a, rng) for a in frames], format="extxyz")
    recipe_io.out("extxyz-copy", source, copy)
    for old, new in zip(frames, ase.io.read(copy, index=":"), strict=True):
        assert np.allclose(distances(old, 5.0), distances(new, 5.0), atol=3e-6)


def chiral_volume(atoms: Atoms) -> float:
    """Signed volume of the tetrahedron of the first four atoms, by nearest images."""
    v = atoms.get_distances(0, [1, 2, 3], mic=True, vector=True)
    return float(np.linalg.det(v))


def test_left_handed_cells_are_not_mirrored(recipe_io: Program, tmp_path: Path) -> None:  # noqa: F811
    source, copy = tmp_path / "a.xyz", tmp_path / "b.xyz"
    hand = Atoms("HCNO", [[0, 0, 0], [1.1, 0, 0], [0, 1.3, 0], [0, 0, 0.9]], cell=[8, 9, 10], pbc=True)
    hand.cell[2] *= -1
    ase.io.write(source, hand, format="extxyz")
    recipe_io.out("extxyz-copy", source, copy)
    assert chiral_volume(ase.io.read(copy)) == pytest.approx(1.1 * 1.3 * 0.9)


@pytest.mark.parametrize("pbc", [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1)])
def test_vacuum_keeps_images_apart(recipe_io: Program, tmp_path: Path, pbc: tuple[int, ...]) -> None:  # noqa: F811
    rng = np.random.default_rng(5)
    source, copy = tmp_path / "a.xyz", tmp_path / "b.xyz"
    cell = 3 * np.eye(3) + rng.uniform(-1, 1, (3, 3))
    atoms = Atoms("CHO", rng.uniform(-3, 3, (3, 3)), cell=cell, pbc=pbc)
    ase.io.write(source, atoms, format="extxyz")
    recipe_io.out("extxyz-copy", source, copy)
    cutoff = 6 * 0.75  # the widest pair of carbon atoms
    assert np.allclose(distances(atoms, cutoff), distances(ase.io.read(copy), cutoff), atol=3e-6)


def test_torn_file_names_its_frame(recipe_io: Program, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "torn.xyz"
    ase.io.write(path, dressed_atoms()[:2], format="extxyz")
    text = path.read_text()
    path.write_text(text[: text.rindex("Au")])
    done = recipe_io.run("extxyz-dump", path)
    assert done.returncode == 1
    assert f"{path}: frame 2" in done.stderr
    assert "after 11 atoms, expected 12 atoms" in done.stderr
