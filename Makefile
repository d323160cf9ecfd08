# Everything starts here. `make` lists the commands.
# For example: make run PORT=8001 HOST=0.0.0.0 TRUELIFT_HOME=/var/lib/truelift DEMO=no LIVE=no
PYTHON ?= python3
BIN := .venv/bin
PARALLEL ?= -n auto --dist loadfile --no-loadscope-reorder
# Some shells export HOST as the machine's name: only one given to make counts.
NO := 0 no off false
RUN_OPTIONS := $(if $(filter command,$(firstword $(origin HOST))),--host $(HOST)) $(if $(PORT),--port $(PORT)) \
	$(if $(filter $(NO),$(DEMO)),--no-demo) $(if $(filter $(NO),$(LIVE)),--no-live)

# The servers, workers and commands that tests and the stack start by the dozen need not compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run setup browser test test-slow faults calibrate guide bench check lint format
help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

run: ## start everything, with live demo data; Ctrl-C stops it
	@$(PYTHON) -I config/bootstrap.py
	@exec $(BIN)/python -m config.stack $(RUN_OPTIONS) $(ARGS)

setup: ## make .venv with everything that tests and checks need
	@$(PYTHON) -I config/bootstrap.py --dev

browser: ## install Chromium for the browser tests, where that is allowed
	@.ci/chromium

test: setup browser ## run the tests on servers of their own, a file at a time on each core
	$(BIN)/pytest $(PARALLEL) $(ARGS)

test-slow: setup browser ## run the long calibrations and load runs
	$(BIN)/pytest -m slow $(ARGS)
	TRUELIFT_EXAMPLES=500 $(BIN)/pytest -q tests/analysis/stats # every property of the statistics with far more examples

faults: setup ## kill every part under load and compare sent, acknowledged, stored, counted
	$(BIN)/pytest -q -s -m 'slow or not slow' tests/faults $(ARGS)

calibrate: setup ## check error rates and coverage by simulation, and write docs/calibration.md
	$(BIN)/python -m benchmarks.calibration $(ARGS)

guide: setup browser ## take the pictures of the user guide and the README anew
	TRUELIFT_GUIDE=write $(BIN)/pytest -q -m 'slow or not slow' tests/docs/test_guide_pictures.py tests/e2e/test_demo.py -k 'pictures or five_seconds' $(ARGS)

bench: setup ## measure evaluation and ingest on this machine
	$(BIN)/python -m benchmarks.evaluate
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.keeping_up
	$(BIN)/python -m benchmarks.refresh
	$(BIN)/python -m benchmarks.page
	$(BIN)/python -m benchmarks.statistics --replay
	$(BIN)/python -m benchmarks.offpolicy

check: setup ## lint, types, imports, tests
	@$(MAKE) --no-print-directory -j 2 browser lint
	$(BIN)/pytest $(PARALLEL) $(ARGS)

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: setup ## format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
