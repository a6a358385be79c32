#!/usr/bin/env bash
# Runs the benchmarks: what `make bench` calls. All flags go to main.py (see --help).
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
"$here/setup.sh"
exec "$here/.venv/bin/python" "$here/main.py" "$@"
