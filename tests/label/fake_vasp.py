#!/usr/bin/env python3
"""A stand-in for vasp_std: reads INCAR, POSCAR and POTCAR here, writes OUTCAR, vasprun.xml and the like.

Its physics is a pair potential (see ``pair``), so energies, forces and stress are cheap, smooth and known.
What it writes follows VASP's conventions: forces in eV/A, stress in kB and positive under compression, F
below E(sigma->0).

What it does is said by JSON in the environment variable FAKE_VASP, or in a file fake_vasp.json in the job
folder or one of the three folders above it (the variable wins). Keys, all optional:

    mode      ok          a whole calculation (default)
              unconverged NELM steps, whole files
              crash       ends itself by SIGSEGV
              hang        writes the head of vasp.out, then sleeps till SIGTERM ("deaf": true: till SIGKILL)
              garbage     vasprun.xml of random bytes, exit code 0
              truncated   vasprun.xml cut in the middle, exit code 0
              nothing     no vasprun.xml, exit code 0
              overflow    forces of '******'
              error       exit code 1 after the line of "say"
    modes     a list of modes, one for each run in the same folder; the last one goes on
    elements  {"He": "crash", ...}: the mode if the structure holds the element
    say       a line for vasp.out, e.g. a message that custodian knows
    seconds   how long it takes (default 0)
    version   VASP's version in vasprun.xml (default 6.3.0)
    entropy   T S in eV per atom (default 0.01)

It refuses what VASP refuses: a POTCAR of other species, a MAGMOM of another length, a left-handed cell.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

CUTOFF = 4.5  # A
KB = 1602.1766208  # 1 eV/A^3 in kB


@dataclass
class Poscar:
    """Species, counts, cell (rows) and Cartesian positions, in the order of the file."""

    symbols: list[str]
    cell: np.ndarray
    positions: np.ndarray


@dataclass
class Result:
    """eV, eV/A, and kB (positive under compression); moments in Bohr magnetons."""

    energy: float
    forces: np.ndarray
    stress: np.ndarray
    moments: list[float] = field(default_factory=list)


def read_poscar(text: str) -> Poscar:
    lines = text.splitlines()
    cell = np.array([[float(x) for x in line.split()] for line in lines[2:5]]) * float(lines[1])
    counts = [int(x) for x in lines[6].split()]
    symbols = [s for s, n in zip(lines[5].split(), counts, strict=True) for _ in range(n)]
    rows = np.array([[float(x) for x in line.split()[:3]] for line in lines[8 : 8 + len(symbols)]])
    return Poscar(symbols, cell, rows if lines[7].strip()[0] in "CcKk" else rows @ cell)


def read_incar(text: str) -> dict[str, str]:
    pairs = [line.split("=", 1) for line in text.splitlines() if "=" in line]
    return {name.strip().upper(): value.strip() for name, value in pairs}


def strength(symbol: str) -> float:
    """Of an element, in eV; elements differ, so that exchanged atoms are noticed."""
    return 0.5 + 0.1 * (sum(map(ord, symbol)) % 17)


def pair(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(1 - x)^3 (3 - 5 x), x = r / CUTOFF, and its derivative by r: repulsive, attractive, smooth end."""
    x = r / CUTOFF
    return (1 - x) ** 3 * (3 - 5 * x), (-3 * (1 - x) ** 2 * (3 - 5 * x) - 5 * (1 - x) ** 3) / CUTOFF


def physics(p: Poscar) -> Result:
    """Sums over all images within the cutoff. Pressure tensor: sum over pairs of r_ij F_ij / V."""
    volume = abs(np.linalg.det(p.cell))
    heights = volume / np.linalg.norm(np.cross(p.cell[[1, 2, 0]], p.cell[[2, 0, 1]]), axis=1)
    fractional = np.linalg.solve(p.cell.T, p.positions.T).T % 1.0
    positions = fractional @ p.cell
    reach = [range(-n, n + 1) for n in (np.ceil(CUTOFF / heights) + 1).astype(int)]
    shifts = np.array([[i, j, k] for i in reach[0] for j in reach[1] for k in reach[2]]) @ p.cell
    s = np.array([strength(symbol) for symbol in p.symbols])
    energy, forces, pressure = 0.0, np.zeros_like(positions), np.zeros((3, 3))
    for i, here in enumerate(positions):
        away = here - (positions[:, None] + shifts[None])  # from the other atom to this one
        r = np.linalg.norm(away, axis=2)
        near = (r < CUTOFF) & (r > 1e-8)
        j, _ = np.nonzero(near)
        e = np.sqrt(s[i] * s[j])
        value, slope = pair(r[near])
        energy += 0.5 * float(e @ value)
        push = -(e * slope / r[near])[:, None] * away[near]  # force on i
        forces[i] += push.sum(axis=0)
        pressure += 0.5 * away[near].T @ push / volume
    return Result(energy, forces, KB * pressure)


