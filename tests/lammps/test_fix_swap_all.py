"""fix swap/all samples the Boltzmann distribution, alone or in batches, on any number of ranks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Finished
from fix_tools import PRECISE, read_dump, thermo
from swap_tools import Dimers, Guests, data_file, deviations, types_of_dump

Lmp = Callable[..., Finished]
THERMO = f"thermo_style custom step pe f_s f_s[*]\n{PRECISE}thermo 1000\n"


def dimers(folder: Path, batch: int, moves: int, steps: int) -> str:
    """Input of a run of the dimers that dumps their types."""
    system = Dimers()
    text = system.commands(folder) + f"fix s all swap/all 1 {moves} 7 {system.TEMPERATURE} swap 1 2 3"
    text += f" batch {batch} range {system.CUT}\n{THERMO}"
    return text + f"dump t all custom 1 types.dump id type\ndump_modify t sort id\nrun {steps}\n"


@pytest.mark.parametrize("batch", [1, 4])
def test_every_state_has_its_boltzmann_weight(lmp: Lmp, tmp_path: Path, batch: int) -> None:
    """All 560 arrangements of eight interleaved atoms, against their enumeration."""
    done = lmp(dimers(tmp_path, batch, 20, 10000 if batch == 1 else 20000))
    last = thermo(done.stdout)[-1]
    if batch == 1:
        assert last["f_s[1]"] == 20 * 10000
    else:
        assert last["f_s[7]"] < 0.55 * last["f_s[1]"], "moves did share evaluations"
        assert last["f_s[9]"] < 1e-12

    system = Dimers()
    states, exact = system.states(), system.probabilities()
    energy = system.energies(states)
    number = {tuple(s): k for k, s in enumerate(states)}
    seen = np.array([number[tuple(t)] for t in types_of_dump(tmp_path / "types.dump")[100:]])
    mean = float(exact @ energy)
    assert abs(deviations(energy[seen], mean)) < 4
    assert abs(deviations((energy[seen] - mean) ** 2, float(exact @ (energy - mean) ** 2))) < 4
    often = exact * len(seen) > 20
    visits = seen[:, None] == np.flatnonzero(often)
    z = deviations(visits.astype(float), exact[often])
    assert often.sum() > 50
    assert (z**2).mean() < 1.5
    assert abs(z).max() < 4.5


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("kind", ["dimers", "guests"])
def test_ranks_take_the_same_decisions(lmp: Lmp, tmp_path: Path, batch: int, kind: str) -> None:
    """Types and positions after each of 14 stages, on 1, 2 and 4 ranks."""
    found = []
    for ranks in (1, 2, 4):
        text = dimers(tmp_path, batch, 6, 14) if kind == "dimers" else guests(tmp_path, batch, 6, 14)
        lmp(text, ranks=ranks)
        frames = read_dump(tmp_path / "types.dump")
        found.append(np.array([[frame[c] for c in frame] for frame in frames]))
    assert len(np.unique(found[0][:, 1], axis=0)) > 3
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(found[2], found[0], rtol=0, atol=1e-10)


def guests(folder: Path, batch: int, moves: int, steps: int) -> str:
    """Input of a run of the guests that dumps types and unwrapped positions."""
    system = Guests()
    text = system.commands(folder) + "neighbor 0.6 bin\n"
    text += f"fix s all swap/all 1 {moves} 11 {system.TEMPERATURE} swap 1 2 displace 0.5 3"
    text += f" batch {batch} range {system.CUT} fraction 0.7\n{THERMO}"
    text += "dump t all custom 1 types.dump id type xu yu zu\n"
    text += f"dump_modify t sort id format float %.17g\nrun {steps}\n"
    return text


@pytest.mark.parametrize("batch", [1, 4])
def test_displacements_and_exchanges_together(lmp: Lmp, tmp_path: Path, batch: int) -> None:
    """Guests are Gaussian around their hosts, hosts as probable as the integrals of the wells say."""
    done = lmp(guests(tmp_path, batch, 20, 6000 if batch == 1 else 12000))
    last = thermo(done.stdout)[-1]
    assert last["f_s[3]"] > 20000 and last["f_s[5]"] > 40000
    assert last["f_s[9]"] < 1e-12

    system = Guests()
    frames = read_dump(tmp_path / "types.dump")[50:]
    types = np.array([f["type"] for f in frames], dtype=np.int64)
    x = np.array([np.stack([f["xu"], f["yu"], f["zu"]], axis=1) for f in frames])
    d = x[:, 4:] - x[:, [0, 2]]
    hosts = types[:, [0, 2]]
    mean = {
        n: np.array([0.0, *(system.moment(h, n + 2) / system.moment(h, 2) for h in (1, 2))]) for n in (2, 4)
    }
    square = (d**2).sum(axis=2)
    z = [
        deviations(d.reshape(-1, 6), 0.0),
        deviations((3 * d**2 / mean[2][hosts][:, :, None]).reshape(-1, 6), 1.0),
        deviations(square**2 / mean[4][hosts], 1.0),
        deviations(((hosts == 1).sum(axis=1)[:, None] == np.arange(3)) * 1.0, system.softly_hosted()),
    ]
    assert max(abs(v).max() for v in z) < 4.5
    energy = system.energies(hosts, np.sqrt(square)).sum(axis=1)
    assert energy[-1] == pytest.approx(last["PotEng"], abs=1e-9)


def test_stages_do_not_favour_states_of_full_batches(lmp: Lmp, tmp_path: Path) -> None:
    """Without energies every arrangement is as probable, also those that have no room for a second move."""
    x = np.array([[x, 5.0, 5.0] for x in (4, 5, 6, 7, 20, 35, 50, 65)])
    text = data_file(tmp_path / "chain.data", (80.0, 10.0, 10.0), x, (2, 2, 1, 1, 1, 1, 1, 1), 2)
    text += "pair_style zero 3.0\npair_coeff * *\n"
    text += "fix s all swap/all 1 2 5 300 swap 1 2 batch 2 range 3\n"
    text += f"{THERMO}dump t all custom 1 types.dump id type\ndump_modify t sort id\nrun 20000\n"
    last = thermo(lmp(text).stdout)[-1]
    assert 22000 < last["f_s[1]"] < 38000, "batches of one and of two"
    together = (types_of_dump(tmp_path / "types.dump")[:, :4] == 2).sum(axis=1)
    wanted = np.array([6, 16, 6]) / 28  # both, one, none of two of eight among the first four
    assert abs(deviations((together[:, None] == [2, 1, 0]) * 1.0, wanted)).max() < 4
