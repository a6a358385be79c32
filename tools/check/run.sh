#!/bin/bash
# Runs the checks one after the other, all of them even if one fails, and says at the end which failed.
#   run.sh quick   format, layers, tidy, doc links, ruff, mypy: seconds
#   run.sh all     those, and clang-tidy and "every header compiles alone", which need a configured build
set -euo pipefail
cd "$(dirname "$0")/../.."
python=.venv/bin/python
preset=release
failed=()

check() {
  local name=$1 start=$SECONDS
  shift
  if "$@"; then
    echo "check: $name: ok ($((SECONDS - start)) s)"
  else
    echo "check: $name: FAILED ($((SECONDS - start)) s)"
    failed+=("$name")
  fi
}

headers() {
  cmake --build --preset "$preset" --target tidemark_headers -j "$(nproc)" -- --quiet
}

check format tools/check/format.sh
check layers "$python" tools/check/layers.py
check tidy "$python" tools/check/tidy.py
check doclinks "$python" tools/check/doclinks.py
check ruff .venv/bin/ruff check --quiet --no-cache --output-format concise .
check mypy "$python" -m mypy --no-error-summary
if [[ ${1:-all} == all ]]; then
  cmake --preset "$preset" -Wno-dev >/dev/null
  check headers headers
  check clang-tidy "$python" tools/check/clang_tidy.py "$preset"
fi

if ((${#failed[@]})); then
  echo "check: FAILED: ${failed[*]}"
  exit 1
fi
echo "check: all passed"
