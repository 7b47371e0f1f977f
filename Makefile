# Everything happens in .venv; a machine needs Python >= 3.11, make and a package index.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: demo test chaos lint format docs lock audit clean

demo: .venv/run  ## Play the two-way tour against the sandbox. KEEP=1 leaves it running.
	@$(BIN)/python examples/tour.py $(if $(KEEP),--keep)

test: .venv/dev lint  ## Everything that says whether imsync is right.
	$(BIN)/pytest -n auto

chaos: .venv/dev  ## Kill it, cut it off, fill its disk: SEEDS=10000 stories in virtual time, on all cores.
	@SEEDS=$(SEEDS) FIRST=$(FIRST) $(BIN)/python benchmarks/chaos.py

lint: .venv/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive imsync

format: .venv/dev
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

docs: .venv/dev  ## Write into docs/reference.md what the code says.
	$(BIN)/python -m tests.docs

lock: .venv/tools/ready  ## Write down the versions that a release is installed with, and their hashes.
	.venv/tools/bin/uv pip compile pyproject.toml --quiet --upgrade --universal --generate-hashes \
		--no-header --no-annotate --output-file requirements.lock

audit: .venv/tools/ready  ## Ask on the network whether any of them has a known weakness.
	.venv/tools/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock

clean:
	rm -rf .venv

.venv/python:
	@test -n "$(PYTHON)" || { echo "imsync needs Python 3.11 or newer: install it, or say where it is with PYTHON=..." >&2; exit 1; }
	@echo "making .venv and installing imsync into it: a minute or so, the first time"
	@$(PYTHON) -m venv --clear .venv
	@printf '%s' '$(CURDIR)' > $@

# The programs in an environment name the folder that it was made in: one that was moved is made anew.
ifneq ($(shell cat .venv/python 2>/dev/null),$(CURDIR))
.PHONY: .venv/python
endif

.venv/run: .venv/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev: .venv/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ .venv/run

.venv/tools/ready: .venv/python
	@$(PYTHON) -m venv --clear .venv/tools
	@.venv/tools/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3' 'uv>=0.9,<1'
	@touch $@
