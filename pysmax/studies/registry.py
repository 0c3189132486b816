"""The studies by name."""

from __future__ import annotations

from pysmax.errors import SmaxError
from pysmax.studies import anneal, deformation, quench, relax, segregation, strain
from pysmax.studies.study import Study

STUDIES: dict[str, Study] = {
    s.name: s
    for s in (
        segregation.STUDY,
        quench.STUDY,
        anneal.STUDY,
        deformation.STUDY,
        relax.STUDY,
        strain.STUDY,
    )
}


def find(name: str) -> Study:
    """SmaxError if there is none of that name."""
    if name not in STUDIES:
        raise SmaxError(f"study {name}: unknown, expected one of {', '.join(STUDIES)}")
    return STUDIES[name]
