"""Configurations of trainings, and what gracemaker is given for them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml

from pysmax.errors import SmaxError
from pysmax.grace.config import HELD_OUT, Config, commented, dump, load, parse
from pysmax.grace.cutoffs import TABLE_9, of_elements, pairs
from pysmax.grace.maker import Work, maker_input
from pysmax.grace.presets import PRESETS

# Table 9 of arXiv 2602.23489 as printed, row by row
PRINTED = """
Ag 6.0 F 6.0 N 6.0 Sb 5.5 Al 6.0 Fe 6.0 Na 6.0 Sc 6.0 Ar 6.2 Fr 7.5 Nb 6.0 Se 5.5 As 6.0 Ga 6.0 Nd 6.0 Si 5.5
Au 6.0 Gd 6.0 Ne 6.0 Sm 6.0 B 5.5 Ge 6.0 Ni 6.0 Sn 6.0 Ba 6.6 H 6.0 O 6.0 Sr 6.5 Be 5.0 He 6.0 Os 6.0 Ta 6.0
Bi 6.0 Hf 6.0 P 5.5 Tb 6.0 Br 6.0 Hg 6.0 Pb 6.0 Tc 6.0 C 5.0 Ho 6.0 Pd 6.0 Te 6.0 Ca 6.1 I 6.0 Pm 6.0 Ti 6.0
Cd 6.0 In 6.0 Po 6.0 Tl 6.0 Ce 6.0 Ir 6.0 Pr 6.0 Tm 6.0 Cl 6.0 K 7.0 Pt 6.0 V 6.0 Co 6.0 Kr 6.8 Ra 6.8 W 6.0
Cr 6.0 La 6.0 Rb 7.3 Xe 7.1 Cs 7.5 Li 6.0 Re 6.0 Y 6.0 Cu 6.0 Lu 6.0 Rh 6.0 Yb 6.1 Dy 6.0 Mg 6.0 Rn 7.5 Zn 6.0
Er 6.0 Mn 6.0 Ru 6.0 Zr 6.0 Eu 6.2 Mo 6.0 S 5.5
""".split()


def config(**sections: object) -> Config:
    return parse({"data": {"train": ["ds"]}, **sections}, "c.yaml", Path("/base"))


def test_table_9_is_the_paper_s() -> None:
    assert {s: float(r) for s, r in zip(PRINTED[::2], PRINTED[1::2], strict=True)} == TABLE_9


def test_every_pair_has_the_mean_of_its_elements() -> None:
    found = pairs(["Be", "Cs", "O"], of_elements(["Be", "Cs", "O"], "paper"))
    assert len(found) == 9
    assert found["BeCs"] == found["CsBe"] == 6.25
    assert found["OO"] == 6.0
    for a, b in itertools.product(("Be", "Cs", "O"), repeat=2):
        assert found[a + b] == pytest.approx((TABLE_9[a] + TABLE_9[b]) / 2)


def test_an_element_without_a_cutoff_is_named() -> None:
    with pytest.raises(SmaxError, match="Table 9 has none for U"):
        of_elements(["U", "O"], "paper")
    assert of_elements(["U", "O"], {"U": 6.5}) == {"U": 6.5, "O": 6.0}


def test_gracemaker_is_given_the_paper_s_settings() -> None:
    given = maker_input(config(), ["Cs", "O"], {"Cs": -0.1, "O": -2.0}, 1000)
    assert given["cutoff"] == 7.5
    assert given["cutoff_dict"] == {"CsCs": 7.5, "CsO": 6.75, "OCs": 6.75, "OO": 6.0}
    assert given["data"]["reference_energy"] == {"Cs": -0.1, "O": -2.0}
    assert given["potential"]["preset"] == "GRACE_1LAYER_latest"
    assert given["potential"]["param_dtype"] == "float32"
    fit = given["fit"]
    assert (fit["optimizer"], fit["scheduler"], fit["maxiter"]) == ("Adam", "cosine_decay", 1000)
    assert fit["scheduler_params"] == {"minimum_learning_rate": 5e-4}
    assert all(term["type"] == "huber" for term in fit["loss"].values())
    assert set(fit["loss"]) == {"energy", "forces", "stress"}
    assert HELD_OUT == 33064 / 1693386


def test_equal_cutoffs_need_no_table_and_a_weight_of_zero_no_term() -> None:
    c = config(model={"cutoffs": 5.0}, fit={"loss": {"stress": 0}, "batch_size": 64})
    given = maker_input(c, ["Cs", "O"], {}, 10)
    assert given["cutoff"] == 5.0
    assert "cutoff_dict" not in given
    assert set(given["fit"]["loss"]) == {"energy", "forces"}
    assert given["fit"]["batch_size"] == 10  # no larger than the set


def test_a_batch_without_any_stress_is_no_division_by_zero() -> None:
    full = maker_input(config(), ["O"], {}, 1000)["fit"]["loss"]["stress"]
    some = maker_input(config(), ["O"], {}, 1000, all_stresses=False)["fit"]["loss"]["stress"]
    assert full == {"type": "huber", "weight": 128.0, "delta": 0.01}
    assert some == {**full, "weight": 128.0 / (6 * 32), "normalize_by_samples": False}


def test_a_section_of_gracemaker_stays_one() -> None:
    with pytest.raises(SmaxError, match=r"gracemaker.fit.loss: found 3, expected a section"):
        maker_input(config(gracemaker={"fit": {"loss": 3}}), ["O"], {}, 9)


def test_long_lists_stay_on_one_line(tmp_path: Path) -> None:
    many = [f"a rather  long name/{k}" for k in range(20)]
    (tmp_path / "c.yaml").write_text(commented("tiny", many))
    assert load(tmp_path / "c.yaml").data.train == [tmp_path / p for p in many]


def test_what_gracemaker_alone_knows_is_merged_in() -> None:
    given = maker_input(config(gracemaker={"fit": {"opt_params": {"clipnorm": 5}}, "extra": 1}), ["O"], {}, 9)
    assert given["fit"]["opt_params"]["clipnorm"] == 5
    assert given["fit"]["opt_params"]["use_ema"] is True
    assert given["extra"] == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_a_commented_configuration_is_one(preset: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(commented(preset, ["../ds"]))
    c = load(path)
    assert c.model.preset == preset
    assert c.data.train == [tmp_path / "../ds"]
    assert parse(yaml.safe_load(dump(c)), "again", tmp_path) == c


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"model": {"preset": "3l"}}, r"model.preset: found '3l', expected one of 1l-small, "),
        ({"model": {"preset": "fs-small"}}, r"cutoffs is 'paper', expected one number with preset fs-small"),
        (
            {"model": {"preset": "fs-small", "cutoffs": {"O": 5.0}}},
            "expected one number with preset fs-small",
        ),
        ({"modell": {}}, r"modell: Extra inputs are not permitted"),
        ({"fit": {"epochs": 0}}, r"fit.epochs: Input should be greater than or equal to 1 \(found 0\)"),
        (
            {"fit": {"learning_rate": 1e-4}},
            r"minimum_learning_rate is 0.0005, expected at most learning_rate",
        ),
        ({"data": {}}, r"data.train: Field required"),
        ({"model": {"cutoffs": -5}}, "cutoffs: found -5, expected a length above 0"),
        ({"model": {"cutoffs": {"Xx": 5.0}}}, "cutoffs: found Xx, expected symbols of elements"),
        ({"model": {"elements": ["O", "O"]}}, "elements: found O O, expected each element once"),
        ({"model": {"reference_energies": {"Oo": 1.0}}}, "reference_energies: found Oo"),
        ({"fit": {"learning_rate": float("inf")}}, "learning_rate: Input should be a finite number"),
        ({"fit": {"loss": {"energy": 0, "forces": 0}}}, "weights of energy and forces are 0"),
        ({"gracemaker": {"seed": 2}}, "found seed, expected it as fit.seed"),
        ({"gracemaker": {"fit": {"maxiter": 2}}}, "found the number of epochs, expected it as fit.epochs"),
    ],
)
def test_one_sentence_for_a_wrong_configuration(sections: dict[str, object], said: str) -> None:
    with pytest.raises(SmaxError, match=said):
        config(**sections)


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    for text, said in (
        ("a: [", "not YAML"),
        ("- 1", "expected settings"),
        ("!!python/object:os.x {}", "not YAML"),
    ):
        path.write_text(text)
        with pytest.raises(SmaxError, match=said):
            load(path)
    with pytest.raises(SmaxError, match="No such file"):
        load(tmp_path / "none.yaml")


def test_metrics_are_read_while_they_are_written(tmp_path: Path) -> None:
    work = Work(tmp_path)
    assert work.epoch() == 0
    (tmp_path / "test_metrics.yaml").write_text('- {"epoch": 1, "total_loss/test": NaN}\n- {"epoch": 2, "tot')
    assert work.epoch() == 1
    assert work.metrics() == [{"epoch": 1, "total_loss/test": None}]
