# Everything installs itself into .venv on first use. PYTHON picks the interpreter (3.11, 3.12 or 3.13);
# INSTALLER=pip installs without uv (slower; for package indexes that only pip is configured for).
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
INSTALLER ?= uv
# candles for the benchmarks, freqtrade's feather files
DATA ?= user_data/data/binance
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help install demo test lint bench soak lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   install, then backtest AdaptiveGRU on a synthetic market (about a minute)"
	@echo "make test   install, then lint and run the test suite"
	@echo "make bench  the benchmarks in the README; DATA=DIR names the folder of candles"
	@echo "make soak   the long rehearsals of the whole bot: parity, crashes, a storm, a week; DATA=DIR as above, DATA_5M=DIR of 5m candles"
	@echo "make lock   resolve the dependencies anew into requirements.lock"

install: $(READY)

$(READY): requirements.lock requirements-uv.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found; install one or run: make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
ifeq ($(INSTALLER),uv)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	$(BIN)/uv pip install --system-certs --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --system-certs --python $(BIN)/python --no-deps --no-build-isolation --editable .
else
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
endif
	@touch $(READY)

demo: $(READY)
	$(BIN)/adaptive demo

test: lint
	@command -v faketime >/dev/null || { test "$$(id -u)" = 0 && .ci/faketime; } || \
		echo "WARNING: without faketime (apt-get install faketime) the tests of the whole bot in fast time FAIL"
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(READY)
	$(BIN)/adaptive bench regimes
	$(BIN)/adaptive bench rules --datadir $(DATA)
	$(BIN)/adaptive bench hyperopt --datadir $(DATA)
	$(BIN)/adaptive bench kelly
	$(BIN)/adaptive bench limiter
	$(BIN)/adaptive bench stream
	$(BIN)/adaptive bench training --datadir $(DATA) --reference-fits 9

# the 5m candles of a storm and a week; without them a synthetic market
soak: $(READY)
	$(BIN)/adaptive rehearse parity --datadir $(DATA)
	$(BIN)/adaptive rehearse model --datadir $(DATA)
	$(BIN)/adaptive rehearse crash $(if $(DATA_5M),--datadir $(DATA_5M))
	$(BIN)/adaptive rehearse storm $(if $(DATA_5M),--datadir $(DATA_5M))
	$(BIN)/adaptive rehearse soak $(if $(DATA_5M),--datadir $(DATA_5M))

lock:
	test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --require-hashes -r requirements-uv.lock; }
	$(BIN)/uv pip compile --system-certs pyproject.toml --extra dev --universal --generate-hashes --python-version 3.11 \
		--quiet --upgrade --no-emit-index-url --custom-compile-command "make lock" --output-file requirements.lock

clean:
	rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis .demo
