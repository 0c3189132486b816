"""Records as ase.Atoms with a calculator, as ASE's formats carry them, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import ase
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from pysmax.dataset.codec import to_json
from pysmax.dataset.formats import Energy
from pysmax.dataset.record import Attempt, Label, Level, Record
from pysmax.errors import SmaxError

OURS = "pysmax"  # key under which the provenance travels, as JSON
UNKNOWN = Level("unknown", "", {})
FREE = "free_energy_eV"


def exported(label: Label, energy: Energy) -> tuple[float, str]:
    """The energy that a file gives as such, eV, and the name of what it is in the record.

    Forces are derivatives of the free energy: it is the ``force-consistent`` one where a label has it.
    ``extrapolated``: the energy of the label, extrapolated to zero smearing.
    """
    free = label.extra.get(FREE)
    if energy == "extrapolated" or free is None:
        return label.energy, "energy"
    return float(free), FREE


def to_atoms(record: Record, energy: Energy) -> ase.Atoms:
    """A copy with the label as results of a calculator, without info."""
    atoms: ase.Atoms = record.atoms.copy()  # type: ignore[no-untyped-call]
    label = record.label
    if label is not None:
        results = {"energy": exported(label, energy)[0], "forces": label.forces, "stress": label.stress}
        results |= {"magmoms": label.magmoms, "free_energy": label.extra.get(FREE)}
        results = {k: v for k, v in results.items() if v is not None}
        atoms.calc = SinglePointCalculator(atoms, **results)  # type: ignore[no-untyped-call]
    return atoms


def provenance(record: Record, energy: Energy) -> str:
    """All that ASE has no place for, as JSON; of the two energies the one that is not the frame's."""
    level = record.level
    data: dict[str, Any] = {"source": record.source, "info": record.info, "reason": record.reason}
    data["attempts"] = [asdict(a) for a in record.attempts]
    data["extra"] = record.label.extra if record.label else {}
    if record.label is not None:
        data["energy_is"] = exported(record.label, energy)[1]
        if data["energy_is"] != "energy":
            data["energy"] = record.label.energy
    if level is not None:
        data["level"] = {"engine": level.engine, "version": level.version, "settings": level.settings}
    return to_json(data, f"record {record.key}")


def from_atoms(atoms: ase.Atoms, ours: str | None, info: Mapping[str, Any], level: Level = UNKNOWN) -> Record:
    """The record; without ``ours`` (see provenance), ``info`` and ``level`` say where it comes from.

    A label needs energy and forces; a label that is not finite makes a failed record.
    """
    data = _ours(ours)
    plain = ase.Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if "r_eff" in atoms.arrays:
        plain.arrays["r_eff"] = np.asarray(atoms.arrays["r_eff"], dtype=np.float64)
    if data is not None:
        stated = data.get("level")
        found = Level(stated["engine"], stated["version"], stated["settings"]) if stated else None
        info, source = data["info"], data["source"]
        reason, extra = data["reason"], data["extra"]
        attempts = tuple(Attempt(**a) for a in data["attempts"])
    else:
        found, source, reason, extra, attempts = None, str(info.get("source", "")), "", {}, ()
    label = _label(atoms, extra)
    if label is not None and data is not None and "energy" in data:
        label = _restored(label, data["energy"])
    if label is None:
        return Record(plain, source, info, found, None, reason, attempts)
    numbers: tuple[Any, ...] = (
        label.energy,
        label.forces,
        *(v for v in (label.stress, label.magmoms) if v is not None),
    )
    if not all(np.all(np.isfinite(v)) for v in numbers):
        return Record(plain, source, info, found or level, None, "not finite", attempts)
    return Record(plain, source, info, found or level, label, "", attempts)


def _label(atoms: ase.Atoms, extra: Mapping[str, Any]) -> Label | None:
    results = atoms.calc.results if atoms.calc is not None else {}
    if results.get("energy") is None or results.get("forces") is None:
        return None
    stress = results.get("stress")
    if stress is not None:
        stress = np.asarray(stress, dtype=np.float64)
        if stress.size == 9:
            stress = full_3x3_to_voigt_6_stress(stress.reshape(3, 3))  # type: ignore[no-untyped-call]
    extra = dict(extra)
    if results.get("free_energy") is not None:
        extra.setdefault(FREE, float(results["free_energy"]))
    magmoms = results.get("magmoms")
    return Label(
        float(results["energy"]),
        np.asarray(results["forces"], dtype=np.float64),
        stress,
        None if magmoms is None else np.asarray(magmoms, dtype=np.float64),
        extra,
    )


def _restored(label: Label, energy: float) -> Label:
    """With its own energy where the file still has the free energy in its place."""
    unchanged = np.isclose(label.energy, label.extra.get(FREE, np.nan), rtol=1e-12, atol=1e-8)
    return replace(label, energy=float(energy)) if unchanged else label


def _ours(text: str | None) -> Any:
    if text is None:
        return None
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or not {"source", "info", "reason", "attempts", "extra"} <= data.keys():
            raise ValueError
        if not isinstance(data["info"], dict) or not isinstance(data["extra"], dict):
            raise ValueError
    except (TypeError, ValueError):
        raise SmaxError(f"'{OURS}' is no provenance of a pysmax dataset: {str(text)[:60]}") from None
    return data


def plain_info(info: Mapping[str, Any]) -> dict[str, Any]:
    """What of a foreign info is JSON."""
    kept: dict[str, Any] = {}
    for key, value in info.items():
        try:
            kept[str(key)] = json.loads(to_json(value, str(key)))
        except SmaxError:
            continue
    return kept
