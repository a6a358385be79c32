#!/bin/bash
# Other programs' own clients against our server: an environment for each folder of tests/clients that has a
# requirements.txt (and what is installed without its dependencies in alone.txt, and npm's packages in npm.txt), kept in
# .cache/clients, with the packages pinned there from the machine's package indexes. Folders that ask for the same
# packages share one. As many suites run at a time as there are cores; each is told of when it is done.
#   test_clients.sh [folder...]     default: all
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."
export TIDEMARK_PROGRAM=${TIDEMARK_PROGRAM:-$PWD/build/release/bin/tidemark}
environments=.cache/clients
mkdir -p "$environments"

# environment_of FOLDER: prints where its packages are or will be
environment_of() {
  local hash
  hash=$(cd "tests/clients/$1" && grep -hv '^#' requirements.txt $(ls alone.txt npm.txt 2>/dev/null) | sha256sum)
  echo "$environments/${hash:0:16}"
}

# make_environment FOLDER: installs its packages if they are nowhere; the second folder that asks waits for the first
make_environment() {
  local environment requirements=tests/clients/$1/requirements.txt alone=tests/clients/$1/alone.txt
  local npm=tests/clients/$1/npm.txt
  environment=$(environment_of "$1")
  exec 8>"$environment.lock"
  flock 8
  if [[ ! -f $environment/installed ]]; then
    rm -rf "$environment"
    python3 -m venv --without-pip "$environment"
    # What is imported is compiled then: most of these packages' modules never are.
    local pip=(.venv/bin/python -m pip --python "$environment/bin/python" install --quiet --no-compile)
    pip+=(--disable-pip-version-check)
    "${pip[@]}" -r "$requirements"
    if [[ -f $alone ]]; then
      # pip says which dependencies are not there: they are left out on purpose
      "${pip[@]}" --no-deps -r "$alone"
    fi
    if [[ -f $npm ]]; then
      PATH=$PWD/$environment/bin:$PATH "$environment/bin/npm" install --prefix "$environment" --loglevel=error --no-audit \
        --no-fund --no-save --ignore-scripts $(<"$npm")
    fi
    touch "$environment/installed"
  fi
  exec 8>&-
}

# run_suite FOLDER LOGS: leaves its exit code in LOGS/FOLDER.code, and tells of it
run_suite() {
  local name=$1 logs=$2 environment code=0 made
  SECONDS=0
  (make_environment "$name") >"$logs/$name.log" 2>&1 || code=$?
  made=$SECONDS
  environment=$(environment_of "$name")
  if ((code == 0)); then
    "$environment/bin/python" -m pytest -q "tests/clients/$name" >>"$logs/$name.log" 2>&1 || code=$?
  fi
  echo "$code" >"$logs/$name.code"
  {
    flock 9
    echo "clients: $name, $((SECONDS - made)) s (its environment took $made s)"
    cat "$logs/$name.log"
  } 9>"$logs/lock"
}

if (($# == 0)); then
  # The long ones first, so that none of them is left over for the end.
  set -- openapi feast_repository airflow boto3 feast feast_offline
  set -- "$@" $(cd tests/clients && dirname -- */requirements.txt | grep -vxF "$(printf '%s\n' "$@")")
  wanted=$(for name in "$@"; do environment_of "$name"; done)
  for old in "$environments"/*/; do
    if [[ -d $old && $'\n'$wanted$'\n' != *$'\n'${old%/}$'\n'* ]]; then rm -rf "$old"; fi
  done
fi
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
for name in "$@"; do
  while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n || true; done
  run_suite "$name" "$logs" &
done
wait
failed=()
for name in "$@"; do
  if [[ $(cat "$logs/$name.code" 2>/dev/null) != 0 ]]; then failed+=("$name"); fi
done
if ((${#failed[@]} > 0)); then
  echo "clients: failed: ${failed[*]}"
  exit 1
fi
