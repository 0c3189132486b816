"""VASP at the paper's settings: inputs, a run under custodian, and what its output says."""

from pysmax.label.engines.vasp.config import VaspConfig

__all__ = ["VaspConfig"]
