"""QM9: the published format, its odd numbers, and everything that can be wrong with a file of it."""

import bz2
import io
import tarfile
from functools import cache

import numpy as np
import pytest
from ase.build import molecule as build
from ase.io import read as ase_read
from ase.neighborlist import neighbor_list
from hypothesis import given
from hypothesis import strategies as st

from pysmax.dataset.record import Record
from pysmax.dataset.store import Dataset
from pysmax.enrich.qm9 import number, read, read_excluded
from pysmax.enrich.tally import Skip, Tally, write
from pysmax.errors import SmaxError

molecule = cache(build)


def mathematica(x: float) -> str:
    """As the published files print: 1.2*^-6 below 1e-5."""
    text = f"{x:.10g}"
    return text.replace("e", "*^") if "e" in text else text


def published(name: str, index: int, u0: float = -40.47893) -> str:
    """A molecule of ASE as a file of the archive: tabs, trailing tabs, n + 5 lines."""
    atoms = molecule(name)
    n = len(atoms)
    properties = [
        "157.7118",
        "157.70997",
        "157.70699",
        "0.",
        "13.21",
        "-0.3877",
        "0.1171",
        "0.5048",
        "35.3641",
    ]
    properties += ["0.044749", mathematica(u0), "-40.476062", "-40.475117", "-40.498597", "6.469"]
    lines = [str(n), f"gdb {index}\t" + "\t".join(properties) + "\t"]
    for symbol, x in zip(atoms.symbols, atoms.positions + np.array([1e-6, 0, -3e-7]), strict=True):
        lines.append(f"{symbol}\t" + "\t".join(mathematica(v) for v in x) + "\t-0.5*^-6")
    lines += ["1341.307\t" * (3 * n - 6), f"C\t{name}\t", "InChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4"]
    return "\n".join(lines) + "\n"


def archive(path, files: dict[str, str], mode: str = "w:bz2"):
    with tarfile.open(path, mode) as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def records(items) -> list[Record]:
    return [item for item in items if isinstance(item, Record)]


def reasons(items) -> list[str]:
    return [item.reason for item in items if isinstance(item, Skip)]


NAMES = ["CH4", "H2O", "C6H6", "CH3CH2OH"]


@pytest.fixture
def tree(tmp_path):
    files = {f"dsgdb9nsd_{i:06d}.xyz": published(name, i) for i, name in enumerate(NAMES, 1)}
    return archive(tmp_path / "dsgdb9nsd.xyz.tar.bz2", files)


def test_archive_gives_the_molecules_of_ase_in_boxes(tree):
    found = records(read(tree, vacuum=4.0))
    assert [r.source for r in found] == ["qm9"] * 4
    for r, name in zip(found, NAMES, strict=True):
        expected = molecule(name)
        assert r.atoms.get_chemical_formula() == expected.get_chemical_formula()
        # shape kept: all distances are those of ASE's molecule; the file has 10 digits
        assert np.allclose(r.atoms.get_all_distances(), expected.get_all_distances(), atol=1e-8)
        assert r.atoms.pbc.all()
        low, high = r.atoms.positions.min(axis=0), r.atoms.positions.max(axis=0)
        assert np.allclose(low, 4.0) and np.allclose(np.diag(r.atoms.cell.array) - high, 4.0)
        images = neighbor_list("S", r.atoms, 7.9)  # two vacua apart: no image within 8 A
        assert not images.any()
    assert found[0].info["index"] == 1 and found[0].info["smiles"] == "CH4"
    assert found[0].info["B3LYP_6-31G(2df,p).U0_Hartree"] == -40.47893


def test_numbers_of_mathematica():
    assert number("1.2*^-6", 1) == 1.2e-6
    assert number("-3*^2", 1) == -300.0
    with pytest.raises(Skip, match=r"line 7: '1\.2\*-6' is not a number"):
        number("1.2*-6", 7)


@given(st.floats(-1e3, 1e3))
def test_every_number_printed_so_is_read_back(x):
    assert number(mathematica(x), 1) == pytest.approx(x, rel=1e-9, abs=1e-300)


