"""PREFIX.moments, damaged or not as version 1 has it: one SmaxError, or what was written."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moments_tools import N, correlated, edited, moments_of  # noqa: F401

from pysmax.errors import SmaxError
from pysmax.moments import State, entropy, load, number_of_features, save


def test_unknown_keys_are_tolerated(data: np.ndarray, tmp_path: Path) -> None:
    save(tmp_path / "a.moments", moments_of(data))
    assert load(edited(tmp_path / "a.moments", of_a_later_minor_change=np.ones(3))).count == len(data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": np.array("other")}, "format is 'other', expected smax-moments"),
        ({"version": np.int64(2)}, "version is 2, expected 1"),
        ({"mean": None}, "'mean' is missing"),
        ({"twojmax": None}, "'twojmax' is missing"),
        ({"scatter": np.ones((N, N + 1))}, r"scatter has shape \(5, 6\), expected \(5, 5\)"),
        ({"mean": np.full(N, np.nan)}, "not finite"),
        ({"mode": np.array("both")}, "mode is 'both'"),
        ({"count": np.int64(-1)}, "count is -1"),
        ({"eps": np.array([1, None], dtype=object)}, "not a readable NumPy"),
    ],
)
def test_a_damaged_file_is_named(data: np.ndarray, tmp_path: Path, changes: dict, message: str) -> None:
    save(tmp_path / "a.moments", moments_of(data))
    with pytest.raises(SmaxError, match=message) as error:
        load(edited(tmp_path / "a.moments", **changes))
    assert str(tmp_path / "a.moments") in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 half of a zip"])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.moments"
    path.write_bytes(content)
    with pytest.raises(SmaxError, match=r"a\.moments"):
        load(path)


def test_every_cut_of_a_file_is_refused(data: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.moments"
    save(path, moments_of(data))
    whole = path.read_bytes()
    for end in range(0, len(whole), 97):
        path.write_bytes(whole[:end])
        with pytest.raises(SmaxError):
            load(path)


def test_no_file() -> None:
    with pytest.raises(SmaxError, match="No such file"):
        load("none.moments")


KEYS = ["version", "count", "ref_count", "prior_count", "eps", "twojmax", "rcutfac", "mode", "format"]
KEYS += ["mean", "scatter", "variance", "ref_mean", "ref_scatter", "prior_mean", "prior_scatter"]
KEYS += [f.name for f in dataclasses.fields(State)]
ODD = [
    np.array("text"),
    np.array("line\nbreak"),
    np.array(b"bytes"),
    np.float64(np.nan),
    np.float64(-np.inf),
    np.array(1 + 1j),
    np.array(True),
    np.array(2**64 - 1, dtype=np.uint64),
    np.array("NaT", dtype="M8[s]"),
    np.zeros(0),
    np.ones(N + 1),
    np.ones((2, 2, 2)),
    np.full(N, "x"),
    np.full((N, N), np.inf),
]


def error_of(path: Path) -> str:
    """The one line of the error, if there is one, of load and entropy."""
    try:
        entropy(load(path))
    except SmaxError as e:
        error = str(e)
    else:
        return ""
    assert error and "\n" not in error
    return error


@pytest.mark.parametrize("key", KEYS)
def test_an_odd_value_is_named_with_its_key(data: np.ndarray, tmp_path: Path, key: str) -> None:
    path = tmp_path / "a.moments"
    for value in [None, *ODD]:
        save(path, moments_of(data))
        error = error_of(edited(path, **{key: value}))
        if error:
            assert str(path) in error and key in error and "expected" in error
        else:  # only that a whole number is large is no error
            assert value is not None and value.dtype.kind == "u"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("version", np.array("one"), "version is 'one', expected a whole number"),
        ("version", np.float64(np.nan), "version is nan, expected a whole number"),
        ("count", np.float64(2.5), "count is 2.5, expected a whole number"),
        ("count", np.ones(3, dtype=int), r"count is an array of shape \(3,\), expected a whole number"),
        ("scatter", np.full((N, N), "x"), "scatter is of type <U1, expected float64"),
        ("eps", np.array("small"), "eps is 'small', expected a finite number above 0"),
        ("eps", np.float64(np.nan), "eps is nan, expected a finite number above 0"),
        ("eps", np.float64(0), r"eps is 0\.0, expected a finite number above 0"),
        ("variance", np.array([1.0, 1, -2, 1, 1]), "variance has the value -2, expected all above 0"),
        ("variance", np.array([1.0, 1, 0, 1, 1]), "variance has the value 0, expected all above 0"),
        ("frames", np.array("many"), "frames is 'many', expected a whole number"),
        ("evaluations", np.int64(-1), "evaluations is -1, expected a whole number, 0 or more"),
        ("seconds", np.float64(-1), "seconds is -1, expected 0 or more"),
        ("twojmax", np.int64(4), r"mean has shape \(5,\), expected \(14,\)"),
        ("twojmax", np.int64(99), r"twojmax is 99, expected 2\.\.14"),
    ],
)
def test_what_is_found_and_expected_is_said(
    data: np.ndarray, tmp_path: Path, key: str, value: Any, message: str
) -> None:
    save(tmp_path / "a.moments", moments_of(data))
    with pytest.raises(SmaxError, match=message):
        load(edited(tmp_path / "a.moments", **{key: value}))


@pytest.mark.parametrize(("variance", "good"), [(N, True), (0, True), (None, False), (N + 1, False)])
def test_variance_without_a_reference(
    data: np.ndarray, tmp_path: Path, variance: int | None, good: bool
) -> None:
    save(tmp_path / "a.moments", moments_of(data, ref_count=0))
    edited(tmp_path / "a.moments", variance=np.float64(1) if variance is None else np.ones(variance))
    if good:
        assert len(load(tmp_path / "a.moments").variance) == variance
    else:
        with pytest.raises(SmaxError, match=r"variance has shape \(6?,?\), expected \(5,\)"):
            load(tmp_path / "a.moments")


def test_the_number_of_features_is_that_of_the_triangle_rule() -> None:
    for twojmax in range(2, 15):
        k = range(twojmax + 1)
        triples = [(a, b, c) for a in k for b in k for c in k if b <= a <= c and c <= a + b]
        assert number_of_features(twojmax) == sum((a + b + c) % 2 == 0 for a, b, c in triples)
    assert number_of_features(8) == 55


def members(path: Path) -> dict[str, bytes]:
    """The .npy of each key."""
    with zipfile.ZipFile(path) as z:
        return {name: z.read(name) for name in z.namelist()}


def rewritten(path: Path, npy: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """The zip of these members, checksums true; also written to the path."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as z:
        for name, content in npy.items():
            z.writestr(name, content)
    path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def refused(path: Path) -> str:
    """The error."""
    with pytest.raises(SmaxError, match="not a readable NumPy") as e:
        load(path)
    assert str(path) in str(e.value) and "\n" not in str(e.value)
    return str(e.value)


