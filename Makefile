# Tidemark: what there is to run. The work is in tools/; `make help` lists the targets.
.DEFAULT_GOAL := compile
.PHONY: help init compile demo test test-clients test-feast test-airflow test-wheel test-spark test-stream torture sanitize fuzz check lint format build bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

init:  ## set up: Debian packages and .venv (nothing the second time)
	@tools/setup

compile: init  ## build everything into build/release, the default
	@tools/build.sh

demo: compile  ## the main job on real data, step by step
	@PYTHONPATH=python/src .venv/bin/python examples/demo/run.py

test: compile  ## every test: C++ by ctest, Python by pytest
	@tools/test.sh

test-clients: compile  ## boto3, Feast's client and others against the server, each in its own environment
	@tools/test_clients.sh

test-feast: compile  ## Feast's own template and client, beside Feast, in an environment of its own
	@tools/test_clients.sh feast feast_offline feast_repository

test-airflow: compile  ## the DAG of examples/airflow, run by Airflow in an environment of its own
	@tools/test_clients.sh airflow

test-wheel: init  ## build the wheel and use it in a fresh environment
	@tests/install/wheel.sh

torture: compile  ## kills, failing calls, flipped bytes: all of them, not a sample; hours
	@TIDEMARK_TORTURE=1 PYTHONPATH=python/src .venv/bin/python -m pytest tests/torture

test-stream: compile  ## 100 faults while topics are read; needs Java
	@TIDEMARK_STREAM_FAULTS=100 PYTHONPATH=python/src .venv/bin/python -m pytest tests/streams

test-spark: compile  ## Spark reads our tables; fetches Spark once, 520 MB; needs Java
	@tools/test_spark.sh

sanitize: init  ## every C++ test under sanitizers; an hour
	@tools/sanitize.sh

fuzz: init  ## run each fuzzer for a minute
	@tools/fuzz.sh

check: init  ## formatting, static analysis, layers, types, links
	@tools/check/run.sh all

lint: init  ## the part of check that takes seconds
	@tools/check/run.sh quick

format: init  ## rewrite sources in the one format
	@tools/check/format.sh --fix

build: init  ## wheel and sdist in dist/
	@tools/dist.sh

bench: compile  ## measure against the peers; results in bench/results
	@bench/run.sh

clean:  ## remove what was built, keep .venv
	@rm -rf build dist .cache
