# Everything is done in .venv, with the versions of constraints.txt, which are those that are tested.
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
PLUGINS := $(wildcard plugins/*)

.PHONY: demo test slow ranks faults check compare semantic pairwise bench gpu-check gpu-recipes fuzz format docs lab clean

demo: $(VENV)/.runtime
	$(BIN)/agekit run recipes/quickstart.toml

test: $(VENV)/.tools
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

# the tests that take over five seconds each, for some minutes
slow: $(VENV)/.tools
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m slow

# ranks that are killed, hang, are signalled and started again, and two hosts whose link is cut: docs/scale.md; for some
# twenty minutes on two cores
ranks: $(VENV)/.tools
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/launches.py tests/launches_hosts.py

check: $(VENV)/.tools
	$(BIN)/ruff format --check agekit benchmarks docs plugins tests
	$(BIN)/ruff check agekit benchmarks docs plugins tests
	$(BIN)/mypy
	$(BIN)/mypy $(wildcard plugins/*/agekit_*)
	$(BIN)/python docs/write.py --check

# nine systems side by side on generated faces: docs/compare.md, within 40 minutes on two cores
compare: $(VENV)/.tools
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.compare

# AGE with and without the semantic loss: docs/semantic.md; AGEKIT_CELEBAMASK=FOLDER adds real faces
semantic: $(VENV)/.tools
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.semantic

# MMD in tiles, with all pairs at once, and by geomloss: docs/benchmarks/pairwise.md; ARGS="--n 4096 --out FILE" is quicker
pairwise: $(VENV)/.tools
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.pairwise --out docs/benchmarks/pairwise.md $(ARGS)

# the speed of a step, of the data and of the start, against a reference loop: docs/benchmarks/cpu.md, within 10 minutes;
# ARGS="--threads 1 --clock cpu" on a machine that others use, too; AGEKIT_BENCH_CELEBA=FOLDER decodes real photographs
bench: $(VENV)/.tools
	$(BIN)/python -m benchmarks.speed.cpu $(ARGS)

# 100,000 recipes changed at random, in lots of which each is kept in build/fuzz: it may be stopped, goes on where it was, and
# ARGS="--lots 0-49" tries a part
fuzz: $(VENV)/.tools
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.attacks.fuzz $(ARGS)

# is what a CUDA device computes right, and how fast is it: docs/benchmarks/<device>.md, within 8 minutes; by the Python that
# is there, since it brings torch for the device, and nothing is installed: what is missing is told. ARGS="--device cpu" tries
gpu-check:
	$(PYTHON) -m benchmarks.gpu check $(ARGS)

# both published recipes whole, on pictures that are made up unless ARGS="--celeba FOLDER --cifar10 FOLDER" names them
gpu-recipes:
	$(PYTHON) -m benchmarks.gpu recipes $(ARGS)

# runs killed, damaged, without a disk: docs/reliability.md; ARGS="--only lines disk" or ARGS=--short is quicker
faults: $(VENV)/.tools
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.attacks.faults --out docs/reliability_faults.json $(ARGS)
	$(BIN)/python docs/write.py

format: $(VENV)/.tools
	$(BIN)/ruff format agekit benchmarks docs plugins tests
	$(BIN)/ruff check --fix agekit benchmarks docs plugins tests

docs: $(VENV)/.tools
	$(BIN)/python docs/write.py

# about four minutes on a quiet core; the page of divergences quotes its numbers
lab: $(VENV)/.tools
	OMP_NUM_THREADS=1 $(BIN)/python docs/lab.py
	$(BIN)/python docs/write.py

clean:
	rm -rf $(VENV) build dist *.egg-info

# torch goes first, so that a CPU build that pip finds is not replaced by what other packages ask for
$(VENV)/.runtime: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.tools: $(VENV)/.runtime $(PLUGINS:%=%/pyproject.toml)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable ".[dev]" $(PLUGINS:%=--editable %)
	touch $@
