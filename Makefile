# Two commands on a fresh machine: `make demo` and `make test`. Needs Python 3.11 or newer, nothing else.
.DEFAULT_GOAL := help
.PHONY: help demo test check pytest format figures faults radio radio-long parity coverage clean

VENV ?= .venv
BIN := $(VENV)/bin
# The machine's own python3 where it is new enough, else the newest beside it.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n logical --dist worksteal
FIGURES := $(sort $(wildcard tests/figures/[a-z]*.py))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# What the demo needs is less than what the tests need; where the latter is installed, it serves both.
DEMO_READY := $(if $(wildcard $(VENV)/ready-dev),$(VENV)/ready-dev,$(VENV)/ready-demo)

demo: $(DEMO_READY) ## walk a simulated wearer over the whole path, then tell a real session (installs at first)
	@$(BIN)/python -m diastole demo

test: check pytest ## everything that must hold: style, types, imports, tests (installs at first)

pytest: $(VENV)/ready-dev ## the tests alone
	$(PYTEST)

check: $(VENV)/ready-dev ## style, types and imports alone
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 edge ingest
	$(BIN)/lint-imports

format: $(VENV)/ready-dev ## put the code into its style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

figures: $(VENV)/ready-dev ## print every figure of the README (the recordings in ../shared; takes long)
	@for figure in $(FIGURES:%.py=%); do \
		echo "== $$figure"; $(BIN)/python -m $$(echo $$figure | tr / .) || exit 1; done

faults: $(VENV)/ready-dev ## kill and freeze every part of the path, and count what was lost
	@$(BIN)/python -m tests.faults

radio: $(VENV)/ready-dev ## the Bluetooth suite alone: the real bleak against a radio that is none
	@for part in dbus-daemon bluetoothctl; do command -v $$part > /dev/null || { \
		echo "radio: $$part is not here: apt-get install dbus bluez" >&2; exit 2; }; done
	$(PYTEST) tests/radio

radio-long: $(VENV)/ready-dev ## a hundred forced reconnects there (part of the figures)
	@$(BIN)/python -m tests.figures.radio_long

parity: $(VENV)/ready-dev ## print how far the two feature engines differ
	@$(BIN)/python -m tests.figures.parity

coverage: $(VENV)/ready-dev ## the tests, with the lines that none of them reaches
	$(PYTEST) --cov --cov-report term-missing:skip-covered

clean: ## remove the environment, caches and what the demo wrote
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage dist demo

# Installed again only when what is asked for has changed.
$(VENV)/ready-%: pyproject.toml configs/constraints.txt | $(BIN)/python
	@echo "Installing diastole[$*] into $(VENV), once: a minute or two, and 0.8 GB of disk."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint configs/constraints.txt --editable '.[$*]'
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or make PYTHON=/path/to/it" >&2; exit 2; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "The environment was not made: on Debian and Ubuntu, install python3-venv" >&2; exit 2; }
