#!/bin/bash
# Takes new files in, and loads the online store: a line of a crontab, every ten minutes.
#
#   */10 * * * * /opt/features/materialize.sh /srv/store driver_events /srv/incoming >>/var/log/features.log 2>&1
#
# Files of the third argument's folder become rows of the feature table, and move to its folder `done`. A run that is
# killed is safe to repeat: a file's name is its idempotency key, so that its rows are written once.
#   materialize.sh STORE TABLE INCOMING
set -euo pipefail
shopt -s nullglob
store=$1 table=$2 incoming=$3
program=${TIDEMARK_PROGRAM:-tidemark}

exec 9>"$incoming/.lock"
flock --nonblock 9 || {
  echo "another run is still at work"
  exit 0
}

mkdir -p "$incoming/done"
for file in "$incoming"/*.parquet "$incoming"/*.csv; do
  "$program" --store "$store" ingest "$table" "$file" --idempotency-key "$(basename "$file")"
  mv "$file" "$incoming/done/"
done
"$program" --store "$store" materialize-incremental
