"""Materials Project: documents of every published kind, the hull against scipy, cells, broken files."""

import gzip
import json

import numpy as np
import pytest
from ase.build import bulk
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry
from scipy.optimize import linprog

from pysmax.dataset.record import Record
from pysmax.dataset.store import Dataset
from pysmax.enrich.mp import Choice, read
from pysmax.enrich.mp_files import documents, download
from pysmax.enrich.mp_hull import Entry, above_hull
from pysmax.enrich.tally import Skip, Tally, write
from pysmax.errors import SmaxError

FCC, BCC = Lattice.cubic(4.05), Lattice.cubic(3.0)
AL = Structure.from_spacegroup("Fm-3m", FCC, ["Al"], [[0, 0, 0]])  # conventional: 4 atoms
NI = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.52), ["Ni"], [[0, 0, 0]])
NIAL = Structure(Lattice.cubic(2.88), ["Ni", "Al"], [[0, 0, 0], [0.5, 0.5, 0.5]])
NI3AL = Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.57), ["Al", "Ni"], [[0, 0, 0], [0, 0.5, 0.5]])
UO = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.92), ["U", "O"], [[0, 0, 0], [0.5] * 3])


def summary(id_: str, structure: Structure, energy: float | None, above: float | None) -> dict:
    """As mp-api's SummaryDoc comes as JSON."""
    doc = {
        "material_id": id_,
        "formula_pretty": structure.reduced_formula,
        "structure": structure.as_dict(),
        "nsites": len(structure),
        "energy_per_atom": energy,
        "energy_above_hull": above,
        "is_stable": above == 0,
    }
    return {k: v for k, v in doc.items() if v is not None}


# NiAl lies on the hull, Ni3Al above the line between NiAl and Ni
DOCS = [
    summary("mp-134", AL, -3.7, 0.0),
    summary("mp-23", NI, -5.7, 0.0),
    summary("mp-1487", NIAL, -5.3, 0.0),
    summary("mp-2593", NI3AL, -5.4, 0.1),
]


def take(docs, **choice) -> tuple[list[Record], list[Skip], Tally]:
    tally = Tally()
    items = list(read(lambda: docs, Choice(**choice), tally, "file.json"))
    return [i for i in items if isinstance(i, Record)], [i for i in items if isinstance(i, Skip)], tally


def ids(found) -> list[str]:
    return [r.info["material_id"] for r in found]


def packed(path, text: str):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def legacy(doc: dict) -> dict:
    """As the legacy API gave it."""
    return {
        "material_id": doc["material_id"],
        "pretty_formula": doc["formula_pretty"],
        "structure": doc["structure"],
        "final_energy_per_atom": doc["energy_per_atom"],
        "e_above_hull": doc["energy_above_hull"],
    }


def entry(doc: dict) -> dict:
    """As pymatgen writes an entry; the correction belongs to the energy."""
    structure = Structure.from_dict(doc["structure"])
    energy = doc["energy_per_atom"] * len(structure)
    data = {"material_id": doc["material_id"]}
    made = ComputedStructureEntry(structure, energy + 1.5, correction=-1.5, data=data, entry_id="e")
    return json.loads(json.dumps(made.as_dict()))


