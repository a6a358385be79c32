#!/bin/bash
# Builds the wheel and the sdist into dist/ with the packages of .venv (a `pip install .` elsewhere fetches its own).
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf dist
export SKBUILD_LOGGING_LEVEL=WARNING
PATH=$PWD/.venv/bin:$PATH .venv/bin/python - <<'PY'
from scikit_build_core.build import build_sdist, build_wheel

for build in (build_sdist, build_wheel):
    print("dist/" + build("dist"))
PY
