"""The configuration of a training; the defaults are those of arXiv 2602.23489, VII.3.1 and VII.3.2."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from ase.data import chemical_symbols
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pysmax.errors import SmaxError
from pysmax.grace.presets import PRESETS
from pysmax.settings import read_yaml

HELD_OUT = 33064 / 1693386  # IV.4: the paper's held-out share


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Data(_Section):
    """What is learned from."""

    train: list[Path] = Field(min_length=1, description="datasets, or extended XYZ with energy and forces")
    level: str = Field(default="", description="hash of the level of theory, where the sets have several")
    energy: Literal["force-consistent", "extrapolated"] = Field(
        default="force-consistent", description="or extrapolated to zero smearing"
    )
    held_out: float = Field(default=HELD_OUT, ge=0, lt=1, description="share never trained on, by content")
    validation: float = Field(
        default=0.05, gt=0, lt=1, description="share that chooses the best epoch, by content"
    )
    split_seed: int = Field(default=0, description="another seed, another split")


class Model(_Section):
    """What is learned."""

    preset: str = Field(default="1l-small", description=", ".join(PRESETS))
    kwargs: dict[str, Any] = Field(default_factory=dict, description="of the preset: these win")
    elements: list[str] | None = Field(default=None, description="default: those of the data")
    cutoffs: float | Literal["paper"] | dict[str, float] = Field(
        default="paper", description="A: Table 9, values of elements that win over it, or one number"
    )
    param_dtype: Literal["float32", "float64"] = "float32"
    reference_energies: Literal["fit"] | dict[str, float] = Field(
        default="fit", description="eV per atom and element: least squares of the training set, or given"
    )

    @field_validator("preset")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in PRESETS:
            raise ValueError(f"found '{name}', expected one of {', '.join(PRESETS)}")
        return name

    @field_validator("elements", "cutoffs", "reference_energies")
    @classmethod
    def _elements(cls, given: Any) -> Any:
        symbols = list(given) if isinstance(given, (list, dict)) else []
        if unknown := [s for s in symbols if s not in chemical_symbols[1:]]:
            raise ValueError(f"found {' '.join(unknown)}, expected symbols of elements")
        if len(set(symbols)) < len(symbols):
            raise ValueError(f"found {' '.join(symbols)}, expected each element once")
        return given

    @field_validator("cutoffs")
    @classmethod
    def _positive(cls, given: Any) -> Any:
        values = list(given.values()) if isinstance(given, dict) else [given]
        if wrong := [v for v in values if isinstance(v, float) and v <= 0]:
            raise ValueError(f"found {wrong[0]:g}, expected a length above 0")
        return given

    @model_validator(mode="after")
    def _one_cutoff(self) -> Model:
        if PRESETS[self.preset].layers == 0 and not isinstance(self.cutoffs, float):
            raise ValueError(
                f"cutoffs is {self.cutoffs!r}, expected one number with preset {self.preset}: FS models have "
                "one cutoff for all pairs, and would be trained on neighbours that they do not see"
            )
        return self


class Loss(_Section):
    """Eq. 6, Huber; weights and delta are gracemaker's, for the paper's text does not say its own."""

    energy: float = Field(default=16.0, ge=0, description="weight, per atom")
    forces: float = Field(default=32.0, ge=0, description="weight, per component")
    stress: float = Field(default=128.0, ge=0, description="weight, per component")
    delta: float = Field(default=0.01, gt=0, description="Huber's, for all three")

    @model_validator(mode="after")
    def _some(self) -> Loss:
        if self.energy == self.forces == 0:
            raise ValueError("the weights of energy and forces are 0, expected one above 0")
        return self


class Fit(_Section):
    """How it is learned."""

    epochs: int = Field(default=1000, ge=1)
    batch_size: int = Field(default=32, ge=1, description="structures of one update, per GPU")
    learning_rate: float = Field(default=8e-3, gt=0, description="of Adam, at the start")
    minimum_learning_rate: float = Field(default=5e-4, gt=0, description="at the end of the cosine")
    loss: Loss = Loss()
    checkpoint_every: int = Field(default=2, ge=1, description="epochs: what a kill can cost")
    shapes: int | Literal["auto"] = Field(default="auto", description="padded shapes, each compiled once")
    seed: int = Field(default=1, ge=0)
    multi_gpu: bool = False

    @model_validator(mode="after")
    def _falling(self) -> Fit:
        if self.minimum_learning_rate > self.learning_rate:
            raise ValueError(
                f"minimum_learning_rate is {self.minimum_learning_rate:g}, expected at most learning_rate "
                f"({self.learning_rate:g})"
            )
        return self


class Config(_Section):
    """A training."""

    data: Data
    model: Model = Model()
    fit: Fit = Fit()
    uq: bool = Field(default=False, description="also build the artefact of uncertainties (grace_uq)")
    gracemaker: dict[str, Any] = Field(
        default_factory=dict, description="merged into gracemaker's input: whatever else it knows"
    )

    @field_validator("gracemaker")
    @classmethod
    def _not_ours(cls, given: dict[str, Any]) -> dict[str, Any]:
        fit = given.get("fit") if isinstance(given.get("fit"), dict) else {}
        if "seed" in given:  # it names gracemaker's folder
            raise ValueError("found seed, expected it as fit.seed")
        if fit and fit.keys() & {"maxiter", "target_total_updates"}:  # says whether it has ended
            raise ValueError("found the number of epochs, expected it as fit.epochs")
        return given


def load(path: Path) -> Config:
    """Read a configuration; relative paths in it are relative to its folder. SmaxError if it is wrong."""
    return parse(read_yaml(path), str(path), path.parent)


def parse(given: Any, what: str, base: Path) -> Config:
    """A checked configuration; ``what`` names it in errors."""
    try:
        config = Config.model_validate(given)
    except ValidationError as e:
        wrong = e.errors()[0]
        where = ".".join(str(p) for p in wrong["loc"]) or "the whole"
        found = repr(wrong["input"])
        message = wrong["msg"].removeprefix("Value error, ")
        shown = "" if wrong["type"] == "value_error" else f" (found {found[:80]})"
        raise SmaxError(f"{what}: {where}: {message}{shown}") from None
    train = [p if p.is_absolute() else base / p for p in config.data.train]
    return config.model_copy(update={"data": config.data.model_copy(update={"train": train})})


def dump(config: Config) -> str:
    """As YAML; ``parse`` of it gives the same."""
    return str(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))


def commented(preset: str, train: list[str]) -> str:
    """A configuration to start from: every option with its default and what it means."""
    if preset not in PRESETS:
        raise SmaxError(f"there is no preset '{preset}', expected one of {', '.join(PRESETS)}")
    cutoffs: Any = 6.0 if PRESETS[preset].layers == 0 else "paper"
    start = Config(data=Data(train=[Path(p) for p in train]), model=Model(preset=preset, cutoffs=cutoffs))
    lines = ["# pysmax train THIS_FILE; paths are relative to this file's folder"]
    lines += _lines(start, 0)
    return "\n".join(lines) + "\n"


def _lines(section: BaseModel, depth: int) -> list[str]:
    lines, pad = [], "  " * depth
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            lines += ["", f"{pad}{name}:  # {(value.__doc__ or '').strip()}", *_lines(value, depth + 1)]
            continue
        plain = section.model_dump(mode="json", include={name})[name]
        text = (
            yaml.safe_dump(plain, default_flow_style=True, width=1 << 20)
            .removesuffix("\n")
            .removesuffix("\n...")
        )
        note = f"  # {info.description}" if info.description else ""
        lines.append(f"{pad}{name}: {text}{note}")
    return lines
