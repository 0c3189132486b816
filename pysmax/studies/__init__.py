"""The simulations of the paper (II.4, II.5.3, II.7) as LAMMPS inputs: ``render`` writes one to a folder."""

from pysmax.studies.render import render

__all__ = ["render"]
