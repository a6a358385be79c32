#!/bin/bash
# Runs every test of a built tree: C++ by ctest, then Python by pytest. Arguments go to pytest.
# Most tests wait for processes and disks, so two files at a time take half as long.
set -euo pipefail
cd "$(dirname "$0")/.."
ctest --preset release -j "$(nproc)" --no-tests=error
PYTHONPATH=$PWD/python/src .venv/bin/python -m pytest -n 2 --dist loadfile "$@"
