PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test lint mutants chaos processes docs wheel clean

# Samples are compared with data by their raw values: by a classifier's features, it would be trained first.
demo: $(VENV)/train
	$(BIN)/python -m train configs/vae_digits.py --features x

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -q --durations=10

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

mutants: $(VENV)/installed
	$(BIN)/python tests/mutants.py $(NAMES)

chaos: $(VENV)/installed
	$(BIN)/python -m benchmarks.chaos --trials 20 --seed 1 --minutes 5

processes: $(VENV)/installed
	$(BIN)/python -m pytest tests/processes -q --durations=5

docs: $(VENV)/installed
	$(BIN)/sphinx-build -q -W docs docs/_build

# Built as it would be released, and used in an environment that has it alone.
wheel: $(VENV)/installed
	rm -rf dist
	$(BIN)/python -m build --outdir dist . > /dev/null
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python -m venv dist/clean
	dist/clean/bin/python -m pip install -q "$$(ls dist/*.whl)[export]"
	dist/clean/bin/python -I tests/wheel.py

# $(call install,EXTRA,SIZE)
define install
	$(if $(shell $(PYTHON) -c 'import sys; print("old" * (sys.version_info < (3, 11)))'),\
		$(error jaxgen needs Python 3.11 or newer, and $(PYTHON) is older: name another, make $(MAKECMDGOALS) PYTHON=python3.12))
	@echo "installing .[$1] into $(VENV), about $2; once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q -e .[$1]
	@touch $@
endef

$(VENV)/train: pyproject.toml
	$(call install,train,3 minutes and 1.2 GB)

$(VENV)/installed: pyproject.toml
	$(call install,test,4 minutes and 1.3 GB)
	@touch $(VENV)/train

clean:
	rm -rf $(VENV) docs/_build dist
