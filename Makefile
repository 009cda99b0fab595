# Set-up happens once, in .venv; what is up to date is not done again.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: compare test test-slow test-kernels mutants
compare: .venv/installed
	$(BIN)/gradparity

test: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses 2 --dist worksteal

test-slow: .venv/installed
	$(BIN)/pytest --numprocesses 2 --dist loadgroup -m slow

test-kernels: .venv/installed
	$(BIN)/python tests/kernels.py

mutants: .venv/installed
	$(BIN)/python tests/mutants.py

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
