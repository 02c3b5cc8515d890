# SPDX-License-Identifier: Apache-2.0
# Every verb works in .venv, which is made anew when pyproject.toml asks for something
# else. An interrupted installation leaves no stamp and is begun again from nothing.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
STAMP := $(VENV)/.stamp-$(shell { pwd; cat pyproject.toml; } | sha256sum | cut -c1-16)
RUN := $(VENV)/bin/python -m
PARTS := train compile hw_templates boards src tests benchmarks docs examples

.PHONY: demo test fuzz check lint types rtl docs wheel clean
demo: $(STAMP)   ## train, compile, prove and build the digits network
	$(RUN) hwgq run digits --board icebreaker
test: $(STAMP)   ## all tests
	$(RUN) pytest --numprocesses auto --maxprocesses 4 --dist loadfile
fuzz: $(STAMP)   ## thousands of random networks, all rungs; some of them to RTL
	$(RUN) benchmarks.fuzz
check: lint types
lint: $(STAMP)
	$(RUN) ruff check $(PARTS)
	$(RUN) ruff format --check $(PARTS)
types: $(STAMP)
	$(RUN) mypy
rtl: $(STAMP)    ## the hardware's tests alone
	$(RUN) pytest tests/hw_templates
docs: $(STAMP)   ## the generated pages of docs/
	$(RUN) docs.generate
wheel: $(STAMP)
	$(RUN) build
clean:
	rm -rf build dist runs builds

$(STAMP): pyproject.toml
	ls $(VENV)/.stamp-* > /dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	rm -f $(VENV)/.stamp-*
	$(RUN) pip install --editable '.[dev]'
	touch $@
