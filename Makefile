# What a person types. `make` alone lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help setup up demo down test nightly fuzz lint bench neural others lock env

VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
# The interpreter that makes the virtual environment; another one: make setup FEMS_PYTHON=/path/to/python3.11
FEMS_PYTHON ?= python3.11
# More for `make demo`, such as DEMO="--factories 1100,steel --epochs 5"
DEMO ?=
# More for `make bench`, such as BENCH="--only process,truth"
BENCH ?=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## the virtual environment, with the packages of requirements.txt

$(VENV)/.ready: requirements.txt pyproject.toml
	@if ! command -v "$(FEMS_PYTHON)" > /dev/null; then
		echo "error: $(FEMS_PYTHON) is not installed: install Python 3.11, or name one with FEMS_PYTHON=/path/to/python" >&2
		exit 1
	fi
	if ! "$(FEMS_PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2> /dev/null; then
		echo "error: $(FEMS_PYTHON) is not Python 3.11 or 3.12: name one with FEMS_PYTHON=/path/to/python" >&2
		exit 1
	fi
	rm -f $@
	[[ -x $(BIN)/python ]] || "$(FEMS_PYTHON)" -m venv $(VENV)
	# uv has an environment of its own: what syncs the packages must not be one of them.
	if [[ "$$($(VENV)/uv/bin/uv --version 2> /dev/null)" != "uv $(UV_VERSION)"* ]]; then
		"$(FEMS_PYTHON)" -m venv $(VENV)/uv
		$(VENV)/uv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	fi
	$(VENV)/uv/bin/uv pip sync --quiet --python $(BIN)/python requirements.txt
	# After the sync, which takes away what requirements.txt doesn't name.
	$(VENV)/uv/bin/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

up: setup ## start the services and Airflow
	@$(BIN)/python -m embedded up

demo: setup ## everything: services, raw files, ingest, training, forecasts, a table and the URLs
	@$(BIN)/python -m embedded demo $(DEMO)

down: ## stop what `make up` or `make demo` started; the data stays
	@if [[ -x $(BIN)/python ]]; then $(BIN)/python -m embedded down; else echo "nothing is running"; fi

lint: setup ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test: lint ## lint, types and all tests, on the embedded services
	$(BIN)/pytest

nightly: setup ## thousands of generated files, written in every way: what is published is the truth, or the run tells
	FEMS_EXAMPLES=2000 $(BIN)/pytest tests/unit/test_any_file.py --timeout 7200

# More or fewer files: make fuzz FUZZ=2000
FUZZ ?= 20000
fuzz: setup ## mutated files of every kind: no crash, no more than 1 GB, every row accounted for
	PYTHONPATH=tests $(BIN)/python -m fuzz $(FUZZ)

bench: setup $(VENV)/bench/.ready ## the measurements, as a table and as JSON
	@PYTHONPATH=$(VENV)/bench $(BIN)/python -m benchmarks $(BENCH)

# The peers have a folder of their own: the project's environment stays what requirements.txt says.
$(VENV)/bench/.ready: benchmarks/requirements.txt $(VENV)/.ready
	@rm -rf $(VENV)/bench
	$(VENV)/uv/bin/uv pip install --quiet --python $(BIN)/python --target $(VENV)/bench -r $<
	touch $@

# PyTorch, several GB where pip finds no CPU build; pip, since it takes a build that lies on the machine.
neural: setup ## neuralforecast, the peer of `make bench BENCH="--only neural"`
	@[[ -x $(VENV)/neural/bin/python ]] || "$(FEMS_PYTHON)" -m venv $(VENV)/neural
	$(VENV)/neural/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/neural-requirements.txt

others: setup ## load profiles of the SimBench data set, for `python -m benchmarks.model others`
	@$(VENV)/uv/bin/uv pip install --quiet --python $(BIN)/python --no-deps --target $(VENV)/others simbench==1.6.3

lock: setup ## compile the requirements.in into requirements.txt, the benchmarks' too
	for folder in . benchmarks; do
		(cd "$$folder" && "$(CURDIR)/$(VENV)/uv/bin/uv" pip compile --quiet --python "$(CURDIR)/$(BIN)/python" --no-header requirements.in --output-file requirements.txt)
	done

env: ## make .env with new secrets, for docker-compose.yaml
	@python3 include/embedded/dotenv.py .env
