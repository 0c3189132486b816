"""Settings of the VASP engine. Their defaults are the paper's (VII.4 and Table 11)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, Literal

import ase
from pydantic import Field, ValidationInfo, field_validator, model_validator

from pysmax.dataset.record import Level
from pysmax.errors import SmaxError
from pysmax.label.engine import Engine, EngineConfig
from pysmax.label.engines.magmoms import DEFAULT, TABLE_11
from pysmax.label.engines.shared import version_of
from pysmax.label.engines.vasp.incar import PAPER, RUN_TAGS, Value, normal, typed
from pysmax.label.engines.vasp.potcar import ENVIRONMENT, libraries

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
# what would make the run something other than one collinear single point, or differs per structure
_REFUSED = {
    "MAGMOM": "use 'magmoms'",
    "NSW": "a label is a single point",
    "IBRION": "a label is a single point",
    "LNONCOLLINEAR": "labels are collinear",
    "LSORBIT": "labels are collinear",
    "SYSTEM": "the structure has its own name",
    "ML_LMLFF": "a label is no machine-learned force field",
}
_PER_SPECIES = ("LDAUL", "LDAUU", "LDAUJ", "RWIGS", "ROPT")


@cache
def recommended_potentials() -> Mapping[str, str]:
    """Element -> name of its recommended PAW potential (potentials.yaml)."""
    import yaml

    text = files("pysmax.label.engines.vasp").joinpath("potentials.yaml").read_text()
    table: dict[str, str] = yaml.safe_load(text)
    return table


class VaspConfig(EngineConfig):
    """VASP 6, spin-polarised PBE at 500 eV, as in VII.4 unless ``incar`` says otherwise."""

    OUTSIDE: ClassVar[frozenset[str]] = EngineConfig.OUTSIDE | {
        "command",
        "vasp_version",
        "potcar_dir",
        "run_tags",
        "work_dir",
        "keep",
        "max_corrections",
    }

    engine: Literal["vasp"] = "vasp"
    incar: dict[str, Value | None] = Field(
        {}, description="INCAR tags over those of the paper; null drops a tag"
    )
    magmoms: dict[str, float] = Field({}, description="initial moments (muB) by element, over Table 11")
    potentials: dict[str, str] = Field({}, description="PAW potential by element, over the recommended ones")
    release: str = Field("potpaw_PBE.54", description="release of the PAW library, by the name of its folder")

    command: tuple[str, ...] = Field(
        ("vasp_std",), min_length=1, description="e.g. [srun, -n, '8', vasp_std]"
    )
    vasp_version: str = Field("", description="if given, the output must be of a version that begins so")
    potcar_dir: Path | None = Field(
        None, description="your PAW library; else VASP_PP_PATH or PMG_VASP_PSP_DIR"
    )
    run_tags: dict[str, Value] = Field(
        {}, description="INCAR tags that change no number: NCORE, KPAR, LORBIT ..."
    )
    work_dir: Path = Field(Path("vasp_jobs"), validate_default=True, description="folder of the job folders")
    keep: Literal["all", "compressed", "removed"] = Field("compressed", description="finished job folders")
    max_corrections: int = Field(3, ge=1, description="how often custodian may mend a job")

    @field_validator("incar", "run_tags")
    @classmethod
    def _tags(cls, tags: dict[str, Any]) -> dict[str, Any]:
        """Names in capitals; values as VASP would read them."""
        upper = {name.upper(): value if value is None else typed(value) for name, value in tags.items()}
        for name, value in upper.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"'{name}' is not the name of an INCAR tag")
            if isinstance(value, str) and not re.fullmatch(r"[\w.+*\- ]+", value):
                raise ValueError(f"{name}: '{value}' cannot stand in an INCAR")
        return upper

    @field_validator("potcar_dir", "work_dir")
    @classmethod
    def _absolute(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        """A worker may have another working folder; the library may stand beside the file of settings."""
        folder = (info.context or {}).get("folder")
        if path is None:
            return None
        if info.field_name == "potcar_dir" and folder is not None and (folder / path).is_dir():
            path = folder / path
        return path.expanduser().absolute()

    @model_validator(mode="after")
    def _consistent(self) -> VaspConfig:
        for name, value in self.incar.items():
            if name in _REFUSED and value != PAPER.get(name):
                raise ValueError(f"incar: {name} is refused: {_REFUSED[name]}")
            if name in _PER_SPECIES:
                raise ValueError(f"incar: {name} depends on the species of a structure and is not supported")
            if name in RUN_TAGS:
                raise ValueError(f"incar: {name} changes no number, it belongs to 'run_tags'")
        if "KSPACING" in self.incar and not isinstance(self.incar["KSPACING"], float | int):
            raise ValueError("incar: KSPACING must be a number, there is no KPOINTS file")
        if unknown := sorted(set(self.run_tags) - RUN_TAGS):
            raise ValueError(f"run_tags: {unknown[0]} may change a number: put it under 'incar'")
        for name in [*self.magmoms, *self.potentials]:
            if name not in ase.data.chemical_symbols[1:]:
                raise ValueError(f"'{name}' is not an element")
        for name in [*self.potentials.values(), self.release]:
            if not re.fullmatch(r"[\w.]+", name):  # it becomes part of a path
                raise ValueError(f"'{name}' is not the name of a potential")
        return self

    def tags(self) -> dict[str, Value]:
        """The INCAR that decides the numbers, without MAGMOM: the paper's, then ``incar``."""
        merged = {**PAPER, **self.incar}
        return {name: normal(name, value) for name, value in merged.items() if value is not None}

    def potential_names(self) -> dict[str, str]:
        """Element -> name of its PAW potential."""
        return {**recommended_potentials(), **self.potentials}

    def level(self) -> Level:
        """Everything is spelt out, so that a default said aloud is no other level."""
        settings = {
            "incar": self.tags(),
            "magmoms": {"default": DEFAULT, **TABLE_11, **self.magmoms},
            "potentials": self.potential_names(),
            "release": self.release,
        }
        return Level(self.engine_name(), self.version(), settings)

    def version(self) -> str:
        """``vasp_version``; VASP says its own only in its output, so each label carries it (vasp_version)."""
        version_of("pymatgen", "custodian")
        return self.vasp_version or "said by each label"

    def make(self) -> Engine:
        """The engine; raises SmaxError if the command is not there, or no PAW library is named."""
        if shutil.which(self.command[0]) is None:
            raise SmaxError(
                f"command: '{self.command[0]}' is not on PATH; set 'command' to how VASP is started"
            )
        if not libraries(self.potcar_dir):
            raise SmaxError(f"no PAW library: set potcar_dir, or one of {', '.join(ENVIRONMENT)}")
        from pysmax.label.engines.vasp.run import VaspEngine

        return VaspEngine(self)

    def dry_run(self, atoms: ase.Atoms, folder: str | Path) -> Path:
        """Write the job of one structure below ``folder`` as a run would, and return its folder.

        Without a PAW library there is a POTCAR.spec only. Raises SmaxError.
        """
        from pysmax.label.engine import EngineFailure
        from pysmax.label.engines.vasp.inputs import job_folder, write_job

        target = job_folder(Path(folder), atoms, self.level())
        try:
            write_job(self, target, atoms, need_potcar=False)
        except EngineFailure as e:
            raise SmaxError(e.detail) from None
        return target
