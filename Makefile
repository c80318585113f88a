# Every target brings what it needs: Python 3.11 or newer, make and a package index are enough, and after the
# installation no network is needed. Uses nothing newer than GNU make 3.81, which macOS has.

PYTHONS = python3.14 python3.13 python3.12 python3.11 python3
PYTHON ?=
VENV = .venv
ARGS =
SOAK_SECONDS = 600

PY = $(VENV)/bin/python
PIP = -m pip --disable-pip-version-check --quiet
RUNTIME = $(VENV)/.runtime-installed
DEVELOPMENT = $(VENV)/.development-installed

# These are no part of the product's locks: they only make the locks and releases.
UV = uv==0.13.9
CYCLONEDX = cyclonedx-bom==7.5.0
TWINE = twine==7.0.0
TOOLS = build/venv-tools
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(TOOLS)/bin/uv --no-config --quiet pip compile $(ARGS) \
	--universal --python-version 3.11 --generate-hashes

# Makes a virtual environment in $(1), with the first Python that runs (a pyenv shim may be there and not run),
# is new enough and has what a virtual environment takes.
define make_venv
bare=; for python in $(or $(PYTHON),$(PYTHONS)); do \
  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
  if "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then exec "$$python" -m venv --clear $(1); fi; \
  bare=$$python; \
done; \
if [ -n "$$bare" ]; then \
  echo "$$bare cannot make a virtual environment: its module ensurepip is missing." \
    "Install it (Debian and Ubuntu: apt-get install python3-venv)" \
    "or name another Python: make PYTHON=/path/to/python3" >&2; \
else \
  echo "No usable Python among: $(or $(PYTHON),$(PYTHONS)). The exporter needs Python 3.11 or newer;" \
    "install one or name it: make PYTHON=/path/to/python3" >&2; \
fi; exit 1
endef

.DELETE_ON_ERROR:
.PHONY: help demo test check format e2e e2e-light soak bench dashboards chart pictures lock sbom dist release version base wheels clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

demo: $(RUNTIME) ## Serve simulated tenants on http://localhost:10088: no Azure account, no configuration
	@exec $(PY) -m exporter demo $(ARGS)

test: $(DEVELOPMENT) ## Run the quick tests; ARGS goes to pytest
	@$(PY) -m pytest -n 2 -m "not e2e and not engine" $(ARGS)

check: $(DEVELOPMENT) ## Formatting, lint, types and the floors of the architecture
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-logo

format: $(DEVELOPMENT) ## Format the code and mend what ruff can mend
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

e2e: $(DEVELOPMENT) ## Test against real servers, an engine and Helm, which it installs (Debian, as root)
	@tests/e2e/install.sh
	@tests/e2e/install_prometheus3.sh
	@tests/e2e/install_grafana.sh
	@tests/e2e/install_containers.sh
	@$(PY) -m pytest -m "e2e or engine" tests/e2e $(ARGS)

e2e-light: $(DEVELOPMENT) ## The same without an engine and Helm, which take minutes to install; ARGS goes to pytest
	@tests/e2e/install.sh
	@tests/e2e/install_prometheus3.sh
	@tests/e2e/install_grafana.sh
	@$(PY) -m pytest -m e2e tests/e2e $(ARGS)

soak: $(DEVELOPMENT) ## Random faults and scrapes for SOAK_SECONDS, 600 by default; ARGS=--seed=N repeats a run
	@$(PY) -m tests.soak.soak --seconds=$(SOAK_SECONDS) $(ARGS)

bench: $(DEVELOPMENT) ## Measure against the promised figures, half an hour; ARGS: --help, --quick, ...
	@PY=$(PY) benchmarks/install.sh $(ARGS)
	@$(PY) -m benchmarks $(ARGS)

dashboards: $(DEVELOPMENT) ## Write the Grafana dashboards in grafana/dashboards, and their copies in the Helm chart
	@$(PY) -m grafana.generate
	@deploy/helm/copy-files.sh

chart: $(DEVELOPMENT) ## Write what the Helm chart says twice: rules, dashboards, the schema and table of its values
	@deploy/helm/copy-files.sh
	@$(PY) deploy/helm/values_schema.py

