"""SQL over a feature table through Tidemark's Python SDK, in phases of one job each.

`fill`    ingests a frame, and writes the same rows as one plain Parquet file; not timed.
`latest`  times the usual latest-snapshot query, to an Arrow table.
`small`   times small queries one after another.
`dump`    times a dump of all rows.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from timing import Job, Report, Stopwatch, contest

import tidemark
from tidemark import FeatureStore

SMALL_SECONDS = 3.0


def fill(store: FeatureStore, job: Job) -> Report:
    """One table of all rows, and a small one with rows in its log."""
    frame = pq.read_table(job["frame_path"])
    store.create_table_from(frame.slice(0, 1), name="history", entities=["key"])
    store.ingest("history", frame, to="offline")
    store.create_table_from(frame.slice(0, 1), name="small", entities=["key"])
    store.ingest("small", frame.slice(0, 1000), to="offline")
    store.flush()
    store.ingest("small", frame.slice(1000, 10), to="offline")
    rows = store.sql("SELECT * FROM history")
    with pq.ParquetWriter(job["plain_path"], rows.schema, compression="zstd") as writer:
        for batch in pa.Table.from_batches(rows.batches(), rows.schema).to_batches(1 << 20):
            writer.write_batch(batch, row_group_size=122_880)
    return {"bytes": Path(job["plain_path"]).stat().st_size}


def summary(table: pa.Table) -> list[float]:
    """What two equal results have in common."""
    import pyarrow.compute as pc

    numbers = pc.sum(table.column("key")), pc.sum(table.column("f0"))
    return [table.num_rows, *(each.as_py() for each in numbers)]


def latest(store: FeatureStore, job: Job, stopwatch: Stopwatch) -> Report:
    """The query as users write it."""
    with stopwatch.timed():
        table = store.sql(job["latest"].format(table="feature_store.history")).to_arrow()
    return {"summary": summary(table)}


def small(store: FeatureStore, job: Job, stopwatch: Stopwatch) -> Report:
    """One query after another, of one table, to an Arrow table each; the first opens it."""
    store.sql("SELECT 1").to_arrow()
    count = 0
    started = time.perf_counter()
    with stopwatch.timed():
        while time.perf_counter() - started < SMALL_SECONDS:
            query = (
                f"SELECT count(*) AS c, max(f0) AS f FROM feature_store.small WHERE key > {count}"
            )
            store.sql(query).to_arrow()
            count += 1
    return {"queries": count, "rate": count / stopwatch.seconds}


def dump(store: FeatureStore, job: Job, stopwatch: Stopwatch) -> Report:
    """All rows and columns; durable when it returns."""
    with stopwatch.timed():
        query_id, path = store.dump("SELECT * FROM feature_store.history")
    rows, size = store.dumps()[0].rows, os.path.getsize(path)
    store.remove_dump(query_id)
    return {"rows": rows, "bytes": size}


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Does the phase that the job names."""
    store = FeatureStore(job["store_path"])
    phases = {
        "fill": lambda: fill(store, job),
        "latest": lambda: latest(store, job, stopwatch),
        "small": lambda: small(store, job, stopwatch),
        "dump": lambda: dump(store, job, stopwatch),
    }
    return phases[job["phase"]]() | {"versions": {"tidemark": tidemark.__version__}}


if __name__ == "__main__":
    contest(work)
