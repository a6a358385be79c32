#!/bin/bash
# Other programs' own clients against our server: one environment for each folder of tests/clients that has a
# requirements.txt (and what is installed without its dependencies in alone.txt), kept in .cache/clients, with the
# packages pinned there from the machine's package index.
#   test_clients.sh [folder...]     default: all
set -euo pipefail
cd "$(dirname "$0")/.."
export TIDEMARK_PROGRAM=${TIDEMARK_PROGRAM:-$PWD/build/release/bin/tidemark}

if (($# == 0)); then
  set -- $(cd tests/clients && dirname -- */requirements.txt)
fi
for name in "$@"; do
  environment=.cache/clients/$name
  requirements=tests/clients/$name/requirements.txt
  alone=tests/clients/$name/alone.txt
  wanted=$(cat "$requirements" && if [[ -f $alone ]]; then cat "$alone"; fi)
  if [[ $wanted != "$(cat "$environment/installed.txt" 2>/dev/null)" ]]; then
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
    if [[ -f $alone ]]; then
      "$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$alone" 2>/dev/null
    fi
    printf '%s\n' "$wanted" >"$environment/installed.txt"
  fi
  echo "clients: $name"
  "$environment/bin/python" -m pytest -q "tests/clients/$name"
done