def test_folder_file_and_archives_agree(tmp_path, tree):
    (tmp_path / "xyz").mkdir()
    with tarfile.open(tree) as tar:
        for member in tar:
            (tmp_path / "xyz" / member.name).write_bytes(tar.extractfile(member).read())
    files = {p.name: p.read_text() for p in sorted((tmp_path / "xyz").iterdir())}
    plain, packed = archive(tmp_path / "a.tar", files, "w"), archive(tmp_path / "a.tar.gz", files, "w:gz")
    keys = [r.key for r in records(read(tree, 5.0))]
    assert len(keys) == 4
    for source in (tmp_path / "xyz", plain, packed):
        assert [r.key for r in records(read(source, 5.0))] == keys
    assert [r.key for r in records(read(tmp_path / "xyz" / "dsgdb9nsd_000002.xyz", 5.0))] == keys[1:2]


def test_ase_reads_the_same_geometry(tmp_path):
    """An independent reader of xyz, once its numbers are plain."""
    text = published("CH3CH2OH", 1)
    plain = "\n".join(text.replace("*^", "e").splitlines()[:11])
    atoms = ase_read(io.StringIO(plain), format="xyz")
    (tmp_path / "m.xyz").write_text(text)
    (mine,) = records(read(tmp_path / "m.xyz", 5.0))
    assert np.allclose(mine.atoms.positions - mine.atoms.positions[0], atoms.positions - atoms.positions[0])


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        (lambda t: "", "broken", "line 1"),
        (lambda t: t.replace("5\n", "five\n", 1), "broken", "line 1"),
        (lambda t: t.replace("5\n", "-5\n", 1), "broken", "line 1"),
        (lambda t: t.replace("gdb 1", "gdb"), "broken", "line 2"),
        (lambda t: t.replace("5\n", "6\n", 1), "broken", "expected 11"),
        (lambda t: t.replace("5\n", "4\n", 1), "broken", "has 10 lines, expected 9"),
        (lambda t: "\n".join(t.splitlines()[:6]), "broken", "has 6 lines, expected 10"),
        (lambda t: t.replace("C\t", "Q\t", 1), "unknown element", "line 3: 'Q'"),
        (lambda t: t.replace("C\t", "X\t", 1), "unknown element", ""),
        (lambda t: t.replace("C\t", "C\tnan\t", 1), "broken", "line 3 has 6 words"),
        (lambda t: t.replace("0.629118", "0.62*9", 1), "broken", "'0.62*9"),
        (lambda t: t.replace("0.629118", "nan", 1).replace("nan0001", "nan"), "not finite", ""),
        (lambda t: t.replace("0.629118", "1e400", 1), "not finite", ""),
    ],
)
def test_a_broken_file_is_skipped_with_its_reason_and_place(tmp_path, change, reason, detail):
    good = published("CH4", 1)
    bad = change(good)
    assert bad != good
    path = archive(tmp_path / "a.tar.bz2", {"1.xyz": bad, "2.xyz": published("H2O", 2)})
    items = list(read(path, 5.0))
    assert reasons(items) == [reason]
    assert items[0].detail.startswith("1.xyz") and detail in items[0].detail
    assert [r.info["index"] for r in records(items)] == [2]


def test_atoms_on_top_of_each_other_are_skipped(tmp_path):
    lines = published("H2O", 3).splitlines()
    lines[4] = lines[3]
    (tmp_path / "m.xyz").write_text("\n".join(lines))
    assert reasons(read(tmp_path / "m.xyz", 5.0)) == ["too close"]


TABLE = """



List of molecules among the 133885 GDB9 molecules for which ... lead to
different SMILES and InChI strings. Given are the indices, 3 SMILES and D_IJ

==========================================================================
#   Index         GDB17 SMILES      SMILES for B3LYP XYZ   SMILES for Corina   D_IJ
==========================================================================
      2               NC(=N)C#N               NC(=N)C#N          [NH]C(=[NH2])C#N            6.036217
     80        [NH3+]CC([O-])=O                NCC(=O)O            [NH3]CC(=O)[O]            10.09360
  99999           C1C2CN3CC4OC1C234  [CH]1CN2C[C@H]3[C]2[C@@H](O1)C3  C1[C@H]2CN3[C@]42[C@H]1O[C@@H]4C3  34.2
==========================================================================
"""


