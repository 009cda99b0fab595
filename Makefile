# Set-up happens once, in .venv; what is up to date is not done again.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: compare test test-slow test-signals test-kernels mutants
compare: .venv/running
	$(BIN)/gradparity

test: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses 2 --dist worksteal

test-slow: .venv/installed
	$(BIN)/pytest --numprocesses 2 --dist loadgroup -m "slow and not signals"

# Signals at random moments: on a machine that does nothing else.
test-signals: .venv/installed
	$(BIN)/pytest -m signals

test-kernels: .venv/installed
	$(BIN)/python tests/kernels.py

mutants: .venv/installed
	$(BIN)/python tests/mutants.py

# What running needs; pip says what it does, because PyTorch and JAX take one to three minutes.
.venv/running: pyproject.toml constraints.txt
	@echo "Installing NumPy, PyTorch and JAX into .venv, once"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check --constraint constraints.txt --editable '.[all]'
	touch $@

.venv/installed: .venv/running
	@echo "Installing the tools of development into .venv, once"
	$(BIN)/pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@
