# Two commands do everything on a fresh machine with Python >= 3.11: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PAPER ?= ascal
TIER ?= smoke
JOBS ?= 1
TIMEOUT ?= 12h

.PHONY: demo test test-settings lab reproduce pending report bench lint kernels clean

demo: .venv/ready
	$(BIN)/skelkit demo

test: .venv/ready
	$(BIN)/python -m pytest

# The tests of what a processor, its threads, a locale, the order or a hash could sway, under each of these. One alone:
# `make test-settings SETTINGS="ATEN_CPU_CAPABILITY=avx2"`; words joined by a comma hold together.
NUMERIC = $(shell grep -lE '^(import|from) torch' tests/test_*.py) tests/test_store.py
SETTINGS ?= ATEN_CPU_CAPABILITY=avx2 ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2 OMP_NUM_THREADS=1 \
	OMP_NUM_THREADS=2 OMP_NUM_THREADS=4,OMP_WAIT_POLICY=passive LC_ALL=C,PYTHONUTF8=0 PYTHONHASHSEED=1 \
	PYTEST_ADDOPTS=--reversed

test-settings: .venv/ready
	@failed=; for setting in $(SETTINGS); do \
		echo "== $$setting"; \
		env $$(echo $$setting | tr , ' ') $(BIN)/python -m pytest $(NUMERIC) || failed="$$failed $$setting"; \
	done; test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

lab: .venv/ready kernels
	$(BIN)/jupyter lab --notebook-dir=notebooks

reproduce: .venv/ready
	$(BIN)/skelkit run $(PAPER) --tier $(TIER) --jobs $(JOBS) --timeout $(TIMEOUT)

pending: .venv/ready
	$(BIN)/skelkit run --pending

report: .venv/ready
	$(BIN)/skelkit report --readme

bench: .venv/ready
	$(BIN)/skelkit bench

kernels: .venv/ready
	$(BIN)/skelkit kernels

lint: .venv/ready
	$(BIN)/ruff check skelkit tests notebooks
	$(BIN)/ruff format --check skelkit tests notebooks
	$(BIN)/mypy

# The virtual environment, exactly as locked. torch first, by itself: its CPU build serves where an index offers one.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'skelkit needs Python >= 3.11; set PYTHON=')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c requirements.lock torch
	$(BIN)/python -m pip install --quiet -c requirements.lock -e '.[notebooks,dev,data,active]'
	touch $@

clean:
	rm -rf .venv store runs build
