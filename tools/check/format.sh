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
  wrong=$(clang-format-19 --dry-run "${sources[@]}" 2>&1 | sed -n 's/^\([^:]*\):[0-9:]* warning:.*/\1/p' | sort -u)
  wrong+=$(.venv/bin/ruff format --no-cache --check . 2>&1 | sed -n 's/^Would reformat: /\n/p')
  if [[ -n $wrong ]]; then
    printf 'not formatted; run `make format`:\n%s\n' "$wrong"
    exit 1
  fi
fi
