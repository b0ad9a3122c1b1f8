# Gallring. `make` lists what can be made; `make demo` and `make test` work on a fresh machine with Python 3.11.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-stamp
PACKAGES := orchestration assets expectations
# One worker more than two cores: there is always one that waits for a server, a browser or a lock.
WORKERS ?= 3
DEMO ?= ./demo
# The benchmark: sizes, rounds, peers, what is measured, memory limits for further
# first nights, a folder with room for the largest size, and ADD=1 to add to the runs that were kept.
CUSTOMERS ?= 10000
REPEATS ?= 3
PEERS ?= polars pandas postgresql per_person
JOBS ?= small whole nights decided peers circumstances
LIMITS ?=
WORK ?=
ADD ?=

.PHONY: help setup demo docs test check coverage format format-check lint types sql imports tests bench lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

setup: $(STAMP) ## make .venv with gallring in it, from hash-pinned requirements

$(STAMP): requirements/development.txt requirements/datasets.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v == (3, 11) or sys.exit(f"Python 3.11 is needed, {v[0]}.{v[1]} was found: make PYTHON=/path/to/python3.11")'
	@echo "Setting up $(VENV): a few minutes the first time."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes --requirement requirements/development.txt --requirement requirements/datasets.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## make a sample company's site in ./demo and run the whole cycle on it
	@$(BIN)/gallring demo $(DEMO)

docs: setup ## build the documentation into build/docs; a broken link or anchor fails
	@$(BIN)/mkdocs build --quiet
	@echo "build/docs/index.html is the documentation."

test: format-check lint types sql imports tests ## run every check and test

check: format-check lint types sql imports coverage ## the same as test, with branch coverage reported (half as long again)

format: setup ## rewrite the files as the formatters want them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

format-check: setup
	$(BIN)/ruff format --check --quiet .

lint: setup ## ruff
	$(BIN)/ruff check --quiet .

types: setup ## mypy --strict
	$(BIN)/mypy --no-error-summary

sql: setup ## sqlfluff, and the portable subset that the evaluation keeps to
	$(BIN)/sqlfluff lint --disable-progress-bar sql assets/sample/sql
	$(BIN)/python -m tests.conventions.portable_sql

imports: setup ## import-linter: who may import whom
	$(BIN)/lint-imports --no-cache > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }

# Code that is read is kept compiled, whatever the machine says: the suite's hundred processes would each compile it anew.
tests coverage: export PYTHONDONTWRITEBYTECODE :=

tests: setup ## the tests alone
	$(BIN)/pytest --quiet --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=40

coverage: setup ## the tests alone, with branch coverage reported
	$(BIN)/pytest --quiet --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --cov --cov-report=term

bench: setup ## measure beside other ways to do the job (CUSTOMERS="10000 100000" REPEATS=3 PEERS=… LIMITS=512MB WORK=…)
	@$(BIN)/python -m tests.benchmarks --customers $(CUSTOMERS) --repeats $(REPEATS) --peers $(PEERS) --jobs $(JOBS) --limits $(LIMITS) $(if $(WORK),--work $(WORK)) $(if $(ADD),--add)
	@$(BIN)/python -m tests.benchmarks.matching

lock: setup ## compile requirements/*.in into hash-pinned files
	@for name in runtime development; do \
	  $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	    --output-file requirements/$$name.txt requirements/$$name.in; \
	done

clean: ## remove what was made, but for .venv and sites
	rm -rf .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
