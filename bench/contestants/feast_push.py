"""Makes a Feast repository whose one view takes what is pushed to `pushed`; nothing is timed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from feast import (
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    PushSource,
    RepoConfig,
    ValueType,
)
from feast.types import Float64
from feast_repository import online_config
from timing import Job, Report, Stopwatch, contest


def work(job: Job, _: Stopwatch) -> Report:
    """Applies the definitions, over a file of one row."""
    folder = Path(job["store_path"])
    folder.mkdir(parents=True)
    now = pd.Timestamp.now(tz="UTC")
    history = folder / "history.parquet"
    row = {"key": [0], "event_timestamp": [now]} | {name: [0.5] for name in job["fields"]}
    pd.DataFrame(row).to_parquet(history)
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(folder / "registry.db"),
        offline_store={"type": "dask"},
        online_store=online_config(job, folder),
        entity_key_serialization_version=3,
    )
    files = FileSource(path=str(history), timestamp_field="event_timestamp")
    entity = Entity(name="key", join_keys=["key"], value_type=ValueType.INT64)
    view = FeatureView(
        name="rides",
        entities=[entity],
        schema=[Field(name=name, dtype=Float64) for name in job["fields"]],
        source=PushSource(name="pushed", batch_source=files),
    )
    FeatureStore(config=config).apply([entity, view])
    return {}


if __name__ == "__main__":
    contest(work)
