# make demo    watch the main job work
# make test    set up what the tests need and run them; with COVERAGE=1 (in .ci/run) every branch of broker/, callback/,
#              connection/, feedme/, rtm/, serving/, websocket/ and wsg/ has to be tested, or to say why it cannot be
# make check   what takes longer: the package as it is published, the published clients and servers, the benchmarks beside them,
#              the demos, the package beside a web framework, a notebook and the official SDK, a browser, requests made
#              from the OpenAPI document, other Pythons, oldest and older dependencies, no sniffio, random inputs, the oracle
# make package  build the wheel and the sdist into dist/, and test what a user gets of them, away from this checkout
# make lint    linters and type checkers
# make generate  write again what is generated from the code, which tests compare: most of rcex_ws/blocking, the listing
#              tests/public_api.txt, and parts of the pages in docs/ (options, events, errors, public names, commands)
# make docs    build docs/ into docs/_build; a warning is an error
# make linkcheck  ask every host that the docs link to
# make bench   measure, beside peers, in about 10 minutes; writes benchmarks/results
# make bench-plots  draw the plots of the docs from these
# make soak    a real client against the oracle's server: SEED=1 SECONDS=30 LOOP=asyncio|trio|uvloop FAULTS=all
#              (of another client with CLIENT=slack|callback; CLIENT=rtm has servers and a Redis, too)
# make simulate  simulated hours, judged by the oracle: SEEDS=1-200 HOURS=1 DENSITY=1 FAULTS=all
# make clean   remove what these have made
#
# PYTHON=python3.13 chooses the interpreter that .venv is made of.
PYTHON ?= python3
# What was compiled once is kept: hundreds of the tests start programs.
unexport PYTHONDONTWRITEBYTECODE
PIP := .venv/bin/python -m pip --quiet --quiet --disable-pip-version-check
EXTRAS := cli,gateway,redis,socks,trio

# Folders of tests that start programs, servers, browsers or builds, or are about the oracle: `make check` runs them.
# Those with the longest files come first, so that all workers end at about the same time.
CHECKED := benchmarks openapi browser pages peers demo oracle beside package
# Tests that reach every branch of the layers that keep a connection.
TRACED := $(addprefix tests/,blocking broker callback connection feedme found options rtm serving websocket wsg)
PYTEST := .venv/bin/python -m pytest
SPREAD := -n 4 --dist loadfile --no-loadscope-reorder  # most wait for sockets

.PHONY: demo test check package lint generate docs linkcheck bench bench-plots soak simulate clean

demo: .venv/installed-gateway
	@.venv/bin/python demo/main.py

# Tracing takes time, so only the tests of the layers concerned are traced, and with more patience. Random inputs are left
# to `make check`: they cover nothing, as what only they reach is reached today and not tomorrow.
test: .venv/installed-test
ifdef COVERAGE
	$(PYTEST) -q -m "not hypothesis" $(SPREAD) $(TRACED:%=--ignore %) $(CHECKED:%=--ignore tests/%)
	RCEX_TEST_TIME_FACTOR=2 $(PYTEST) --cov -m "not hypothesis" $(SPREAD) $(TRACED)
else
	$(PYTEST) -m "not hypothesis" $(SPREAD) $(CHECKED:%=--ignore tests/%)
endif

# ROWS="python3.13 lowest" runs these rows of the matrix alone.
check: package .venv/installed-test .venv/installed-beside .venv/installed-browser .venv/installed-docs \
		.venv/installed-openapi
	@PYTHON="$(CURDIR)/.venv/bin/python" tests/peers/setup.sh
	$(PYTEST) -q $(SPREAD) $(addprefix tests/,$(filter-out package,$(CHECKED)))
	@PYTHON="$(CURDIR)/.venv/bin/python" tests/matrix/run.sh $(ROWS)
	$(PYTEST) -q -m hypothesis $(SPREAD) $(CHECKED:%=--ignore tests/%)
	RCEX_BAD_STREAMS=5000 $(PYTEST) -q -n 2 tests/websocket/test_bad_streams.py
	.venv/bin/python -m tests.gateway.random_inputs --count 5000 --seed 1
	@# The oracle: dense lives, then long ones, 500 hours in all; then real processes.
	.venv/bin/python -m oracle.simulate --seeds 1-150 --hours 0.2
	.venv/bin/python -m oracle.simulate --seeds 1-40 --hours 6,12,26 --density 0.02,0.05
	.venv/bin/python -m oracle.day
	.venv/bin/python -m oracle.soaks

