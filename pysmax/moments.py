"""The moments of a dataset: PREFIX.moments, a NumPy .npz (format 'smax-moments', version 1).

The moments of two disjoint sets add up exactly (Chan et al. 1983), so datasets merge through them.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pysmax.errors import SmaxError
from pysmax.files import write_atomically

FORMAT = "smax-moments"
VERSION = 1
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Descriptor:
    """What the features are; two datasets merge only if theirs agree."""

    mode: str  # 'atom': one vector per atom; 'config': their mean per configuration
    twojmax: int
    rfac0: float
    rmin0: float  # Angstrom
    rcutfac: float  # cutoff of a pair: rcutfac (r_i + r_j)
    bzeroflag: int
    switchflag: int


@dataclass(frozen=True)
class State:
    """Where the run stands that wrote the file; all 0 for a merged dataset, which is no run."""

    seed: int = 0
    next_index: int = 0  # every candidate below it is decided
    frames: int = 0  # accepted
    tried: int = 0
    rejected_entropy: int = 0
    rejected_distance: int = 0
    evaluations: int = 0
    atom_evaluations: int = 0
    file_bytes: int = 0  # length of PREFIX.extxyz that these moments cover
    table_bytes: int = 0
    file_crc: int = 0
    partitions: int = 1
    lag: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Moments:
    """N feature vectors of n components by their moments."""

    count: int  # N
    mean: Array  # [n]
    scatter: Array  # [n, n]: sum (b - mean)(b - mean)^T
    variance: Array  # [n]: diagonal of R, from the reference; empty if there is none
    eps: float
    descriptor: Descriptor
    ref_count: int  # the same moments for random core-relaxed cells
    ref_mean: Array
    ref_scatter: Array
    state: State = State()


def load(path: str | Path) -> Moments:
    """Read a moments file; keys beyond those of version 1 are ignored."""
    z = _arrays(path)
    if "format" not in z or str(z["format"]) != FORMAT:
        raise SmaxError(f"{path}: not a moments file (key 'format' is not '{FORMAT}')")
    version = z.get("version", np.array(0))
    if version.shape != () or not 1 <= int(version) <= VERSION:
        raise SmaxError(f"{path}: version is {version}, expected {VERSION}: a newer pysmax wrote it")
    try:
        moments = Moments(
            descriptor=_scalars(Descriptor, z),
            state=_scalars(State, {k: z[k] for k in z if k in State.__dataclass_fields__}),
            **{k: _value(z[k]) for k in Moments.__dataclass_fields__ if k not in ("descriptor", "state")},
        )
    except KeyError as e:
        raise SmaxError(f"{path}: key {e} is missing, expected a complete moments file") from None
    except (TypeError, ValueError) as e:
        raise SmaxError(f"{path}: {e}") from None
    _check(moments, path)
    return moments


def save(path: str | Path, m: Moments) -> None:
    """Write a moments file that the plugin reads as a dataset; atomically."""
    n = len(m.mean)
    counted = ("count", "ref_count")
    arrays: dict[str, Any] = {"format": np.array(FORMAT), "version": np.int64(VERSION)}
    for part in (m, m.descriptor, m.state):
        arrays |= {f.name: getattr(part, f.name) for f in fields(part)}
    del arrays["descriptor"], arrays["state"]
    # A run that starts from this file has it as what was there before its first frame.
    arrays |= {"prior_count": m.count, "prior_mean": m.mean, "prior_scatter": m.scatter}
    for key in (*counted, "prior_count"):
        arrays[key] = np.int64(arrays[key])
    if m.ref_count == 0:
        arrays |= {"ref_mean": np.zeros(n), "ref_scatter": np.zeros((n, n))}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def covariance(m: Moments) -> Array:
    """Standardised covariance [n, n]: scatter / N in units of sqrt(variance)."""
    if not len(m.variance):
        raise SmaxError("these moments have no reference variances, expected a run past its random cells")
    unit = np.sqrt(m.variance)
    c: Array = m.scatter / np.outer(unit, unit) / max(m.count, 1)
    return c


def entropy(m: Moments) -> float:
    """S = 1/2 log det (C + eps R) in nats."""
    c = covariance(m)
    sign, logdet = np.linalg.slogdet(c + m.eps * np.eye(len(c)))
    if sign <= 0:
        raise SmaxError("the covariance is not positive definite: the moments are damaged")
    return 0.5 * float(logdet + np.log(m.variance).sum())


def reference(m: Moments) -> Moments:
    """The random cells as a dataset of their own."""
    return Moments(
        count=m.ref_count,
        mean=m.ref_mean,
        scatter=m.ref_scatter,
        variance=m.variance,
        eps=m.eps,
        descriptor=m.descriptor,
        ref_count=m.ref_count,
        ref_mean=m.ref_mean,
        ref_scatter=m.ref_scatter,
    )


def merge(parts: Sequence[Moments]) -> Moments:
    """Moments of the union of disjoint sets; eps, R and the reference are those of the first that has one."""
    if not parts:
        raise SmaxError("nothing to merge, expected at least one moments file")
    base = next((p for p in parts if p.ref_count), parts[0])
    count, mean, scatter = 0, np.zeros_like(base.mean), np.zeros_like(base.scatter)
    for p in parts:
        _compatible(base.descriptor, p.descriptor)
        total = count + p.count
        if total == 0:
            continue
        d = p.mean - mean
        scatter = scatter + p.scatter + np.outer(d, d) * (count * p.count / total)
        mean = mean + d * (p.count / total)
        count = total
    keep = {f.name: getattr(base, f.name) for f in fields(base)}
    return Moments(**(keep | {"count": count, "mean": mean, "scatter": scatter, "state": State()}))


def _arrays(path: str | Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as z:
            return {k: z[k] for k in z.files}
    except OSError as e:
        raise SmaxError(f"{path}: {e.strerror or e}") from None
    except (ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile):
        raise SmaxError(f"{path}: not a readable NumPy .npz, expected a moments file") from None


def _value(a: npt.NDArray[Any]) -> Any:
    return a.item() if a.shape == () else a


def _scalars(cls: Any, z: Mapping[str, npt.NDArray[Any]]) -> Any:
    return cls(**{f.name: z[f.name].item() for f in fields(cls) if f.name in z or cls is Descriptor})


def _check(m: Moments, path: str | Path) -> None:
    n = np.size(m.mean)
    shapes = {"mean": (n,), "scatter": (n, n)}
    if m.ref_count:
        shapes |= {"variance": (n,), "ref_mean": (n,), "ref_scatter": (n, n)}
    for key, shape in shapes.items():
        a = getattr(m, key)
        if np.shape(a) != shape:
            raise SmaxError(f"{path}: {key} has shape {np.shape(a)}, expected {shape}")
        if not np.isfinite(a).all():
            raise SmaxError(f"{path}: {key} has a value that is not finite")
    if m.count < 0 or m.ref_count < 0:
        raise SmaxError(f"{path}: count is {min(m.count, m.ref_count)}, expected 0 or more")
    if m.descriptor.mode not in ("atom", "config"):
        raise SmaxError(f"{path}: mode is '{m.descriptor.mode}', expected atom or config")


def _compatible(a: Descriptor, b: Descriptor) -> None:
    for f in fields(Descriptor):
        x, y = getattr(a, f.name), getattr(b, f.name)
        if x != y:
            raise SmaxError(f"{f.name} is {y} in one file, expected {x} as in the others: nothing is merged")
