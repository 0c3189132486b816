"""The C++ kernel through ctypes, for tests: no LAMMPS, no MPI.

The shared library is the file named by SMAX_KERNEL_CAPI, else it is compiled from the sources of this
checkout into a cache folder ($SMAX_KERNEL_CACHE, default: the user's cache) and compiled again when a
source is newer. $CXX names the compiler (default g++, then c++).
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROOT = Path(__file__).resolve().parents[2]
KERNEL = ROOT / "plugin" / "kernel"
CAPI = ROOT / "tests" / "kernel" / "capi.cpp"
FLAGS = ["-O2", "-std=c++17", "-fPIC", "-fvisibility=hidden"]
FILE_FLAGS = {
    "snap_avx2.cpp": ["-mavx2", "-mfma"],
    "snap_avx512.cpp": ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma"],
}
ERRLEN = 512

Doubles = NDArray[np.float64]


class KernelError(ValueError):
    """A C++ exception; the text is its what()."""


def compiler() -> list[str]:
    """Command of the C++ compiler."""
    if os.environ.get("CXX"):
        return shlex.split(os.environ["CXX"])
    for name in ("g++", "c++"):
        if shutil.which(name):
            return [name]
    raise RuntimeError("no C++ compiler: neither g++ nor c++ is in PATH, expected one or CXX")


def cache_dir() -> Path:
    """Folder of the compiled library, one for each checkout."""
    base = os.environ.get("SMAX_KERNEL_CACHE")
    if base:
        return Path(base)
    user = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(user) / "pysmax" / f"kernel-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}"


def run(command: list[str]) -> None:
    """Run a compiler command; RuntimeError with its messages if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"compiling the kernel failed: {shlex.join(command)}\n{done.stderr.strip()}")


def build(target: Path) -> None:
    """Compile every kernel source and capi.cpp into the shared library target."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    sources = [s for s in sorted(KERNEL.glob("*.cpp")) if x86 or s.name not in FILE_FLAGS]
    common = [*FLAGS, f"-I{KERNEL}", *([] if x86 else ["-DSMAX_PLAIN_ONLY"])]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as tmp:

        def compile_one(source: Path) -> str:
            out = str(Path(tmp) / (source.stem + ".o"))
            run([*compiler(), *common, *FILE_FLAGS.get(source.name, []), "-c", str(source), "-o", out])
            return out

        with ThreadPoolExecutor(2) as pool:
            objects = list(pool.map(compile_one, [*sources, CAPI]))
        partial = str(Path(tmp) / target.name)
        run([*compiler(), "-shared", *objects, "-o", partial])
        os.replace(partial, target)  # a parallel test run sees the old or the new file


def library_path() -> Path:
    """Shared library that is not older than any source."""
    given = os.environ.get("SMAX_KERNEL_CAPI")
    if given:
        if not Path(given).is_file():
            raise RuntimeError(f"SMAX_KERNEL_CAPI is {given!r}, expected the path of a shared library")
        return Path(given)
    target = cache_dir() / "libsmax_kernel_capi.so"
    sources = [CAPI, Path(__file__), *(p for p in KERNEL.iterdir() if p.is_file())]
    newest = max(p.stat().st_mtime for p in sources)
    if not target.exists() or target.stat().st_mtime < newest:
        build(target)
    return target


@functools.cache
def library() -> ctypes.CDLL:
    """The loaded library."""
    lib = ctypes.CDLL(str(library_path()))
    for name in ("smax_entropy_count", "smax_entropy_nsums"):
        getattr(lib, name).restype = ctypes.c_int64
    lib.smax_isa_best.restype = ctypes.c_char_p
    lib.smax_entropy_destroy.restype = None
    return lib


def call(name: str, *args: Any) -> None:
    """Call a function that reports errors; KernelError with its sentence."""
    text = ctypes.create_string_buffer(ERRLEN)
    if getattr(library(), name)(*args, text, ctypes.c_int(ERRLEN)) != 0:
        raise KernelError(text.value.decode())


def array(values: ArrayLike) -> Doubles:
    """Contiguous doubles, as the kernel reads them."""
    return np.ascontiguousarray(values, dtype=np.float64)


def rows(values: ArrayLike, n: int) -> Doubles:
    """Feature rows [m, n]; one row may come as [n]. The kernel reads m * n doubles: check here."""
    b = np.atleast_2d(array(values))
    if b.ndim != 2 or b.shape[1] != n:
        raise ValueError(f"rows have shape {b.shape}, expected (m, {n})")
    return b


def ptr(a: NDArray[Any] | None) -> ctypes.c_void_p:
    """Address of an array, null for None; the caller keeps the array alive."""
    return ctypes.c_void_p(None if a is None else a.ctypes.data)


class Moments:
    """Packed moments: count, mean [n], upper triangle of the scatter by rows."""

    def __init__(self, n: int, packed: ArrayLike | None = None) -> None:
        self.n = n
        size = 1 + n + n * (n + 1) // 2
        self.packed = np.zeros(size) if packed is None else array(packed)
        if self.packed.shape != (size,):
            raise ValueError(f"packed moments have shape {self.packed.shape}, expected ({size},)")

    @classmethod
    def of(cls, b: ArrayLike) -> Moments:
        """Moments of the rows b [m, n]."""
        data = array(b)
        out = cls(data.shape[1])
        call("smax_moments_of", data.shape[1], ctypes.c_int64(data.shape[0]), ptr(data), ptr(out.packed))
        return out

    @classmethod
    def from_parts(cls, count: int, mean: ArrayLike, scatter: ArrayLike) -> Moments:
        """Moments from their parts; the upper triangle of scatter [n, n] is read."""
        mu, m = array(mean), array(scatter)
        return cls(len(mu), np.concatenate([[float(count)], mu, m[np.triu_indices(len(mu))]]))

    def merge(self, other: Moments) -> None:
        """Add a disjoint set."""
        call("smax_moments_merge", self.n, ptr(self.packed), other.n, ptr(other.packed))

    @property
    def count(self) -> int:
        """Number of vectors."""
        return int(self.packed[0])

    @property
    def mean(self) -> Doubles:
        """Mean [n]."""
        return array(self.packed[1 : 1 + self.n].copy())

    @property
    def scatter(self) -> Doubles:
        """Scatter [n, n]."""
        out = np.zeros((self.n, self.n))
        out[np.triu_indices(self.n)] = self.packed[1 + self.n :]
        return array(out + np.triu(out, 1).T)


class Entropy:
    """EntropyObjective; isa: auto, plain, avx2, avx512."""

    def __init__(self, n: int, isa: str = "auto") -> None:
        self.n = n
        self.handle = ctypes.c_void_p()
        call("smax_entropy_create", n, isa.encode(), ctypes.byref(self.handle))

    def __del__(self) -> None:
        if self.handle:
            library().smax_entropy_destroy(self.handle)

    def set_dataset(self, dataset: Moments, variance: ArrayLike, eps: float) -> None:
        """Dataset, diagonal of R [n], eps."""
        r = array(variance)
        if r.shape != (self.n,):
            raise ValueError(f"variance has shape {r.shape}, expected ({self.n},)")
        packed, c_eps = ptr(dataset.packed), ctypes.c_double(eps)
        call("smax_entropy_set_dataset", self.handle, dataset.n, packed, ptr(r), c_eps)

    @property
    def value(self) -> float:
        """S(D), nats."""
        s = ctypes.c_double()
        call("smax_entropy_value", self.handle, ctypes.byref(s))
        return s.value

    @property
    def count(self) -> int:
        """N of the dataset."""
        return int(library().smax_entropy_count(self.handle))

    @property
    def empty(self) -> bool:
        """N = 0."""
        return bool(library().smax_entropy_empty(self.handle))

    def sums(self, b: ArrayLike) -> Doubles:
        """Additive sums of one rank's rows b [m, n]."""
        data = rows(b, self.n)
        out = np.zeros(library().smax_entropy_nsums(self.handle))
        call("smax_entropy_add", self.handle, len(data), ptr(data), ptr(out))
        return out

    def delta(self, sums: ArrayLike) -> float:
        """S(D + x) - S(D) from the sums over all ranks."""
        data, ds = array(sums), ctypes.c_double()
        call("smax_entropy_delta", self.handle, ptr(data), ctypes.byref(ds))
        return ds.value

    def delta_moments(self, candidate: Moments) -> float:
        """S(D + x) - S(D) from the moments of the candidate."""
        ds = ctypes.c_double()
        call("smax_entropy_delta_moments", self.handle, candidate.n, ptr(candidate.packed), ctypes.byref(ds))
        return ds.value

    def gradient(self, b: ArrayLike, prefactor: float = 1.0) -> Doubles:
        """prefactor * ddS/db [m, n] after delta()."""
        data = rows(b, self.n)
        out = np.empty_like(data)
        call("smax_entropy_gradient", self.handle, len(data), ptr(data), ctypes.c_double(prefactor), ptr(out))
        return out


