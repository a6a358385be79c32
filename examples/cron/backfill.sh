#!/bin/bash
# Computes rows of batch views up to the last whole step that is over: a line of a crontab, every hour.
#
#   5 * * * * /opt/features/backfill.sh /srv/store 1h hourly_rides hourly_fares >>/var/log/features.log 2>&1
#
# Each view goes on where its last range ended; its first range is computed by hand, with --start. A run that is killed
# is gone on with by the next one, and a range that was committed is not computed again.
#   backfill.sh STORE STEP VIEW...
set -euo pipefail
store=$1 step=$2
shift 2
program=${TIDEMARK_PROGRAM:-tidemark}

for view in "$@"; do
  "$program" --store "$store" backfill "$view" --end now --step "$step"
done
