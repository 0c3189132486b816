"""The moments of a dataset: PREFIX.moments, a NumPy .npz (format 'smax-moments', version 1)."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from pysmax.errors import SmaxError
from pysmax.files import write_atomically
from pysmax.npz import Array as Array
from pysmax.npz import Npz

FORMAT = "smax-moments"
VERSION = 1


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
    prior_count: int = 0  # the same moments before the first frame of PREFIX.extxyz
    prior_mean: Array = field(default_factory=lambda: np.zeros(0))
    prior_scatter: Array = field(default_factory=lambda: np.zeros((0, 0)))


def load(path: str | Path) -> Moments:
    """Read a moments file; keys beyond those of version 1 are ignored."""
    z = Npz(str(path), "a moments file")
    if "format" not in z:
        raise SmaxError(f"{path}: not a moments file: key 'format' is missing, expected '{FORMAT}'")
    z.text("format", (FORMAT,))
    if (version := z.integer("version", 1)) > VERSION:
        raise SmaxError(f"{path}: version is {version}, expected {VERSION}: a newer pysmax wrote it")
    descriptor = _descriptor(z)
    n = number_of_features(descriptor.twojmax)
    parts: dict[str, Any] = {}
    for prefix in ("", "ref_", "prior_"):
        parts[f"{prefix}count"] = z.integer(f"{prefix}count", 0)
        parts[f"{prefix}mean"] = z.array(f"{prefix}mean", (n,))
        parts[f"{prefix}scatter"] = z.array(f"{prefix}scatter", (n, n))
    none = parts["ref_count"] == 0 and z.size("variance") == 0
    return Moments(
        **parts,
        variance=z.array("variance", (0,) if none else (n,), low=0.0),
        eps=z.real("eps", low=0.0),
        descriptor=descriptor,
        state=_state(z),
    )


def save(path: str | Path, m: Moments) -> None:
    """Write a moments file that the plugin reads as a dataset; atomically."""
    n = len(m.mean)
    counted = ("count", "ref_count", "prior_count")
    arrays: dict[str, Any] = {"format": np.array(FORMAT), "version": np.int64(VERSION)}
    for part in (m, m.descriptor, m.state):
        arrays |= {f.name: getattr(part, f.name) for f in fields(part)}
    del arrays["descriptor"], arrays["state"]
    if m.state.frames == 0:  # whatever there is was there before the first frame
        arrays |= {"prior_count": m.count, "prior_mean": m.mean, "prior_scatter": m.scatter}
    elif m.prior_count == 0:
        arrays |= {"prior_mean": np.zeros(n), "prior_scatter": np.zeros((n, n))}
    for key in counted:
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
    with np.errstate(over="ignore"):
        c: Array = m.scatter / np.outer(unit, unit) / max(m.count, 1)
    if not np.isfinite(c).all():
        raise SmaxError("the covariance is beyond the largest number: the moments are damaged")
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
    return replace(m, count=m.ref_count, mean=m.ref_mean, scatter=m.ref_scatter, state=State())


def prior(m: Moments) -> Moments:
    """What the run began with as a dataset of its own."""
    return replace(m, count=m.prior_count, mean=m.prior_mean, scatter=m.prior_scatter, state=State())


def number_of_features(twojmax: int) -> int:
    """Bispectrum components B(j1, j2, j) with j2 <= j1 <= j <= twojmax that the triangle rule allows."""
    return sum(
        len(range(j1 + (j2 % 2), min(twojmax, j1 + j2) + 1, 2))
        for j1 in range(twojmax + 1)
        for j2 in range(j1 + 1)
    )


def _descriptor(z: Npz) -> Descriptor:
    twojmax = z.integer("twojmax", 2)
    if twojmax > 14:
        raise SmaxError(f"{z.path}: twojmax is {twojmax}, expected 2..14")
    return Descriptor(
        mode=z.text("mode", ("atom", "config")),
        twojmax=twojmax,
        rfac0=z.real("rfac0"),
        rmin0=z.real("rmin0"),
        rcutfac=z.real("rcutfac", low=0.0),
        bzeroflag=z.integer("bzeroflag", 0),
        switchflag=z.integer("switchflag", 0),
    )


def _state(z: Npz) -> State:
    whole = {f.name: z.integer(f.name, 0) for f in fields(State) if f.name != "seconds"}
    seconds = z.real("seconds")
    if seconds < 0.0:
        raise SmaxError(f"{z.path}: seconds is {seconds:g}, expected 0 or more")
    return State(**whole, seconds=seconds)
