# Position Keeper. `make` lists what there is to do. Needs GNU make, bash and Python 3.11 or newer; nothing else is prepared.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
# What a shell may carry along from another project; see requirements/install.sh for the rest.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

BIN := .venv/bin
CONFIG ?= config.yaml
SEEDS ?= 1..1000
PROFILE ?= faulty
CAMPAIGN_SEEDS ?= 100001..120000
MINUTES ?= 30
JOBS ?= 2
GROUPS ?=

# The path is read when the line is printed, so that it can be pasted from anywhere.
next = @printf '\nnext: make -C %q %s\n' "$$PWD" "$(1)"

.PHONY: help setup setup-dev setup-clients demo run test bench simulate campaign soak check lint format types imports \
  explore coverage clients switches sabotages lives testnet migrate plan lock clean

help: ## list the targets
	@printf 'Position Keeper: one futures position, kept in step with a decision and covered by a stop.\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	$(call next,demo)

setup: ## make .venv with what the keeper needs to run
	@requirements/install.sh run
	$(call next,demo)

setup-dev: ## the same, and what checks and tests it
	@requirements/install.sh dev
	$(call next,test)

setup-clients: ## make .venv-clients: clients of the exchange that are not ours
	@requirements/install.sh clients
	$(call next,clients)

demo: ## a whole life of a position in a minute: simulated exchange, a kill, a report
	@requirements/install.sh run
	@$(BIN)/keeper demo
	$(call next,run)

run: ## the keeper in paper mode with config.yaml, until Ctrl-C
	@requirements/install.sh run
	@$(BIN)/keeper run --config $(CONFIG)
	$(call next,plan)

plan: ## what the next tick would do and every gate with its numbers, without doing it
	@requirements/install.sh run
	@$(BIN)/keeper plan --config $(CONFIG)
	$(call next,run)

testnet: ## check, then run, against the exchange's demo environment (KEEPER_API_KEY, KEEPER_API_SECRET)
	@requirements/install.sh run
	@KEEPER__MODE=demo $(BIN)/keeper check --config $(CONFIG)
	@KEEPER__MODE=demo $(BIN)/keeper run --config $(CONFIG)
	$(call next,plan)

migrate: ## bring the store named in config.yaml to the newest schema
	@requirements/install.sh run
	@$(BIN)/keeper db upgrade --config $(CONFIG)
	$(call next,run)

test: ## the whole test suite, time per group (GROUPS="spec wire" for some)
	@requirements/install.sh dev
	@tests/run.sh $(GROUPS)
	$(call next,check)

check: ## lint, types and import contracts: what CI runs before the tests
check: lint types imports
	$(call next,test)

lint: ## ruff, rules and format
	@requirements/install.sh dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo 'not formatted: make format'; exit 1; }

format: ## let ruff mend what it can
	@requirements/install.sh dev
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .
	$(call next,check)

types: ## mypy, strict
	@requirements/install.sh dev
	@$(BIN)/mypy

imports: ## the import contracts of pyproject.toml
	@requirements/install.sh dev
	@$(BIN)/lint-imports --no-logo

explore: ## properties and state machines with fresh random examples, many of them
	@requirements/install.sh dev
	@HYPOTHESIS_PROFILE=explore tests/run.sh properties machines
	$(call next,test)

coverage: ## branch coverage of the three pure packages, which must be whole
	@requirements/install.sh dev
	@mkdir -p var
	@$(BIN)/python -m pytest -q -p no:cacheprovider --cov --cov-report=term \
	  tests/spec tests/properties tests/simulation/test_scenarios.py
	$(call next,test)

clients: ## foreign clients on the simulated exchange (part of make test)
	@requirements/install.sh run
	@tests/run.sh clients
	$(call next,test)

switches: ## every written life under every value of every switch of the simulated exchange
	@requirements/install.sh dev
	@$(BIN)/python -m tests.simulation.switched --jobs $(JOBS)
	$(call next,simulate)

lives: ## every written life over HTTP, with documents as in process, and again with the user stream up (some minutes)
	@requirements/install.sh dev
	@KEEPER_LIVES=all $(BIN)/python -m pytest -q -p no:cacheprovider tests/process/test_lives_over_http.py \
	  tests/simulation/test_world_stream.py
	$(call next,switches)

crashes: ## a whole life killed at every call and every statement, with and without its store
	@requirements/install.sh dev
	@$(BIN)/python -m tests.recovery.crashes --jobs $(JOBS)
	$(call next,switches)

sabotages: ## planted bugs: which checker catches each, and at which seed
	@requirements/install.sh dev
	@$(BIN)/python -m tests.simulation.sabotaged --jobs $(JOBS)
	$(call next,simulate)

fates: ## a whole life with each of its requests broken in every way its fate can be unknown
	@requirements/install.sh dev
	@$(BIN)/python -m tests.recovery.fates --jobs $(JOBS)
	$(call next,crashes)

bench: ## the figures of var/bench.json
	@requirements/install.sh dev
	@mkdir -p var
	@$(BIN)/python -m tests.bench
	$(call next,simulate)

simulate: ## the campaign: SEEDS=1..1000 in faulty weather (PROFILE), result in var/simulate.json
	@requirements/install.sh run
	@mkdir -p var
	@$(BIN)/keeper simulate --seeds $(SEEDS) --profile $(PROFILE) --jobs $(JOBS) --json > var/simulate.json
	$(call next,campaign)

campaign: ## the same for hours: CAMPAIGN_SEEDS in hostile weather, result in var/campaign.json
	@requirements/install.sh run
	@mkdir -p var
	@$(BIN)/keeper simulate --seeds $(CAMPAIGN_SEEDS) --profile hostile --jobs $(JOBS) --json > var/campaign.json
	$(call next,soak)

soak: ## MINUTES=30 of one keeper over real HTTP, fast market, broken requests: nothing may grow; var/soak.json
	@requirements/install.sh dev
	@mkdir -p var
	@$(BIN)/python -m tests.soak --minutes $(MINUTES)
	$(call next,bench)

lock: ## write requirements/*.txt anew from pyproject.toml (needs the network)
	@requirements/install.sh dev
	@requirements/lock.sh
	$(call next,test)

clean: ## remove environments and caches; var/ and decisions/ stay
	@rm -rf .venv .venv-clients .venv-lock build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	$(call next,setup)
