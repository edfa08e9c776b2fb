# Start with `make lab` or `make test`. Both make .venv from pyproject.toml first; that is the only place they install
# into (and Debian's pythonX.Y-venv and, for the tests, redis-server, where they are missing and you are root).
#   PYTHON=python3.12  the interpreter for a new .venv; without it the first that is new enough
#   VENV=.venv-mine    another place for it, where .venv is somebody else's: such a one is never touched
#   ARGS='3.12 minimum'  what make test-more is to run, where it is not to run everything
#   SINCE=HEAD~3       what make mutants sees a change against; without it, where this branch has left main
#   LAB_ARGS=...       more options for JupyterLab, such as --no-browser on a server

VENV := .venv
BIN := $(VENV)/bin
# Written last, each for what it needs. When pyproject.toml is newer, .venv is updated.
READY := $(VENV)/.ready
EXTRAS := lab,ray,test,docs
LAB_READY := $(VENV)/.lab-ready

.PHONY: help lab test test-more test-minimum check docs notebooks bench bench-ray screenshots mutants clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lab: $(LAB_READY)  ## open JupyterLab on the first notebook
	@echo "Opening JupyterLab; Ctrl+C ends it"
	@$(BIN)/jupyter-lab --ip=127.0.0.1 --LabApp.default_url=/lab/tree/notebooks/01-first-dataflow.ipynb \
		$$([ "$$(id -u)" -ne 0 ] || echo --allow-root) $(LAB_ARGS)

test: check  ## everything: the checks, all tests, all notebooks
	@sh tools/need_redis.sh
	@CHROMIUM="$(CHROMIUM)" sh tools/need_chromium.sh
	$(BIN)/python -m pytest --numprocesses 3

test-more: $(READY)  ## long tests, those of each other Python from 3.11 to 3.14 that is here, test-minimum, other applications, in browsers
	@sh tools/need_redis.sh
	@CHROMIUM="$(CHROMIUM)" sh tools/need_chromium.sh
	@FIREFOX="$(FIREFOX)" sh tools/need_firefox.sh
	@sh tools/need_npm.sh
	@CHROMIUM="$(CHROMIUM)" FIREFOX="$(FIREFOX)" $(BIN)/python tools/test_more.py $(ARGS)

test-minimum:  ## the tests with exactly the lowest versions of other packages that are allowed
	@$(MAKE) --no-print-directory test-more ARGS='minimum $(ARGS)'

check: $(READY)  ## style, types, layers, public names; before every commit
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell
	$(BIN)/python tools/check_house.py
	$(BIN)/python tools/house_figures.py

docs: $(READY)  ## the notebooks and the reference as one site, in build/docs
	@sh tools/need_npm.sh
	$(BIN)/sphinx-build -q -W --keep-going -d build/doctrees docs build/docs
	$(BIN)/python tools/browser_site.py build/docs
	$(BIN)/python tools/check_links.py build/docs
	@echo "open build/docs/index.html; for the pages that run Python: $(BIN)/python -m http.server -d build/docs"

notebooks: $(READY)  ## run the notebooks and save what comes out, when an output is to change
	$(BIN)/python tools/save_notebooks.py

bench: $(READY)  ## figures, beside hand-written threads and queues
	@CHROMIUM="$(CHROMIUM)" sh tools/need_chromium.sh
	$(BIN)/python -m benchmarks

bench-ray: $(READY)  ## figures of platform="remote", beside bare Ray
	$(BIN)/python -m benchmarks.on_ray

screenshots: $(READY)  ## take the pictures of README and docs anew
	@CHROMIUM="$(CHROMIUM)" sh tools/need_chromium.sh
	$(BIN)/python tools/screenshots.py

mutants: $(READY)  ## plant bugs in what has changed (ALL=1: in everything), one at a time; the tests must notice
	$(BIN)/python -m tests.mutants $(if $(ALL),,--since $(SINCE))

clean:  ## remove .venv, if it was made here, and everything else that was
	@for venv in $(VENV) .venv-3.* .venv-minimum .venv-places; do sh tools/make_venv.sh --remove "$$venv"; done
	rm -rf build dist docs/notebooks .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -path './.venv*' -prune -o -name __pycache__ -prune -exec rm -rf {} +

$(LAB_READY): pyproject.toml tools/make_venv.sh
	@PYTHON="$(PYTHON)" sh tools/make_venv.sh $(VENV) lab,ray $@

$(READY): pyproject.toml tools/make_venv.sh
	@PYTHON="$(PYTHON)" sh tools/make_venv.sh $(VENV) $(EXTRAS) $@
	@touch $(LAB_READY)
