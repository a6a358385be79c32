"""Feast's definitions of a benchmark data set, on its local provider."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64
from timing import Job


def online_config(job: Job, folder: Path) -> dict[str, Any]:
    """The configuration of the job's online store; SQLite unless Redis is asked for."""
    if job.get("online") == "redis":
        return {"type": "redis", "connection_string": f"127.0.0.1:{job['redis_port']}"}
    return {"type": "sqlite", "path": str(folder / "online.db")}


def open_store(job: Job, apply: bool = True) -> FeatureStore:
    """Opens the repository in the job's folder and, if wanted, applies the definitions."""
    folder = Path(job["store_path"])
    folder.mkdir(parents=True, exist_ok=True)
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(folder / "registry.db"),
        offline_store={"type": job.get("offline", "dask")},
        online_store=online_config(job, folder),
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    if apply:
        entity = Entity(name="key", join_keys=["key"], value_type=ValueType.INT64)
        store.apply([entity, *(make_view(view, entity) for view in job["views"])])
    return store


def make_view(view: dict[str, Any], entity: Entity) -> FeatureView:
    """One view over one Parquet file."""
    return FeatureView(
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


def references(job: Job) -> list[str]:
    """All features of the data set."""
    return [f"{view['name']}:{f}" for view in job["views"] for f in view["features"]]


def time_range(job: Job) -> tuple[datetime, datetime]:
    """The history's first and last moment."""
    start, end = (datetime.fromtimestamp(job[k] / 1e6, UTC) for k in ("start_us", "end_us"))
    return start - timedelta(days=1), end + timedelta(days=1)
