"""Transition1x: reaction paths in the published HDF5 layout (Schreiner et al., Scientific Data 9, 779, 2022).

data|train|val|test / FORMULA / RXN holds atomic_numbers [n], positions [frames, n, 3] A,
wB97x_6-31G(d).energy [frames] eV and .forces; subgroups reactant, transition_state and product hold the same
with one frame each. The splits are links into data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from pysmax.dataset.record import Record
from pysmax.enrich.molecule import check_vacuum, in_box
from pysmax.enrich.tally import Skip
from pysmax.errors import SmaxError

ENERGY = "wB97x_6-31G(d).energy"
ENDPOINTS = ("reactant", "transition_state", "product")
Split = Literal["data", "train", "val", "test"]


class Frames(BaseModel):
    """Which frames of each reaction: the three end points, and some of its path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoints: bool = True
    path: Literal["none", "all", "every", "random"] = "none"
    n: int = 0
    seed: int = 0

    @classmethod
    def parse(cls, path: str, endpoints: bool, seed: int) -> Frames:
        """From none, all, every:K or random:N; raises SmaxError."""
        kind, colon, count = path.partition(":")
        counted = kind in ("every", "random")
        if kind not in ("none", "all", "every", "random") or counted != bool(colon):
            raise SmaxError(f"path frames '{path}', expected none, all, every:K or random:N")
        if counted and not (count.isdecimal() and int(count) > 0):
            raise SmaxError(f"path frames '{path}': '{count}' is not a number above 0")
        if seed < 0:
            raise SmaxError(f"seed is {seed}, expected 0 or more")
        if kind == "none" and not endpoints:
            raise SmaxError("neither end points nor path frames are asked for: nothing would be read")
        return cls(endpoints=endpoints, path=kind, n=int(count or 0), seed=seed)  # type: ignore[arg-type]

    def choose(self, frames: int, name: str) -> Sequence[int]:
        """Indices of path frames, ascending; random ones depend on seed and name only."""
        if self.path == "all":
            return range(frames)
        if self.path == "every":
            return range(0, frames, self.n)
        if self.path == "random":
            entropy = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
            rng = np.random.default_rng([self.seed, entropy])
            return sorted(rng.choice(frames, min(self.n, frames), replace=False).tolist())
        return ()


def read(path: Path, frames: Frames, vacuum: float, split: Split = "data") -> Iterator[Record | Skip]:
    """Frames of every reaction, boxed; one frame in memory at a time.

    The energy of the source (eV) stays in ``info`` under its level's name. Raises SmaxError if the file is
    not of this layout; a broken reaction or frame is a Skip.
    """
    import h5py

    check_vacuum(vacuum)
    try:
        file = h5py.File(path, "r")
    except OSError as e:
        raise SmaxError(f"{path}: not a readable HDF5 file ({e})") from None
    with file:
        if not isinstance(file.get(split), h5py.Group):
            raise SmaxError(f"{path}: has no group '{split}', only {', '.join(file) or 'nothing'}")
        for formula, reactions in _groups(file[split]):
            if reactions is None:
                yield Skip("broken", f"{split}/{formula}: not a group")
                continue
            for rxn, group in _groups(reactions):
                name = f"{formula}/{rxn}"
                if group is None:
                    yield Skip("broken", f"{split}/{name}: not a group")
                    continue
                for item in _reaction(group, name, frames, vacuum):
                    yield _named(item, {"file": path.name, "split": split, "formula": formula, "rxn": rxn})


def count_reactions(path: Path, split: Split) -> int | None:
    """Number of reactions, None if the file is not of this layout (reading it will say so)."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return sum(len(group) for group in file[split].values())
    except (OSError, KeyError, TypeError, AttributeError):
        return None


def _groups(parent: Any) -> Iterator[tuple[str, Any]]:
    """Children by name; None for one that is no group or cannot be read."""
    import h5py

    for name in parent:
        try:
            child = parent[name]
        except (KeyError, OSError, RuntimeError):
            child = None
        yield name, child if isinstance(child, h5py.Group) else None


def _reaction(group: Any, name: str, frames: Frames, vacuum: float) -> Iterator[Record | Skip]:
    for part in ENDPOINTS if frames.endpoints else ():
        yield from _frames(group.get(part), f"{name}/{part}", (0,), part, vacuum)
    if frames.path != "none":
        positions = group.get("positions")
        count = len(positions) if positions is not None and positions.ndim == 3 else 0
        if not count:
            yield Skip("broken", f"{name}: has no positions [frames, n, 3]")
        yield from _frames(group, name, frames.choose(count, name), "path", vacuum)


def _frames(
    group: Any, name: str, chosen: Sequence[int], part: str, vacuum: float
) -> Iterator[Record | Skip]:
    try:
        numbers, positions = group["atomic_numbers"][()], group["positions"]
        energies = group.get(ENERGY)
    except (KeyError, TypeError, OSError, RuntimeError) as e:
        yield Skip("broken", f"{name}: {e}")
        return
    for frame in chosen:
        where = f"{name}, frame {frame}"
        try:
            info: dict[str, Any] = {"id": f"{name}/{frame}", "part": part, "frame": frame}
            if energies is not None and np.isfinite(energy := float(energies[frame])):
                info[f"{ENERGY}_eV"] = energy
            yield Record(in_box(numbers, positions[frame], vacuum), source="transition1x", info=info)
        except Skip as e:
            yield Skip(e.reason, f"{where}: {e.detail}")
        except (OSError, ValueError, IndexError, TypeError, RuntimeError) as e:
            yield Skip("broken", f"{where}: {e}")


def _named(item: Record | Skip, more: dict[str, Any]) -> Record | Skip:
    if isinstance(item, Skip):
        return item
    return Record(item.atoms, item.source, {**item.info, **more})