FILES = {
    "list.json": json.dumps(DOCS),
    "pretty.json": json.dumps(DOCS, indent=2),
    "list.json.gz": json.dumps(DOCS),
    "lines.jsonl": "\n".join(map(json.dumps, DOCS)),
    "lines.jsonl.gz": "\n".join(map(json.dumps, DOCS)) + "\n",
    "answer.json": json.dumps({"data": DOCS, "meta": {"total_doc": 4}}),
    "answer_pretty.json": json.dumps({"meta": {}, "data": DOCS}, indent=1),
    "legacy.json": json.dumps({"valid_response": True, "response": list(map(legacy, DOCS))}),
    "map.json": json.dumps(
        {d["material_id"]: {k: v for k, v in d.items() if k != "material_id"} for d in DOCS}
    ),
    "entries.json": json.dumps(list(map(entry, DOCS))),
    "mpid.json": json.dumps(
        [{**d, "material_id": {"@class": "MPID", "string": d["material_id"]}} for d in DOCS]
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_gives_the_same(tmp_path, name):
    path = packed(tmp_path / name, FILES[name])
    tally = Tally()
    items = list(read(lambda: documents(path), Choice(), tally, name))
    found = [i for i in items if isinstance(i, Record)]
    assert ids(found) == ["mp-134", "mp-23", "mp-1487"]
    assert {r.source for r in found} == {"mp"} and tally.notes == {}
    (off,) = [i for i in items if isinstance(i, Skip)]
    # 0.75 Ni: between NiAl (0.5, -5.3) and Ni (1, -5.7) the hull is at -5.5
    assert off.reason == "off the hull" and off.detail == "mp-2593: 0.1 eV/atom above it"
    expected = bulk("Al", "fcc", 4.05, cubic=True)
    assert np.allclose(found[0].atoms.cell.array, expected.cell.array)
    assert np.allclose(found[0].atoms.get_all_distances(mic=True), expected.get_all_distances(mic=True))


@pytest.mark.parametrize("chunk", [1, 7, 100, 5000])
@pytest.mark.parametrize("name", ["pretty.json", "lines.jsonl", "list.json.gz"])
def test_files_are_streamed_in_chunks_of_any_size(tmp_path, monkeypatch, chunk, name):
    docs = [{"a": 1, "b": 'x],[{\\"\n,'}, {}, {"c": [1, 2.5e-3, None, {"d": "é"}]}, {"e": 12345}]
    dump = {"pretty.json": json.dumps(docs, indent=1), "lines.jsonl": "\n".join(map(json.dumps, docs))}
    path = packed(tmp_path / name, dump.get(name, json.dumps(docs)))
    monkeypatch.setattr("pysmax.enrich.mp_files.CHUNK", max(chunk, 60 if "lines" in name else 1))
    assert list(documents(path)) == docs


def test_a_list_is_streamed(tmp_path):
    """The first document comes out before the broken end of the file is seen."""
    text = json.dumps([{"x": "y" * 1000}] * 5000)
    path = packed(tmp_path / "a.json", text[:-500])
    stream = documents(path)
    assert next(stream) == {"x": "y" * 1000}
    with pytest.raises(SmaxError, match=r"a\.json: document 5000 is broken or the file is cut there"):
        list(stream)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with ''"),
        ("hello", "begins with 'hello'"),
        ('[{"a": 1} {"b": 2}]', "behind document 1"),
        ('[{"a": 1}, {"b": ]', "document 2 is broken"),
        ('{"data": [', "not JSON"),
        ('{"a": 1}\n{"b": \n{"c": 1}', "line 2: not JSON"),
    ],
)
def test_broken_json_names_file_and_place(tmp_path, text, message):
    path = packed(tmp_path / "a.json", text)
    with pytest.raises(SmaxError, match=r"a\.json") as e:
        list(documents(path))
    assert message in str(e.value)


