# Everything that a fresh machine with Python 3.11, g++ and make needs.
#   make run      the dashboard at http://localhost:8501
#   make restore  the bundled example in the terminal
#   make test     lint, types, C++ unit tests (also under sanitizers), and the whole test suite

PYTHON ?= python3
# Outside the folder that Streamlit watches, and shared by nothing else.
VENV ?= $(HOME)/.cache/inpaint/venv-$(shell pwd | cksum | cut -d' ' -f1)
BIN := $(VENV)/bin
STAMPS := .make
JOBS ?= $(shell nproc)

.PHONY: run restore test test-kernels sanitize sanitize-boundary lint clean setup setup-test

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

# The kernels and solvers alone, without torch.
test-kernels:
	@$(MAKE) --silent --jobs=$(JOBS) -C tests/csrc run

sanitize: sanitize-boundary
	@$(MAKE) --silent --jobs=$(JOBS) -C tests/csrc asan ubsan

# The extension under AddressSanitizer, given every wrong argument. It needs the runtime of the
# sanitizer, and the C++ library that the runtime watches, before anything else.
SANITIZED := $(STAMPS)/asan
$(SANITIZED)/built: $(STAMPS)/install-test $(CORE)
	@CFLAGS="-fsanitize=address -fno-omit-frame-pointer" LDFLAGS=-fsanitize=address \
	  $(BIN)/python setup.py --quiet build_ext --build-lib $(SANITIZED) --build-temp $(SANITIZED)/temp
	@touch $@

sanitize-boundary: $(SANITIZED)/built
	@LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libstdc++.so)" \
	  ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=. $(BIN)/python tests/csrc/boundary.py $(SANITIZED) \
	  -q -p no:cacheprovider tests/test_boundary.py tests/test_threads.py

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup-test lint test-kernels sanitize
	$(BIN)/python -m pytest

clean:
	rm -rf $(STAMPS) build *.egg-info inpaint/_C*.so $(VENV)
