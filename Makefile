# `make help` lists the targets.
SHELL := /bin/bash
PYTHON := python3
VENV := .venv
BIN := $(VENV)/bin

# Where `make pulumi-cli` puts the Pulumi CLI.
export PATH := $(CURDIR)/.tools/pulumi/bin:$(PATH)

# Rehearsals and tests start many Python processes. Without cached bytecode each would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

# Variables of a shell that would load other modules than ours, or read and write another encoding.
unexport PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONIOENCODING

# Our files are in UTF-8, whatever the locale.
export PYTHONUTF8 := 1

# The doubles and the engine listen on this computer, which no proxy reaches.
COMMA := ,
export no_proxy := 127.0.0.1,localhost$(addprefix $(COMMA),$(or $(no_proxy),$(NO_PROXY)))
export NO_PROXY := $(no_proxy)

.DEFAULT_GOAL := help
.PHONY: help rehearse rehearse-destroy dress-rehearsal serve people drill compare pulumi-cli preflight next-build status sign-off signing-files report bench setup test lint format docs screenshot requirements monitoring-tools monitoring-mutants simulate-days foreign-clients

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## install all requirements, pinned and hashed, into .venv

$(VENV)/.installed: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version.split()[0] + ": install it, or name one with PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

# Variables are read from the command line of make only, `make status STACK=prod`: many shells export APP, NAME or PORT for something else.
given = $(if $(findstring command line,$(origin $1)),$($1))
option = $(if $(call given,$1),--$2 $(call given,$1))
flag = $(if $(call given,$1),--$2)

PROD = --stack $(or $(call given,STACK),prod)

REHEARSE = $(BIN)/python -m rehearsal.rehearse
CHOICES = $(call option,ENGINE,engine) $(call option,PORT,port)

COMPARISON = $(call option,ORG,org) $(call option,APP,app) $(call option,EMAIL,email) $(call option,WITH,with) $(call flag,DOUBLE,rehearse) \
  $(call flag,KEEP,keep) $(call flag,CLEAN,clean) $(call flag,YES,yes) $(call option,CALLS,calls) $(call option,MINUTES,minutes)

rehearse: setup ## launch against the doubles, then print the checklist (ENGINE=embedded or pulumi, PORT=7700)
	@$(REHEARSE) launch $(CHOICES)

rehearse-destroy: setup ## destroy the rehearsal
	@$(REHEARSE) destroy $(CHOICES)

dress-rehearsal: setup ## launch a copy of Pulumi.prod.yaml against the doubles, from nothing, and destroy it
	@$(REHEARSE) dress $(CHOICES)

serve: setup ## run the doubles, for `pulumi up` by hand in another shell (PORT=7700)
	@$(REHEARSE) serve $(CHOICES)

people: setup ## after that `up`: the testers install the build and sign it off, and the launch is declared
	@$(REHEARSE) people

drill: setup ## demonstrate a failure and its fix (NAME=lost-volume; lists them without NAME)
	@$(BIN)/python -m rehearsal drill $(call given,NAME) $(call option,ENGINE,engine)

pulumi-cli: setup ## install the Pulumi CLI of .pulumi.version into .tools, where every target finds it (needs a network)
	@$(BIN)/python -m rehearsal.pulumi_cli

preflight: setup ## check, read-only, for what would stop a launch (STACK=prod)
	@$(BIN)/python -m preflight $(PROD)

next-build: setup ## set the build number to the next one that Apple accepts (STACK=prod)
	@$(BIN)/python -m preflight.next_build $(PROD)

status: setup ## print what is proven and what is open, from state and settings (STACK=prod)
	@$(BIN)/python -m status $(PROD)

# Make exports NAME and FAILED of its command line: the shell reads them there, because they may contain quotes.
sign-off: setup ## record in the stack file that you have tried something: make sign-off STACK=prod FEATURE="install sign-up" (NAME=EMAIL, FAILED=REASON)
	@$(BIN)/python -m status.sign_off $(PROD) $(if $(call given,NAME),--as "$$NAME") $(if $(call given,FAILED),--failed "$$FAILED") $(or $(call given,FEATURE),$(error name what you have tried: make sign-off FEATURE="install sign-up"))

signing-files: setup ## write what builds are signed with to build/signing, for an iOS developer (STACK=prod)
	@$(BIN)/python -m status.signing_files $(PROD)

report: setup ## write the launch report of a stack: make report STACK=prod
	@$(BIN)/python -m report --stack $(or $(call given,STACK),$(error name a stack: make report STACK=prod))

test: setup lint ## lint, type check, and run every test
	$(BIN)/python -m pytest -n auto --dist load --maxschedchunk 1

compare: setup ## compare a double with the vendor, in your account: infra-docs/COMPARE.md (VENDOR=fly ORG=my-org, or DOUBLE=1 without an account)
	@$(BIN)/python -m compare $(or $(call given,VENDOR),$(error name a vendor: make compare VENDOR=fly ORG=my-org)) $(COMPARISON)

bench: setup ## run the benchmarks (NAME=calls for one of them)
	@$(BIN)/python -m bench $(call given,NAME)

lint: setup ## check formatting, lint, types, and import contracts
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/python -m mypy
	$(BIN)/python $(BIN)/lint-imports

format: setup ## format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## write the documents that are generated from the code
	$(BIN)/python -m documents

screenshot: ## write the README's picture of the launch report (after `make rehearse`; needs Chromium)
	chromium --headless --no-sandbox --disable-gpu --disable-background-networking --hide-scrollbars --window-size=1200,1400 \
	  --screenshot=infra-docs/images/launch-report.png "file://$(CURDIR)/.rehearsal/report/launch.html"

requirements: setup ## pin requirements*.in again, with hashes (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements.in -o requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements-dev.in -o requirements-dev.txt

foreign-clients: ## install other clients of App Store Connect, against which the doubles are tested, in an environment of their own
	$(PYTHON) -m venv .tools/clients/codemagic
	.tools/clients/codemagic/bin/pip install --quiet codemagic-cli-tools==0.70.0
	npm install --no-fund --no-audit --silent --prefix .tools/clients/node appstore-connect-sdk@2.0.0

simulate-days: setup ## simulate days of the monitored app: which alerts fire, and when (a few minutes)
	@nice $(BIN)/python -m pytest tests/monitoring/test_days.py -m "" -n auto

monitoring-mutants: setup ## change every file of monitoring/ in small ways, and count which changes no test notices (minutes; FILES=blackbox.yml)
	@nice $(BIN)/python -m tests.monitoring.mutants $(call given,FILES)

monitoring-tools: ## install Prometheus, Alertmanager, blackbox exporter, NATS; build Litestream, Telegraf and actionlint if Go is installed
	monitoring/install-tools
