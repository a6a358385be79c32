#!/bin/bash
# Makes the SDK in python/src usable as it stands: links the built module and program into it, and puts python/src and a
# `tidemark` command into .venv. A .venv that is itself a link is shared by several worktrees and is left alone: there,
# PYTHONPATH=python/src does the same.
#   develop.sh <preset>
set -euo pipefail
cd "$(dirname "$0")/.."
build=$PWD/build/$1
package=python/src/tidemark

mkdir -p "$package/bin"
if [[ -x $build/bin/tidemark ]]; then
  ln -sfn "$build/bin/tidemark" "$package/bin/tidemark"
fi
for module in "$build"/lib/_native.*.so; do
  if [[ -e $module ]]; then ln -sfn "$module" "$package/$(basename "$module")"; fi
done

if [[ ! -L .venv ]]; then
  site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  echo "$PWD/python/src" >"$site/tidemark-develop.pth"
  cat >.venv/bin/tidemark <<SCRIPT
#!$PWD/.venv/bin/python
from tidemark._program import main

main()
SCRIPT
  chmod +x .venv/bin/tidemark
fi