def test_members_that_cannot_be_read(data: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.moments"
    save(path, moments_of(data))
    npy, whole = members(path), path.read_bytes()

    def patched(at: int, value: int) -> None:
        """A field of every directory entry and local header."""
        out = bytearray(whole)
        for signature, shift in ((b"PK\x01\x02", 2), (b"PK\x03\x04", 0)):
            start = out.find(signature)
            while start >= 0:
                out[start + at + shift] = value
                start = out.find(signature, start + 4)
        path.write_bytes(out)

    patched(6, 1)
    assert "encrypted" in refused(path)
    patched(8, 77)  # a compression method that there is not
    assert "compression" in refused(path)

    packed = bytearray(rewritten(path, npy, zipfile.ZIP_DEFLATED))
    assert load(path).count == len(data)
    start = packed.find(b"scatter.npy") + 11
    packed[start : start + 40] = bytes(40)
    path.write_bytes(packed)
    assert "scatter" in refused(path)

    huge = npy["scatter.npy"].replace(b"(5, 5), }" + b" " * 24, b"(99999999999, 9999999), }" + b" " * 8)
    assert huge != npy["scatter.npy"]
    rewritten(path, npy | {"scatter.npy": huge})
    assert "scatter" in refused(path)

    rewritten(path, npy | {"mean.npy": whole})
    assert "an archive inside" in refused(path)


def test_moments_beyond_all_numbers_have_no_entropy(data: np.ndarray) -> None:
    with pytest.raises(SmaxError, match="damaged"):
        entropy(moments_of(data, scatter=np.full((N, N), 1e308), variance=np.full(N, 1e-300)))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that loads."""
    path = tmp_path_factory.mktemp("sound") / "a.moments"
    save(path, moments_of(np.random.default_rng(0).normal(size=(30, N))))
    return path


DAMAGE = st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=8)


def damage(content: bytes, changes: list[tuple[int, int]]) -> bytes:
    """Bytes replaced at positions taken modulo the length."""
    out = bytearray(content)
    for at, value in changes:
        out[at % len(out)] = value
    return bytes(out)


@settings(max_examples=150, deadline=None)
@given(changes=DAMAGE, packed=st.booleans())
def test_no_damaged_byte_gives_another_error(
    sound: Path, changes: list[tuple[int, int]], packed: bool
) -> None:
    path = sound.with_name("b.moments")
    whole = rewritten(path, members(sound), zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED)
    path.write_bytes(damage(whole, changes))
    error_of(path)


@settings(max_examples=150, deadline=None)
@given(changes=DAMAGE, key=st.sampled_from(KEYS))
def test_nor_does_damage_under_a_true_checksum(sound: Path, changes: list[tuple[int, int]], key: str) -> None:
    path, npy = sound.with_name("c.moments"), members(sound)
    header = [(at % 128 if i % 2 else at, value) for i, (at, value) in enumerate(changes)]
    rewritten(path, npy | {f"{key}.npy": damage(npy[f"{key}.npy"], header)})
    error_of(path)
