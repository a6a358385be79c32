"""Feature tables in Tidemark through its Python SDK, in phases of one job each.

`ingest`  times one ingest of a frame in memory.
`fill`    ingests the history of every view of the job into a table of its own; not timed.
`join`    times the point-in-time join from those tables.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from timing import Job, Report, Stopwatch, contest

import tidemark
from tidemark import Entity, FeatureStore, FeatureView, Field, TableOptions
from tidemark.types import Float64, Int64

FRAME_ROWS = 50_000  # of one write to the log: the most that goes there


def open_tables(job: Job, created: str) -> FeatureStore:
    """Opens the store in the job's folder and makes its tables, if they are not there."""
    store = FeatureStore(job.get("kept_store", job["store_path"]))
    entity = Entity(name="key", join_keys=[Field("key", Int64)])
    views = [
        FeatureView(
            name=view["name"],
            entities=[entity],
            ttl=timedelta(microseconds=view["ttl_us"]),
            schema=[Field(name=feature, dtype=Float64) for feature in view["features"]],
            table=TableOptions(created_timestamp_column=created),
            online=False,
        )
        for view in job["views"]
    ]
    store.apply([entity, *views])
    return store


def data_files(job: Job) -> list[str]:
    """The tables' data files."""
    return sorted(
        str(path) for path in Path(job["store_path"]).glob(".tidemark/**/data/**/*.parquet")
    )


def ingest(job: Job, stopwatch: Stopwatch) -> Report:
    """One frame, into a new table."""
    frame = pq.read_table(job["frame_path"], columns=job.get("columns"))
    store = open_tables(job, created="")
    with stopwatch.timed():
        store.ingest(job["views"][0]["name"], frame)
    files = data_files(job)
    return {"data_files": files, "bytes": sum(Path(path).stat().st_size for path in files)}


def fill(job: Job) -> Report:
    """Every view's history, as its file has it."""
    store = open_tables(job, created="created")
    files: list[list[str]] = []
    for view in job["views"]:
        before = {path for each in files for path in each}
        store.ingest(view["name"], view["path"])
        files.append([path for path in data_files(job) if path not in before])
    return {"data_files": files}


def join(job: Job, stopwatch: Stopwatch) -> Report:
    """The join, as tidemark_join.py does it from the files; the store is opened before."""
    store = open_tables(job, created="created")
    with stopwatch.timed():
        store.get_historical_features(
            entity_df=job["entity_path"],
            features=[f"{view['name']}:{f}" for view in job["views"] for f in view["features"]],
            full_feature_names=True,
        ).to_parquet(job["out_path"])
    return {}


def write(store: FeatureStore, job: Job, count: int) -> None:
    """Appends rows of entities that the history has, at its end, as the log takes them."""
    view = job["views"][0]
    end = datetime.fromtimestamp(job["end_us"] / 1e6, UTC)
    for first in range(0, count, FRAME_ROWS):
        keys = range(first, min(first + FRAME_ROWS, count))
        times = pa.array([end] * len(keys), pa.timestamp("us", tz="UTC"))
        columns = {"key": pa.array(keys, pa.int64()), "event_timestamp": times, "created": times}
        columns |= {name: pa.array([0.5] * len(keys)) for name in view["features"]}
        store.ingest(view["name"], pa.table(columns))


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Does the phase that the job names."""
    phases = {
        "ingest": lambda: ingest(job, stopwatch),
        "fill": lambda: fill(job),
        "join": lambda: join(job, stopwatch),
    }
    return {**phases[job["phase"]](), "versions": {"tidemark": tidemark.__version__}}


if __name__ == "__main__":
    contest(work)
