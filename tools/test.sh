#!/bin/bash
# Runs every test of a built tree: C++ by ctest, then Python by pytest. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
ctest --preset release -j "$(nproc)" --no-tests=error
PYTHONPATH=$PWD/python/src .venv/bin/python -m pytest "$@"
