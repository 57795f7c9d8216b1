# The two commands: `make plan` (set-up and the annual plan of the sample company) and `make test` (set-up and all tests).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
JOBS ?= 2
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help setup setup-test plan test lint lab bench bench-forecast bench-joint bench-targets bench-budget bench-deals bench-runs bench-tables bench-plan lock clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: $(VENV)/.ready ## Make .venv from requirements.lock (again only when the lock changed)

$(VENV)/.ready: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: python3 is older than 3.11; set PYTHON=/path/to/a/newer/python3")'
	@test -x $(BIN)/python || $(if $(UV),uv venv --quiet --seed --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV),$(PYTHON) -m venv $(VENV))
	@echo "Installing the packages of requirements.lock ..."
ifdef UV
	@uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps --no-build-isolation -e .
endif
	@$(BIN)/python -m planning.forecast.warm
	@touch $@

setup-test: $(VENV)/.ready-test

$(VENV)/.ready-test: $(VENV)/.ready requirements-test.lock
	@echo "Installing the packages of requirements-test.lock ..."
ifdef UV
	@uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-test.lock
else
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements-test.lock
endif
	@touch $@

data/sample/sales.csv: | $(VENV)/.ready
	@$(BIN)/planning sample data/sample

plan: setup data/sample/sales.csv ## Set up, and make the annual plan (of the sample company, or of yours)
	@$(BIN)/planning run annual_plan --jobs $(JOBS)

test: setup-test ## Set up, and run all tests
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --maxprocesses 8

lint: setup-test ## Check the code's style
	@$(BIN)/ruff check planning tests benchmarks

lab: setup ## Open JupyterLab on the notebooks
	@$(BIN)/planning lab

bench: bench-forecast bench-joint bench-targets bench-budget bench-deals bench-runs bench-tables bench-plan ## Run every benchmark (long)

bench-forecast bench-joint bench-targets bench-budget bench-deals bench-runs bench-tables bench-plan: setup-test ## Run one benchmark: ratios against named peers
	@$(BIN)/python benchmarks/$(@:bench-%=%).py

lock: ## Make the lock files and environment.yml again from requirements.in (wants uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header requirements.in -o requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header requirements-test.in -o requirements-test.lock
	@$(PYTHON) tests/environment_file.py > environment.yml

clean: ## Remove .venv, caches and the sample's files; reports and forecasts stay
	@rm -rf $(VENV) data/sample .pytest_cache .ruff_cache .hypothesis dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
