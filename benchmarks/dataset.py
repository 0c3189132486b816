"""Cost of an evaluation against the size of the dataset: only its moments are kept."""

from __future__ import annotations

from cells import Material, scaled
from fix_entropy import cells_by_fix, read, speeds
from harness import Row, Setting, middle, ratio

SIZES, TOLERANCE = {"small": 10**3, "large": 10**7}, 0.03


def measure(setting: Setting, material: Material) -> list[Row]:
    """Processor time per evaluation at N = 10^7 over that at N = 10^3."""
    sides = [cells_by_fix(material, setting.times(100), dataset=name) for name in SIZES]
    start = "".join(read(scaled(material.reference, n), name) for name, n in SIZES.items())
    values = speeds(sides, 4 * setting.pairs, setting.folder / "dataset", start)
    gain = ratio(values)  # speeds: small over large is cost of large over small
    return [
        Row(
            "cost of an evaluation, N = 10^7 over N = 10^3 vectors in the dataset",
            "1.0",
            f"{gain:.3f} ({middle(values, 1):.0f} / {middle(values, 0):.0f} atom-evaluations/s)",
            abs(gain - 1.0) <= TOLERANCE,
        )
    ]
