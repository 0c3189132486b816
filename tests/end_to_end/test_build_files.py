"""Makefile and CMakeLists.txt say what they do and what they need."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import BIN, ROOT, environment, run_program

# integers only, as in the library of GCC 10
OLD_CHARCONV = """
#include <system_error>
#include <type_traits>
namespace std {
struct from_chars_result { const char *ptr; errc ec; };
template <typename T>
enable_if_t<is_integral<T>::value, from_chars_result> from_chars(const char *, const char *, T &);
}
"""


def printed(*words: str) -> tuple[int, str]:
    """What make would do."""
    done = run_program(["make", "--no-print-directory", "-n", "run", *words], ROOT)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("words", "prefix"), [((), "smax"), (("OUT=wbeh", "ARGS=-var nconf 3"), "wbeh")])
def test_the_report_is_that_of_the_run(words: tuple[str, ...], prefix: str) -> None:
    code, text = printed(*words)
    assert code == 0
    lines = text.splitlines()
    assert len([line for line in lines if " lmp " in line and f"-var out {prefix}" in line]) == 1
    assert len([line for line in lines if line.endswith(f"pysmax report {prefix}")]) == 1


def test_another_prefix_in_args_is_refused() -> None:
    code, text = printed("ARGS=-var out wbeh")
    assert code != 0
    assert "OUT=" in text


def test_a_compiler_that_cannot_read_doubles_is_named(tmp_path: Path) -> None:
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "charconv").write_text(OLD_CHARCONV)
    command = [BIN / "cmake", "-S", ROOT, "-B", tmp_path / "build", "-G", "Ninja", "-DSMAX_BUILD_PLUGIN=OFF"]
    done = run_program(command, tmp_path, env=environment(CXXFLAGS=f"-I{tmp_path}/include"))
    assert done.returncode != 0
    assert "GCC 11 or newer" in " ".join(done.stderr.split())
    shutil.rmtree(tmp_path / "build")
    done = run_program(command, tmp_path)
    assert done.returncode == 0, done.stderr