def bispectrum(
    first: ArrayLike,
    dr: ArrayLike,
    rcut: ArrayLike,
    beta: ArrayLike | None = None,
    *,
    twojmax: int = 8,
    rfac0: float = 0.99363,
    rmin0: float = 0.0,
    bzero: bool = True,
    switch: bool = True,
    isa: str = "auto",
) -> tuple[Doubles, Doubles | None]:
    """Features b [natoms, n], and with beta [natoms, n] the gradient [npairs, 3].

    first [natoms + 1]: rows of pairs; dr [npairs, 3]: r_j - r_i (Angstrom); rcut [npairs] or one (Angstrom).
    """
    index = np.ascontiguousarray(first, dtype=np.intc)
    d = array(np.reshape(array(dr), (-1, 3)).T)
    cut = array(np.broadcast_to(array(rcut), d.shape[1]))
    natoms, n = len(index) - 1, int(library().smax_bispectrum_count(twojmax))
    if index[-1] != d.shape[1]:
        raise ValueError(f"first ends at {index[-1]}, expected the number of pairs {d.shape[1]}")
    b = np.zeros((natoms, n))
    weights = None if beta is None else rows(beta, n)
    if weights is not None and len(weights) != natoms:
        raise ValueError(f"beta has {len(weights)} rows, expected {natoms}")
    g = np.zeros_like(d)
    call(
        "smax_bispectrum_features_gradient",
        *(twojmax, ctypes.c_double(rfac0), ctypes.c_double(rmin0), int(bzero), int(switch), isa.encode()),
        *(natoms, ptr(index), ptr(d[0]), ptr(d[1]), ptr(d[2]), ptr(cut)),
        *(ptr(b), ptr(weights), ptr(g[0]), ptr(g[1]), ptr(g[2])),
    )
    return b, None if beta is None else array(g.T)


def isa_best() -> str:
    """Best instruction set that the kernel finds on this processor."""
    return str(library().smax_isa_best().decode())
