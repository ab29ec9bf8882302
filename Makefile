# Two commands matter: `make demo` and `make test`. Both create what they need.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
unexport VIRTUAL_ENV

.PHONY: help install demo test coverage soak check bench format lock clean

help: ## show the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

install: $(STAMP) ## create .venv from the hash-pinned lock

$(STAMP): requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" bash scripts/install.sh $(VENV)
	@touch $@

demo: $(STAMP) ## the main job, start to end, on the embedded PostgreSQL
	@$(BIN)/python -m adapters.demo

test: $(STAMP) ## the whole suite, on the embedded PostgreSQL (at most five minutes)
	@$(BIN)/python -m pytest -m "not soak" -n 3 --dist worksteal

coverage: $(STAMP) ## the same suite, and which lines it reaches (measuring takes as long again)
	@$(BIN)/python -m pytest -m "not soak" -n 3 --dist worksteal --cov --cov-report=term

soak: $(STAMP) ## long kills, cuts and load
	@$(BIN)/python -m pytest -m soak --timeout=3600

check: $(STAMP) ## lint, types, layer contracts
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: $(STAMP) ## measure against the baselines; GROUP=append|load|beside|bulk|migrate_SYSTEM|memory|rebuild|while_writing|follow|cases|choreographers|hot_rows|audit|sealing for one
	@$(BIN)/python -m benchmarks $(GROUP)

format: $(STAMP) ## format and fix what can be fixed
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: ## pin the dependencies again (needs uv)
	uv pip compile pyproject.toml --extra dev --generate-hashes --universal --python-version 3.11 \
		--no-emit-index-url --no-header -o requirements.lock

clean: ## stop the embedded server and remove what make made
	@[ ! -x $(BIN)/dossier ] || for home in .dossier/demo .dossier; do DOSSIER_HOME=$$home $(BIN)/dossier db stop --quiet || true; done
	rm -rf $(VENV) .dossier .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.* demo-output
