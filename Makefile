# The environment is .venv in this checkout; tools/setup makes it from the hash-pinned locks in requirements/
# and does nothing when it is up to date, so every target but the first run and `lock` works without network.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

bin := .venv/bin
uv := $(firstword $(wildcard $(bin)/uv) uv)
# Set to an RFC 3339 time to get the same evidence bytes again; the default is the time of the run.
EFFECTIVE_TIME ?=
# Worker processes of the tests.
JOBS ?= 2
# Passed to pytest as they are: make test ARGS="-k symlink -x"
ARGS ?= -n $(JOBS)

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup:  ## make .venv with what the command needs
	@tools/setup runtime

.PHONY: setup-test
setup-test:
	@tools/setup test

.PHONY: demo
demo: setup  ## assess the two sample images, write signed evidence, verify it
	@tools/demo $(if $(EFFECTIVE_TIME),--effective-time $(EFFECTIVE_TIME))

# With `make interop` and `make docs-check` apart: they need programs that take minutes to build.
.PHONY: test
test: setup-test  ## run the tests
	$(bin)/python -m pytest --ignore=tests/interop/cosign --ignore=tests/interop/pdf --ignore=tests/docs $(ARGS)

# The programs come from tools/interop-programs; without one, its tests are skipped (with CI=true they fail).
.PHONY: interop
interop: setup-test  ## sign with cosign and verify here, and the other way round, on a Sigstore of its own
	HULLMARK_TEST_BIN="$${HULLMARK_TEST_BIN:-$(CURDIR)/.interop}" $(bin)/python -m pytest --dist=loadfile tests/interop/cosign $(ARGS)

# Downloads about 2 GB of Debian 12's packages; HULLMARK_CORPUS_DIR keeps them elsewhere.
.PHONY: corpus
corpus: setup-test  ## hide Debian's tools in every way: recall and false alarms of the RM-* checks
	$(bin)/python -m tests.conformance.removed_corpus --cache "$${HULLMARK_CORPUS_DIR:-.corpus}"

# Apart as well: it needs Java, and Maven the first time.
.PHONY: pdf-check
pdf-check: setup-test  ## validate reports of every kind with veraPDF (PDF/A-3a, PDF/UA-1) and pdfsig
	tools/verapdf
	$(bin)/python -m pytest --dist=loadfile tests/interop/pdf $(ARGS)

.PHONY: lint
lint: setup-test  ## ruff: rules and format
	$(bin)/ruff check
	$(bin)/ruff format --check

.PHONY: types
types: setup-test  ## mypy, strict
	$(bin)/mypy

.PHONY: contracts
contracts: setup-test  ## import-linter: who may import whom
	$(bin)/lint-imports --no-logo

.PHONY: docs
docs: setup-test  ## build the site into .site, strictly: a link that leads nowhere ends it
	rm -rf .site .cache
	$(bin)/zensical build --strict --config-file mkdocs.yml

# cosign comes from tools/interop-programs, as for `make interop`.
.PHONY: docs-check
docs-check: setup-test  ## run every command of README and docs, open the site in a browser, follow its links
	HULLMARK_TEST_BIN="$${HULLMARK_TEST_BIN:-$(CURDIR)/.interop}" $(bin)/python -m pytest tests/docs $(ARGS)

.PHONY: wheel
wheel: setup-test  ## build dist/hullmark-*.whl with the locked build backend
	rm -rf dist
	$(bin)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@ls -l dist/*.whl

.PHONY: sdist
sdist: wheel  ## build dist/hullmark-*.tar.gz beside the wheel
	$(bin)/python -m hatchling build --target sdist --directory dist
	@ls -l dist/*.tar.gz

# Debian 12 packages come by apt, the locked wheels by pip: the one target but corpus and bench that always downloads.
.PHONY: image
image: wheel  ## assemble our own image as the OCI layout dist/image (root, on Debian 12)
	$(bin)/python tools/image dist/*.whl dist/image

.PHONY: sample
sample: image  ## assess our own image, and write the sample report in docs/sample
	tools/own-report dist/image dist/sample
	cp dist/sample/report.html docs/sample/assets/
	cp dist/sample/summary.md docs/sample/

# runtime.txt is a part of test.txt, so one environment serves both. UPGRADE=1 takes the newest versions.
lock_with = env -u UV_INDEX -u UV_FIND_LINKS $(uv) pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

.PHONY: lock
lock:  ## resolve the locks again from pyproject.toml (needs uv)
	@command -v $(uv) >/dev/null || { echo "make lock needs uv: install it with 'pipx install uv'" >&2; exit 1; }
	$(lock_with) --group build --group test --group interop -o requirements/test.txt
	$(lock_with) --group build -c requirements/test.txt -o requirements/runtime.txt

# BENCH="--only big --runs 9": see tests/benchmarks/run.py
.PHONY: bench
bench: setup-test  ## build real images (root), time sbom and assess on them, compare packages; writes docs/benchmarks.md
	$(bin)/python -m tests.benchmarks.images
	$(bin)/python -m tests.benchmarks.run $(BENCH)
	$(bin)/python -m tests.benchmarks.truth

.PHONY: clean
clean:  ## remove what the targets made, .venv and demo output included
	rm -rf .venv .demo .cache .corpus .interop .site evidence dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
