"""Datasets merge through their moments: those of two disjoint sets add up exactly (Chan et al. 1983)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from pysmax.errors import SmaxError
from pysmax.moments import Descriptor, Moments, State, load, prior


def merge_files(paths: Sequence[str | Path]) -> Moments:
    """Moments of the union of the datasets in these files."""
    real = [os.path.realpath(p) for p in paths]
    for i, path in enumerate(real):
        if path in real[:i]:
            raise SmaxError(f"{paths[i]}: found the same file twice, expected each once: nothing is merged")
    return merge([load(p) for p in paths], [str(p) for p in paths])


def merge(parts: Sequence[Moments], names: Sequence[str] = ()) -> Moments:
    """Moments of the union of disjoint sets; eps, R and the reference are those of the first that has one."""
    if not parts:
        raise SmaxError("nothing to merge, expected at least one moments file")
    names = names or [f"part {i + 1}" for i in range(len(parts))]
    base = next((p for p in parts if p.ref_count), parts[0])
    for p, name in zip(parts, names, strict=True):
        _compatible(base.descriptor, p.descriptor, name)
    _refuse_shared(parts, names)
    count, mean, scatter = 0, np.zeros_like(base.mean), np.zeros_like(base.scatter)
    for p in parts:
        total = count + p.count
        if total == 0:
            continue
        d = p.mean - mean
        scatter = scatter + p.scatter + np.outer(d, d) * (count * p.count / total)
        mean = mean + d * (p.count / total)
        count = total
    return replace(
        base,
        count=count,
        mean=mean,
        scatter=scatter,
        state=State(),
        prior_count=count,
        prior_mean=mean,
        prior_scatter=scatter,
    )


def _refuse_shared(parts: Sequence[Moments], names: Sequence[str]) -> None:
    """Nothing may be counted twice: no part again, and nothing that a part began with."""
    for i, p in enumerate(parts):
        for j in range(i):
            if _same(p, parts[j]):
                raise SmaxError(
                    f"{names[i]}: found the moments of {names[j]} again, expected disjoint datasets: "
                    "nothing is merged"
                )
    for i, p in enumerate(parts):
        for j, other in enumerate(parts):
            if j != i and _same(prior(p), other):
                raise SmaxError(
                    f"{names[i]}: that run began with {names[j]}, which would count twice, "
                    "expected disjoint datasets: nothing is merged"
                )
            if j < i and _same(prior(p), prior(other)):
                raise SmaxError(
                    f"{names[i]}: that run began with the same {p.prior_count} vectors as {names[j]}, which "
                    "would count twice, expected random cells of its own (another seed): add its extxyz "
                    "instead (entropy_dataset)"
                )
        if p.prior_count > p.ref_count and any(q.count for q in parts[:i]):
            raise SmaxError(
                f"{names[i]}: that run began with {p.prior_count} vectors of another dataset, which a merge "
                "could count twice, expected a run that began with random cells: name it first if no other "
                "part holds them, or add its extxyz instead (entropy_dataset)"
            )


def _same(a: Moments, b: Moments) -> bool:
    return a.count == b.count > 0 and np.array_equal(a.mean, b.mean) and np.array_equal(a.scatter, b.scatter)


def _compatible(a: Descriptor, b: Descriptor, name: str) -> None:
    for f in fields(Descriptor):
        x, y = getattr(a, f.name), getattr(b, f.name)
        if x != y:
            raise SmaxError(f"{name}: {f.name} is {y}, expected {x} as in the others: nothing is merged")
