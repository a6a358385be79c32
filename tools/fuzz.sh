#!/bin/bash
# Builds the fuzzers of fuzz/ and runs each for a while, from the examples in fuzz/examples/<name> if there are some. What
# they find stays in build/fuzz/corpus/<name>, and an input that fails in build/fuzz/found.
#   fuzz.sh [seconds for each]      default: 60
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}

if [[ ! -f build/fuzz/build.ninja ]]; then
  cmake --preset fuzz -Wno-dev >/dev/null
fi
cmake --build --preset fuzz -j "$(nproc)" -- --quiet
mkdir -p build/fuzz/found
for source in fuzz/*_fuzz.cc; do
  name=$(basename "$source" .cc)
  mkdir -p "build/fuzz/corpus/$name"
  inputs=("build/fuzz/corpus/$name")
  if [[ -d fuzz/examples/$name ]]; then inputs+=("fuzz/examples/$name"); fi
  echo "fuzz: $name, $seconds s"
  "build/fuzz/bin/$name" -max_total_time="$seconds" -print_final_stats=1 -verbosity=0 \
    -artifact_prefix=build/fuzz/found/ "${inputs[@]}"
done
