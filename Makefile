# From a fresh clone only Python 3.11 or 3.12 (with venv) and make are needed; each target does its own set-up.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-recorded test test-real test-long lint format bench bench-peers lock lock-peers clean

BIN := .venv/bin
ARGS ?=
COMPILE = $$(command -v $(BIN)/uv || command -v uv) pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-annotate --no-header --python-version 3.11
SEEDS = $(if $(SEED),--random-order-seed=$(SEED) --hypothesis-seed=$(SEED))
# A worker more than processors, as many tests wait for servers. Each worker has servers of its own; the tests of one file stay
# together, as they share databases.
WORKERS = $$(( $$(getconf _NPROCESSORS_ONLN) + 1 ))
PARALLEL = --numprocesses $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# ARGS may name tests of one kind only; pytest exits with 5 where it finds none.
OR_NONE = $(if $(ARGS),|| test $$? -eq 5)

help: ## list the targets
	@echo 'make TARGET [ARGS="..."]'
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  %-13s %s\n", $$1, $$2 }'

setup: ## make .venv with the locked packages; quick when that is done
	@sh .ci/setup

demo: setup ## write to a real Cassandra, mirror it live, compare (RATE=100 DURATION=30 KEEP=1; 2.5 GB of memory)
	@$(BIN)/cassmirror demo $(if $(RATE),--rate $(RATE)) $(if $(DURATION),--duration $(DURATION)) $(ARGS)

demo-recorded: setup ## mirror recorded events and compare: needs less memory (KEEP=1: leave it running)
	@$(BIN)/cassmirror demo --recorded $(ARGS)

test: setup lint ## lint, then all tests but the long and the real ones (SEED=n repeats a run)
	$(BIN)/python -m pytest -m "not long and not real" $(PARALLEL) $(SEEDS) $(ARGS)

test-real: setup ## the tests on a real Cassandra with its connector, which need 2.5 GB of memory
	$(BIN)/python -m pytest -m "real and not long" $(SEEDS) $(ARGS)

test-long: setup ## all tests, the long ones included: about 20 minutes on two free cores (SEED=n repeats a run)
	CASSMIRROR_LONG=1 $(BIN)/python -m pytest -m "not real" --timeout 3600 $(PARALLEL) $(SEEDS) $(ARGS) $(OR_NONE)
	CASSMIRROR_LONG=1 $(BIN)/python -m pytest -m real --timeout 3600 $(SEEDS) $(ARGS) $(OR_NONE)

lint: setup ## ruff, mypy --strict, and the one way of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

format: setup ## let ruff write the layout
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## rows a second of the whole flow against the ceiling of this machine
	$(BIN)/python -m bench $(ARGS)

bench-peers: setup ## the same events through other tools and cassmirror: rate, and what is wrong after it (downloads them)
	@$(BIN)/python -m bench.peers $(ARGS)

lock: ## write requirements.lock anew, the part of it that a worker needs, and what builds one (needs uv)
	$(COMPILE) --extra dev pyproject.toml --output-file requirements.lock
	$(COMPILE) --constraint requirements.lock pyproject.toml --output-file requirements-worker.lock
	printf 'setuptools\nziglang\n' | $(COMPILE) --constraint requirements.lock - --output-file requirements-build.lock

lock-peers: setup ## write the lock files of the peers in bench/peers anew (needs uv)
	$(BIN)/python -m bench.peers.jars lock
	$(COMPILE) --output-file bench/peers/pathway.lock bench/peers/pathway.in
	$(COMPILE) --output-file bench/peers/quix.lock bench/peers/quix.in

clean: ## remove .venv and all that tools have left
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
