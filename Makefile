# `make` lists the targets. Each sets up what it needs in .venv first: with uv where it is installed, else with venv and pip.
# ARGS adds to the command: make test ARGS="-k hashes"; make study ARGS="--jobs 4". PYTHON picks another interpreter.

UV := $(shell uv --version >/dev/null 2>&1 && echo uv)
PYTHON ?= $(if $(UV),,python3)
BIN := .venv/bin
READY := .venv/.ready
LAB_START := /lab/tree/START.md
LAB_CONFIG := tools/jupyter
AUDIT := build/audit/bin/python
PYTEST = $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=8 --dist=worksteal

ifdef UV
make_venv = uv venv --quiet --seed --allow-existing $(if $(PYTHON),--python "$(PYTHON)") .venv
install = uv pip install --quiet --python $(BIN)/python
else
make_venv = "$(PYTHON)" -m venv .venv
install = $(BIN)/python -m pip install --quiet
endif

.DEFAULT_GOAL := help
.PHONY: help setup study find lab test test-all lint format check notebooks figures bench audit lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## */  make \1\t/p' Makefile | expand -t 20

# Paths stay relative, so that the folder's own path may hold spaces.
$(READY): requirements.lock pyproject.toml
	@echo "Setting up .venv with $(or $(UV),pip); the first time takes a minute or two."
	@$(make_venv)
	@$(BIN)/python -c "import sys; sys.exit(sys.version_info < (3, 11) and 'simlab needs Python 3.11 or newer: make PYTHON=python3.11 …')"
	@$(install) --require-hashes -r requirements.lock
	@$(install) --no-deps --editable .
	@touch $(READY)

setup: $(READY)  ## only set up .venv

study: $(READY)  ## the main job on the built-in sample: out/study/report.html
	$(BIN)/simlab study --out out/study $(ARGS)

find: $(READY)  ## the copies in a folder, make find FOLDER=~/Pictures: out/found/report.html
	@test -n "$(FOLDER)" || { echo "Say which folder: make find FOLDER=~/Pictures"; exit 2; }
	$(BIN)/simlab find "$(FOLDER)" --out out/found $(ARGS)

lab: $(READY)  ## JupyterLab on a list of the notebooks (on localhost, with its token)
	JUPYTER_CONFIG_PATH=$(LAB_CONFIG) $(BIN)/jupyter-lab --ip=localhost --ServerApp.root_dir=notebooks --LabApp.default_url=$(LAB_START) $(ARGS)

test: $(READY)  ## the tests that guard each promise: package, doctests, notebooks, browser, house rules
	$(PYTEST) -m "not sweep" $(ARGS)

test-all: $(READY)  ## those, and the long sweeps
	$(PYTEST) $(ARGS)

lint: $(READY)  ## layout, ruff's rules, types of the public names
	$(BIN)/ruff format --check --quiet . || { echo "make format lays it out"; exit 1; }
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY)  ## lay out the code
	$(BIN)/ruff format .

check: lint test-all  ## lint and all tests

notebooks: $(READY)  ## execute every notebook and save it with its outputs
	$(BIN)/python tools/notebooks.py $(ARGS)

figures: $(READY)  ## the README's figures
	$(BIN)/python tools/figures.py $(ARGS)

bench: $(READY)  ## what each step costs on this machine
	$(BIN)/python benchmarks/bench.py $(ARGS)

# pip-audit has many dependencies of its own: an environment apart keeps .venv what the lock file says.
# --strict: a package that could not be looked up is a failure, not a pass.
audit: $(READY)  ## known vulnerabilities of what the lock file pins (asks the network)
	@test -x $(AUDIT) || $(BIN)/python -m venv build/audit
	@$(AUDIT) -m pip install --quiet "pip-audit>=2.9"
	$(AUDIT) -m pip_audit --requirement requirements.lock --require-hashes --disable-pip --strict --progress-spinner off $(ARGS)

# One version of each package for every Python and system: the same numbers everywhere.
lock:  ## pin the dependencies again, with uv (make lock ARGS=--upgrade for newer ones)
	uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --extra dev --generate-hashes \
	  --custom-compile-command "make lock" $(ARGS) pyproject.toml --output-file requirements.lock

clean:  ## remove .venv, builds and caches; out/ stays
	rm -rf .venv build dist simlab.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
