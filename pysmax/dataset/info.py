"""What is in a dataset, as numbers; streamed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
from ase.data import chemical_symbols

from pysmax.dataset.record import Array
from pysmax.dataset.references import composition
from pysmax.dataset.store import Dataset

BATCH = 50_000


def gather(dataset: Dataset) -> dict[str, Any]:
    """Counts, sizes, elements and energies as one JSON-able table; keys name their units."""
    paths = dataset.paths()
    configurations, atoms = np.zeros(119), np.zeros(119)
    sizes: Counter[int] = Counter()
    for a in dataset.arrays(("natoms", "numbers"), status=None):
        x = composition(a["numbers"], a["natoms"])
        configurations += (x > 0).sum(axis=0)
        atoms += x.sum(axis=0)
        sizes.update(a["natoms"].tolist())
    counts = dataset.counts()
    by_status: Counter[str] = Counter()
    for by_level in counts.values():
        for statuses in by_level.values():
            by_status.update({s: sum(reasons.values()) for s, reasons in statuses.items()})
    return {
        "records": len(dataset),
        "atoms": int(atoms.sum()),
        "status": dict(by_status),
        "waiting": _waiting(dataset) if by_status["unlabelled"] else 0,
        "counts": counts,
        "levels": [
            {"hash": v.hash, "engine": v.engine, "version": v.version, "settings": dict(v.settings)}
            for v in dataset.levels()
        ],
        "energy_eV_per_atom": {
            h: e for h in sorted({v.hash for v in dataset.levels()}) if (e := _energy(dataset, h))
        },
        "elements": {
            chemical_symbols[z]: {"configurations": int(configurations[z]), "atoms": int(atoms[z])}
            for z in np.flatnonzero(configurations)
        },
        "natoms": dict(sorted(sizes.items())),
        "shards": len(paths),
        "bytes": sum(p.stat().st_size for p in paths),
    }


def _energy(dataset: Dataset, level: str) -> dict[str, float]:
    parts: list[Array] = [
        (a["energy"] / a["natoms"]).astype(np.float32)
        for a in dataset.arrays(("energy", "natoms"), level=level)
    ]
    if not parts:
        return {}
    e = np.concatenate(parts)
    return {"min": float(e.min()), "median": float(np.median(e)), "max": float(e.max())}


def _waiting(dataset: Dataset) -> int:
    """Unlabelled structures without a label or a failure at any level."""
    tried = np.concatenate([_structures(dataset, status) for status in ("ok", "failed")])
    return int(np.isin(_structures(dataset, "unlabelled"), tried, invert=True).sum())


def _structures(dataset: Dataset, status: str) -> npt.NDArray[np.uint64]:
    """The first 64 bits of the hash of each structure of a status: 8 bytes each."""
    parts = [b""]
    for _, rows in dataset.rows("key", status=status, batch=BATCH):
        parts.append(bytes.fromhex("".join(key[:16] for _, key in rows)))
    return np.frombuffer(b"".join(parts), dtype=">u8").astype(np.uint64)
