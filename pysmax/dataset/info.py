"""What is in a dataset, as numbers; streamed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from pysmax.dataset.record import Array
from pysmax.dataset.references import composition
from pysmax.dataset.store import Dataset

BATCH = 500


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
    n = 0
    for _, rows in dataset.rows("key", status="unlabelled", batch=BATCH):
        hashes = {key.split(":")[0] for _, key in rows}
        tried: set[str] = set()
        for shard in dataset.shards():
            for digest in hashes - tried:
                # ';' follows ':' in ASCII: a range of the index on keys
                where = "WHERE key >= ? AND key < ? AND status != 'unlabelled' LIMIT 1"
                if shard.fetch("1", where, [f"{digest}:", f"{digest};"]):
                    tried.add(digest)
        n += len(rows) - sum(key.split(":")[0] in tried for _, key in rows)
    return n
