# The README's two commands, `make run` and `make test`, and what they stand on.
PYTHON ?= python3.11
DESK ?= 0
KILLS ?= 1000
SEED ?= 7
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install run stop test desk-tests check bench fuzz chaos
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
	$(BIN)/python -m pytest -n 3 --dist loadfile tests/unit
	@{ $(BIN)/python -m pytest tests/e2e && $(BIN)/python -m pytest -m beside tests/cluster; } > $(VENV)/beside.log 2>&1 & beside=$$!; \
	$(BIN)/python -m pytest -m 'not long and not beside' tests/cluster; desks=$$?; \
	wait $$beside; others=$$?; cat $(VENV)/beside.log; test $$desks = 0 && test $$others = 0

desk-tests: install
	$(BIN)/python -m pytest -m long tests/cluster

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

chaos: install
	$(BIN)/python -m tests.chaos --kills $(KILLS) --seed $(SEED)
