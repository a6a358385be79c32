#!/bin/bash
# Builds every C++ test under the address and undefined behaviour sanitizers, then under the thread sanitizer, and runs
# them; under the latter also the server, with everything asked of it at once. Takes an hour on two cores the first time.
#   sanitize.sh [preset ...]      default: asan tsan
set -euo pipefail
cd "$(dirname "$0")/.."
presets=("$@")
if ((${#presets[@]} == 0)); then presets=(asan tsan); fi

# Arrow is not instrumented: what it does with its own threads cannot be judged, nor which memory it uses again.
export ARROW_DEFAULT_MEMORY_POOL=system
export TSAN_OPTIONS="suppressions=$PWD/tools/tsan.txt:second_deadlock_stack=1:halt_on_error=1"
export ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1"
export UBSAN_OPTIONS="print_stacktrace=1"

for preset in "${presets[@]}"; do
  if [[ ! -f build/$preset/build.ninja ]]; then
    cmake --preset "$preset" -Wno-dev >/dev/null
  fi
  cmake --build --preset "$preset" -j "$(nproc)" -- --quiet
  ctest --preset "$preset" -j "$(nproc)" --no-tests=error
  if [[ $preset == tsan ]]; then
    # Locks that Arrow's futures wait with count as held for ever, and no thread may hold more than 64.
    TSAN_OPTIONS="$TSAN_OPTIONS:detect_deadlocks=0" TIDEMARK_PROGRAM=build/tsan/bin/tidemark \
      .venv/bin/python tests/torture/mixed_load.py
  fi
done
