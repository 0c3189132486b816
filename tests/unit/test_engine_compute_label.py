"""compute_label: attempts, reasons, limits, and its own cost."""

from __future__ import annotations

import time
from collections.abc import Callable

import ase
import numpy as np
import pytest
from ase.build import bulk

from pysmax.dataset.record import Label
from pysmax.label.engine import Engine, EngineFailure, Limits, compute_label

CU = bulk("Cu", cubic=True) * (1, 1, 3)


def good(atoms: ase.Atoms) -> Label:
    return Label(-1.0 * len(atoms), np.zeros((len(atoms), 3)), np.zeros(6))


def fails(reason: str) -> Callable[[ase.Atoms], Label]:
    def attempt(atoms: ase.Atoms) -> Label:
        raise EngineFailure(reason, f"because of {reason}")  # type: ignore[arg-type]

    return attempt


def gives(**wrong: object) -> Callable[[ase.Atoms], Label]:
    def attempt(atoms: ase.Atoms) -> Label:
        return Label(**{"energy": -1.0, "forces": np.zeros((len(atoms), 3)), **wrong})  # type: ignore[arg-type]

    return attempt


def breaks(atoms: ase.Atoms) -> Label:
    raise MemoryError("too much")


def spoils(atoms: ase.Atoms) -> Label:
    atoms.positions += 1.0
    raise EngineFailure("scf", "and moved the atoms")


class Scripted(Engine):
    """Does what it is told, attempt by attempt."""

    def __init__(self, *steps: Callable[[ase.Atoms], Label]) -> None:
        self.steps = steps
        self.seen: list[float] = []

    @property
    def attempts(self) -> tuple[str, ...]:
        return tuple(f"{k}" for k in range(len(self.steps)))

    def compute(self, atoms: ase.Atoms, attempt: int) -> Label:
        self.seen.append(float(atoms.positions.sum()))
        return self.steps[attempt](atoms)


N = len(CU)


@pytest.mark.parametrize(
    ("steps", "reasons"),
    [
        ((good,), [""]),
        ((fails("scf"), good), ["scf", ""]),
        ((fails("scf"), breaks, good, good), ["scf", "error", ""]),
        ((fails("scf"), fails("structure"), good), ["scf", "structure"]),
        (
            (gives(energy=np.nan), gives(energy=1e9), gives(forces=np.zeros((N, 2)))),
            ["not finite", "limits", "error"],
        ),
        ((gives(magmoms=np.full(N, np.inf)), gives(stress=np.full(6, np.nan))), ["not finite", "not finite"]),
        ((gives(stress=np.zeros((3, 3))), gives(magmoms=np.zeros(N + 1))), ["error", "error"]),
        ((gives(forces=np.full((N, 3), 200.0)),), ["limits"]),  # 200 sqrt(3) is more than 300
    ],
)
def test_attempts_are_made_in_order_until_one_passes(
    steps: tuple[Callable[[ase.Atoms], Label], ...], reasons: list[str]
) -> None:
    done = compute_label(Scripted(*steps), CU, Limits())
    assert [(a.settings, a.reason) for a in done.attempts] == [(str(k), r) for k, r in enumerate(reasons)]
    assert done.reason == reasons[-1] and (done.label is None) == bool(done.reason)
    assert all(bool(a.detail) == bool(a.reason) and a.seconds >= 0 for a in done.attempts)


def test_an_attempt_cannot_spoil_the_next() -> None:
    engine = Scripted(spoils, spoils, good)
    before = CU.positions.copy()
    assert compute_label(engine, CU, Limits()).reason == ""
    assert engine.seen == [CU.positions.sum()] * 3
    np.testing.assert_array_equal(CU.positions, before)


@pytest.mark.parametrize("limit", ["max_energy_eV_per_atom", "max_force_eV_per_A", "max_stress_eV_per_A3"])
def test_a_limit_is_the_last_value_taken_and_none_is_no_limit(limit: str) -> None:
    forces = np.zeros((N, 3))
    forces[2] = [0.0, 3.0, -4.0]
    engine = Scripted(gives(energy=-5.0 * N, forces=forces, stress=np.array([0, 0, -5.0, 0, 0, 0])))
    assert compute_label(engine, CU, Limits(**{limit: 5.0})).reason == ""
    assert compute_label(engine, CU, Limits(**{limit: 4.999})).reason == "limits"
    assert compute_label(engine, CU, Limits(**{limit: None})).reason == ""


def test_overhead_is_a_small_part_of_two_milliseconds() -> None:
    engine, limits = Scripted(good), Limits()
    best = np.inf
    for _ in range(5):
        start = time.process_time()
        for _ in range(100):
            compute_label(engine, CU, limits)
        best = min(best, (time.process_time() - start) / 100)
    assert best < 5e-4