def test_missing_and_cut_files(tmp_path):
    with pytest.raises(SmaxError, match="No such file"):
        list(documents(tmp_path / "none.json"))
    whole = packed(tmp_path / "a.json.gz", json.dumps(DOCS)).read_bytes()
    (tmp_path / "cut.json.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SmaxError, match=r"cut\.json\.gz: broken"):
        list(documents(tmp_path / "cut.json.gz"))
    (tmp_path / "bytes.json").write_bytes(b"[\xff\xfe]")
    with pytest.raises(SmaxError, match=r"bytes\.json: broken"):
        list(documents(tmp_path / "bytes.json"))


def distance_by_linprog(entries: dict[str, Entry], id_: str) -> float:
    """Energy above the cheapest mixture of all entries with the same composition: linear programming."""
    elements = sorted({s for e in entries.values() for s in e.composition})

    def fractions(e: Entry) -> list[float]:
        return [e.composition.get(s, 0) / sum(e.composition.values()) for s in elements]

    a = np.array([fractions(e) for e in entries.values()]).T
    best = linprog(
        [e.energy for e in entries.values()], A_eq=a, b_eq=fractions(entries[id_]), bounds=(0, None)
    )
    return entries[id_].energy - best.fun


@pytest.mark.parametrize("seed", range(3))
def test_hull_against_linear_programming(seed):
    rng = np.random.default_rng(seed)
    entries = {s: Entry({s: 1}, -3.0 - i) for i, s in enumerate(("Al", "Ni", "W", "O"))}
    for i in range(40):
        chosen = rng.choice(["Al", "Ni", "W", "O"], rng.integers(1, 5), replace=False)
        composition = {str(s): int(rng.integers(1, 4)) for s in chosen}
        entries[f"mp-{i}"] = Entry(composition, float(rng.uniform(-6, -2.5)))
    found = above_hull(entries)
    assert found.keys() == entries.keys()
    for id_, distance in found.items():
        assert distance == pytest.approx(distance_by_linprog(entries, id_), abs=1e-7)
    assert 3 < sum(d < 1e-9 for d in found.values()) < len(entries)


def test_entries_without_elemental_references_are_left_out():
    entries = {"a": Entry({"Al": 1}, -3.7), "b": Entry({"Al": 1, "Ni": 1}, -5.0)}
    assert above_hull(entries) == {"a": 0.0}


def test_a_recomputed_hull_overrules_the_flag_and_says_so_when_asked():
    docs = [*DOCS[:3], {**DOCS[3], "energy_above_hull": 0.0}]
    found, skipped, tally = take(docs, check_hull=True)
    assert len(found) == 3 and skipped[0].reason == "off the hull"
    assert tally.notes == {"off the hull of the entries given, against their own distance": 1}
    found, _, tally = take(docs)
    assert len(found) == 4 and tally.notes == {}


def test_energies_of_mixed_functionals_do_not_decide():
    """Elements in r2SCAN and some of their compounds in GGA, far apart: so the Materials Project has them."""
    docs = [
        {**d, "energy_per_atom": d["energy_per_atom"] - 16 * (len(d["formula_pretty"]) == 2)} for d in DOCS
    ]
    assert ids(take(docs)[0]) == ["mp-134", "mp-23", "mp-1487"]
    assert ids(take(docs, check_hull=True)[0]) == ["mp-134", "mp-23"]
    # one document without a distance of its own is no reason to doubt the others
    bare = {k: v for k, v in DOCS[0].items() if k not in ("energy_above_hull", "is_stable")}
    assert ids(take([*docs, {**bare, "material_id": "mp-0"}])[0]) == ["mp-134", "mp-23", "mp-1487"]


def test_tolerance():
    assert ids(take(DOCS, max_above_hull=0.099)[0]) == ["mp-134", "mp-23", "mp-1487"]
    found = take(DOCS, max_above_hull=0.1)[0]
    assert ids(found)[-1] == "mp-2593"
    assert found[-1].info["above_hull_eV_per_atom"] == pytest.approx(0.1)


def test_without_energies_the_flag_decides():
    bare = [{k: v for k, v in d.items() if k != "energy_per_atom"} for d in DOCS]
    for check, notes in (
        (False, {}),
        (True, {"hull not recomputed (energies missing): own distance taken": 4}),
    ):
        found, skipped, tally = take(bare, check_hull=check)
        assert ids(found) == ["mp-134", "mp-23", "mp-1487"] and skipped[0].reason == "off the hull"
        assert tally.notes == notes
    stable_only = [{k: d[k] for k in ("material_id", "structure", "is_stable")} for d in DOCS]
    assert len(take(stable_only)[0]) == 3
    nothing = [{"material_id": "mp-1", "structure": AL.as_dict()}]
    assert take(nothing)[1][0].reason == "hull unknown"


@pytest.mark.parametrize(
    ("cell", "atoms"), [("given", [4, 4, 2]), ("primitive", [1, 1, 2]), ("conventional", [4, 4, 2])]
)
def test_cells(cell, atoms):
    found, _, _ = take(DOCS, cell=cell)
    assert [len(r.atoms) for r in found] == atoms
    # the same crystal: same volume per atom and, for Al, the same nearest distance
    volumes = [s.volume / len(s) for s in (AL, NI, NIAL)]
    assert np.allclose([r.atoms.get_volume() / len(r.atoms) for r in found], volumes)
    supercell = found[0].atoms.repeat(3)
    near = np.sort(supercell.get_all_distances(mic=True)[0])[1:13]
    assert np.allclose(near, 4.05 / np.sqrt(2))  # twelve neighbours


def test_size_and_actinides():
    docs = [*DOCS[:3], summary("mp-u", UO, None, 0.0)]
    found, skipped, _ = take(docs, max_atoms=3)
    assert ids(found) == ["mp-1487"]
    assert [s.reason for s in skipped] == ["too many atoms", "too many atoms", "actinide"]
    assert ids(take(docs, actinides=True)[0])[-1] == "mp-u"


def changed(structure: Structure, change) -> dict:
    doc = summary("mp-x", structure, None, 0.0)
    doc["structure"] = json.loads(json.dumps(doc["structure"]))
    change(doc["structure"])
    return doc


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (None, "hull unknown"),
        ("text", "hull unknown"),
        ({"material_id": "mp-x", "is_stable": True}, "no structure"),
        (changed(NIAL, lambda s: s.pop("lattice")), "broken"),
        (changed(NIAL, lambda s: s.pop("sites")), "broken"),
        (changed(NIAL, lambda s: s["sites"].clear()), "broken"),
        (changed(NIAL, lambda s: s["sites"][0].pop("abc")), "broken"),
        (changed(NIAL, lambda s: s["sites"][0].update(abc=[0, "x", 0])), "broken"),
        (changed(NIAL, lambda s: s["sites"][0].update(abc=[0, float("nan"), 0])), "not finite"),
        (changed(NIAL, lambda s: s["lattice"].update(matrix=[[1, 0, 0], [1, 0, 0], [0, 0, 1]])), "broken"),
        (changed(NIAL, lambda s: s["lattice"].update(matrix=[[1, 0], [0, 1]])), "broken"),
        (changed(NIAL, lambda s: s["sites"][0]["species"][0].update(occu=0.5)), "disordered"),
        (
            changed(NIAL, lambda s: s["sites"][0]["species"].append({"element": "Fe", "occu": 0})),
            "disordered",
        ),
        (changed(NIAL, lambda s: s["sites"][0]["species"][0].update(element="Qq")), "unknown element"),
        (changed(NIAL, lambda s: s["sites"][1].update(abc=[0, 0, 0.001])), "too close"),
    ],
)
def test_bad_documents_are_skipped_with_a_reason(document, reason):
    found, skipped, _ = take([document, DOCS[2]])
    assert [s.reason for s in skipped] == [reason]
    assert skipped[0].detail.startswith(("mp-x", "document 1"))
    assert ids(found) == ["mp-1487"]


