PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test lint mutants chaos docs clean

demo: $(VENV)/installed
	$(BIN)/python -m train configs/vae_digits.py

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -q --durations=10

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

mutants: $(VENV)/installed
	$(BIN)/python tests/mutants.py $(NAMES)

chaos: $(VENV)/installed
	$(BIN)/python -m benchmarks.chaos --trials 20 --seed 1 --minutes 3

docs: $(VENV)/installed
	$(BIN)/python -m pip install -q -e .[docs]
	$(BIN)/sphinx-build -q -W docs docs/_build

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e .[test]
	touch $@

clean:
	rm -rf $(VENV) docs/_build
