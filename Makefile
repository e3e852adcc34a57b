# Everything starts from Python 3.11 or newer, make and a package index.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS_RUN := site,embedded,solar,postgres
EXTRAS_TEST := $(EXTRAS_RUN),test,lint,docs
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/lock.txt

.PHONY: help run test lint format bench simulate soak docs pictures
.DEFAULT_GOAL := help

help: ## List these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)$$/\1|\2/p' Makefile | awk -F'|' '{ printf "make %-9s %s\n", $$1, $$2 }'

run: .venv/.stamp ## Start the dashboard with its own broker, beat, worker, monitor and Flower
	@exec $(BIN)/python -m schedulerui.site

test: .venv/.stamp-test ## Run every gate and every test (FAST=1 stops after the fast ones)
	@.ci/install-services
	@exec $(BIN)/python -m tests.run

lint: .venv/.stamp-test ## Run the gates alone: format, imports, templates, types, migrations
	@exec $(BIN)/python -m tests.run lint

format: .venv/.stamp-test ## Rewrite Python and templates in the house's format
	@exec $(BIN)/python -m tests.run format

bench: .venv/.stamp-test ## Measure what a dispatch and a page cost
	@exec $(BIN)/python -m tests.run bench

simulate: .venv/.stamp-test ## Try thousands of random rules, and simulate hundreds of schedules over their nights
	@exec $(BIN)/python -m tests.run simulate

soak: .venv/.stamp-test ## Kill, freeze and starve real beats for about half an hour
	@exec $(BIN)/python -m tests.run soak

pictures: .venv/.stamp-test ## Take the documentation's pictures anew
	@exec $(BIN)/python -m tests.pictures

docs: .venv/.stamp-test ## Build the documentation into docs/_build
	@exec $(BIN)/python -m tests.run docs

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@echo "Making the virtual environment .venv"
	@$(PYTHON) -m venv .venv

.venv/.stamp: pyproject.toml requirements/lock.txt | .venv/bin/python
	@echo "Installing what the dashboard needs"
	@$(PIP_INSTALL) -e '.[$(EXTRAS_RUN)]'
	@touch $@

.venv/.stamp-test: .venv/.stamp
	@echo "Installing what the tests need"
	@$(PIP_INSTALL) -e '.[$(EXTRAS_TEST)]'
	@touch $@