def rows(array: np.ndarray, digits: int = 8) -> str:
    return "".join(f"<v> {' '.join(f'{x:16.{digits}f}' for x in row)} </v>\n" for row in array)


def energies(free: float, entropy: float) -> str:
    """F; without entropy: E = F + TS; sigma -> 0: (F + E) / 2."""
    values = {"e_fr_energy": free, "e_wo_entrp": free + entropy, "e_0_energy": free + entropy / 2}
    return "<energy>" + "".join(f'<i name="{n}"> {v:16.8f} </i>\n' for n, v in values.items()) + "</energy>\n"


def xml_tag(name: str, value: str, pad: str = "") -> str:
    if value.upper() in (".TRUE.", ".FALSE."):
        return f'<i type="logical" name="{name}{pad}"> {value.strip(".")[0].upper()}  </i>\n'
    if name == "MAGMOM":
        moments = " ".join(f"{m:16.8f}" for m in read_moments(value))
        return f'<v name="MAGMOM{pad}"> {moments}</v>\n'
    if re.fullmatch(r"[+-]?\d+", value):
        return f'<i type="int" name="{name}{pad}"> {value}</i>\n'
    try:
        return f'<i name="{name}{pad}"> {float(value):16.8f}</i>\n'
    except ValueError:
        return f'<i type="string" name="{name}{pad}">{value.lower() if name == "PREC" else value}</i>\n'


def read_moments(text: str) -> list[float]:
    pairs = [token.split("*") if "*" in token else ["1", token] for token in text.split()]
    return [float(m) for n, m in pairs for _ in range(int(n))]


def vasprun(
    p: Poscar,
    result: Result,
    incar: dict[str, str],
    *,
    steps: int = 9,
    version: str = "6.3.0",
    entropy: float = 0.0,
    extra_sections: bool = False,
    sigma0_bug: bool = False,
    noncollinear: bool = False,
) -> str:
    """The text of vasprun.xml. ``result.energy`` is E(sigma -> 0).

    From 6.4.3 on, names are padded with blanks. ``sigma0_bug``: the last <energy> holds other numbers for
    e_wo_entrp and e_0_energy (vasp.at forum t=16942). ``extra_sections``: DOS, eigenvalues, primitive cell.
    """
    entropy *= len(p.symbols)
    free = result.energy - entropy / 2
    pad = "   " if tuple(int(x) for x in version.split(".")[:3]) >= (6, 4, 3) else ""
    fractional = np.linalg.solve(p.cell.T, p.positions.T).T
    crystal = f'<crystal><varray name="basis" >\n{rows(p.cell)}</varray></crystal>\n'
    where = f'{crystal}<varray name="positions" >\n{rows(fractional)}</varray>\n'
    species = list(dict.fromkeys(p.symbols))
    atoms = "".join(f"<rc><c>{s:2s}</c><c>{species.index(s) + 1:4d}</c></rc>\n" for s in p.symbols)
    types = "".join(
        f"<rc><c>{p.symbols.count(s):4d}</c><c>{s:2s}</c><c> 1.0</c><c> 8.0</c>"
        f"<c>  PAW_PBE {s} 01Jan2000 </c></rc>\n"
        for s in species
    )
    tags = "".join(xml_tag(n, v, pad) for n, v in incar.items())
    nelm = incar.get("NELM", "60")
    parameters = "".join(
        xml_tag(n, v, pad)
        for n, v in {
            "NELM": nelm,
            "NSW": "0",
            "IBRION": "-1",
            "ISPIN": incar.get("ISPIN", "1"),
            "LNONCOLLINEAR": ".TRUE." if noncollinear else ".FALSE.",
        }.items()
    )
    scf = ""
    for k in range(steps):
        off = 0.1**k if k < steps - 1 else 0.0
        scf += f"<scstep>\n{energies(free + off, entropy)}</scstep>\n"
    last = energies(free, entropy)
    if sigma0_bug:
        last = energies(free, 0.0).replace(
            f"{free:16.8f} </i>\n</energy>", f"{-entropy:16.8f} </i>\n</energy>"
        )
    lists = '<array name="{}" ><dimension dim="1">ion</dimension><set>\n{}</set></array>\n'
    before = f'<structure name="primitive_cell" >\n{where}</structure>\n' if extra_sections else ""
    after = (
        '<dos><i name="efermi"> 3.1 </i></dos><eigenvalues><array><set><set comment="spin 1">'
        '<set comment="kpoint 1">'
        "<r> -1.0 1.0 </r></set></set></set></array></eigenvalues>\n"
        if extra_sections
        else ""
    )
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n <generator>\n'
        f'<i name="program" type="string">vasp </i>\n<i name="version" type="string">{version}  </i>\n'
        '<i name="subversion" type="string">stand-in </i>\n </generator>\n'
        f" <incar>\n{tags} </incar>\n{before}"
        ' <kpoints>\n<generation param="Gamma"><v type="int" name="divisions"> 1 1 1 </v></generation>\n'
        '<varray name="kpointlist" ><v> 0.0 0.0 0.0 </v></varray>'
        '<varray name="weights" ><v> 1.0 </v></varray>\n </kpoints>\n'
        f' <parameters>\n<separator name="electronic" >\n{parameters}</separator>\n </parameters>\n'
        f" <atominfo>\n<atoms> {len(p.symbols)} </atoms>\n<types> {len(species)} </types>\n"
        f"{lists.format('atoms', atoms)}{lists.format('atomtypes', types)} </atominfo>\n"
        f' <structure name="initialpos" >\n{where} </structure>\n'
        f" <calculation>\n{scf} <structure>\n{where} </structure>\n"
        f' <varray name="forces" >\n{rows(result.forces)} </varray>\n'
        f' <varray name="stress" >\n{rows(result.stress)} </varray>\n'
        f" {last}{after} </calculation>\n"
        f' <structure name="finalpos" >\n{where} </structure>\n</modeling>\n'
    )


