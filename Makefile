# The commands of the project. `make` lists them. Works with GNU make 3.81 and later.
.DEFAULT_GOAL := help
.PHONY: help install check test test-fast first-hour audit demo kafka soak chaos bench bench-quick judge clean

VENV := .venv
BIN := $(VENV)/bin
# pip-audit has an environment of its own: it is no part of what it judges.
AUDIT := build/audit
PIP := $(BIN)/python -m pip --disable-pip-version-check
# A Python of your choice: make install PYTHON=/opt/python3.12/bin/python3
PYTHON ?=
# Further arguments: make test ARGS="-k store", make demo ARGS="--brokers localhost:9092"
ARGS ?=
PORT ?= 9092

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed-dev ## Make .venv with everything needed to run and to test

check: $(VENV)/.installed-dev ## Lint, format check and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Tests often wait for servers, so three processes keep two cores busy.
test: $(VENV)/.installed-dev ## Run all tests in three processes; ARGS="-k name" for some
	@$(BIN)/python -m tests.servers.kafka --prepare || echo "Without it, the tests that need it are skipped, or fail if CI is set."
	@$(BIN)/python -m tests.servers.browser || echo "Without it, the tests of the pages are skipped, or fail if CI is set."
	@$(BIN)/python -m tests.servers.schema_registry || echo "Without it, the tests that need it are skipped, or fail if CI is set."
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=25 $(ARGS)

test-fast: $(VENV)/.installed-dev ## Run the tests that need no server, no further process and no TensorFlow; about a minute
	$(BIN)/python -m pytest --fast -n 2 --dist loadfile -r fE $(ARGS)

first-hour: $(VENV)/.installed-dev ## Take four foreign topics from init to a true alert, and say the minutes; about ten minutes
	@$(BIN)/python -m tests.servers.kafka --prepare && $(BIN)/python -m tests.servers.schema_registry
	STREAM_DETECTOR_TEST_FIRST_HOUR=1 $(BIN)/python -m pytest -q -s tests/integration/test_first_hour.py $(ARGS)

audit: $(VENV)/.installed-dev ## Look for known vulnerabilities of the pinned dependencies; asks PyPI
	@test -x $(AUDIT)/bin/python || $(BIN)/python -m venv --without-pip $(AUDIT)
	@$(PIP) --python $(AUDIT)/bin/python install --quiet --group audit
	@$(BIN)/python -m tests.audit $(AUDIT)/bin/pip-audit

demo: $(VENV)/.installed ## Train a model and watch it find faults; no Kafka, no Redis, no Docker needed
	@$(BIN)/stream-detector demo $(ARGS)

kafka: $(VENV)/.installed-dev ## Run a Kafka for experiments at localhost:9092 (PORT=...), until Ctrl-C
	@$(BIN)/python -m tests.servers.kafka --port $(PORT)

chaos: $(VENV)/.installed-dev ## Kill, pause and cut off everything, and compare the alerts with a crash-free run; about 45 minutes
	$(BIN)/python -m tests.chaos $(ARGS)

soak: $(VENV)/.installed-dev ## An hour of the service under load: does it leak, does it fall behind?
	$(BIN)/python -m tests.benchmarks.soak $(ARGS)

bench: $(VENV)/.installed-dev ## Measure speed on an otherwise idle machine and write docs/performance.md and its table; about twenty minutes
	$(BIN)/python -m tests.benchmarks.performance $(ARGS)

bench-quick: $(VENV)/.installed-dev ## The same table on fewer points; a quarter of an hour
	$(BIN)/python -m tests.benchmarks.performance --quick $(ARGS)

# A directory of labelled series: ARGS="--data DIR", or STREAM_DETECTOR_TEST_SERIES=DIR.
judge: $(VENV)/.installed-dev ## Judge detection on labelled series and simulated fleets; about 20 minutes, ARGS="--set all" for all
	@$(BIN)/python -m tests.judge $(ARGS)

clean: ## Remove what the other commands made: .venv, build, caches
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find stream_detector tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A shim of a version manager may exist and yet fail, so each candidate is tried.
$(VENV)/.installed: pyproject.toml constraints.txt
	@if ! $(BIN)/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
	  for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	    if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "stream_detector needs Python 3.11, 3.12 or 3.13, and `python3 --version 2>/dev/null || echo no Python 3` is what is here." >&2; \
	    echo "Install one: 'sudo apt-get install python3 python3-venv', 'brew install python@3.13' or 'uv python install 3.13 --default'," >&2; \
	    echo "or name one: make PYTHON=/path/to/python3.13 install" >&2; \
	    exit 1; \
	  fi; \
	  echo "Making $(VENV) with `$$found --version`."; \
	  "$$found" -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }; \
	fi
	@echo "Installing into $(VENV): about 480 MB to download, 2 GB on disk; takes minutes."
	@$(PIP) install --quiet --upgrade "pip>=25.1"
	@PYTHONWARNINGS=ignore $(PIP) install --quiet --constraint constraints.txt --editable ".[demo,registry]" # setuptools warns of editable installs
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing the tools for tests and checks: about 30 MB to download, 110 MB on disk."
	@$(PIP) install --quiet --constraint constraints.txt --group dev
	@touch $@
