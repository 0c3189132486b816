"""Options of the analysis of study ``quench``. Of its numbers the paper gives the cylinders' alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pysmax.analysis.registry import Options
from pysmax.studies.study import Count, Element, Positive


def _pair(text: str) -> str:
    words = text.split("-")
    if len(words) != 2 or not all(words):
        raise ValueError(f"'{text}' is no pair, expected two elements such as Fe-Si")
    return text


def _labels(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    if len(paths) == 1:
        raise ValueError("expected the dataset of the reference and at least one to compare with it")
    return paths


class QuenchOptions(Options):
    """Of the analysis of ``quench``."""

    pairs: Annotated[
        tuple[Annotated[str, AfterValidator(_pair)], ...],
        Field(
            description="distances of which elements, such as [Fe-Si, Si-O]; none: the six with most bonds"
        ),
    ] = ()
    average_frames: Annotated[
        Count, Field(description="last frames over which distances and bonds are averaged")
    ] = 10
    rdf_cutoff_A: Annotated[Positive, Field(description="A")] = 8.0
    rdf_bins: Annotated[int, Field(ge=10, le=10_000, description="bins up to that")] = 200
    bond_factor: Annotated[
        Positive, Field(le=2.0, description="a bond: nearer than this times the sum of covalent radii")
    ] = 1.2
    anions: Annotated[tuple[Element, ...], Field(min_length=1, description="elements that make oxides")] = (
        "O",
    )
    oxide_share: Annotated[
        float,
        Field(
            gt=0, le=1, description="an atom with this share of anions among its bonds is oxide, not metallic"
        ),
    ] = 0.25
    domain_frames: Annotated[Count, Field(description="frames in which clusters are found, at most")] = 200
    cylinders_middle: Annotated[
        int, Field(ge=0, description="cylinders cut out of the frame half way; the paper labelled 26")
    ] = 26
    cylinders_last: Annotated[
        int, Field(ge=0, description="cylinders cut out of the last frame; the paper labelled 12")
    ] = 12
    cylinder_radius_A: Annotated[Positive, Field(description="A")] = 7.0
    cylinder_vacuum_A: Annotated[Positive, Field(description="A, between a cylinder and its images")] = 10.0
    cylinder_axis: Annotated[
        Literal["shortest", "x", "y", "z"],
        Field(description="cell vector along a cylinder, its z; the paper's cell was thin along z"),
    ] = "shortest"
    labels: Annotated[
        tuple[Path, ...],
        AfterValidator(_labels),
        Field(description="datasets of cylinders: labels that are the reference, then those to compare"),
    ] = ()
    reference_cutoff_A: Annotated[
        Positive, Field(description="A, up to which the Fe-Si phase is compared with crystals")
    ] = 6.0
    reference_sigma_A: Annotated[
        Positive, Field(description="A, width of the shells of the reference crystals")
    ] = 0.1
    resolution: Annotated[
        Positive, Field(description="of the communities: above 1 there are more, smaller ones")
    ] = 1.0
    seed: Annotated[int, Field(ge=1, le=2**30, description="of cylinders and communities")] = 1
