"""The user's own PAW library: where a potential's POTCAR is, and which one it is."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pysmax.errors import SmaxError

ENVIRONMENT = ("VASP_PP_PATH", "PMG_VASP_PSP_DIR")  # of ASE, of pymatgen
# folder of a release in pymatgen's layout (POT_.../POTCAR.X.gz)
_PYMATGEN = {
    "potpaw_PBE": "POT_GGA_PAW_PBE",
    "potpaw_PBE.52": "POT_GGA_PAW_PBE_52",
    "potpaw_PBE.54": "POT_GGA_PAW_PBE_54",
    "potpaw_PBE.64": "POT_PAW_PBE_64",
}


@dataclass(frozen=True)
class Potcar:
    """One potential: its name (Fe_pv), the TITEL line and SHA-256 of its file, and the file."""

    name: str
    titel: str
    sha256: str
    text: str


def libraries(potcar_dir: Path | None) -> tuple[Path, ...]:
    """``potcar_dir``, or the folders of the environment; empty if neither is set."""
    if potcar_dir is not None:
        return (potcar_dir,)
    found = [os.environ.get(name, "") for name in ENVIRONMENT]
    return tuple(Path(part) for value in found for part in value.split(os.pathsep) if part)


def candidates(library: Path, release: str, name: str) -> list[Path]:
    """Where the POTCAR of ``name`` may be in a library, in order."""
    folders = [library / release, library / _PYMATGEN.get(release, release), library]
    folders += [library / "potpaw_PBE", library / "POT_GGA_PAW_PBE"]
    stems = [stem for folder in folders for stem in (folder / name / "POTCAR", folder / f"POTCAR.{name}")]
    return [path for stem in stems for path in (stem, stem.with_name(stem.name + ".gz"))]


@lru_cache(maxsize=256)  # a library has some 90 potentials; a worker reads each once
def load(name: str, release: str, roots: tuple[Path, ...]) -> Potcar:
    """Read one potential; raises SmaxError naming the files looked for, or what is wrong in the one found."""
    if not roots:
        raise SmaxError(f"no PAW library: set potcar_dir, or one of {', '.join(ENVIRONMENT)}")
    paths = [path for root in roots for path in candidates(root, release, name)]
    path = next((p for p in paths if p.is_file()), None)
    if path is None:
        raise SmaxError(f"no POTCAR of {name}: looked for {paths[0]}(.gz) and {len(paths) - 2} other places")
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as e:
        raise SmaxError(f"{path}: cannot be read: {e}") from None
    return Potcar(name, _titel(path, name, text), hashlib.sha256(text.encode()).hexdigest(), text)


def _titel(path: Path, name: str, text: str) -> str:
    """The TITEL, which must name the potential asked for, of a PBE set."""
    titel = re.search(r"TITEL\s*=\s*(\S.*?)\s*$", text, re.MULTILINE)
    if titel is None or not text.rstrip().endswith("End of Dataset"):
        raise SmaxError(f"{path}: not a whole POTCAR (no TITEL, or no 'End of Dataset' at its end)")
    words = titel[1].split()
    if name not in words[:2]:
        raise SmaxError(f"{path}: is the potential '{titel[1]}', expected {name}")
    lexch = re.search(r"LEXCH\s*=\s*(\w+)", text)
    if lexch is None or lexch[1] != "PE":
        raise SmaxError(f"{path}: LEXCH is {lexch[1] if lexch else 'missing'}, expected PE (a PBE potential)")
    if text.count("End of Dataset") != 1:
        raise SmaxError(f"{path}: holds several potentials, expected {name} alone")
    return titel[1]
