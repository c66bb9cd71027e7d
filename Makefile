# make demo: see it work.  make test: everything.  make check: the quick part.
# Every set-up step is a stamp or a folder, so a second run starts at once.

PYTHON      ?= python3
FARM_CACHE  ?= $(HOME)/.cache/nodefarm
PYTEST_ARGS ?=
export FARM_CACHE
export FARM_SDK_DIR ?= $(FARM_CACHE)/sdk
export FARM_AZURITE ?= $(FARM_CACHE)/azurite/node_modules/.bin/azurite-blob

BIN        := .venv/bin
SOURCES    := pyproject.toml constraints.txt

.PHONY: help demo test nightly check lint fast bench tools engine bases images clean

help:
	@echo "make demo   install into .venv, start a farm, render an animation on it; DRIVER=docker: on compose's cluster"
	@echo "make test   install what tests need, then every check and every test"
	@echo "make nightly  the tests that need minutes and gigabytes"
	@echo "make check  lint, layering, fast tests"
	@echo "make bases  a Docker engine that answers, and the public images that ours begin with"
	@echo "make images  the images of nodes, agent and orchestrator"
	@echo "make bench  the measurements in bench/"
	@echo "make clean  remove .venv and what tools left behind"

ifeq ($(DRIVER),docker)
demo: .venv/demo.stamp bases
	@scripts/cluster $(BIN)/python -m examples.animation --own
else
demo: .venv/demo.stamp
	@$(BIN)/python -m examples.animation
endif

test: .venv/test.stamp tools images lint
	@$(BIN)/python scripts/tests $(PYTEST_ARGS)

# What takes minutes and gigabytes of disk.
nightly: .venv/test.stamp
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests/nightly
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest $(PYTEST_ARGS) tests/farm/scripts/test_random_histories.py

check: .venv/test.stamp lint fast

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache

fast: .venv/test.stamp
	$(BIN)/python -m pytest -q $(PYTEST_ARGS) tests/fast

bench: .venv/bench.stamp
	@for script in bench/*.py; do echo "$$script"; $(BIN)/python $$script || exit 1; done

# What is not a Python package of ours: a Docker engine, Redis, the SDKs of three ages, Azurite, MinIO.
tools: engine
	@scripts/redis
	@scripts/sdks "$(PYTHON)"
	@scripts/azurite
	@scripts/minio

engine:
	@scripts/docker

# The public images that ours begin with and that tests run: pulled, or made here where no registry answers.
bases: engine
	@images/offline/debian bookworm
	@images/offline/debian bullseye
	@images/offline/busybox
	@images/offline/redis/make
	@images/offline/minio/make

# Under the tags that compose/compose.yml names; layers that did not change are not built again.
images: bases
	@scripts/images node node-mpi agent orchestrator

.venv/%.stamp: $(SOURCES) scripts/venv
	@scripts/venv "$(PYTHON)" $*
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
