# `make` lists what there is. Every target first installs what is missing (tests/setup.sh), so a fresh clone can start
# with any of them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-kernel test-vagrant chaos bench bench-peers bench-scale mutants docs format clean
BIN := .venv/bin
# Compiled modules are kept, as where tunbridge is installed: without them every process starts half a second later.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing: Debian packages, and .venv from requirements.lock
	@tests/setup.sh

demo: setup ## three hosts, two projects with the same addresses, every path tried; at a terminal it stays up
	@$(BIN)/python -m tests.hosts.demo

test: setup ## style, types, and every test
	@tests/setup.sh vagrant
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/pytest

bench-peers: setup ## the same changes, OVN and Tunbridge side by side: docs/benchmarks.md; smaller: PORTS="100 500"
	@$(BIN)/python -m tests.bench.peers $(if $(PORTS),--ports $(PORTS),--page)

bench-scale: setup ## 500 switches, 10,000 ports, 100,000 in the database: docs/scale.md; smaller: SWITCHES="5 50"
	@$(BIN)/python -m tests.bench.scale $(if $(SWITCHES),--switches $(SWITCHES),--page)

bench: setup ## figures as a table and build/bench.json; one row: make bench ONLY=name
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY))

chaos: setup ## many faults at random under traffic: make chaos SEED=1 FAULTS=200; each fault once, 30 s long: EACH=1
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS)) $(if $(EACH),--each --seconds 30)

test-kernel: setup ## tests/hosts under Debian's own kernel and its openvswitch module, in QEMU; some: TESTS=tests/hosts/test_nat.py
	@$(BIN)/python -m tests.kernel $(TESTS)

test-vagrant: setup ## vagrant/'s scripts in three machines in QEMU: a controller and two hosts, and a ping between them
	@$(BIN)/python -m tests.kernel.machines

mutants: setup ## break a copy of the project in a dozen places, and show which test notices
	@$(BIN)/python -m tests.mutants

docs: setup ## write docs/pipeline.md from flows/tables.py and an example
	@$(BIN)/python -m controller.observe.pipeline

format: setup ## put the code into the common style
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

clean: ## remove what killed demos and tests have left, and what was built; keeps .venv
	@[ ! -x $(BIN)/python ] || $(BIN)/python -m tests.hosts.slot
	@rm -rf build dist .hypothesis .pytest_cache .mypy_cache .ruff_cache
	@find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
