# A short name for each command; bootstrap.py holds what they do, so that machines without make do the same.
# Arguments: make demo ARGS="--days 2 --seed 7"

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; exit; }; done; echo python3)

.DEFAULT_GOAL := help
.PHONY: help demo test check lint faults mutants bench lock clean

help: ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-7s %s\n' "$$name" "$$what"; done

demo: ## one market day on the rehearsal exchange
test: ## every test
check: ## linters and the fast tests, under a minute
lint: ## linters only
faults: ## every fault of the table, provoked; the crash sweep; the machine: eight minutes
mutants: ## safety bugs planted in a copy, and the tests that catch them: six minutes
bench: ## benchmarks, beside what they are measured against
lock: ## recompile both locks (ARGS=--upgrade for newer versions)

demo test check lint faults mutants bench lock:
	@$(PYTHON) bootstrap.py $@ $(ARGS)

clean: ## remove the environment and every cache; data/ stays
	rm -rf .venv .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache build dist
	find . -path ./data -prune -o -name .git -prune -o \( -name __pycache__ -o -name '*.egg-info' \) -type d -prune -exec rm -rf {} +
