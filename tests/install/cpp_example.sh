#!/bin/bash
# Proves that the installed package stands on its own: installs it into a fresh prefix, moves that prefix, builds
# examples/cpp against it, and runs the result with an empty environment, where it must print what docs/cpp.md shows.
# Fails if any installed or built file still looks for libraries outside the prefix and the system.
#   cpp_example.sh <cmake> <build directory> <C++ compiler>
set -euo pipefail

cmake=$1 build=$2 cxx=$3
here=$(cd "$(dirname "$0")" && pwd)
work=$build/install_test
prefix=$work/moved
rm -rf "$work"
mkdir -p "$work"

"$cmake" --install "$build" --prefix "$work/first" >"$work/install.log"
mv "$work/first" "$prefix" # whatever remembered the place it was installed to breaks here

clean=(env -i PATH=/usr/bin:/bin HOME="$work" LANG=C.UTF-8)
"${clean[@]}" "$cmake" -S "$here/../../examples/cpp" -B "$work/example" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_PREFIX_PATH="$prefix" >"$work/configure.log"
"${clean[@]}" "$cmake" --build "$work/example" >"$work/build.log" || {
  cat "$work/build.log"
  exit 1
}

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# Every library must be found, and found in the prefix or on the system.
check_libraries() {
  local file=$1 listing
  ! readelf -d "$file" | grep -E 'R(UN)?PATH' | grep -E '\.venv|site-packages' || fail "$file points into .venv"
  listing=$(env -i ldd "$file")
  ! grep -E 'not found' <<<"$listing" || fail "$file misses a library"
  ! grep -E '\.venv|site-packages' <<<"$listing" || fail "$file loads a library from .venv"
  ! grep -E 'lib(arrow|parquet|sqlite3|lmdb|yaml-cpp|fmt)[^ ]* => /' <<<"$listing" | grep -v "=> $prefix/" ||
    fail "$file loads a bundled library from elsewhere"
}

[[ -f $prefix/lib/libtidemark.so ]] || fail "no libtidemark.so in $(ls "$prefix")"
[[ -f $prefix/lib/libduckdb.so && ! -L $prefix/lib/libduckdb.so ]] || fail "no libduckdb.so in $(ls "$prefix/lib")"
while read -r file; do
  check_libraries "$file"
done < <(find "$prefix" -type f \( -name '*.so*' -o -path '*/bin/*' \); echo "$work/example/tidemark_example")

echo "installed: $(du -sh "$prefix" | cut -f1); $(find "$prefix/lib" -name '*.so*' -type f -printf '%f ')"
mkdir "$work/run"
cd "$work/run"
env -i "$work/example/tidemark_example" >"$work/printed.txt" || fail "the example ended with $?"
sed -n '/^```text$/,/^```$/{/^```/!p}' "$here/../../docs/cpp.md" | diff - "$work/printed.txt" ||
  fail "docs/cpp.md shows other output than the example prints"
[[ -z $(ls) ]] || fail "the example left files behind: $(ls)"
if [[ -x $prefix/bin/tidemark ]]; then
  env -i "$prefix/bin/tidemark" --version
fi
