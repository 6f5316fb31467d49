# seqlab: every command sets up .venv first, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
EXPERIMENT ?= reversal_bahdanau
PROFILE ?= cpu
DEVICE ?= cpu
MODELS := gru lstm context_gru bahdanau luong conv transformer gpt
comma := ,
space := $(subst ,, )
TASKS := reversal multi30k notes
TASK ?= $(TASKS)
REPLAY := outputs/reference/replay
SEQLAB_DATA ?= ../shared/data
NEEDS_multi30k = $(SEQLAB_DATA)/multi30k
NEEDS_notes = $(SEQLAB_DATA)/notes/ml
RESULTS = $(BIN)/python -m seqlab.reporting.readme.claims README.md outputs/reference

.DEFAULT_GOAL := help
.PHONY: help setup train sweep replay curves $(TASKS:%=curves-%) test test-all check format data reproduce reproduce-R reproduce-T reproduce-C reproduce-K reproduce-G reproduce-S reproduce-M reproduce-P report play bundle pictures results bench bench-keras wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-zA-Z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv and install the pinned dependencies

$(READY): pyproject.toml src/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(f"seqlab needs Python 3.11 or newer, but $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.11" if v < (3, 11) else 0)'
	@echo "Setting up $(VENV): once, about two minutes and 2 GB, more with CUDA (README.md, Install). First its Python:"
	@$(PYTHON) -m venv $(VENV)
	@echo "Now pip installs torch and the others with the versions of constraints.txt, and says what it does:"
	@$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e src -e ".[dev]"
	@touch $@
	@echo "$(VENV) is ready: source $(BIN)/activate"

train: $(READY) ## train, test and keep an experiment (EXPERIMENT=reversal_bahdanau)
	$(BIN)/seqlab-train experiment=$(EXPERIMENT)

sweep: $(READY) ## a small search over two slots, in a few minutes, with plots
	$(BIN)/seqlab-train -m +sweeps=reversal_bahdanau hydra.sweeper.study=make_sweep hydra.sweeper.slots=2 \
	  hydra.sweeper.n_trials=12 trainer.max_epochs=9 data.samples=6000
	$(BIN)/seqlab-sweep plot study=make_sweep

replay: $(READY) ## compare ways of searching on the recorded learning curves (ten minutes), into outputs/reference and sweeps/README.md
	$(BIN)/python -m hydra_pruning_sweeper.replay.compare $(REPLAY)/replay.json $(wildcard $(TASKS:%=$(REPLAY)/curves_%.jsonl))
	$(BIN)/python -m seqlab.reporting.readme.replay sweeps/README.md $(REPLAY)/replay.json

curves: $(TASK:%=curves-%) ## record those curves anew, an hour of one core (TASK=reversal, multi30k or notes: one task)

$(TASKS:%=curves-%): curves-%: $(READY)
	@test -z "$(NEEDS_$*)" || test -e "$(NEEDS_$*)" || { echo "error: $(NEEDS_$*) is missing: SEQLAB_DATA=FOLDER names the folder of multi30k and notes (conf/README.md says where the files come from)"; exit 1; }
	$(BIN)/seqlab-train -m +sweeps=$*_grid
	$(BIN)/python -m hydra_pruning_sweeper.replay.curves outputs/sweeps/$*_grid $(REPLAY)/curves_$*.jsonl

test test-all: export PYTHONDONTWRITEBYTECODE :=  # else each worker and each command that a test starts compiles anew

test: $(READY) ## run the tests but for the slow ones
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

test-all: $(READY) ## run all tests
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(READY) ## check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

data: $(READY) ## download the English–French deck of sentence pairs into outputs/data
	$(BIN)/python -m seqlab.data.download

reproduce: $(READY) ## run and judge every claim (PROFILE=full: as published); one of them: reproduce-R, -T, -C, -K, -G, -S; not part of it: reproduce-M, a night long, and reproduce-P
	@$(BIN)/seqlab-reproduce profile=$(PROFILE); code=$$?; $(RESULTS) && exit $$code

reproduce-R reproduce-T reproduce-C reproduce-K reproduce-G reproduce-S reproduce-M reproduce-P: $(READY)
	@$(BIN)/seqlab-reproduce profile=$(PROFILE) claims=$(@:reproduce-%=%); code=$$?; $(RESULTS) && exit $$code

report: $(READY) ## one page of all results, to be opened in a browser: outputs/report.html
	@$(BIN)/seqlab-report

play: $(READY) ## a local page on which the small models of outputs/reference/reversal answer while you type
	@$(BIN)/seqlab-play

bundle: $(READY) ## train the small models of outputs/reference/reversal, one of each architecture (a quarter of an hour)
	OMP_NUM_THREADS=1 $(BIN)/seqlab-train -m model=$(subst $(space),$(comma),$(MODELS)) model_size=small data=reversal \
	  data.samples=40000 trainer.max_epochs=8 free_running.every_n_epochs=0 overwrite=true \
	  hydra.sweep.dir=outputs/multiruns/bundles 'hydra.sweep.subdir=$${hydra:runtime.choices.model}'
	rm -rf outputs/reference/reversal
	for model in $(MODELS); do mkdir -p outputs/reference/reversal && \
	  cp -r outputs/multiruns/bundles/$$model/bundle outputs/reference/reversal/$$model || exit 1; done

pictures: $(READY) ## draw README's pictures: attention, the pages of play and of the report (with Chromium), diagrams
	for model in $(MODELS); do $(BIN)/seqlab-describe model=$$model model_size=small \
	  output=outputs/reference/pictures/$$model.svg > /dev/null || exit 1; done
	$(BIN)/seqlab-report 'runs=[]' output=outputs/report_of_references.html
	$(BIN)/python -m seqlab.reporting.readme.pictures outputs/reference/reversal outputs/report_of_references.html \
	  outputs/reference/pictures

results: $(READY) ## write README's results from outputs/reference
	$(RESULTS)

bench: $(READY) ## how fast seqlab is beside textbooks and other libraries (ONLY=NAME: one of it; DEVICE=cuda; KERAS_PYTHON=PATH)
	PYTHONPATH=tests $(BIN)/python -m benchmarks $(ONLY) --device $(DEVICE)

bench-keras: $(READY) ## set up Keras and TensorFlow beside .venv, for `make bench ONLY=characters`
	$(PYTHON) -m venv $(VENV)/keras
	$(VENV)/keras/bin/python -m pip install --disable-pip-version-check "keras>=3.10,<4" "tensorflow-cpu>=2.19,<3"

wheel: $(READY) ## build two wheels into dist: seqlab, and the sweeper for any Hydra application
	$(BIN)/python -m build --wheel --outdir dist src
	$(BIN)/python -m build --wheel

clean: ## remove what is computed again by itself: caches and builds (runs stay)
	rm -rf outputs/cache dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
