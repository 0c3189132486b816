"""Run by the Python of the GRACE environment: the epoch of each checkpoint, null if it cannot be read whole.

    python read_checkpoints.py epochs.json PREFIX ...

Alone in its file: it imports nothing of pysmax.
"""

from __future__ import annotations

import json
import sys

EPOCH = "epoch/.ATTRIBUTES/VARIABLE_VALUE"


def epoch_of(prefix: str) -> int | None:
    """Every tensor is read: that compares their checksums."""
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(prefix)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
        return int(reader.get_tensor(EPOCH))
    except Exception:  # TensorFlow raises many kinds; the caller says what follows
        return None


if __name__ == "__main__":
    found = {prefix: epoch_of(prefix) for prefix in sys.argv[2:]}
    with open(sys.argv[1], "w") as f:
        json.dump(found, f)
