# `make serve` and `make test` do all their own set-up; nothing has to be run before them.

# bytecode is kept: the tests start hundreds of processes, each of which would compile everything anew
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help serve test check lint heavy engines docs setup lock release audit clean ci

PREPARE = python=$$(sh scripts/setup/find-python.sh) && "$$python" scripts/setup/prepare.py
BIN = .venv/bin
# documents and code that are written from other files; the examples in README need a running service (see .ci/run)
GENERATORS = $(filter-out scripts/build_readme_examples.py,$(sort $(wildcard scripts/build_*.py)))

help: ## Show this list
	@echo "slmkg: the commands of this checkout. Each does its own set-up."
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16
	@echo "Settings: SLMKG_HOST, SLMKG_PORT, SLMKG_DATA_DIR (see docs/reference/settings.md)."

serve: ## Serve on http://127.0.0.1:8000; the first start loads the seed data
	@$(PREPARE) serve
	@exec $(BIN)/slmkg serve

test: ## Run the tests (PYTEST_ARGS="-k word" picks some; HEAVY=1 runs the long ones too)
	@$(PREPARE) test
	@$(BIN)/pytest -n auto --dist worksteal $(if $(HEAVY),,-m "not heavy") --ignore=tests/engines $(PYTEST_ARGS)

check: lint test ## Run every check: lint, then the tests

lint: ## Check style, types, imports, dependencies and generated files
	@$(PREPARE) test
	@echo "[1/6] ruff check" && $(BIN)/ruff check .
	@echo "[2/6] ruff format" && $(BIN)/ruff format --check .
	@echo "[3/6] mypy" && $(BIN)/mypy
	@echo "[4/6] import-linter" && $(BIN)/lint-imports
	@echo "[5/6] deptry" && $(BIN)/deptry .
	@echo "[6/6] generated files" && set -e; for script in $(GENERATORS); do \
		echo "      $$script --check"; $(BIN)/python $$script --check; done

heavy: ## Run the long tests alone (processes killed during loads, …)
	@$(PREPARE) test
	@$(BIN)/pytest -n auto --dist worksteal -m heavy --ignore=tests/engines $(PYTEST_ARGS)

engines: ## Run the tests that measure with real engines (builds llama.cpp the first time)
	@$(PREPARE) engines
	@$(BIN)/pytest -n auto --dist worksteal tests/engines $(PYTEST_ARGS)

docs: ## Build the documentation as a site in build/site/html
	@$(PREPARE) test
	@$(BIN)/python scripts/docs/site.py

setup: ## Only set up: environment, packages, data
	@$(PREPARE) setup

lock: ## Write the lock files anew (UPGRADE=1 takes the newest versions)
	@$(PREPARE) test
	@$(BIN)/python scripts/setup/prepare.py lock $(if $(UPGRADE),--upgrade)

release: ## Make wheel, source archive, bill of materials and data release in dist/
	@$(PREPARE) test
	@$(BIN)/python -m scripts.release

# --strict: a package that the advisories know nothing of is a failure too. Both ask services on the internet.
audit: ## Ask for known weaknesses of the locked packages
	@$(PREPARE) test
	@set -e; for lock in runtime telemetry measure; do \
		$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off --requirement requirements/$$lock.txt; \
	done
	npm audit --omit=dev

ci: ## Run what continuous integration runs
	@bash .ci/run

clean: ## Remove what set-up and checks made; the data in var/ stays
	rm -rf .venv node_modules app/web/static/vendor .prepare.lock build dist
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find app scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +
