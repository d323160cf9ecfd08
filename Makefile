# Everything starts here. `make` lists the commands.
#   make run PORT=8001 HOST=0.0.0.0 TRUELIFT_HOME=/var/lib/truelift ARGS="--no-demo --no-live"
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
export TRUELIFT_HOME

.PHONY: help run setup test test-slow check format
help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

run: ## start everything, with live demo data; Ctrl-C stops it
	@$(PYTHON) -I config/bootstrap.py
	@exec $(BIN)/python -m config.stack $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT)) $(ARGS)

setup: ## make .venv with everything that tests and checks need
	@$(PYTHON) -I config/bootstrap.py --dev
