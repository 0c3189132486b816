"""Small records to fill datasets with."""

from __future__ import annotations

from typing import Any

import ase
import numpy as np

from pysmax.dataset.record import Attempt, Label, Level, Record

LEVEL = Level("xtb", "0.8", {"method": "GFN1-xTB", "accuracy": 1.0})
OTHER = Level("dft", "26.7", {"xc": "PBE", "ecut_eV": 500.0})


def structure(seed: int, natoms: int | None = None) -> ase.Atoms:
    """Atoms on a jittered grid with random elements, 2.7 A apart or so, with r_eff."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9)) if natoms is None else natoms
    side = int(np.ceil(n ** (1 / 3)))
    grid = np.array(
        [(i, j, k) for i in range(side) for j in range(side) for k in range(side)][:n], dtype=float
    )
    edge = 2.7 * side
    atoms = ase.Atoms(
        numbers=rng.choice([8, 13, 26, 74], size=n),
        positions=2.7 * grid + rng.uniform(-0.2, 0.2, size=(n, 3)),
        cell=edge * (np.eye(3) + rng.uniform(-0.05, 0.05, size=(3, 3))),
        pbc=True,
    )
    atoms.arrays["r_eff"] = rng.uniform(1.0, 1.5, size=n)
    return atoms


def label(atoms: ase.Atoms, seed: int, **more: Any) -> Label:
    """Numbers of the size that a label has; forces add up to zero."""
    rng = np.random.default_rng(1000 + seed)
    forces = rng.normal(size=(len(atoms), 3))
    energy = float(sum({8: -430.0, 13: -52.0, 26: -100.0, 74: -120.0}[int(z)] for z in atoms.numbers))
    values = {
        "energy": energy + rng.normal() * 0.1,
        "forces": forces - forces.mean(axis=0),
        "stress": rng.normal(size=6) * 0.01,
        "extra": {"free_energy_eV": -1.25},
    }
    return Label(**(values | more))


def record(seed: int, status: str = "ok", level: Level | None = LEVEL, **more: Any) -> Record:
    """The record of a seed."""
    atoms = structure(seed)
    attempts: tuple[Attempt, ...] = ()
    if status == "failed":
        attempts = (Attempt("default", "scf", "no convergence in 250 iterations", 0.5),)
    values: dict[str, Any] = {
        "atoms": atoms,
        "source": "generated",
        "info": {"seed": seed, "file": "run.extxyz", "note": 'é "quoted" = [1, 2]'},
        "level": level,
        "label": label(atoms, seed) if status == "ok" else None,
        "reason": "scf" if status == "failed" else "",
        "attempts": attempts,
    }
    return Record(**(values | more))


def same(a: Record, b: Record) -> bool:
    """Equal to the last bit, in everything that a record holds."""
    arrays = [(getattr(a.atoms, k), getattr(b.atoms, k)) for k in ("numbers", "positions", "pbc")]
    arrays += [(a.atoms.cell.array, b.atoms.cell.array), (_reff(a), _reff(b))]
    plain = [(a.source, b.source), (dict(a.info), dict(b.info)), (a.level, b.level), (a.reason, b.reason)]
    plain += [(a.attempts, b.attempts), (a.label is None, b.label is None)]
    if a.label is not None and b.label is not None:
        arrays += [
            (getattr(a.label, k), getattr(b.label, k)) for k in ("energy", "forces", "stress", "magmoms")
        ]
        plain += [(dict(a.label.extra), dict(b.label.extra))]
    return all(x == y for x, y in plain) and all(_equal(x, y) for x, y in arrays)


def _reff(r: Record) -> Any:
    return r.atoms.arrays.get("r_eff")


def _equal(x: Any, y: Any) -> bool:
    if x is None or y is None:
        return x is y
    return bool(np.array_equal(x, y))
