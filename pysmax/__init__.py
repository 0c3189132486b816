"""Maximum-entropy datasets of atomic structures with LAMMPS. Imports nothing: LAMMPS loads it at start."""

__version__ = "0.1.0"
