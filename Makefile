# What a person types. `make` alone lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help doctor setup up demo down health backup restore prune test slow nightly fuzz lint bench neural others gate lock fresh containers sbom licences audit faults env

VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/uv/bin/uv
# The interpreter that makes the virtual environment: the first that fits; another one: make setup FEMS_PYTHON=/path/to/python
FITS := import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
FEMS_PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	if "$$python" -c "$(FITS)" 2> /dev/null; then echo "$$python"; break; fi; done)
# Where none fits, any python3 can say what to do.
ANY_PYTHON = $(or $(FEMS_PYTHON),python3)
NO_PYTHON = error: there is no $(ANY_PYTHON): install Python 3.11, 3.12 or 3.13 (Debian and Ubuntu: sudo apt install python3-venv; Fedora: sudo dnf install python3.13)
DOCTOR = command -v "$(ANY_PYTHON)" > /dev/null || { echo "$(NO_PYTHON)" >&2; exit 1; }; "$(ANY_PYTHON)" include/embedded/doctor.py
# More for `make demo`, such as DEMO="--factories 1100,steel --epochs 5"
DEMO ?=
# More for `make up`, such as UP="--workers 2"
UP ?=
# More for `make bench`, such as BENCH="--only process,truth"
BENCH ?=
# What `make prune` removes
PRUNE ?=
# More for `make fresh`
FRESH ?=
# More for `make containers`, such as CONTAINERS="--workers 0"
CONTAINERS ?=

# More for `make faults`, such as FAULTS="--services minio,task --stages ingest"
FAULTS ?=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

doctor: ## does this machine have what is needed? a line each, with what to do
	@$(DOCTOR) demo

setup: $(VENV)/.ready ## the virtual environment, with the packages of requirements.txt and requirements-dev.txt

$(VENV)/.ready: requirements.txt requirements-dev.txt requirements-uv.txt pyproject.toml
	@$(DOCTOR) setup --quiet
	rm -f $@
	[[ -x $(BIN)/python ]] || "$(FEMS_PYTHON)" -m venv $(VENV)
	# uv has an environment of its own: what syncs the packages must not be one of them.
	if [[ ! $(VENV)/uv/.ready -nt requirements-uv.txt ]]; then
		"$(FEMS_PYTHON)" -m venv --clear $(VENV)/uv
		$(VENV)/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
		touch $(VENV)/uv/.ready
	fi
	# Compiled once, here: a service with a user of its own may not write beside the packages, and would compile them anew
	# at each start; Great Expectations takes 2 s of a core to import, and 5 s where it is compiled as well.
	$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.txt requirements-dev.txt
	# After the sync, which takes away what the files don't name.
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

up: setup ## start the services and Airflow; with Celery's workers: make up UP="--workers 2"
	@$(BIN)/python -m embedded up $(UP)

demo: check setup ## everything: services, raw files, ingest, training, forecasts, a table and the URLs
	@$(BIN)/python -m embedded demo $(DEMO)

.PHONY: check
check:
	@$(DOCTOR) demo --quiet

health: setup ## services, the last good run of each Dag, how old each factory's data is, the disk
	@$(BIN)/python -m embedded health

down: ## stop what `make up` or `make demo` started; the data stays
	@if [[ -x $(BIN)/python ]]; then $(BIN)/python -m embedded down; else echo "nothing is running"; fi

backup: setup ## databases, buckets and secrets of the running stack into a folder: make backup TO=/path/to/backup
	@$(BIN)/python -m embedded backup "$(or $(TO),$(error say where to: make backup TO=/path/to/backup))"

restore: setup ## a new stack of a backup: make restore FROM=/path/to/backup
	@$(BIN)/python -m embedded restore "$(or $(FROM),$(error say from where: make restore FROM=/path/to/backup))"

prune: setup ## remove what is old, such as make prune PRUNE="--log-days 30 --run-days 90 --dry-run"; raw files never
	@$(BIN)/python -m embedded prune $(PRUNE)

lint: setup ## style, types and the order of the rooms
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: lint ## lint, types and all tests, on the embedded services
	$(BIN)/pytest

