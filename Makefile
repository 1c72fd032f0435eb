# Every recipe says what it does in `make help`. `check` never edits a file; `fix` does; CI runs these same recipes.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PY := $(BIN)/python
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
PYTEST := $(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

# --- set-up --------------------------------------------------------------------------------------------------------------

# Cheap when nothing changed: tools/bootstrap.sh keeps a stamp per lock, named by the lock's hash.
venv-%:
	@tools/bootstrap.sh $*

.PHONY: install
install: venv-dev ## Make .venv with everything a developer needs

# --- run -----------------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: venv-demo ## A four-trust federation on this machine, from nothing to an answer (KEEP=1 leaves it running)
	@KEEP=$(KEEP) $(PY) -m demo

# --- tests ---------------------------------------------------------------------------------------------------------------

.PHONY: test test-all unit spec property acceptance
test: venv-dev venv-demo scan-tools rocrate-tools mesh-tools oidc-tools api-tools web-tools ## Every test except those marked slow
	@$(PYTEST) -m "not slow" $(ARGS)

test-all: venv-dev venv-demo scan-tools rocrate-tools mesh-tools oidc-tools api-tools web-tools smartnoise ## Every test, with the slow ones
	@$(PYTEST) $(ARGS)

unit: venv-dev ## The quick tests only
	@$(PYTEST) tests/unit $(ARGS)

spec: venv-dev venv-demo ## The language, policy and ledger specifications, on every engine
	@$(PYTEST) tests/spec $(ARGS)

property: venv-dev ## The Hypothesis tests, at length: over 10,000 fresh examples (`make test` runs a fixed slice)
	@$(PYTEST) --dist load tests/property --hypothesis-profile=full $(ARGS)

acceptance: venv-dev venv-demo scan-tools rocrate-tools mesh-tools oidc-tools api-tools web-tools ## The acceptance tests by id: passing, failing, no test yet
	@$(PY) tools/acceptance.py --workers $(WORKERS) $(ARGS)

.PHONY: mutate-policy
mutate-policy: venv-dev ## Break every branch of the policy's rules in turn: would policies/cases notice? (seconds)
	@$(PY) -m tests.policies.mutants

# Alone on a quiet machine: whatever else runs, runs in the measurement.
.PHONY: timing
timing: venv-dev ## Response times on the wire at full size (PRV-08): about 40 minutes
	@$(PY) -m pytest --full-size -m full_size -q -s tests/acceptance $(ARGS)

# The peer's venv is made first; SIZE=100000 asks of so many admissions, and only the full size writes the page.
.PHONY: bench-accuracy
bench-accuracy: venv-dev smartnoise ## A dozen questions: error on chosen bounds, on a bound of five, and of SmartNoise SQL
	@$(PY) -m benchmarks.accuracy --peer .smartnoise-venv/bin/python \
	  $(if $(SIZE),--episodes $(SIZE),--page docs/reference/accuracy-benchmark.md) $(ARGS)

# The peer's venv is made first; SIZE=500000 asks of so many admissions, and only the full size writes the page.
.PHONY: bench-engine
bench-engine: venv-dev smartnoise ## A dozen questions: our time beside the plain query's, memory, and growth with size
	@$(PY) -m benchmarks.engine --peer .smartnoise-venv/bin/python \
	  $(if $(SIZE),--episodes $(SIZE) --largest 0,--page docs/reference/engine-benchmark.md) $(ARGS)

# PROJECTS=100 QUESTIONS=10000 fills a smaller past.
.PHONY: bench-web
bench-web: venv-dev ## Every page over a past of 1,000 projects and 100,000 questions (5 minutes)
	@$(PY) -m benchmarks.web $(if $(PROJECTS),--projects $(PROJECTS)) $(if $(QUESTIONS),--questions $(QUESTIONS)) $(ARGS)

.PHONY: bench-policy
bench-policy: venv-dev ## 10,000 recorded decisions replayed under another policy, beside reading them alone
	@$(PY) -m benchmarks.policy $(ARGS)

# SIZE=2000 cuts the power so often and does the rest in proportion; only the full size writes the page.
.PHONY: torture
torture: venv-dev ## Power cuts, failing disks and kills at the budget ledger: about 30 minutes, writes its page
	@$(PY) -m tests.torture $(if $(SIZE),--cuts $(SIZE) --kills $$(($(SIZE) / 50)) --faults $$(($(SIZE) / 20)),--page) $(ARGS)

# SIZE=500 lets so many histories happen, SEED=7 begins with that seed; only the full size writes the page.
.PHONY: simulate
simulate: venv-dev ## Made-up histories of a federation that crashes, replayed from seeds: 20,000, writes its page
	@$(PY) -m tests.simulation $(if $(SIZE),--size $(SIZE),--page) $(if $(SEED),--seed $(SEED)) $(ARGS)

# KILLS=100 kills so many on each database.
.PHONY: torture-coordinator
torture-coordinator: venv-dev ## Kill -9 of the coordinator, anywhere, 1,000 times on each database (about 10 minutes)
	@$(PY) -m tests.torture.coordinator --kills $(or $(KILLS),1000) --database sqlite $(ARGS)
	@$(PY) -m tests.torture.coordinator --kills $(or $(KILLS),1000) --database postgresql $(ARGS)

.PHONY: audit-privacy
audit-privacy: venv-dev accounting-tools ## The privacy audit: mechanisms, sampler, composition (ARGS=--full: at length, and write its page)
	@$(PY) -m audits $(ARGS)

# SECONDS=60 for a look; the suite has a fixed slice of it without atheris.
.PHONY: fuzz
fuzz: fuzz-tools ## An hour of malicious input at every place where bytes come in (INP-02), with atheris
	@.fuzz-venv/bin/python -m tests.fuzz --seconds $(or $(SECONDS),3600) $(ARGS)

.PHONY: coverage
coverage: venv-dev ## Tests with line and branch coverage, report in build/coverage
	@$(PY) -m coverage run -m pytest -m "not slow" $(ARGS)
	@$(PY) -m coverage combine --quiet 2>/dev/null || true
	@$(PY) -m coverage html --directory build/coverage
	@$(PY) -m coverage report

# --- checks --------------------------------------------------------------------------------------------------------------

CHECKS := check-lint check-format check-types check-imports check-rules check-protos check-docs check-migration check-hosts
.PHONY: check fix $(CHECKS)
# -k: one run shows every problem, not only the first.
check: venv-dev ## Lint, format, types, boundaries, house rules, generated files; edits nothing
	@$(MAKE) -k -j $(WORKERS) --output-sync=target $(CHECKS) && echo "check: all good"

check-lint:
	@$(BIN)/ruff check --quiet --output-format concise
check-format:
	@$(BIN)/ruff format --check --quiet || { echo "format: run 'make fix'"; exit 1; }
check-types:
	@$(BIN)/mypy
check-imports:
	@$(BIN)/lint-imports --no-logo --no-cache
check-rules:
	@$(PY) tools/check_rules.py
check-protos:
	@$(PY) tools/generate_protos.py --check
check-docs:
	@if [ -f tools/generate_docs.py ]; then $(PY) tools/generate_docs.py --check; fi
check-migration:
	@$(PY) tools/generate_migration.py --check
check-hosts:
	@$(PY) tools/check_registry_hosts.py

fix: venv-dev ## Format, and mend what ruff can mend safely
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format --quiet
	@$(BIN)/ruff check

# --- generated files -----------------------------------------------------------------------------------------------------

.PHONY: docs protos
docs: venv-dev ## Generate the reference pages
	@if [ -f tools/generate_docs.py ]; then $(PY) tools/generate_docs.py; else echo "no tools/generate_docs.py yet"; fi

# Until the first release there is one migration. Two branches that changed tables are merged by running this again.
.PHONY: migration
migration: venv-dev ## Make the coordinator's baseline migration from its tables
	@$(PY) tools/generate_migration.py

protos: venv-dev ## Generate trustquery/v1 from protos/
	@$(PY) tools/generate_protos.py

# --- locks and artefacts -------------------------------------------------------------------------------------------------

COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-annotate --no-header \
  $(if $(UPGRADE),--upgrade)
.PHONY: lock sbom wheel audit scan-tools rocrate-tools mesh-tools oidc-tools api-tools web-tools accounting-tools fuzz-tools smartnoise clean
# These locks name no registry host. uv's own lock file does, so it is never made.
lock: venv-dev ## Remake requirements/*.lock from *.in (UPGRADE=1 takes newer versions)
	@for name in bootstrap runtime postgresql dev scan rocrate mesh schemathesis audit accounting fuzz smartnoise; do $(COMPILE) requirements/$$name.in -o requirements/$$name.lock || exit 1; done
	@$(COMPILE) --no-deps requirements/demo.in -o requirements/demo.lock

sbom: venv-dev ## CycloneDX list of what the runtime lock installs, into build/ (it names registries: never commit it)
	@mkdir -p build
	@$(BIN)/uv venv --quiet --clear --python $(PY) build/sbom-venv
	@$(BIN)/uv pip install --quiet --python build/sbom-venv/bin/python --require-hashes -r requirements/runtime.lock
	@$(BIN)/cyclonedx-py environment build/sbom-venv --pyproject pyproject.toml --output-reproducible -o build/sbom.cdx.json
	@$(PY) -c 'import json; print(len(json.load(open("build/sbom.cdx.json"))["components"]), "components in build/sbom.cdx.json")'

wheel: venv-dev ## Build the wheel twice, in two places, and require the same bytes
	@tools/build_wheel.sh

# Needs its advisory service: without --strict it reports success for packages that it could not look up.
audit: venv-dev ## Known vulnerabilities of the runtime lock (needs the advisory service; fails where it cannot ask)
	@[ -x .audit-venv/bin/python ] || $(PY) -m venv .audit-venv
	@$(BIN)/uv pip install --quiet --python .audit-venv/bin/python --require-hashes -r requirements/audit.lock
	@.audit-venv/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/runtime.lock

scan-tools: venv-dev ## The TLS scanner, in a venv of its own (its pins disagree with ours)
	@[ -x .scan-venv/bin/python ] || $(PY) -m venv .scan-venv
	@$(BIN)/uv pip install --quiet --python .scan-venv/bin/python --require-hashes -r requirements/scan.lock || \
	  .scan-venv/bin/pip install --quiet --require-hashes -r requirements/scan.lock

rocrate-tools: venv-dev ## The RO-Crate validator, in a venv of its own (its pins disagree with ours)
	@[ -x .rocrate-venv/bin/python ] || $(PY) -m venv .rocrate-venv
	@$(BIN)/uv pip install --quiet --python .rocrate-venv/bin/python --require-hashes -r requirements/rocrate.lock || \
	  .rocrate-venv/bin/pip install --quiet --require-hashes -r requirements/rocrate.lock

mesh-tools: venv-dev ## NHS England's MESH sandbox, in a venv of its own (its pins disagree with ours)
	@[ -x .mesh-venv/bin/python ] || $(PY) -m venv .mesh-venv
	@$(BIN)/uv pip install --quiet --python .mesh-venv/bin/python --require-hashes -r requirements/mesh.lock || \
	  .mesh-venv/bin/pip install --quiet --require-hashes -r requirements/mesh.lock

api-tools: venv-dev ## Schemathesis, which tries the JSON API, in a venv of its own (its pins disagree with ours)
	@[ -x .api-venv/bin/python ] || $(PY) -m venv .api-venv
	@$(BIN)/uv pip install --quiet --python .api-venv/bin/python --require-hashes -r requirements/schemathesis.lock || \
	  .api-venv/bin/pip install --quiet --require-hashes -r requirements/schemathesis.lock

OIDC := tests/peers/oidc
oidc-tools: ## A certified OpenID Connect provider for the sign-in tests (npm; nothing of it runs while it installs)
	@cmp -s $(OIDC)/package-lock.json $(OIDC)/node_modules/.installed || \
	  { (cd $(OIDC) && npm ci --ignore-scripts --no-audit --no-fund --silent) && \
	    cp $(OIDC)/package-lock.json $(OIDC)/node_modules/.installed; }

WEB := tests/peers/web
web-tools: ## axe-core and the design system, for the tests of pages (npm; nothing of it runs while it installs)
	@cmp -s $(WEB)/package-lock.json $(WEB)/node_modules/.installed || \
	  { (cd $(WEB) && npm ci --ignore-scripts --no-audit --no-fund --silent) && \
	    cp $(WEB)/package-lock.json $(WEB)/node_modules/.installed; }

.PHONY: kit pictures
kit: venv-dev web-tools ## Make trustquery/web/static/kit from the locked design system
	@$(PY) tools/vendor_kit.py

pictures: venv-dev web-tools ## Take docs/images/web/*.png of every page and state anew: look at each
	@$(PY) -m pytest -q -p no:xdist tests/web/test_accessibility.py --pictures docs/images/web $(ARGS)

smartnoise: venv-dev ## SmartNoise SQL, the peer of bench-accuracy, in a venv of its own
	@[ -x .smartnoise-venv/bin/python ] || $(PY) -m venv .smartnoise-venv
	@$(BIN)/uv pip install --quiet --python .smartnoise-venv/bin/python --require-hashes -r requirements/smartnoise.lock || \
	  .smartnoise-venv/bin/pip install --quiet --require-hashes -r requirements/smartnoise.lock

fuzz-tools: venv-dev ## atheris and our runtime, in a venv of its own (it instruments what it imports)
	@[ -x .fuzz-venv/bin/python ] || $(PY) -m venv .fuzz-venv
	@$(BIN)/uv pip install --quiet --python .fuzz-venv/bin/python --require-hashes -r requirements/runtime.lock -r requirements/fuzz.lock

accounting-tools: venv-dev ## Google's privacy accountant, in a venv of its own (its pins disagree with ours)
	@[ -x .accounting-venv/bin/python ] || $(PY) -m venv .accounting-venv
	@$(BIN)/uv pip install --quiet --python .accounting-venv/bin/python --require-hashes -r requirements/accounting.lock || \
	  .accounting-venv/bin/pip install --quiet --require-hashes -r requirements/accounting.lock

clean: ## Remove what was built; .venv stays
	@rm -rf build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
