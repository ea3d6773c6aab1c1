# Two commands: `make demo` runs the example study, `make test` passes all checks.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo dev test format docs migration bench clean help

help:
	@echo "make demo    set up and run the example study on the data in examples/"
	@echo "make test    set up and pass all checks: format, lint, types, architecture, tests"
	@echo "make dev     set up what the tests need"
	@echo "make bench   set up and measure against the peers (half an hour)"
	@echo "make format  format the code"
	@echo "make docs    write the pages of signals and models from their docstrings"
	@echo "make migration name='add timings'   write the step from the tables as they are to the code's"
	@echo "make clean   remove the environment and the demo project"

demo: $(VENV)/.installed
	@$(BIN)/plumbline demo

dev: $(VENV)/.dev

test: $(VENV)/.dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -c "from plumbline.kernels.warm import warm; warm()"
	$(BIN)/python -m pytest -n 2 --dist loadfile

format: $(VENV)/.dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(VENV)/.installed
	$(BIN)/python docs/make_pages.py

migration: $(VENV)/.dev
	$(BIN)/python scripts/make_migration.py $(name)
	$(BIN)/ruff check --quiet --fix src/plumbline/ledger/migrations
	$(BIN)/ruff format --quiet src/plumbline/ledger/migrations

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) demo

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	@touch $@