def test_a_file_cannot_name_a_class_to_make(tmp_path):
    """monty's decoder would import and call what @module and @class name."""
    bomb = {"@module": "pathlib", "@class": "Path", "@version": "1"}
    doc = changed(NIAL, lambda s: s["sites"][0].update(properties={"magmom": bomb}))
    doc["structure"]["properties"] = {"made": bomb}
    found, _, _ = take([doc], cell="primitive")
    assert len(found) == 1 and len(found[0].atoms) == 2


class FakeAPI:
    """mp_api.client.MPRester, as far as it is used: answers like a server."""

    calls: list = []  # noqa: RUF012

    def __init__(self, key, use_document_model):
        assert not use_document_model
        self.key = key
        self.materials = self.summary = self

    def __enter__(self):
        if self.key == "wrong":
            raise ValueError("REST query returned with error status code 401")
        return self

    def __exit__(self, *_):
        pass

    def search(self, num_elements, energy_above_hull, deprecated, fields, all_fields):
        assert not deprecated and not all_fields and "structure" in fields
        FakeAPI.calls.append(num_elements)
        low, high = energy_above_hull
        found = [d for d in DOCS if len({s["label"] for s in d["structure"]["sites"]}) == num_elements[0]]
        found = [d for d in found if low <= d["energy_above_hull"] <= high]
        return [{**d, "structure": Structure.from_dict(d["structure"])} for d in found]  # the client decodes


def test_download_keeps_what_the_api_says_and_is_read_like_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MP_API_KEY", "key")
    monkeypatch.setattr("mp_api.client.MPRester", FakeAPI)
    path = tmp_path / "mp.jsonl.gz"
    assert download(path, 0.0) == 3
    dataset, tally = Dataset.create(tmp_path / "ds"), Tally()
    write(read(lambda: documents(path), Choice(), tally, path.name), dataset, tally, "mp")
    assert (tally.read, tally.kept) == (3, 3) and dataset.counts()["mp"]["-"]["unlabelled"] == {"": 3}
    with pytest.raises(SmaxError, match="exists already"):
        download(path, 0.0)
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["mp.jsonl.gz"]


def test_the_arguments_used_are_those_of_the_installed_client():
    import inspect

    from mp_api.client import MPRester
    from mp_api.client.routes.materials.summary import SummaryRester

    wanted = set(inspect.signature(FakeAPI.search).parameters) - {"self"}
    assert wanted <= set(inspect.signature(SummaryRester.search).parameters)
    assert "use_document_model" in inspect.signature(MPRester.__init__).parameters


def test_without_a_key_or_with_a_wrong_one(tmp_path, monkeypatch):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    with pytest.raises(SmaxError, match="MP_API_KEY is not set"):
        download(tmp_path / "a.gz", 0.0)
    monkeypatch.setenv("MP_API_KEY", "wrong")
    monkeypatch.setattr("mp_api.client.MPRester", FakeAPI)
    with pytest.raises(SmaxError, match=r"Materials Project API: ValueError: REST query .* 401"):
        download(tmp_path / "a.gz", 0.0)
    assert list(tmp_path.iterdir()) == []
