.DEFAULT_GOAL := help
.PHONY: help setup demo stop test lint

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 14

setup: ## get everything that is needed (long the first time, where tools have to be built)
	@scripts/setup

demo: setup ## deliver an example application to two local clusters
	@scripts/demo

stop: setup ## stop and delete the local clusters and the demo's project
	@.venv/bin/velapulumi playground down
	@rm -rf demo

lint: setup ## check style, types and the layering of the packages
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

test: lint ## check everything: lint, then all tests, those on real clusters included
	.venv/bin/pytest -n 2 -m "not e2e and not exhaustive"
	.venv/bin/pytest -n 2 --dist loadfile -m "e2e and not exhaustive"