def outcar(
    moments: list[float] | None,
    total: float,
    *,
    converged: bool = True,
    columns: int = 3,
    components: str = "x",
) -> str:
    """The parts of OUTCAR that a reader looks at; ``moments`` None: no table (LORBIT unset).

    ``columns``: s p d, or s p d f with 4; ``components`` 'xyz': non-collinear.
    """
    reached = (
        "aborting loop because EDIFF is reached"
        if converged
        else "aborting loop EDIFF was not reached (unconverged)"
    )
    text = " vasp.6.3.0 stand-in\n running on    1 total cores\n"
    text += "   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1"
    text += "   number of bands    NBANDS=     12\n"
    text += "   total plane-waves  NPLWV =  27000\n   IBRION =     -1    ionic relax: 0-MD 1-quasi-New 2-CG\n"
    text += f"------------------------ {reached} ----------------------------------------\n"
    text += f" number of electron      16.0000000 magnetization {total:15.7f}\n\n\n"
    names = "s p d f".split()[:columns]
    for component in components if moments is not None else "":
        text += (
            f" magnetization ({component})\n\n# of ion       {'       '.join(names)}       tot\n"
            + "-" * 50
            + "\n"
        )
        for i, m in enumerate(moments or []):
            parts = [0.1 * m] * (columns - 1) + [m - 0.1 * m * (columns - 1)]
            text += f"{i + 1:5d}    " + "".join(f"{x:10.3f}" for x in [*parts, m]) + "\n"
        if len(moments or []) > 1:  # of one atom, VASP gives no sum
            text += "-" * 50 + f"\ntot      {total:10.3f}\n"
        text += "\n\n"
    text += " General timing and accounting informations for this job:\n"
    text += " Total CPU time used (sec):        1.000\n"
    return text


def potcar(name: str, lexch: str = "PE") -> str:
    """What has the outline of a POTCAR, and no potential."""
    return (
        f"  PAW_PBE {name} 01Jan2000\n 8.0\n parameters from PSCTR are:\n"
        f"   VRHFIN ={name.split('_')[0]}: none\n   LEXCH  = {lexch}\n   EATOM  =   100.0000 eV\n"
        f"   TITEL  = PAW_PBE {name} 01Jan2000\n   ZVAL   =    8.000\n"
        "   ENMAX  =  267.882; ENMIN  =  200.911 eV\nEND of PSCTR-controll parameters\n"
        " local part\n 1.0 2.0 3.0\n"
        " End of Dataset\n"
    )


