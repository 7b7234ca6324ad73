# The README's two commands, `make run` and `make test`, and what they stand on.
PYTHON ?= python3.11
DESK ?= 0
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install run stop test check bench fuzz
.DELETE_ON_ERROR:

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Vikalp needs Python 3.11 or newer; '$(PYTHON)' was not found. Install it, or say: make $(MAKECMDGOALS) PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-build-isolation --no-deps --editable .
	$(BIN)/python -m cluster.warm
	@touch $@

run: install
	$(BIN)/vikalp up --desk $(DESK)

stop: install
	$(BIN)/vikalp down --desk $(DESK) --if-running

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit
	$(BIN)/python -m pytest tests/cluster tests/e2e

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit/test_layers.py

bench: install
	$(BIN)/python -m benchmarks

fuzz: install
	$(BIN)/python -m tests.unit.kite.fuzz_frames 1000000
	$(BIN)/python -m tests.unit.kite.fuzz_client 6000
	$(BIN)/python -m tests.unit.kite.fuzz_exchange 4000
