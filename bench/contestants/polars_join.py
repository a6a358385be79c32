"""The point-in-time join in Polars, Parquet to Parquet, by join_asof.

The right side is sorted by event and created time, and join_asof takes the last of equal times, so
ties need no further step; `tolerance` is the ttl. Collecting in memory was faster than sinking by
the streaming engine here, and no larger.

`asof`      that join, as a user would write it.
`filtered`  the same, with the views cut by hand to the keys that the entity rows have.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from timing import Job, Report, Stopwatch, contest


def join(job: Job) -> pl.LazyFrame:
    """The lazy join of all views; rows come in the order of time."""
    entities = pl.scan_parquet(job["entity_path"])
    keys = entities.select("key").unique()
    joined = entities.sort("event_timestamp")
    for view in job["views"]:
        rows = pl.scan_parquet(view["path"])
        if job["variant"] == "filtered":
            rows = rows.join(keys, on="key", how="semi")
        renamed = [pl.col(f).alias(f"{view['name']}__{f}") for f in view["features"]]
        rows = rows.sort("event_timestamp", "created").select(
            "key", pl.col("event_timestamp").alias("feature_time"), *renamed
        )
        joined = joined.join_asof(
            rows,
            left_on="event_timestamp",
            right_on="feature_time",
            by="key",
            strategy="backward",
            tolerance=timedelta(microseconds=view["ttl_us"]) if view["ttl_us"] else None,
            check_sortedness=False,
        ).drop("feature_time", strict=False)
    return joined


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Times the join and the write."""
    assert pl.thread_pool_size() == job["threads"], "POLARS_MAX_THREADS was not taken"
    with stopwatch.timed():
        join(job).collect().write_parquet(job["out_path"], compression="snappy")
    return {"versions": {"polars": pl.__version__}}


if __name__ == "__main__":
    contest(work)
