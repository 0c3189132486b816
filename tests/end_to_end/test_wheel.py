"""The built wheel in a clean environment, and the plugin built for a site's own LAMMPS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import BIN, ROOT, Finished, environment, run_program

STYLE = "fix style plugin entropy"
LIST = "plugin list\n"


def clean() -> dict[str, str]:
    """An environment that knows no other Python packages and no other plugin."""
    env = environment()
    for key in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LAMMPS_PLUGIN_PATH", "LD_LIBRARY_PATH"):
        env.pop(key, None)
    return env


def succeed(done: Finished) -> Finished:
    """Assert that the program ended well."""
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    succeed(run_program([*pip, "wheel", "--no-deps", "-w", folder, ROOT], folder, env=clean()))
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bin/ of a virtual environment that holds the wheel and what it requires, nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    succeed(run_program([sys.executable, "-m", "venv", folder / "v"], folder, env=clean()))
    pip = [folder / "v" / "bin" / "python", "-m", "pip", "-q", "--disable-pip-version-check"]
    succeed(run_program([*pip, "install", "--no-compile", wheel], folder, env=clean()))
    return folder / "v" / "bin"


def site_packages(bin_folder: Path) -> Path:
    """site-packages of a virtual environment."""
    (path,) = bin_folder.parent.glob("lib/python3*/site-packages")
    return path


def test_the_wheel_holds_plugin_inputs_and_templates(wheel: Path) -> None:
    assert re.fullmatch(r"pysmax-[\d.]+-py3-none-(linux|macosx)_\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as z:
        names = set(z.namelist())
    assert {f"pysmax/plugin/{p}plugin.so" for p in ("smax", "grace")} | {"pysmax/py.typed"} <= names
    for folder, inside in (("lammps_inputs", "lammps_inputs"), ("templates", "templates"), ("pysmax", "")):
        sources = [p.relative_to(ROOT / folder) for p in (ROOT / folder).rglob("*") if p.is_file()]
        expected = {str(Path("pysmax") / inside / p) for p in sources if "__pycache__" not in p.parts}
        assert expected <= names
    tops = {n.split("/")[0] for n in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"pysmax"}


@pytest.mark.parametrize("name", ["smaxplugin.so", "graceplugin.so"])
def test_a_plugin_links_neither_mpi_nor_lammps(installed: Path, tmp_path: Path, name: str) -> None:
    plugin = site_packages(installed) / "pysmax" / "plugin" / name
    dynamic = succeed(run_program(["readelf", "-d", plugin], tmp_path)).stdout
    needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic)
    assert needed
    assert not [n for n in needed if "mpi" in n or "lammps" in n or "tensorflow" in n]
    assert "NODELETE" in dynamic


def test_the_entry_point_imports_nothing_heavy(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pysmax.paths import plugin_folder; plugin_folder();"
        "print(*{'numpy', 'lammps', 'ase', 'typer', 'pydantic'} & set(sys.modules))"
    )
    assert succeed(run_program([installed / "python", "-c", code], tmp_path, env=clean())).stdout == "\n"


@pytest.mark.parametrize("ranks", [1, 2])
def test_lmp_loads_the_plugin_by_itself(installed: Path, tmp_path: Path, ranks: int) -> None:
    (tmp_path / "in").write_text(LIST)
    command = [installed / "mpirun", "-np", str(ranks), installed / "lmp", "-in", "in"]
    done = succeed(run_program(command, tmp_path, env=clean()))
    assert STYLE in done.stdout


def test_the_main_job_and_its_report(installed: Path, tmp_path: Path) -> None:
    env = clean()
    env["PATH"] = f"{installed}{os.pathsep}{env['PATH']}"
    succeed(run_program(["pysmax", "inputs", "-o", "job"], tmp_path, env=env))
    job = ["lmp", "-in", "job/gen_entropy.in", "-var", "nconf", "3"]
    succeed(run_program(["mpirun", "-np", "2", *job], tmp_path, env=env))
    succeed(run_program(["pysmax", "report", "smax"], tmp_path, env=env))
    assert "base64" in (tmp_path / "smax.report" / "index.html").read_text()
    assert (tmp_path / "smax.extxyz").read_text().count("Lattice=") == 3
    wrong = run_program(["pysmax", "info", "none"], tmp_path, env=env)
    assert wrong.returncode == 2
    assert wrong.stderr == "pysmax: none.moments: No such file or directory\n"


# --- a LAMMPS of one's own -------------------------------------------------------------------------


def configure(folder: Path, *options: str) -> Finished:
    """Run cmake on this checkout with build folder ``folder/b``."""
    command = [BIN / "cmake", "-S", ROOT, "-B", folder / "b", "-G", "Ninja", *options]
    return run_program(command, folder, env=dict(clean(), PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}"))


@pytest.fixture(scope="module")
def headers(installed: Path) -> dict[str, Path]:
    """Header folders of the wheels, as a site would name them."""
    lammps = site_packages(installed) / "lammps" / "include" / "lammps"
    return {"LAMMPS_INCLUDE_DIR": lammps, "MPI_INCLUDE_DIR": installed.parent / "include"}


def given(headers: dict[str, Path]) -> list[str]:
    """As options of cmake."""
    return [f"-D{k}={v}" for k, v in headers.items()]


def test_a_site_build_loads_in_its_lammps(installed: Path, headers: dict[str, Path], tmp_path: Path) -> None:
    succeed(configure(tmp_path, *given(headers)))
    build = tmp_path / "b"
    succeed(run_program([BIN / "cmake", "--build", build, "-j", "2"], tmp_path))
    succeed(run_program([BIN / "cmake", "--install", build, "--prefix", tmp_path / "site"], tmp_path))
    (plugin,) = (tmp_path / "site").rglob("smaxplugin.so")
    (tmp_path / "in").write_text(LIST)
    # The bare executable, not the wheel's launcher: it knows no entry point.
    env = dict(clean(), LD_LIBRARY_PATH=str(installed.parent / "lib"))
    lmp = [site_packages(installed) / "lammps" / "lmp", "-in", "in"]
    assert STYLE not in succeed(run_program(lmp, tmp_path, env=env)).stdout
    env["LAMMPS_PLUGIN_PATH"] = str(plugin.parent)
    assert STYLE in succeed(run_program(lmp, tmp_path, env=env)).stdout

    # the same build for another LAMMPS, then for another MPI: refused with both names
    env["LAMMPS_PLUGIN_PATH"] = str(build)
    for option, found in (
        (
            "-DLAMMPS_VERSION_STRING=1 Jan 2020",
            "built for LAMMPS 20200101 (1 Jan 2020), found LAMMPS 20250722",
        ),
        ("-DSMAX_MPI_NAME=Open MPI", "built for Open MPI, found MPICH"),
    ):
        succeed(configure(tmp_path, *given(headers), "-DLAMMPS_VERSION_STRING=22 Jul 2025", option))
        succeed(run_program([BIN / "cmake", "--build", build, "-j", "2"], tmp_path))
        refused = run_program(lmp, tmp_path, env=env)
        assert STYLE not in refused.stdout
        for name in ("entropy", "GRACE"):
            assert refused.stderr.count(f"ERROR: the {name} plugin is not loaded") == 1
        assert found in refused.stderr


def copied(headers: dict[str, Path], folder: Path) -> dict[str, Path]:
    """The LAMMPS headers where nothing beside them tells the version."""
    (folder / "src").mkdir()
    (folder / "src" / "lammps.h").symlink_to(headers["LAMMPS_INCLUDE_DIR"] / "lammps.h")
    return headers | {"LAMMPS_INCLUDE_DIR": folder / "src"}


def test_the_version_comes_from_a_source_tree(headers: dict[str, Path], tmp_path: Path) -> None:
    options = given(copied(headers, tmp_path))
    (tmp_path / "src" / "version.h").write_text('#define LAMMPS_VERSION "2 Apr 2025"\n')
    assert "LAMMPS 2 Apr 2025 (SMALLBIG)" in succeed(configure(tmp_path, *options)).stdout


def test_the_version_may_be_given(headers: dict[str, Path], tmp_path: Path) -> None:
    options = [
        *given(copied(headers, tmp_path)),
        "-DLAMMPS_VERSION_STRING=4 Feb 2025",
        "-DLAMMPS_SIZES=BIGBIG",
    ]
    assert "LAMMPS 4 Feb 2025 (BIGBIG)" in succeed(configure(tmp_path, *options)).stdout


def test_an_installed_lammps_is_found(headers: dict[str, Path], tmp_path: Path) -> None:
    package = tmp_path / "lib" / "cmake" / "LAMMPS"
    package.mkdir(parents=True)
    (package / "LAMMPSConfig.cmake").write_text(
        "add_library(LAMMPS::lammps INTERFACE IMPORTED)\n"
        "set_target_properties(LAMMPS::lammps PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "
        f'"{headers["LAMMPS_INCLUDE_DIR"].parent}")\n'
    )
    (package / "LAMMPSConfigVersion.cmake").write_text(
        'set(PACKAGE_VERSION "2025.12.10")\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n'
    )
    options = [f"-DLAMMPS_DIR={package}", f"-DMPI_INCLUDE_DIR={headers['MPI_INCLUDE_DIR']}"]
    assert "LAMMPS 10 Dec 2025 (SMALLBIG)" in succeed(configure(tmp_path, *options)).stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"LAMMPS_INCLUDE_DIR": "/nowhere"}, "LAMMPS_INCLUDE_DIR is '/nowhere', expected"),
        ({"MPI_INCLUDE_DIR": "/nowhere"}, "MPI_INCLUDE_DIR is '/nowhere', expected"),
        ({"LAMMPS_SIZES": "SMALL"}, "LAMMPS_SIZES is 'SMALL', expected"),
        ({}, "No LAMMPS version found"),
    ],
)
def test_a_wrong_option_is_named(
    headers: dict[str, Path], tmp_path: Path, change: dict[str, str], message: str
) -> None:
    base = headers if change else copied(headers, tmp_path)
    done = configure(tmp_path, *given(base | {k: Path(v) for k, v in change.items()}))
    assert done.returncode != 0
    assert message in re.sub(r"\s+", " ", done.stderr)


def test_a_wrong_package_folder_is_named(tmp_path: Path) -> None:
    """Never silently another LAMMPS."""
    done = configure(tmp_path, "-DLAMMPS_DIR=/nowhere")
    assert done.returncode != 0
    assert "LAMMPS_DIR is '/nowhere', expected" in re.sub(r"\s+", " ", done.stderr)


def test_the_kernel_tests_need_no_lammps(tmp_path: Path) -> None:
    options = ["-DSMAX_BUILD_PLUGIN=OFF", "-DSMAX_BUILD_TESTS=ON"]
    done = succeed(configure(tmp_path, *options))
    assert "LAMMPS" not in done.stdout
    listing = subprocess.run(
        [BIN / "ctest", "--test-dir", tmp_path / "b", "-N"], capture_output=True, text=True, check=True
    )
    assert "Total Tests:" in listing.stdout
