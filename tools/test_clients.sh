#!/bin/bash
# Other programs' own clients against our server: an environment for each folder of tests/clients that has a
# requirements.txt (and what is installed without its dependencies in alone.txt), kept in .cache/clients, with the
# packages pinned there from the machine's package index. Folders that ask for the same packages share one.
#   test_clients.sh [folder...]     default: all
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."
export TIDEMARK_PROGRAM=${TIDEMARK_PROGRAM:-$PWD/build/release/bin/tidemark}

# environment_for FOLDER: prints where its packages are, after installing them if they are nowhere
environment_for() {
  local requirements=tests/clients/$1/requirements.txt alone=tests/clients/$1/alone.txt wanted installed environment
  wanted=$(cat "$requirements" && if [[ -f $alone ]]; then cat "$alone"; fi)
  for installed in ".cache/clients/$1/installed.txt" .cache/clients/*/installed.txt; do
    if [[ -f $installed && $wanted == "$(cat "$installed")" ]]; then
      dirname "$installed"
      return
    fi
  done
  environment=.cache/clients/$1
  rm -rf "$environment"
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
  if [[ -f $alone ]]; then
    # pip says which dependencies are not there: they are left out on purpose
    "$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$alone" >&2
  fi
  printf '%s\n' "$wanted" >"$environment/installed.txt"
  echo "$environment"
}

if (($# == 0)); then
  set -- $(cd tests/clients && dirname -- */requirements.txt)
fi
for name in "$@"; do
  SECONDS=0
  environment=$(environment_for "$name")
  echo "clients: $name (its environment took ${SECONDS}s)"
  "$environment/bin/python" -m pytest -q "tests/clients/$name"
done
