# Each target makes .venv if it has to and then does its job; a second call reuses what the first one made.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: quickstart test test-slow lint

quickstart: $(INSTALLED)
	$(BIN)/recsys simulate --out runs/simulated/clicks.parquet
	$(BIN)/recsys run configs/quickstart.yaml

test: lint
	$(BIN)/pytest -m "not slow"

test-slow: $(INSTALLED)
	$(BIN)/pytest -m slow

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# torch first and alone: its build (CPU or CUDA) is the index's choice, and the rest has to agree with it.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test]"
	touch $@
