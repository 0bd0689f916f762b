# Everything a checkout needs, with plain pip in a virtual environment of its own.
PYTHON ?= python3
VENV ?= .venv
# PyTorch's CPU build where there is no GPU: make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
TORCH = torch>=2.6,<2.14
# The sample twin is kept here, so that the second time is quick.
DEMO_HOME ?= .demo

BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
PYTEST = $(BIN)/python -m pytest

.PHONY: setup chat test test-slow lint starter sample docs

setup: $(STAMP)

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install "$(TORCH)" --index-url "$(TORCH_INDEX)")
	$(BIN)/python -m pip install --editable ".[dev,train]"  # train: about 70 MB, most of it pyarrow
	touch $@

chat: setup
	$(BIN)/persona demo --home "$(DEMO_HOME)"

# Two processes of one thread each: a third would cost 1.5 GB, and cores beyond two are not promised.
test: setup
	OMP_NUM_THREADS=1 $(PYTEST) --numprocesses 2 --dist loadfile

test-slow: setup
	$(PYTEST) -m slow

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

starter: setup
	$(BIN)/python -m pip install --editable ".[starter]"
	$(BIN)/python -m trainer.starter

sample: setup
	$(BIN)/python -m data.sample.make

docs: setup
	$(BIN)/python scripts/settings_page.py
