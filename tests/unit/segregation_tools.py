"""A run of study segregation that was never run: frames drawn from known probabilities."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from ase.io.lammpsdata import read_lammps_data

from pysmax.moments import Array
from pysmax.studies import render
from pysmax.studies.voids import choose, voids

STEP = 10  # between frames


class Planted:
    """Nb is 18 % and, at the boundaries, 42 % more, which falls off over 4 A; carbon is at them alone.

    The cell drifts through its edge and breathes; atoms shake.
    """

    metals = ("W", "Nb", "Mo", "Ta")
    drift_A = 45.0

    def __init__(self, folder: Path, frames: int = 30) -> None:
        self.frames = frames
        settings = {
            "cells": 3, "repeat": [6, 2], "interstitial": {"C": 0.5},
            "n_steps": STEP * self.frames, "frames": self.frames,
        }  # fmt: skip
        self.folder = render("segregation", folder, potential="stand-in", scale="smoke", settings=settings)
        atoms = read_lammps_data(folder / "system.data", atom_style="atomic")
        self.n_carbon = int((atoms.numbers == 6).sum())
        self.sites = atoms[atoms.numbers != 6]
        self.cell = atoms.cell.lengths()
        self.area_nm2 = self.cell[0] * self.cell[1] / 100
        self.elements = ("C", "Nb", "Mo", "Ta", "W")  # in the order of the potential
        self.rng = np.random.default_rng(11)
        self.distance = self._distance(self.sites.positions[:, 2])
        holes = voids(self.sites, 1.5)
        self.holes = holes[self._distance(holes[:, 2]) < 4.0]
        self.p = self.probabilities(self.distance)
        self.places = np.zeros((self.frames + 1, 2))
        (folder / "frames").mkdir()
        for k in range(self.frames + 1):
            self._write(k)
        self._write_rest()

    def probabilities(self, distance: Array) -> Array:
        """Of the metals on a site [n, 4]."""
        nb = 0.18 + 0.42 * np.exp(-distance / 4.0)
        return np.stack([0.3 * (1 - nb), nb, 0.4 * (1 - nb), 0.3 * (1 - nb)], axis=1)

    def profile(self, element: str, centres: Array, width: float) -> Array:
        """at.% of a metal in bins of distance [x]: the mean over their sites and the carbon among them."""
        k, carbon = self.metals.index(element), self._carbon_share(centres, width)
        bins = (self.distance / width).astype(int)
        found = [self.p[bins == b, k].mean() * (1 - carbon[b]) for b in range(len(centres))]
        return 100 * np.array(found)

    def _carbon_share(self, centres: Array, width: float) -> Array:
        """Of all atoms in each bin, at random among the voids near the boundaries."""
        bins = (self.distance / width).astype(int)
        holes = (self._distance(self.holes[:, 2]) / width).astype(int)
        carbon = np.array([(holes == b).mean() * self.n_carbon for b in range(len(centres))])
        metals = np.array([(bins == b).sum() for b in range(len(centres))])
        return carbon / (carbon + metals)

    def wanted(self, element: str) -> dict[str, float]:
        """Compositions and excess, from the probabilities; bulk: beyond a sixth of the cell."""
        near, far = self.distance < 5.0, self.distance > self.cell[2] / 6
        everything = len(self.sites) + self.n_carbon
        n_near, n_far = near.sum() + self.n_carbon, far.sum()
        if element == "C":
            count, at_near, at_far = self.n_carbon, self.n_carbon, 0.0
        else:
            k = self.metals.index(element)
            count, at_near, at_far = self.p[:, k].sum(), self.p[near, k].sum(), self.p[far, k].sum()
        bulk = at_far / n_far
        return {
            "boundary_at_percent": 100 * at_near / n_near,
            "bulk_at_percent": 100 * bulk,
            "difference_at_percent": 100 * (at_near / n_near - bulk),
            "excess_per_nm2": (count - bulk * everything) / (2 * self.area_nm2),
        }

    def read(self, name: str) -> dict[str, Array]:
        """Columns of a table of the analysis."""
        with open(self.folder / "analysis" / name, newline="") as f:
            rows = list(csv.DictReader(f))
        return {key: np.array([float(r[key]) for r in rows]) for key in rows[0]}

    def _distance(self, z: Array) -> Array:
        length = self.cell[2]
        off = [(z - b * length + length / 2) % length - length / 2 for b in (0.25, 0.75)]
        return np.abs(off).min(axis=0)

    def _write(self, k: int) -> None:
        u = self.rng.uniform(size=(len(self.p), 1))
        metals = (u > self.p.cumsum(axis=1)).sum(axis=1)
        carbon = choose(self.holes, self.cell, self.n_carbon, 2.0, self.rng)
        positions = np.concatenate([carbon, self.sites.positions])
        names = ["C"] * self.n_carbon + [self.metals[m] for m in metals]
        stretch = 1 + 0.01 * np.sin(k)
        cell = self.cell * stretch
        drift = self.drift_A * k / self.frames
        shaken = positions * stretch + self.rng.normal(scale=0.05, size=positions.shape)
        moved = (shaken + np.array([0, 0, drift])) % cell
        self.places[k] = (np.array([0.25, 0.75]) * cell[2] + drift) % cell[2]
        self._dump(k, moved, names, cell)

    def _dump(self, k: int, positions: Array, names: list[str], cell: Array) -> None:
        lines = ["ITEM: TIMESTEP", str(k * STEP), "ITEM: NUMBER OF ATOMS", str(len(names))]
        lines += ["ITEM: BOX BOUNDS pp pp pp", *(f"0.0 {x:.10g}" for x in cell)]
        lines += ["ITEM: ATOMS id type element x y z"]
        for i, (name, (x, y, z)) in enumerate(zip(names, positions, strict=True), 1):
            lines.append(f"{i} {self.elements.index(name) + 1} {name} {x:.5f} {y:.5f} {z:.5f}")
        self.path(k * STEP).write_text("\n".join(lines) + "\n")

    def path(self, step: int) -> Path:
        return self.folder / "frames" / f"segregation.{step:010d}.dump"

    @contextmanager
    def melted(self, step: int) -> Iterator[None]:
        """With one frame whose atoms are anywhere."""
        whole = self.path(step).read_text()
        lines = whole.splitlines()
        atoms = [line.split() for line in lines[9:]]
        x = self.rng.uniform(size=(len(atoms), 3)) * self.cell
        lines[9:] = [" ".join([*w[:3], *(f"{v:.4f}" for v in row)]) for w, row in zip(atoms, x, strict=True)]
        self.path(step).write_text("\n".join(lines) + "\n")
        try:
            yield
        finally:
            self.path(step).write_text(whole)

    def _write_rest(self) -> None:
        head = "Step Temp Press PotEng TotEng Volume Lx Ly Lz v_accepted v_tried"
        rows = [f"{k * STEP} 300 0 -1 -1 1000 1 1 1 0.1 {k * 100}" for k in range(self.frames + 1)]
        (self.folder / "log.segregation").write_text("\n".join([head, *rows, "Loop time"]) + "\n")
        pairs = [(a, b) for a in range(2, 6) for b in range(a + 1, 6)]
        blocks = ["# made by a test"]
        for k in range(self.frames + 1):
            blocks.append(f"{k * STEP} {len(pairs) + 1}")
            for row, (a, b) in enumerate(pairs, 1):
                blocks.append(f"{row} {a} {b} {k * 100 / self.frames:.0f} {k * 10 / self.frames:.0f}")
            blocks.append(f"{len(pairs) + 1} 1 1 {k * 50 / self.frames:.0f} {k * 5 / self.frames:.0f}")
        (self.folder / "moves.dat").write_text("\n".join(blocks) + "\n")