pictures: $(DEVELOPMENT) ## Take the pictures in docs/images: the status page and the dashboards
	@tests/e2e/install.sh
	@tests/e2e/install_grafana.sh
	@$(PY) -m tests.e2e.pictures

lock: $(TOOLS)/.installed ## Write all lock files; ARGS=--upgrade takes the newest versions
	@$(LOCK) pyproject.toml --output-file requirements.lock
	@$(LOCK) pyproject.toml --group dev --constraint requirements.lock --output-file requirements-dev.lock
	@$(LOCK) benchmarks/requirements.in --output-file benchmarks/requirements.txt

# The bill is taken from an environment that holds the locked runtime packages and nothing else, not even pip.
sbom: $(TOOLS)/.installed ## Write dist/sbom.cdx.json, the CycloneDX bill of the locked runtime packages
	@$(TOOLS)/bin/python -m venv --clear --without-pip build/venv-sbom
	@$(TOOLS)/bin/python $(PIP) --python build/venv-sbom/bin/python install --require-hashes -r requirements.lock
	@mkdir -p dist
	@version=$$($(TOOLS)/bin/python -c 'import exporter; print(exporter.__version__)') && \
	  sed "s/^dynamic = .*/version = \"$$version\"/" pyproject.toml >build/sbom-pyproject.toml
	@$(TOOLS)/bin/cyclonedx-py environment build/venv-sbom/bin/python --pyproject build/sbom-pyproject.toml \
	  --output-reproducible --output-format JSON --output-file dist/sbom.cdx.json
	@echo "Wrote dist/sbom.cdx.json."

dist: $(DEVELOPMENT) ## Build the wheel and the sdist in dist/; the same commit gives the same bytes
	@rm -f dist/*.whl dist/*.tar.gz
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || echo 1580601600)} \
	  $(PY) -m hatchling build -t sdist -t wheel

release: dist sbom ## Build all that a release consists of in dist/, and check it; ARGS=--dirty tries it uncommitted
	@$(PY) -m release $(ARGS)

version: ## Write VERSION=1.2.3 into every file that says it; the changelog is yours
	@$(PY) -m release.versions $(VERSION)

base: ## Look up today's digest of the base image, and write it into the Dockerfile
	@mkdir -p build
	@name=$$(sed -n 's/^ARG BASE=\([^@]*\).*/\1/p' Dockerfile) && \
	  digest=$$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$$name") && \
	  sed "s|^ARG BASE=.*|ARG BASE=$$name@$$digest|" Dockerfile >build/Dockerfile && cp build/Dockerfile Dockerfile
	@git --no-pager diff --stat Dockerfile

wheels: $(DEVELOPMENT) ## Ask the package index for wheels of the lock for each Python and processor
	@$(PY) -m tests.packaging.wheels

clean: ## Remove all that the other targets made
	rm -rf .venv build dist .e2e .hypothesis .import_linter_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A Python that was uninstalled leaves a dangling link: what was installed for it is forgotten, and made anew.
$(foreach venv,$(VENV) $(TOOLS),$(shell test -x $(venv)/bin/python || rm -f $(venv)/.*installed))

%/bin/python:
	@echo "Making a virtual environment in $* ..."
	@$(call make_venv,$*)

$(RUNTIME): requirements.lock $(PY)
	@echo "Installing the runtime packages of requirements.lock ..."
	@$(PY) $(PIP) install --require-hashes -r requirements.lock
	@touch $@

$(DEVELOPMENT): requirements-dev.lock pyproject.toml $(RUNTIME)
	@echo "Installing the development packages of requirements-dev.lock ..."
	@$(PY) $(PIP) install --require-hashes -r requirements-dev.lock
	@$(PY) $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(TOOLS)/.installed: Makefile $(TOOLS)/bin/python
	@echo "Installing $(UV), $(CYCLONEDX) and $(TWINE) ..."
	@$(TOOLS)/bin/python $(PIP) install $(UV) $(CYCLONEDX) $(TWINE)
	@touch $@
