# Everything a newcomer or a build machine does here. `make help` lists it.
# One recipe = one shell, so that a message and the step it explains stay together.
.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -eu -c
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
CLIENTS := tests/clients
WORKERS ?= 2
EVIDENCE ?= 100
ARGS ?=

# The checksums, not the times: a fresh checkout of the same lock files installs nothing.
PYTHON_LOCKS := requirements/dev.lock pyproject.toml
PYTHON_STAMP := $(VENV)/installed
CLIENT_LOCKS := $(CLIENTS)/package-lock.json
CLIENT_STAMP := $(CLIENTS)/node_modules/.installed

.PHONY: help install python clients demo test lint bench evidence schema lock

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/\1|\2/' | \
	  while IFS='|' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

install: python clients ## .venv with everything, and the JavaScript clients of the tests

# The demo needs this half only.
python:
	@wanted=$$(cat $(PYTHON_LOCKS) | cksum)
	if [ -f $(PYTHON_STAMP) ] && [ "$$(cat $(PYTHON_STAMP))" = "$$wanted" ]; then exit 0; fi
	found=""
	for name in python3 python3.13 python3.12 python3.11; do
	  if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
	    found=$$name; break
	  fi
	done
	if [ -z "$$found" ]; then
	  echo "Rebill needs Python 3.11 or newer; none of python3, python3.13, python3.12 and" \
	    "python3.11 on your PATH is." >&2
	  exit 1
	fi
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then
	  if ! "$$found" -m venv --clear $(VENV); then
	    rm -rf $(VENV)
	    echo "$$found cannot make a virtual environment (on Debian and Ubuntu: install" \
	      "python3-venv)." >&2
	    exit 1
	  fi
	fi
	rm -f $(PYTHON_STAMP)
	echo "Installing into $(VENV) …" >&2
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-input \
	  --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-input \
	  --no-deps --no-build-isolation -e .
	echo "$$wanted" > $(PYTHON_STAMP)

clients: python
	@wanted=$$(cat $(CLIENT_LOCKS) | cksum)
	if [ -f $(CLIENT_STAMP) ] && [ "$$(cat $(CLIENT_STAMP))" = "$$wanted" ]; then exit 0; fi
	echo "Installing the JavaScript clients of the tests …" >&2
	PATH="$(CURDIR)/$(BIN):$$PATH"; export PATH
	cache=$$(mktemp -d); trap 'rm -rf "$$cache"' EXIT
	npm --prefix $(CLIENTS) --cache "$$cache" ci --loglevel=error --no-audit --no-fund
	echo "$$wanted" > $(CLIENT_STAMP)

demo: python ## PostgreSQL, local Stripe, gateway and a seeded platform (ARGS="--port 0 --json")
	@exec $(BIN)/rebill demo $(ARGS)

test: install ## everything that must hold; ends with pytest's summary
	@$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	exec env REBILL_NODE_CLIENTS_REQUIRED=1 $(BIN)/python -m pytest -q -n $(WORKERS) $(ARGS)

lint: python ## formatting, style, types, import contracts
	@$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: python ## changes per second of the ledger beside pgbench on the same server
	@exec $(BIN)/python -m benchmarks.ledger $(ARGS)

evidence: install ## the random tests 100 times as long, the crash tests, and the benchmark
	@export REBILL_NODE_CLIENTS_REQUIRED=1 REBILL_EVIDENCE=$(EVIDENCE)
	$(BIN)/python -m benchmarks.ledger
	exec $(BIN)/python -m pytest -q -n $(WORKERS) --timeout=7200 tests/properties tests/faults $(ARGS)

schema: python ## print schema.graphql from the code
	@printed=$$(mktemp); trap 'rm -f "$$printed"' EXIT
	$(BIN)/rebill schema > "$$printed"
	cat "$$printed" > schema.graphql

lock: ## for maintainers: make the lock files anew from pyproject.toml
	@tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT
	python3 -m venv "$$tools"
	"$$tools/bin/python" -m pip install -q uv
	for entry in "runtime --extra embedded" "dev --extra dev"; do
	  set -- $$entry
	  "$$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --no-emit-index-url $$2 $$3 pyproject.toml \
	    -o "requirements/$$1.lock"
	done