slow: setup ## the tests that take minutes: workers that are killed, a stack of version 0.4.0 that is opened
	$(BIN)/pytest -m slow

nightly: setup ## thousands of generated files, written in every way: what is published is the truth, or the run tells
	FEMS_EXAMPLES=2000 $(BIN)/pytest tests/unit/raw/test_any_file.py --timeout 7200

# More or fewer files: make fuzz FUZZ=2000
FUZZ ?= 20000
fuzz: setup ## mutated files of every kind: no crash, no more than 1 GB, every row accounted for
	PYTHONPATH=tests $(BIN)/python -m fuzz $(FUZZ)

bench: setup $(VENV)/bench/.ready ## the measurements, as a table and as JSON
	@PYTHONPATH=$(CURDIR)/$(VENV)/bench $(BIN)/python -m benchmarks $(BENCH)

# The peers have a folder of their own: the project's environment stays what requirements.txt says.
$(VENV)/bench/.ready: benchmarks/requirements.txt $(VENV)/.ready
	@rm -rf $(VENV)/bench
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --require-hashes --target $(VENV)/bench -r $<
	touch $@

# PyTorch, several GB where pip finds no CPU build; pip, since it takes a build that lies on the machine.
neural: setup ## neuralforecast, the peer of `make bench BENCH="--only neural"`
	@[[ -x $(VENV)/neural/bin/python ]] || "$(FEMS_PYTHON)" -m venv $(VENV)/neural
	$(VENV)/neural/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/neural-requirements.txt

gate: setup ## train the shipped gate of the month-ahead forecast anew, on simulated plants alone
	PYTHONPATH=include:. $(BIN)/python -m benchmarks.gate

others: setup ## load profiles of the SimBench data set, for `python -m benchmarks.model others`
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --target $(VENV)/others simbench==1.6.3

# For every Python that fits, with the hash of each file; see [tool.uv] in pyproject.toml.
COMPILE = $(CURDIR)/$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
define SBOM
$(VENV)/uv/bin/uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.txt \
	--pyproject pyproject.toml --output-reproducible --output-format JSON --output-file sbom.cdx.json 2> /dev/null
echo "sbom.cdx.json: $$(grep -c '"purl"' sbom.cdx.json) packages"
endef
lock: setup ## compile each requirements.in into a requirements.txt, and list the parts (sbom.cdx.json)
	@for name in requirements requirements-dev requirements-uv; do $(COMPILE) $$name.in --output-file $$name.txt; done
	cd benchmarks
	# Those come with the project's own environment.
	$(COMPILE) requirements.in --output-file requirements.txt $(addprefix --no-emit-package ,numpy scipy narwhals)
	cd $(CURDIR)
	$(SBOM)

fresh: ## do what README says on a bare Debian 12 and 13, in a container engine; FRESH="--roots trixie --only demo"
	@python3 tests/fresh/run.py $(FRESH)

.PHONY: engine
engine:
	@python3 tests/containers/run.py --check

containers: engine setup ## build the image, run docker-compose.yaml in a container engine to a forecast, take it down
	@PYTHONPATH=include $(BIN)/python tests/containers/run.py $(CONTAINERS)

# In environments of their own: what looks at the packages is not one of them. Of what is shipped alone, with hashes.
sbom: setup ## what is shipped, as CycloneDX: sbom.cdx.json
	@$(SBOM)

licences: setup ## fail where a package that is shipped is under the GPL or states no licence
	@$(BIN)/python -m supply licences

audit: setup ## ask the vulnerability database about what is shipped; says so where it can't see
	@$(BIN)/python -m supply audit $(VENV)/uv/bin/uv tool run --quiet --from pip-audit==2.10.1 pip-audit

faults: setup ## kill, stop and starve each service at each stage; a table of what was lost and how it healed
	@$(BIN)/python -m faults $(FAULTS)

env: ## make .secrets/ with new secrets, for docker-compose.yaml
	@PYTHONPATH=include python3 -m embedded.container_secrets .secrets
