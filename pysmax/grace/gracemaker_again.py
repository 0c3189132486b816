"""gracemaker, started again: run by the Python of the GRACE environment with gracemaker's arguments.

A checkpoint holds the averaged weights (EMA) in the place of those that are trained. Version 0.6.2.1 swaps
them back only where its optimizer has been built, which is at the first step: it would train on from the
average.

Alone in its file: it imports nothing of pysmax.
"""

from __future__ import annotations

import sys
from typing import Any


def main() -> Any:
    """Build the optimizer, which brings its part of the checkpoint, before weights are swapped."""
    from tensorpotential import TensorPotential
    from tensorpotential.scripts.gracemaker import main as gracemaker

    swap = TensorPotential.prepare_for_training

    def prepare(tp: Any) -> None:
        with tp.strategy.scope():
            tp.optimizer.build(tp.model.variables_to_train)  # nothing where it is built
        swap(tp)

    TensorPotential.prepare_for_training = prepare
    return gracemaker()


if __name__ == "__main__":
    sys.exit(main())
