# make run        set up .venv and run the main job: 100 configurations on 2 ranks, then its report;
#                 again: it goes on (ARGS="-var nconf 200")
# make test       the same set-up, then every test         make test-slow   the long ones
# make lint       ruff, mypy, clang-format                 make bench       speed, against LAMMPS
#
# Variables: PYTHON=python3.12   RANKS=2   OUT=smax (prefix of the run's files)   ARGS="-var nconf 20"

PYTHON ?= python3
RANKS ?= 2
OUT ?= smax
ARGS ?=
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
HERE = PATH="$(CURDIR)/$(BIN):$$PATH"

export OMP_NUM_THREADS := 1
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH PYTHONHOME

SOURCES := pyproject.toml CMakeLists.txt $(shell find plugin pysmax lammps_inputs templates cmake \
             -type f -not -path '*/__pycache__/*' -not -name '.*' 2>/dev/null)
KERNEL := CMakeLists.txt $(shell find plugin/kernel plugin/io plugin/tensorflow tests/kernel -type f 2>/dev/null)
# engine dft is tested where libxc is (Debian: libxc-dev libopenblas-dev)
DFT := $(if $(wildcard /usr/include/xc.h),$(VENV)/.installed-dft)
FORMATTED = $(shell find plugin tests -name '*.cpp' -o -name '*.h')

.PHONY: run test test-slow test-slurm test-kernel lint bench install check clean
.DELETE_ON_ERROR:

run: $(VENV)/.installed
	$(if $(filter out,$(ARGS)),$(error smax: found '-var out' in ARGS, expected make run OUT=...))
	mkdir -p runs
	cd runs && $(HERE) mpirun -np $(RANKS) lmp -in ../lammps_inputs/gen_entropy.in -var restart yes -var out $(OUT) $(ARGS)
	cd runs && $(HERE) pysmax report $(OUT)

test: $(VENV)/.installed-test $(VENV)/.installed-grace $(DFT) test-kernel
	$(HERE) pytest -n $(JOBS) --dist loadfile

test-slow: $(VENV)/.installed-test $(VENV)/.installed-grace $(DFT)
	$(HERE) pytest -m slow

# Installs Debian's slurm-wlm and munge, and starts them on this machine; as root.
test-slurm: $(VENV)/.installed-test
	$(HERE) pytest -m slurm

# The kernel's own tests, under AddressSanitizer and UndefinedBehaviorSanitizer.
test-kernel: build/.kernel-tests
	$(HERE) ctest --test-dir build/sanitize --output-on-failure -j $(JOBS)

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $(FORMATTED)

bench: $(VENV)/.installed-test $(VENV)/.installed-grace
	$(HERE) python benchmarks/run.py

install: $(VENV)/.installed

check:
	@$(PYTHON) -c 0 2>/dev/null || { echo "smax: '$(PYTHON)' is not there or does not run: install Python 3.10 or newer, or say make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "smax: $$($(PYTHON) --version 2>&1) is too old: Python 3.10 or newer is needed (make PYTHON=...)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "smax: this Python cannot make virtual environments: install its venv module (Debian, Ubuntu: python3-venv)" >&2; exit 1; }
	@command -v "$${CXX:-c++}" >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || { echo "smax: no C++ compiler: install GCC 11 or newer or a recent clang (Debian, Ubuntu: g++), or set CXX" >&2; exit 1; }

$(VENV)/.created: | check
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created $(SOURCES)
	@echo "smax: building the plugin and installing it into $(VENV) (about a minute)"
	$(PIP) install .
	@touch $@

# GPAW's sources are C++ in .c files, and want an MPI compiler: the one of the mpich wheel
$(VENV)/.installed-dft: $(VENV)/.installed-test
	$(HERE) CC=g++ $(PIP) install "pysmax[dft]"
	@touch $@

# TensorFlow, in an environment of its own (2 GB)
$(VENV)/.installed-grace: $(VENV)/.installed-test pysmax/grace/environment.py
	$(HERE) pysmax grace install
	@touch $@

# pysmax itself is installed by now: these add only what its extras name.
$(VENV)/.installed-%: $(VENV)/.installed
	$(PIP) install "pysmax[$*]"
	@touch $@

build/.kernel-tests: $(VENV)/.installed-test $(KERNEL)
	$(HERE) cmake -S . -B build/sanitize -G Ninja -DSMAX_BUILD_PLUGIN=OFF -DSMAX_BUILD_TESTS=ON -DSMAX_SANITIZE=ON
	$(HERE) cmake --build build/sanitize -j $(JOBS)
	@touch $@

clean:
	rm -rf $(VENV) build
