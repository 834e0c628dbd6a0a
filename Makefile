# Every command does its own set-up; nothing has to be installed by hand but Python 3.11 and make.
PYTHON ?= python3
VENV := .venv
DEV := .venv-dev
BENCH := .venv-bench
BIGQUERY := .venv-bqemulator
CHECKOV := .venv-checkov
TOOLS := .tools
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-gcp up-emulators test test-units test-systems check check-infra plan-infra fix bench docs clean

help: ## List every command
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.made ## Create .venv with the earmark command in it
	@echo "Ready: $(VENV)/bin/earmark --help"

demo: $(VENV)/.made ## Analyse examples/audio through the whole pipeline
	$(VENV)/bin/earmark analyze examples/audio

demo-gcp: $(DEV)/.made $(BIGQUERY)/.made ## The demo through Google Cloud's emulators, with several workers
	$(DEV)/bin/python -m tests.servers.demo

up-emulators: $(DEV)/.made $(BIGQUERY)/.made ## Run Pub/Sub, Cloud Storage and BigQuery here until Ctrl-C
	$(DEV)/bin/python -m tests.servers.cloud

test: $(DEV)/.made $(BIGQUERY)/.made $(TOOLS)/promtool ## Run every check and every test
	$(MAKE) --no-print-directory check $(if $(CI),check-infra)
	$(MAKE) --no-print-directory --jobs=2 --keep-going test-units test-systems

# Two halves that take about as long as each other on two cores: the units compute and the flows wait, so the contracts
# are dealt out between them by name.
EARLY := $(wildcard tests/contracts/test_[a-q]*.py)
LATE := $(filter-out $(EARLY),$(wildcard tests/contracts/test_*.py))
# Modules are compiled once, also where the environment says that nothing is to be kept: hundreds of processes start.
test-units test-systems: export PYTHONDONTWRITEBYTECODE :=

test-units: $(DEV)/.made $(BIGQUERY)/.made
	$(DEV)/bin/python -m pytest -q -o cache_dir=.pytest_cache/units tests/unit tests/gpu $(EARLY)

test-systems: $(DEV)/.made $(BIGQUERY)/.made
	$(DEV)/bin/python -m pytest -q -o cache_dir=.pytest_cache/systems tests/flows $(LATE)

# Only whether they are well formed: tests/unit/test_alerts.py tries them, and fails for want of promtool where CI=true.
ALERTS := PATH="$$PATH:$(CURDIR)/$(TOOLS)"; if command -v promtool >/dev/null; then \
	promtool check rules infra/prometheus/*.rules.yml && promtool check config infra/prometheus/prometheus.yml; \
	else echo "NOT CHECKED: alerts, for there is no promtool."; fi

check: $(DEV)/.made $(TOOLS)/promtool ## Lint, types, import rules, alerts
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports
	@$(ALERTS)

check-infra: $(CHECKOV)/.made ## Look for what is unsafe in infra/terraform; CI does so too
	$(CHECKOV)/bin/checkov --directory infra/terraform --framework terraform --skip-download --compact --quiet
	@! command -v terraform > /dev/null || terraform fmt -check -recursive infra/terraform

plan-infra: ## Plan infra/terraform with the provider mocked; needs terraform and its registry, no account
	@for tests in $$(find infra/terraform -name '*.tftest.hcl' -exec dirname {} +); do \
	echo "$$tests" && cd "$(CURDIR)/$$tests/.." && terraform init -backend=false -input=false > /dev/null && \
	terraform validate && terraform test || exit 1; done

fix: $(DEV)/.made ## Mend what the linter can mend, and format
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

bench: $(BENCH)/.made ## Measure every figure in the README and write it there
	$(BENCH)/bin/python -m benchmarks

docs: $(DEV)/.made ## Write docs/settings.md, docs/openapi.json, docs/metrics.md, the dashboards and what the demo prints into the README
	$(DEV)/bin/python -m runtime.settings_page
	$(DEV)/bin/python -m runtime.api.openapi_page
	$(DEV)/bin/python -m runtime.metrics.page
	$(DEV)/bin/python -m infra.grafana
	$(DEV)/bin/python -m runtime.gcp.terraform_tables
	$(DEV)/bin/python -m runtime.cost.page
	$(DEV)/bin/python -m benchmarks.demo

clean: ## Remove environments and caches, keep data
	rm -rf $(VENV) $(DEV) $(BENCH) $(BIGQUERY) $(TOOLS) $(CHECKOV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.made: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(VENV)/bin/python -m pip install --quiet --editable .
	touch $@

$(DEV)/.made: pyproject.toml
	$(PYTHON) -m venv $(DEV)
	$(PIP) $(DEV)/bin/python -m pip install --quiet torch==2.13.0
	$(PIP) $(DEV)/bin/python -m pip install --quiet --editable '.[dev,gcp,qwen2-audio,openai,parquet,gpu,tracing]'
	touch $@

# bqemulator needs packages of its own that must not meet ours.
$(BIGQUERY)/.made: tests/servers/bigquery-requirements.txt
	$(PYTHON) -m venv $(BIGQUERY)
	$(PIP) $(BIGQUERY)/bin/python -m pip install --quiet --requirement $<
	$(BIGQUERY)/bin/python -c "from duckdb_extensions import import_extension; import_extension('spatial')"
	touch $@

# checkov brings a hundred packages, some of them old.
$(CHECKOV)/.made: infra/terraform/checkov-requirements.txt
	$(PYTHON) -m venv $(CHECKOV)
	$(PIP) $(CHECKOV)/bin/python -m pip install --quiet --requirement $<
	touch $@

$(BENCH)/.made: pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(PIP) $(BENCH)/bin/python -m pip install --quiet torch==2.13.0
	$(PIP) $(BENCH)/bin/python -m pip install --quiet --editable '.[dev,gcp,qwen2-audio,openai,parquet,gpu,tracing,bench]'
	touch $@

# promtool and prometheus out of Debian's package, which need not be installed for it; the path goes first.  Package lists
# of our own stand in for those of the system where it has none.
APT := apt-get -qq -o APT::Sandbox::User=root -o Dir::Cache=$(CURDIR)/$(TOOLS)/part -o Dir::State::status=/dev/null
LISTS := -o Dir::State::lists=$(CURDIR)/$(TOOLS)/part/lists

$(TOOLS)/promtool:
	@if command -v promtool >/dev/null && command -v prometheus >/dev/null; then exit 0; fi; \
	rm -rf $(TOOLS)/part && mkdir -p $(TOOLS)/part/lists && cd $(TOOLS)/part && \
	{ $(APT) download prometheus || { $(APT) $(LISTS) update && $(APT) $(LISTS) download prometheus; }; } 2>apt.log && \
	dpkg -x prometheus_*.deb . && mv usr/bin/prometheus usr/bin/promtool .. && cd .. && rm -rf part || \
	echo "NOT FETCHED: promtool and prometheus.  Install Debian's package prometheus, or the tests that need them are skipped."
