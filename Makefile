# Each target sets up what it needs: Python 3.11 or newer and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export OMP_NUM_THREADS ?= 1
FUZZ_MINUTES ?= 10
SEEDS ?= 0 1 2
ARMS ?=
CORE_STEPS ?= 2000
STEPS ?= 1400

.PHONY: test test-slow test-gpu fuzz lint types docs demo proof proof-quick proof-full proof-large proof-text lineage showcase exactness proposals bench vscode browser clean

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed: make $@ PYTHON=..."; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[train,dev,docs]"
	@touch $@

test: $(STAMP)
	$(BIN)/python -m pytest -m "not slow" -n 2

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m "slow or hypothesis" --hypothesis-profile thorough

test-gpu: $(STAMP)
	$(BIN)/python -m pytest -m gpu -W default -n 8 -rs tests/gpu

fuzz: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "atheris>=3"
	PYTHONPATH=tests $(BIN)/python -m fuzz.run $(FUZZ_MINUTES)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy --strict -p growlang -p growlang_runtime
	$(BIN)/mypy --strict examples benchmarks docs

docs: $(STAMP)
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

demo: $(STAMP)
	GOMP_SPINCOUNT=100000 $(BIN)/python examples/emoji/demo.py

proof: $(STAMP)
	$(BIN)/python examples/greedy_growing/measure.py --core-steps $(CORE_STEPS) --steps $(STEPS) \
		$(addprefix --seed ,$(SEEDS)) $(addprefix --arm ,$(ARMS))

proof-quick: $(STAMP)
	$(BIN)/python examples/greedy_growing/measure.py --quick --out runs/greedy_growing_quick

proof-full: $(STAMP)
	$(BIN)/python examples/greedy_growing/full.py
	$(BIN)/python examples/greedy_growing/showcase.py --side 128 --picture runs/greedy_growing/second_growth.png
	$(BIN)/python examples/greedy_growing/batches.py
	$(BIN)/python examples/greedy_growing/sizes.py

proof-large: $(STAMP)
	$(BIN)/python examples/greedy_growing/large.py

proof-text: $(STAMP)
	$(BIN)/python examples/text_growth/proof.py $(addprefix --seed ,$(SEEDS))

lineage: $(STAMP)
	$(BIN)/python examples/greedy_growing/lineage.py

showcase: $(STAMP)
	$(BIN)/python examples/greedy_growing/showcase.py

exactness: $(STAMP)
	PYTHONPATH=tests $(BIN)/python -m exactness docs/reference/exactness.md

proposals: $(STAMP)
	PYTHONPATH=tests $(BIN)/python -m proposal_accuracy 12 11 docs/reference/proposals.md

bench: $(STAMP)
	$(BIN)/python -m benchmarks.run

vscode: $(STAMP)
	@command -v npm >/dev/null || { echo "npm is not installed: make $@ needs Node.js 20 or newer"; exit 2; }
	cd editors/vscode && npm ci && PYTHON=$(abspath $(BIN))/python npm test && npm run package

browser: $(STAMP)
	@command -v npm >/dev/null || { echo "npm is not installed: make $@ needs Node.js 20 or newer"; exit 2; }
	cd tests/browser && npm ci && PYTHON=$(abspath $(BIN))/python npm test

clean:
	rm -rf $(VENV) runs site .mypy_cache .pytest_cache .ruff_cache
	rm -rf tests/browser/node_modules
	rm -rf editors/vscode/node_modules editors/vscode/dist editors/vscode/*.vsix
