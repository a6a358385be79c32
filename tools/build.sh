#!/bin/bash
# Configures and builds one preset (default: release, the one that the demo, the tests and the benchmarks use), then
# links the Python module and the program into python/src so that the SDK runs from there.
#   build.sh [preset [cmake --build options]]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
shift || true

if [[ ! -f build/$preset/build.ninja ]]; then
  cmake --preset "$preset" -Wno-dev >"/dev/null"
fi
cmake --build --preset "$preset" -j "$(nproc)" "$@"
if [[ $preset == release ]]; then
  tools/develop.sh "$preset"
fi
