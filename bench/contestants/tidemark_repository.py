"""Tidemark's definitions of a benchmark data set: one entity, one file view per history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from timing import Job

from tidemark import Entity, FeatureStore, FeatureView, Field, FileSource
from tidemark.types import Float64


def open_store(job: Job) -> FeatureStore:
    """Opens the store in the job's folder and applies the definitions."""
    store = FeatureStore(job["store_path"])
    entity = Entity(name="key", join_keys=["key"])
    views = [
        FeatureView(
            name=view["name"],
            entities=[entity],
            ttl=timedelta(microseconds=view["ttl_us"]),
            schema=[Field(name=feature, dtype=Float64) for feature in view["features"]],
            source=FileSource(
                path=view["path"],
                timestamp_field="event_timestamp",
                created_timestamp_column="created",
            ),
        )
        for view in job["views"]
    ]
    store.apply([entity, *views])
    return store


def references(job: Job) -> list[str]:
    """All features of the data set."""
    return [f"{view['name']}:{f}" for view in job["views"] for f in view["features"]]


def time_range(job: Job) -> tuple[datetime, datetime]:
    """The history's first and last moment."""
    start, end = (datetime.fromtimestamp(job[k] / 1e6, UTC) for k in ("start_us", "end_us"))
    return start - timedelta(days=1), end + timedelta(days=1)
