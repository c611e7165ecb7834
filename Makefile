# Every target in one line: `make help`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Rehearsals and tests start many Pythons: each would compile all of this anew where the machine forbids to keep bytecode.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help rehearse rehearse-destroy dress-rehearsal preflight report setup test lint format docs requirements monitoring-tools

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## install what everything here needs, from pinned and hashed requirements

$(VENV)/.installed: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version.split()[0] + ": install it, or name one with PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

rehearse: setup ## launch against the doubles, then print the checklist (ENGINE=embedded or pulumi chooses)
	@$(BIN)/python -m rehearsal.rehearse $(if $(ENGINE),--engine $(ENGINE))

rehearse-destroy: setup ## take the rehearsal down
	@$(BIN)/python -m rehearsal.rehearse --destroy $(if $(ENGINE),--engine $(ENGINE))

dress-rehearsal: setup ## launch Pulumi.prod.yaml itself against the doubles, from nothing, and take it down again
	@$(BIN)/python -m rehearsal.rehearse --dress $(if $(ENGINE),--engine $(ENGINE))

preflight: setup ## look, without changing anything, for what would stop a launch half way (STACK=prod)
	@$(BIN)/python -m preflight --stack $(or $(STACK),prod)

report: setup ## write the launch report of a stack: make report STACK=prod
	@$(BIN)/python -m report --stack $(or $(STACK),$(error say of which stack: make report STACK=prod))

test: setup lint ## lint, type check, and run every test
	$(BIN)/python -m pytest -n auto --dist worksteal

bench: setup ## what it costs, as ratios measured now (NAME=calls for one of them)
	@$(BIN)/python -m bench $(NAME)

lint: setup ## formatting, lint, types, and the import rules of the house
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format the code and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## write the documents that are made from the code
	$(BIN)/python -m documents

requirements: setup ## pin requirements*.in anew, with hashes (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements.in -o requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements-dev.in -o requirements-dev.txt

monitoring-tools: ## install Prometheus, Alertmanager, blackbox exporter, NATS; build Litestream and Telegraf where Go is
	monitoring/install-tools
