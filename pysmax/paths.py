"""Where the installed package keeps its parts. Imports nothing heavy: LAMMPS calls this at its start."""

import os

_HERE = os.path.dirname(os.path.abspath(__file__))


def plugin_folder() -> str:
    """Folder of smaxplugin.so and graceplugin.so (entry point ``lammps.plugins``)."""
    return os.path.join(_HERE, "plugin")


def inputs_folder() -> str:
    """Folder of the LAMMPS input files, gen_entropy.in among them."""
    return os.path.join(_HERE, "lammps_inputs")


def templates_folder() -> str:
    """Folder of the input templates (``*.in.j2``)."""
    return os.path.join(_HERE, "templates")
