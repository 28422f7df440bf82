# Set-up and the main jobs. Everything lives in .venv; nothing outside the checkout is touched.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
export OPENMM_CPU_THREADS ?= 1

.PHONY: help env qm-env test-env quickstart test lint lock benchmarks clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(BIN)/uv: requirements/uv.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or give PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: give PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/.base: $(BIN)/uv requirements/base.txt pyproject.toml
	$(BIN)/uv pip install --quiet --require-hashes -r requirements/base.txt
	$(BIN)/uv pip install --quiet --offline --no-deps -e .
	@touch $@

$(VENV)/.test: $(VENV)/.base requirements/test.txt
	$(BIN)/uv pip install --quiet --require-hashes -r requirements/test.txt
	@touch $@

env: $(VENV)/.base  ## the environment of the main job, in .venv

qm-env: $(VENV)/.base requirements/qm.txt  ## with PySCF, for RESP charges (protocols standard and radonpy)
	$(BIN)/uv pip install --quiet --require-hashes -r requirements/qm.txt

test-env: $(VENV)/.test  ## the environment of the tests, with PyTorch (5 GB)

quickstart: env  ## real molecular dynamics of three polymers, and their property table
	$(BIN)/polyomics run examples/quickstart.yaml

test: test-env  ## all tests
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

lint: test-env  ## style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: $(BIN)/uv  ## resolve dependencies again: hashes, no download addresses
	for name in base qm test; do \
	  case $$name in base) extras="";; qm) extras="--extra qm";; test) extras="--extra test --extra qm --extra cluster --extra learn";; esac; \
	  $(BIN)/uv pip compile --quiet pyproject.toml --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header $$extras -o requirements/$$name.txt || exit 1; \
	done

benchmarks: test-env  ## speed, each as a ratio against a peer
	for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:  ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
