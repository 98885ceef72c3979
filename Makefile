# make repro   run the pipeline            make ui     look at its runs in MLflow
# make test    lint, types and tests       make lock   renew the locked versions
# make test-fast   only the tests that need neither TensorFlow nor MLflow
# make test-long   tests of queues, killed processes and shared databases
# make test-faults   interruptions, twenty times each, and repetitions of runs
# make serve   serve the champion, or data/model, over HTTP (PORT=5001)
# make track   record the current result again, if the store misses it
# make report  write the report of the current result anew, and open it
# make doctor  check the environment, and say how to fix it
# make bench   measure its speed beside others (BENCH="epoch members" for some)
# make docs    build the documentation site in site/
.DEFAULT_GOAL := repro
.PHONY: repro track report ui serve doctor test test-fast test-long test-faults bench docs lock check-python
SHELL := /bin/sh

SUPPORTED = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  if $$p -c '$(SUPPORTED)' >/dev/null 2>&1; then echo $$p; break; fi; done)
BIN := .venv/bin
# The stages call `python`: it has to be the one of the environment.
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
# The machine's own certificates, as pip takes them: a company's proxy has signed with its own.
UV := UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=true VIRTUAL_ENV="$(CURDIR)/.venv" $(BIN)/uv --quiet

# More packages, such as gpu and s3: see docs/machines.md.
EXTRAS :=

repro: .venv/run.stamp $(EXTRAS:%=.venv/%.stamp)
	@$(RUN) dvc repro
	@# A store out of reach, which has been warned of, does not make the results fail.
	@$(RUN) python -m pipeline.track || true

track: .venv/run.stamp
	@$(RUN) python -m pipeline.track

report: .venv/run.stamp
	@$(RUN) python -m pipeline.report

ui: .venv/run.stamp
	@test -f mlflow.db || { echo "error: no runs yet: make repro records the first" >&2; exit 1; }
	@echo "The runs are at http://127.0.0.1:$(or $(PORT),5000)/#/experiments?workflowType=machine_learning until Ctrl-C"
	@# The lifespan is that of MLflow's assistant: Ctrl-C would end it with a traceback.
	@# By default MLflow also answers to names such as 10.example.org, which a page may lead here.
	@trap 'echo' INT; $(RUN) MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true \
	  MLFLOW_LOGGING_LEVEL=WARNING PYTHONWARNINGS=ignore mlflow server --backend-store-uri sqlite:///mlflow.db \
	  --host 127.0.0.1 --port $(or $(PORT),5000) --allowed-hosts 'localhost,localhost:*,127.0.0.1,127.0.0.1:*' \
	  --workers 1 --uvicorn-opts "--log-level warning --lifespan off"

serve: .venv/run.stamp
	@trap 'echo' INT; $(RUN) python -m pipeline.serve --port $(or $(PORT),5001)

# Whatever is broken: without its prerequisites.
doctor: check-python
	@PYTHONSAFEPATH= $$(test -x $(BIN)/python && echo $(BIN)/python || echo $(PYTHON)) -m pipeline.doctor

test: .venv/test.stamp
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long and not faults"

test-fast: .venv/test.stamp
	@$(RUN) pytest --fast -n 2 --dist loadfile -m "not long and not faults" --hypothesis-profile quick

test-long: .venv/test.stamp
	@$(RUN) pytest -n 2 --dist loadfile -m long

FAULTS := concurrency faults interruptions remotes reproduce server
test-faults: .venv/test.stamp
	@$(RUN) REPEATS=20 pytest -n 2 --dist loadfile -m "long or faults" $(FAULTS:%=tests/end_to_end/test_%.py) \
	  tests/sweep/test_cluster.py

bench: .venv/run.stamp .venv-benchmarks/stamp
	@$(RUN) python -m benchmarks $(BENCH)

docs: .venv/test.stamp
	@$(RUN) sphinx-build --quiet --fail-on-warning --keep-going docs site
	@echo "The site is at site/index.html"

.venv-benchmarks/stamp: benchmarks/requirements.txt | check-python
	@echo "Installing the libraries to compare with ..."
	@$(PYTHON) -m venv .venv-benchmarks
	@PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-benchmarks/bin/python -m pip install --quiet -r $<
	@touch $@

# Versions move only here. The locks name no package index: the installer asks
# whichever the machine is set up for.
COMPILE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header --upgrade
lock: .venv/uv.stamp
	@echo uv | $(COMPILE) - -o requirements/uv.txt
	@$(COMPILE) pyproject.toml -o requirements/run.txt
	@$(COMPILE) pyproject.toml --group test -c requirements/run.txt -o requirements/test.txt
	@for extra in gpu s3 gs azure ssh ray; do \
	  $(COMPILE) pyproject.toml --extra $$extra -c requirements/run.txt \
	    $$(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements/run.txt) \
	    | grep -v '^#' > requirements/$$extra.txt || exit 1; \
	done

# The commands are modules of the folder that they are run in, also where PYTHONSAFEPATH takes
# that from the front of Python's path. An installed package would be that of one clone alone; this
# one comes last, for notebooks in other folders.
WORKING_DIRECTORY := import os, sys; os.environ.get("PYTHONSAFEPATH") and sys.path.append("")
SITE := import sysconfig; print(sysconfig.get_path('purelib'))

check-python:
	@test -n "$(PYTHON)" || { echo "error: needs Python 3.11, 3.12 or 3.13 on the PATH;" \
	  "install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c '$(SUPPORTED)' || { echo "error: $(PYTHON) is not Python 3.11, 3.12 or 3.13;" \
	  "name one that is: make PYTHON=/path/to/python3.12" >&2; exit 1; }

.venv/uv.stamp: requirements/uv.txt | check-python
	@echo "Setting up .venv with $(PYTHON) ..."
	@$(PYTHON) -m venv .venv
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --require-hashes \
	  -r requirements/uv.txt
	@touch $@

.venv/path.stamp: .venv/uv.stamp Makefile
	@printf '%s\n' '$(WORKING_DIRECTORY)' '$(CURDIR)' > "$$($(BIN)/python -c "$(SITE)")/working_directory.pth"
	@touch $@

.venv/run.stamp: .venv/uv.stamp requirements/run.txt | .venv/path.stamp
	@echo "Installing the locked packages (about 3 GB) ..."
	@$(UV) pip install --require-hashes --compile-bytecode -r requirements/run.txt
	@touch $@

.venv/test.stamp: .venv/run.stamp requirements/test.txt
	@echo "Installing the test tools ..."
	@$(UV) pip install --require-hashes --compile-bytecode -r requirements/test.txt
	@touch $@

.venv/%.stamp: requirements/%.txt .venv/run.stamp
	@echo "Installing the locked packages of $* ..."
	@# Its lock has what it adds; hashes are required of what that needs too.
	@$(UV) pip install --require-hashes --compile-bytecode -r requirements/run.txt -r $<
	@touch $@
