"""Cost of an evaluation against the size of the dataset: only its moments are kept."""

from __future__ import annotations

from cells import Material, scaled
from fix_entropy import cells_by_fix, speed
from harness import Row, Setting, interleaved, lmp, middle, ratio

SMALL, LARGE, TOLERANCE = 10**3, 10**7, 0.03


def measure(setting: Setting, material: Material) -> list[Row]:
    """Processor time per evaluation at N = 10^7 over that at N = 10^3."""
    files = [scaled(material.reference, n) for n in (SMALL, LARGE)]
    texts = [cells_by_fix(material, file, setting.times(600)) for file in files]
    folder = setting.folder / "dataset"
    values = list(interleaved(setting.pairs, *(lambda t=t: speed(lmp(t, folder)) for t in texts)))
    gain = ratio(values)  # speeds: small over large is cost of large over small
    return [
        Row(
            "cost of an evaluation, N = 10^7 over N = 10^3 vectors in the dataset",
            "1.0",
            f"{gain:.3f} ({middle(values, 1):.0f} / {middle(values, 0):.0f} atom-evaluations/s)",
            abs(gain - 1.0) <= TOLERANCE,
        )
    ]
