"""Run by the Python of the GRACE environment: structures come in, energies, forces and stresses go out.

Alone in its file: it imports nothing of pysmax. Messages in both directions are a length (8 bytes, little
endian) and an .npz without pickles; see predict.py.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from typing import IO, Any

import numpy as np


def receive(stream: IO[bytes]) -> dict[str, Any] | None:
    """Arrays by name, None at the end."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    size = int.from_bytes(head, "little")
    data = stream.read(size)
    if len(data) < size:  # the other end died
        return None
    with np.load(io.BytesIO(data), allow_pickle=False) as z:
        return {k: z[k] for k in z.files}


def send(stream: IO[bytes], **arrays: Any) -> None:
    """Send arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    stream.write(len(buffer.getvalue()).to_bytes(8, "little") + buffer.getvalue())
    stream.flush()


def structures(request: dict[str, Any]) -> Iterator[Any]:
    """ase.Atoms of a request."""
    import ase

    ends = np.cumsum(request["natoms"])
    for k, (begin, end) in enumerate(zip(ends - request["natoms"], ends, strict=True)):
        yield ase.Atoms(
            numbers=request["numbers"][begin:end],
            positions=request["positions"][begin:end],
            cell=request["cell"][k],
            pbc=request["pbc"][k],
        )


def answer(calculator: Any, request: dict[str, Any], grade: bool) -> dict[str, Any]:
    """Energy (eV), forces (eV/A), stress (eV/A^3, NaN where not periodic), largest grade of a structure."""
    frames = list(structures(request))
    energy, why = np.full(len(frames), np.nan), [""] * len(frames)
    stress, gamma = np.full((len(frames), 6), np.nan), np.full(len(frames), np.nan)
    forces = [np.full((len(a), 3), np.nan) for a in frames]
    for k in sorted(range(len(frames)), key=lambda i: -len(frames[i])):  # the largest shape is compiled first
        atoms = frames[k]
        try:
            calculator.calculate(atoms, properties=["energy", "forces", "stress"])
            found = calculator.results
            energy[k], forces[k] = float(np.squeeze(found["energy"])), found["forces"]
            if not (np.isfinite(energy[k]) and np.isfinite(forces[k]).all()):
                raise ValueError("the model gives numbers that are not finite")
            if atoms.pbc.all():
                stress[k] = found["stress"]
            if grade:
                gamma[k] = np.max(found["gamma"])
        except Exception as e:  # one structure must not end the others
            why[k] = f"{type(e).__name__}: {' '.join(str(e).split())}"[:300]
    return {
        "energy": energy,
        "forces": np.concatenate(forces) if forces else np.zeros((0, 3)),
        "stress": stress,
        "grade": gamma,
        "why": np.array(why, dtype="U300"),
    }


def main() -> None:
    """Load the model named on the command line, say that it is ready, then answer until the pipe closes."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever TensorFlow prints goes with the errors
    model, grade = sys.argv[1], sys.argv[2] == "grade"
    try:
        from tensorpotential.calculator import TPCalculator

        calculator = TPCalculator(model, enable_uq_if_available=grade)
        if grade and not calculator.available_uq_modes:
            raise ValueError("the model carries no uncertainties")
    except Exception as e:
        send(out, error=np.array(f"{type(e).__name__}: {' '.join(str(e).split())}"[:300]))
        return
    send(out, cutoff=np.array(float(np.max(calculator.cutoff))))
    while (request := receive(sys.stdin.buffer)) is not None:
        send(out, **answer(calculator, request, grade))


if __name__ == "__main__":
    main()
