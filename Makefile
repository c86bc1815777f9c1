# The commands of this repository. `make demo` and `make test` are all that a newcomer needs.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: demo test check brokers test-brokers bench lock clean

demo: .venv/run
	@$(BIN)/mqctl demo

test: .venv/dev
	@scripts/test

check: .venv/dev
	@scripts/check

brokers: .venv/dev
	@scripts/brokers

test-brokers: .venv/dev
	@scripts/test-brokers

bench: .venv/dev
	@scripts/bench

# One virtual environment; a stamp file says how far it is furnished.
.venv/run: requirements/run.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/run requirements/dev.txt
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url
lock:
	$(LOCK) pyproject.toml requirements/run.in -o requirements/run.txt
	$(LOCK) pyproject.toml requirements/run.in requirements/dev.in -o requirements/dev.txt

clean:
	rm -rf .venv .brokers build dist
