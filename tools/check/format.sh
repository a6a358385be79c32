#!/bin/bash
# Formats C++ (clang-format-19) and Python (ruff), or with no argument only says what is not formatted.
#   format.sh [--fix]
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v clang-format-19 >/dev/null || {
  echo "clang-format-19 is not installed; it is a package of Debian 12 and Ubuntu 24.04" >&2
  exit 1
}
mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.h' '*.cc' | while read -r f; do
  if [[ -f $f ]]; then echo "$f"; fi
done)
if [[ ${1:-} == --fix ]]; then
  clang-format-19 -i "${sources[@]}"
  .venv/bin/ruff check --quiet --fix --no-cache --exit-zero .
  .venv/bin/ruff format --quiet --no-cache .
else
  clang-format-19 --dry-run --Werror "${sources[@]}"
  .venv/bin/ruff format --quiet --no-cache --diff .
fi
