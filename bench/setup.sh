#!/usr/bin/env bash
# Makes what the benchmarks need: the peers' Python environment (bench/.venv), redis-server, the bare
# LMDB loader, the two load generators, and what runs in C++ (against build/release): lookups, small writes, the log,
# expressions. Running it again does nothing when nothing changed.
set -euo pipefail
cd "$(dirname "$0")"

stamp=.venv/requirements.installed
if ! cmp -s requirements.txt "$stamp"; then
  python3 -m venv .venv
  .venv/bin/pip install --quiet --requirement requirements.txt
  cp requirements.txt "$stamp"
fi

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
command -v nginx >/dev/null || missing+=(nginx-light)
command -v g++ >/dev/null || missing+=(g++)
[ -e /usr/include/lmdb.h ] || missing+=(liblmdb-dev)
[ -e /usr/include/librdkafka/rdkafka.h ] || missing+=(librdkafka-dev)
if [ "${#missing[@]}" -gt 0 ]; then
  sudo=""
  [ "$(id -u)" -eq 0 ] || sudo="sudo"
  # Debian starts a redis service of its own on install; the benchmarks run another one.
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

mkdir -p data
if [ ! -e data/bare_lmdb ] || [ native/bare_lmdb.cc -nt data/bare_lmdb ]; then
  g++ -std=c++20 -O2 -Wall -Wextra -o data/bare_lmdb native/bare_lmdb.cc -llmdb
fi

if [ ! -e data/http_load ] || [ native/http_load.cc -nt data/http_load ]; then
  g++ -std=c++20 -O2 -Wall -Wextra -o data/http_load native/http_load.cc
fi

if [ ! -e data/stream_send ] || [ native/stream_send.cc -nt data/stream_send ]; then
  g++ -std=c++20 -O2 -Wall -Wextra -o data/stream_send native/stream_send.cc -lrdkafka
fi

# The library finds Arrow by its own rpath; the linker need not.
against_library() {  # source, program, further flags
  local source=$1 program=$2
  shift 2
  [ -e "$library" ] || return 0
  for newer in "$source" ../include/tidemark/*.h; do
    if [ ! -e "$program" ] || [ "$newer" -nt "$program" ]; then
      g++ -std=c++23 -O2 -Wall -Wextra -Wl,--allow-shlib-undefined -I ../include -o "$program" \
        "$source" "$library" "-Wl,-rpath,$PWD/../build/release/lib" "$@"
      return
    fi
  done
}
library=../build/release/lib/libtidemark.so
against_library native/online_lookup.cc data/tidemark_online_bench -llmdb
against_library native/small_writes.cc data/tidemark_small_writes
against_library native/on_demand_lookup.cc data/tidemark_on_demand_bench
if [ -e ../build/release/build.ninja ]; then
  cmake --build ../build/release --target tidemark_wal_bench tidemark_adbc_bench >data/native.log
fi
