# Everything a newcomer needs is Python 3.11 or newer and make. `make` lists the targets.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
# Tests run in this many processes, each with one thread.
JOBS ?= 2

# An environment that happens to be active must not be mistaken for the project's own.
unexport VIRTUAL_ENV PYTHONPATH
# Importing PyTorch takes several times as long where compiled files aren't kept.
unexport PYTHONDONTWRITEBYTECODE

# The uv on the PATH, else one of our own under .uv/.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .uv/bin/uv)
UV_OWN := $(filter .uv/bin/uv,$(UV))

# The first Python here that is new enough. Only where there is none may uv fetch one.
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)
UV_PYTHON_DOWNLOADS ?= $(if $(PYTHON),never,automatic)
export UV_PYTHON_DOWNLOADS

EXPORT := $(UV) export --quiet --format requirements.txt --no-emit-workspace --no-header --no-annotate

# Its note that another program will replace it in 2027 is no warning about our pages.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-docs test-thorough test-wheels lint format docs site site-serve \
	bench lock check-lock check-packages check-floor release stranger tagged clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

.uv/bin/uv:
	@test -n "$(PYTHON)" || { echo "Kelly needs Python 3.11 or newer, or uv: install one of them" >&2; exit 2; }
	@echo "putting uv under .uv/"
	@$(PYTHON) -m venv .uv || { echo "on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@.uv/bin/pip install --quiet --disable-pip-version-check uv

$(VENV)/.synced: pyproject.toml $(wildcard packages/*/pyproject.toml) | $(UV_OWN)
	@echo "installing into $(VENV)/ (PyTorch is large; the first time takes a minute or more)"
	@$(UV) sync --quiet $(if $(UV_PYTHON)$(wildcard $(VENV)/pyvenv.cfg),,$(if $(PYTHON),--python $(PYTHON)))
	@touch $@

setup: $(VENV)/.synced ## Install everything into .venv/ (the other targets do it when needed)

demo: setup ## Train, export, verify, register and try a model on built-in data
	@DEMO=$(DEMO) BIN=$(BIN) sh examples/demo.sh

test: setup ## Run all tests and the examples in docstrings
	@OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist worksteal

test-docs: setup ## Run the commands of every page; PAGE=NAME for those whose path has it
	@$(BIN)/pytest -n $(JOBS) --dist worksteal -m docs $(if $(PAGE),-k $(PAGE)) tests/test_docs_blocks.py

test-thorough: setup ## Run the tests that make test leaves out for their length
	@OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist worksteal -m thorough

test-wheels: setup ## Install each package's wheel alone, list, train, export; PACKAGE=NAME for one
	@OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) -m "" $(if $(PACKAGE),-k $(PACKAGE)) tests/test_wheels.py

lint: setup ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Let ruff mend and format what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## Write the generated pages and tables of docs/ anew
	$(BIN)/python docs/generate.py

site: setup ## Build the site of docs/ into site/; any warning is an error
	@$(MKDOCS) build # --quiet would hide warnings from the strict mode, too

site-serve: setup ## Show the site at localhost:8000 while pages change
	@$(MKDOCS) serve

bench: setup ## Run every benchmark in turn
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit; done

lock: setup ## Resolve anew and write requirements.lock
	@$(UV) lock --quiet --upgrade
	@$(EXPORT) --output-file requirements.lock
	@rm -f $(VENV)/.synced
	@echo "requirements.lock is written; the next target installs it"

check-lock: setup ## Check that a fresh resolution gives requirements.lock
	@$(UV) lock --quiet --upgrade
	@$(EXPORT) | diff -u requirements.lock - \
		|| { echo "requirements.lock is out of date: run make lock and commit it" >&2; exit 1; }
	@echo "requirements.lock is what a fresh resolution gives"

check-packages: setup ## Build each package alone and check wheel and sdist; PACKAGE=NAME for one, kept in dist/
	@rm -rf dist
	@$(BIN)/python -m tools.check_packages --out-dir dist $(PACKAGE)

stranger: setup ## From built wheels to a plugin, a model, its package, a prediction elsewhere
	@OMP_NUM_THREADS=1 $(BIN)/python -m tools.stranger

check-floor: setup ## Try PACKAGE=NAME with the oldest kelly-core that it allows
	@$(BIN)/python -m tools.core_floor $(PACKAGE)

release: setup ## Version, changelog, commit and tag of PACKAGE=NAME; BUMP=major, minor, patch or none; DRY_RUN=1
	@$(BIN)/python -m tools.release $(PACKAGE) $(BUMP) $(if $(DRY_RUN),--dry-run)

tagged: setup ## Print the package that TAG=NAME-vVERSION releases
	@$(BIN)/python -m tools.tagged $(TAG)

clean: ## Remove what the targets made; the environment and uv stay
	rm -rf $(DEMO) dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