def test_published_table_of_uncharacterized_molecules(tmp_path, tree):
    (tmp_path / "uncharacterized.txt").write_text(TABLE)
    exclude = read_excluded(tmp_path / "uncharacterized.txt")
    assert exclude == {2, 80, 99999}
    items = list(read(tree, 5.0, exclude))
    assert [r.info["index"] for r in records(items)] == [1, 3, 4]
    assert reasons(items) == ["excluded (uncharacterized)"]


def test_plain_list_of_indices(tmp_path):
    (tmp_path / "list").write_text("3\n\n 17 \n")
    assert read_excluded(tmp_path / "list") == {3, 17}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no index"),
        ("3\nfour\n", "line 2: 'four'"),
        (TABLE.replace("     80  ", "     xx  "), "line 12: 'xx"),
    ],
)
def test_broken_list(tmp_path, text, message):
    (tmp_path / "list").write_text(text)
    with pytest.raises(SmaxError, match=message):
        read_excluded(tmp_path / "list")


def test_cut_archive_is_named_with_its_last_file(tmp_path, tree):
    cut = tmp_path / "cut.tar.bz2"
    files = {f"{i:06d}.xyz": published("C6H6", i) for i in range(1, 600)}
    data = archive(cut, files).read_bytes()
    assert len(data) > 900  # several bz2 reads
    cut.write_bytes(data[: len(data) // 2])
    with pytest.raises(SmaxError, match=r"cut\.tar\.bz2: broken"):
        list(read(cut, 5.0))


@pytest.mark.parametrize("data", [b"", b"not an archive at all" * 50, bz2.compress(b"no tar inside" * 100)])
def test_no_archive(tmp_path, data):
    (tmp_path / "a.tar.bz2").write_bytes(data)
    with pytest.raises(SmaxError, match=r"a\.tar\.bz2"):
        list(read(tmp_path / "a.tar.bz2", 5.0))


def test_missing_and_empty_sources(tmp_path):
    with pytest.raises(SmaxError, match="no such file"):
        list(read(tmp_path / "none", 5.0))
    with pytest.raises(SmaxError, match="holds no"):
        list(read(tmp_path, 5.0))


@pytest.mark.parametrize("vacuum", [0.0, -1.0, float("nan"), float("inf")])
def test_vacuum_is_checked(tree, vacuum):
    with pytest.raises(SmaxError, match="vacuum is"):
        list(read(tree, vacuum))


def test_duplicates_are_counted(tmp_path):
    files = {
        "1.xyz": published("CH4", 1),
        "2.xyz": published("H2O", 2),
        "3.xyz": published("CH4", 3),
        "4.xyz": "",
    }
    path = archive(tmp_path / "a.tar.bz2", files)
    dataset = Dataset.create(tmp_path / "ds")
    tally = Tally()
    write(read(path, 5.0), dataset, tally, "QM9")
    assert tally.summary() == {"read": 4, "kept": 2, "not_taken": {"duplicate": 1, "broken": 1}, "notes": {}}
    assert "broken  (first: 4.xyz: line 1" in tally.table()
    assert len(dataset) == 2 and dataset.counts()["qm9"]["-"]["unlabelled"] == {"": 2}
    again = Tally()
    write(read(path, 5.0), dataset, again, "QM9")
    assert (again.kept, again.reasons["duplicate"]) == (0, 3)


def test_memory_does_not_grow_with_the_archive(tmp_path):
    """Headers and files are let go of: 1000 molecules cost no more than 100."""
    import tracemalloc

    def peak(n: int) -> int:
        path = archive(tmp_path / f"{n}.tar", {f"{i}.xyz": published("CH4", i) for i in range(n)}, "w")
        tracemalloc.start()
        assert sum(1 for _ in read(path, 5.0)) == n
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(1000) < 1.2 * peak(100)
