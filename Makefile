# Every thing a developer does, by name. Each target makes the virtual environment it needs, once.
.DEFAULT_GOAL := help
.PHONY: help install quickstart full smoke test test-long test-slurm fuzz soak bench lint format pytest lock clean
SHELL := /bin/bash

PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
FUZZ_EXAMPLES ?= 3000
ROUNDS ?= 9
# The range in pyproject.toml is wider; results are reproduced with this one version.
TORCH := 2.13.0
VENV := .venv
READY := $(VENV)/installed
RUN := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: $(READY) ## make .venv with the versions of requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than Python 3.11; run make with PYTHON=path/of/python3.11"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

quickstart: $(READY) ## a small version of the experiment, on 5,000 real digits; needs no download
	@$(RUN) snakemake all --cores $(CORES) --configfile config/quickstart.yaml
	@echo; cat results/quickstart/table1.md; echo "Open results/quickstart/report/index.html; figures and tables are beside that folder"

full: $(READY) ## the full experiment, after the paper's (hours); set GMVAE_DATA_DIR or let it download
	@$(RUN) snakemake all --cores $(CORES)

smoke: $(READY) ## the whole workflow on a tiny grid
	@$(RUN) snakemake all --cores $(CORES) --configfile config/smoke.yaml

test: lint pytest ## linters, then all but the longest tests

test-long: $(READY) ## what takes longer: bfloat16 against float32 on MNIST, ten runs; twine
	@test -n "$$GMVAE_DATA_DIR" || { echo "error: set GMVAE_DATA_DIR to a folder with mnist/"; exit 1; }
	@$(RUN) pytest -m long -s

test-slurm: $(READY) ## the smoke grid on a Slurm of one node, with accidents: some minutes; needs slurm-wlm and munge
	@$(RUN) python tests/slurm/cluster.py true
	@$(RUN) pytest -m slurm tests/slurm --durations=0

fuzz: $(READY) ## damaged and random input to every reader, FUZZ_EXAMPLES of each of 12 kinds
	@$(RUN) GMVAE_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) pytest tests/bench/fuzz -s

soak: $(READY) ## kill, fill the disk, truncate, resume, compare: 20 minutes; ROUNDS=3 for less (Linux)
	@$(RUN) PYTHONPATH=tests python tests/pipeline/soak.py --rounds $(ROUNDS)

bench: $(READY) ## our training step beside a textbook's and the hardware's bound: a few minutes
	@$(RUN) python tests/benchmark/bench.py

lint: $(READY) ## ruff, types, import contracts, snakefmt, snakemake --lint
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports --no-logo
	@$(RUN) snakefmt --check Snakefile workflow
	@$(RUN) snakemake --lint --quiet host

pytest: $(READY)
	@$(RUN) pytest -n $(CORES)

format: $(READY) ## rewrite the sources in the common style
	@$(RUN) ruff check --fix . ; $(RUN) ruff format . ; $(RUN) snakefmt Snakefile workflow

lock: ## write requirements.lock and environment.yml again from the ranges in pyproject.toml
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check 'torch==$(TORCH)' '.[dev]'
	build/lock/bin/python tools/make_lock.py

clean: ## remove the virtual environment and the caches, not the results
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
