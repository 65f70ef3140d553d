# Two commands do everything: `make learn` and `make test`. They need make and a Python 3.11, 3.12 or 3.13.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
PEERS   = .venv-bench
PLAIN   = .venv-plain
PIP     = $(BIN)/python -m pip install -qq --disable-pip-version-check
ACTIVATE = @echo; echo 'For the command `understudy` in this shell: . $(BIN)/activate'

.DEFAULT_GOAL := help
.PHONY: help learn policies amazon-ml test clients check docs shows serve-shows quality bench clean

help:            ## say what there is
	@sed -n 's/^\([a-z-]*\): .*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { echo 'There is no $(PYTHON) here. Understudy needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=python3.12 learn'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Understudy needs Python 3.11, 3.12 or 3.13; %s is %d.%d. Name another: make PYTHON=python3.12 learn" % (sys.executable, *sys.version_info[:2]))'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'The environment could not be made: install the venv module of this Python (Debian: python3-venv).'; exit 1; }

$(VENV)/.runtime: pyproject.toml requirements/runtime.txt | $(BIN)/python
	@echo 'Installing Understudy into $(VENV) (once; it takes some minutes)'
	@$(PIP) -r requirements/runtime.txt
	@$(PIP) --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@echo 'Installing what the tests need (once; it takes some minutes)'
	@$(PIP) -r requirements/dev.txt
	@touch $@

$(VENV)/.boto3: $(VENV)/.runtime requirements/dev.txt
	@$(PIP) --constraint requirements/dev.txt boto3
	@touch $@

$(PEERS)/.installed: requirements/bench.txt | $(BIN)/python
	@echo 'Installing the peers into $(PEERS) (once; it takes some minutes and a gigabyte)'
	@$(BIN)/python -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check -r requirements/bench.txt
	@touch $@

learn: $(VENV)/.runtime      ## learn examples/banking from its database, then weeks of new rows, and show the result
	@$(BIN)/python examples/banking/run.py
	$(ACTIVATE)

policies: $(VENV)/.runtime   ## learn examples/policies: 100 insurance policies from a typed number
	@$(BIN)/python examples/policies/run.py

amazon-ml: $(VENV)/.boto3    ## examples/amazon-ml: serve, and let the code of 2017 talk to it through boto3
	@$(BIN)/python examples/amazon-ml/run.py
	$(ACTIVATE)

test: $(VENV)/.dev           ## run every test
	@$(BIN)/pytest -n 2 --dist loadfile

clients:                     ## install the clients in JavaScript and Ruby that `make test` runs where they are
	@scripts/install_clients.sh

check: $(VENV)/.dev          ## lint, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: $(VENV)/.runtime       ## write docs/cli.md and docs/amazon-ml-operations.md from the code
	@$(BIN)/python scripts/cli_reference.py
	@$(BIN)/python scripts/operations_reference.py

shows: $(VENV)/.dev          ## 50 kills, fingerprints over sources, 10 million rows: the long demonstrations
	@$(BIN)/python bench/shows.py

serve-shows: $(VENV)/.dev    ## the server: 20 kills, a gigabyte up and down, latency, promotions under load
	@$(BIN)/python bench/serve_shows.py

quality: $(VENV)/.dev        ## default settings on all data sets, five seeds, next to their baselines
	@$(BIN)/python bench/quality.py

bench: $(VENV)/.dev $(PEERS)/.installed  ## next to the peers, in about an hour: the tables and the plot of docs/performance.md
	@$(MAKE) --no-print-directory PYTHON=$(CURDIR)/$(BIN)/python VENV=$(PLAIN) $(PLAIN)/.runtime
	@$(BIN)/python bench/all.py

clean:           ## remove the environments and caches
	rm -rf $(VENV) $(PEERS) $(PLAIN) .pytest_cache .mypy_cache .ruff_cache .hypothesis