# The wheel is made from the sdist.
package: .venv/installed-package .venv/installed-test
	@rm -rf dist
	.venv/bin/python -m build --quiet --installer uv --outdir dist . >/dev/null
	.venv/bin/check-wheel-contents dist
	.venv/bin/twine check --strict dist/*
	$(PYTEST) -q tests/package

# The second run of mypy is of programs as users write them, and so is a part of pyright's.
lint: .venv/installed-dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/mypy tests/typing
	.venv/bin/pyright
	.venv/bin/lint-imports
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv/bin/zizmor --offline --quiet .github

# The blocking client comes first: the others read it.
generate: .venv/installed-dev
	.venv/bin/python -m tests.blocking.generate
	.venv/bin/python -m tests.public_api
	.venv/bin/python -m tests.cli.page
	.venv/bin/python -m tests.reference.pages

docs: .venv/installed-docs
	.venv/bin/python -m sphinx --fail-on-warning --keep-going --quiet --jobs 2 docs docs/_build

linkcheck: .venv/installed-docs
	.venv/bin/python -m sphinx --builder linkcheck --quiet docs docs/_build/linkcheck

BENCHMARKS := rest_over_websocket rest_https blocking notifications recovery idle growth startup slack feedme broadcast rtm wire

bench: .venv/installed-bench
	@PYTHON="$(CURDIR)/.venv/bin/python" tests/peers/setup.sh
	@mkdir -p benchmarks/results
	@set -e; for name in $(BENCHMARKS); do \
		.venv/bin/python -m benchmarks.$$name --json benchmarks/results/$$name.json; \
	done

bench-plots: .venv/installed-dev
	.venv/bin/python -m benchmarks.plots benchmarks/results docs/performance

# docs/oracle.md says what these do and how to read what they print.
soak: .venv/installed-test
	.venv/bin/python -m oracle.$(addsuffix .,$(CLIENT))soak --seed $(or $(SEED),1) --loop $(or $(LOOP),asyncio) \
		$(addprefix --seconds=,$(SECONDS)) $(addprefix --faults=,$(FAULTS))

simulate: .venv/installed-test
	.venv/bin/python -m oracle.simulate --seeds $(or $(SEEDS),1-200) $(addprefix --hours=,$(HOURS)) \
		$(addprefix --density=,$(DENSITY)) $(addprefix --faults=,$(FAULTS))

clean:
	rm -rf .venv .venv-* tests/peers/*/node_modules tests/peers/*/.venv
	rm -rf dist docs/_build .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# A half-made .venv would pass for a whole one the next time.
.venv/bin/python:
	@echo "Making .venv ..."
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

# The demo takes what a user's environment would have, by the pip that came with Python.
.venv/installed-gateway: pyproject.toml | .venv/bin/python
	@echo "Installing rcex_ws[gateway] into .venv ..."
	@$(PIP) install --editable ".[gateway]"
	@touch $@

# Dependency groups need a newer pip than some Pythons bring.
.venv/installed-pip: | .venv/bin/python
	@$(PIP) install --upgrade "pip>=25.1"
	@touch $@

# One stamp per group: a second run installs nothing until pyproject.toml changes.
.venv/installed-%: pyproject.toml | .venv/installed-pip
	@echo "Installing rcex_ws and its group $* into .venv ..."
	@$(PIP) install --editable ".[$(EXTRAS)]" --group $*
	@touch $@
