"""Compile a C++ test program of the kernel once and run its subcommands."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KERNEL = ROOT / "plugin" / "kernel"
IO = ROOT / "plugin" / "io"
RECIPE_IO = [
    *(KERNEL / f"{stem}.cpp" for stem in ("candidate", "cell", "elements", "recipe", "recipe_text", "rng")),
    *(IO / f"{stem}.cpp" for stem in ("extxyz", "extxyz_reader", "npy", "npz", "npz_access")),
    ROOT / "tests" / "kernel" / "test_recipe_io.cpp",
]


class Program:
    """A compiled test program."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *args: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a subcommand; the caller judges the exit code."""
        command = [str(self.path), *map(str, args)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)

    def out(self, *args: object, stdin: str | None = None) -> str:
        """Standard output of a subcommand that must succeed."""
        done = self.run(*args, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout


def compiler() -> list[str]:
    name = os.environ.get("CXX", "g++")
    if shutil.which(name) is None:
        pytest.skip(f"no C++ compiler {name!r}: set CXX")
    return [name, "-std=c++17", "-O1", f"-I{KERNEL}", f"-I{IO}"]


def build(sources: list[Path], folder: Path) -> Path:
    """Compile sources into folder, named after their content and that of the headers."""
    command = compiler()
    headers = sorted([*KERNEL.glob("*.h"), *IO.glob("*.h")])
    digest = hashlib.sha256(" ".join(command).encode())
    for path in [*sources, *headers]:
        digest.update(path.read_bytes())
    program = folder / f"{sources[-1].stem}-{digest.hexdigest()[:16]}"
    if program.exists():
        return program
    scratch = folder / f"{program.name}.{os.getpid()}"
    scratch.mkdir(parents=True)
    objects = [scratch / f"{source.stem}.o" for source in sources]

    def compile_one(pair: tuple[Path, Path]) -> None:
        subprocess.run([*command, "-c", str(pair[0]), "-o", str(pair[1])], check=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(compile_one, zip(sources, objects, strict=True)))
    linked = scratch / "linked"
    subprocess.run([*command, *map(str, objects), "-o", str(linked)], check=True)
    linked.rename(program)
    shutil.rmtree(scratch)
    return program


@pytest.fixture(scope="session")
def recipe_io(pytestconfig: pytest.Config) -> Program:
    """tests/kernel/test_recipe_io.cpp, from the pytest cache if its sources have not changed."""
    assert pytestconfig.cache is not None
    return Program(build(RECIPE_IO, Path(pytestconfig.cache.mkdir("smax_cxx"))))
