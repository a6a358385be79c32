"""Commits to a table of many data files: flushes of one logged row, from call to durable.

A flush writes and syncs one data file and commits it, so its time is an upper bound of the
commit's. The table is filled by flushes of many files each (a partition for each key); between them
are flushes of one row, enough for the small manifests, and with them the large ones, to be merged.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from timing import Job, Report, Stopwatch, contest

import tidemark
from tidemark import Entity, FeatureStore, FeatureView, Field, TableOptions
from tidemark.types import Float64, Int64

MERGED = (
    17  # so many manifests of one row become one, and with the next commit a part of a large one
)
TABLE = "rows"


def rows(keys: int, moment: datetime) -> pa.Table:
    """One row of each key."""
    times = pa.array([moment] * keys, pa.timestamp("us", tz="UTC"))
    return pa.table({"key": range(keys), "event_timestamp": times, "value": [0.5] * keys})


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Fills the table, timing the flushes of one row on the way and at the end."""
    store = FeatureStore(job["store_path"])
    view = FeatureView(
        name=TABLE,
        entities=[Entity(name="key", join_keys=[Field("key", Int64)])],
        schema=[Field("value", Float64)],
        table=TableOptions(partitions=("key",)),
        online=False,
    )
    store.create_table(view)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    single_ms: list[float] = []

    def flush(keys: int) -> None:
        nonlocal moment
        moment += timedelta(seconds=1)
        store.ingest(TABLE, rows(keys, moment))
        started = time.perf_counter()
        store.flush([TABLE])
        if keys == 1:
            single_ms.append((time.perf_counter() - started) * 1e3)

    many = job["files_per_commit"]
    while (filled := store.snapshots(TABLE)[-1].files if single_ms else 0) < job["files"]:
        for _ in range(min(15, -(-(job["files"] - filled) // many))):
            flush(many)
        for _ in range(MERGED):
            flush(1)
    filling_ms = list(single_ms)
    single_ms.clear()
    with stopwatch.timed():
        for _ in range(job["commits"]):
            flush(1)
    newest = store.snapshots(TABLE)[-1]
    return {
        "files": newest.files,
        "rows": newest.rows,
        "commit_ms": single_ms,
        "filling_ms": filling_ms,
        "versions": {"tidemark": tidemark.__version__},
    }


if __name__ == "__main__":
    contest(work)