def write_library(folder: Path, *names: str) -> Path:
    """A PAW library of such files, folder/potpaw_PBE.54/NAME/POTCAR; returns ``folder``."""
    for name in names:
        path = folder / "potpaw_PBE.54" / name / "POTCAR"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(potcar(name))
    return folder


def refuse(text: str) -> None:
    print(f" ERROR: {text}")
    print(" I REFUSE TO CONTINUE WITH THIS SICK JOB ... BYE!!!")
    sys.exit(1)


def check_inputs(p: Poscar, incar: dict[str, str]) -> None:
    titels = re.findall(r"TITEL\s*=\s*\S+ (\S+)", Path("POTCAR").read_text())
    if [t.split("_")[0] for t in titels] != list(dict.fromkeys(p.symbols)):
        refuse("POTCAR and POSCAR are of other species")
    if np.linalg.det(p.cell) < 0:
        refuse("the triple product of the basis vectors is negative exchange two basis vectors")
    if incar.get("ISPIN") == "2" and len(read_moments(incar.get("MAGMOM", ""))) != len(p.symbols):
        refuse("MAGMOM has the wrong length")


def orders() -> dict[str, object]:
    """What to do, from FAKE_VASP or fake_vasp.json."""
    if "FAKE_VASP" in os.environ:
        return dict(json.loads(os.environ["FAKE_VASP"]))
    for folder in (Path.cwd(), *list(Path.cwd().parents)[:3]):
        if (folder / "fake_vasp.json").is_file():
            return dict(json.loads((folder / "fake_vasp.json").read_text()))
    return {}


def choose_mode(order: dict[str, object], symbols: list[str]) -> str:
    counter = Path("fake_vasp.count")
    count = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(count + 1))
    elements: dict[str, str] = dict(order.get("elements", {}))  # type: ignore[call-overload]
    special = [mode for symbol, mode in elements.items() if symbol in symbols]
    if special:
        return special[0]
    modes = list(order.get("modes", [])) or [order.get("mode", "ok")]  # type: ignore[call-overload]
    return str(modes[min(count, len(modes) - 1)])


def main() -> None:
    order = orders()
    p, incar = read_poscar(Path("POSCAR").read_text()), read_incar(Path("INCAR").read_text())
    mode = choose_mode(order, p.symbols)
    print(" running on    1 total cores\n vasp.6.3.0 stand-in", flush=True)
    check_inputs(p, incar)
    if mode == "hang":
        if order.get("deaf"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)
    time.sleep(float(str(order.get("seconds", 0))))
    if mode == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if "say" in order:
        print(order["say"])
    if mode == "error":
        sys.exit(1)
    write_outputs(p, incar, mode, order)


def write_outputs(p: Poscar, incar: dict[str, str], mode: str, order: dict[str, object]) -> None:
    result = physics(p)
    converged, nelm = mode != "unconverged", int(incar.get("NELM", "60"))
    moments = read_moments(incar["MAGMOM"]) if incar.get("ISPIN") == "2" else []
    table = moments if int(incar.get("LORBIT", "0")) >= 10 and moments else None
    Path("OUTCAR").write_text(outcar(table, sum(moments), converged=converged))
    Path("CONTCAR").write_text(Path("POSCAR").read_text())
    Path("OSZICAR").write_text(f"DAV:   1    {result.energy:.10E}\n   1 F= {result.energy:.8E}\n")
    text = vasprun(
        p,
        result,
        incar,
        steps=9 if converged else nelm,
        version=str(order.get("version", "6.3.0")),
        entropy=float(str(order.get("entropy", 0.01))),
    )
    if mode == "overflow":
        head, tail = text.split('<varray name="forces" >\n<v>', 1)
        text = f'{head}<varray name="forces" >\n<v> **************** {tail.split(maxsplit=1)[1]}'
    if mode == "garbage":
        Path("vasprun.xml").write_bytes(np.random.default_rng(1).bytes(5000))
    elif mode != "nothing":
        Path("vasprun.xml").write_text(text[: len(text) // 2] if mode == "truncated" else text)


if __name__ == "__main__":
    main()
