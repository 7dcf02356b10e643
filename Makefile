# Everything that a fresh machine with Python 3.11, g++ and make needs.
#   make run      the dashboard at http://localhost:8501
#   make restore  the bundled example in the terminal
#   make test     lint, types, C++ unit tests (also under sanitizers), and the whole test suite

PYTHON ?= python3
# Outside the folder that Streamlit watches, and shared by nothing else.
VENV ?= $(HOME)/.cache/inpaint/venv-$(shell pwd | cksum | cut -d' ' -f1)
BIN := $(VENV)/bin
STAMPS := .make

.PHONY: run restore test test-kernels sanitize lint clean setup setup-test

setup: $(STAMPS)/install
setup-test: $(STAMPS)/install-test $(STAMPS)/browser

$(STAMPS)/venv: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt torch==2.13.0 numpy setuptools wheel pybind11 ninja
	@mkdir -p $(STAMPS) && touch $@

CORE := setup.py pyproject.toml constraints.txt $(wildcard csrc/*)

$(STAMPS)/install: $(STAMPS)/venv $(CORE)
	$(BIN)/pip install --quiet --no-build-isolation --constraint constraints.txt --editable ".[dashboard]"
	@touch $@

$(STAMPS)/install-test: $(STAMPS)/venv $(CORE)
	$(BIN)/pip install --quiet --no-build-isolation --constraint constraints.txt --editable ".[dashboard,test]"
	@touch $@ $(STAMPS)/install

# The browser that the dashboard's tests drive comes from the system's packages.
$(STAMPS)/browser:
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; } \
	  || echo "Chromium could not be installed, so the tests that drive it are skipped."
	@mkdir -p $(STAMPS) && touch $@

run: setup
	$(BIN)/streamlit run dashboard/app.py --server.port 8501 --server.address localhost --server.headless true

restore: setup
	$(BIN)/inpaint restore --output restored

# The kernels alone, without torch: one object per instruction set, as setup.py builds them.
KERNELS := portable
ifneq ($(filter x86_64 AMD64,$(shell uname -m)),)
KERNELS += avx2 avx512
endif
FLAGS_avx2 := -mavx2 -mfma
FLAGS_avx512 := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -Wno-uninitialized -Wno-maybe-uninitialized
CXXFLAGS_KERNELS := -std=c++17 -Wall -Wextra -fno-math-errno -Icsrc
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g
CSRC := $(wildcard csrc/*) tests/csrc/test_kernels.cpp

$(STAMPS)/kernels/%: $(CSRC) Makefile
	@mkdir -p $@.objects
	@for isa in $(KERNELS); do case $$isa in \
	  avx2) flags="$(FLAGS_avx2)";; avx512) flags="$(FLAGS_avx512)";; *) flags="";; esac; \
	  $(CXX) $(CXXFLAGS_KERNELS) $(OPTIONS) $$flags -c csrc/objective_$$isa.cpp -o $@.objects/$$isa.o \
	    || exit 1; done
	@$(CXX) $(CXXFLAGS_KERNELS) $(OPTIONS) -fopenmp tests/csrc/test_kernels.cpp $@.objects/*.o -o $@

$(STAMPS)/kernels/plain: OPTIONS := -O3
$(STAMPS)/kernels/sanitized: OPTIONS := -O1 $(SANITIZE)

test-kernels: $(STAMPS)/kernels/plain
	$<

sanitize: $(STAMPS)/kernels/sanitized
	$<

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup-test lint test-kernels sanitize
	$(BIN)/python -m pytest

clean:
	rm -rf $(STAMPS) build *.egg-info inpaint/_C*.so $(VENV)
