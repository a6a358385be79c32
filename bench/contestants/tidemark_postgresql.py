"""A training set from a PostgreSQL table in Tidemark: every row of it is read, and joined."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from timing import Job, Report, Stopwatch, contest

import tidemark
from tidemark import AdbcSource, Entity, FeatureStore, FeatureView, Field
from tidemark.types import Float64


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Times the training set; the last entity row is later than all of the history."""
    view = job["views"][0]
    source = AdbcSource(
        driver="postgresql",
        uri=job["uri"],
        table="history",
        timestamp_field="event_timestamp",
        created_timestamp_column="created",
    )
    schema = [Field(name=feature, dtype=Float64) for feature in view["features"]]
    entity = Entity(name="key", join_keys=["key"])
    store = FeatureStore(job["store_path"])
    store.apply([FeatureView(name="v", entities=[entity], schema=schema, source=source)])
    rows = pq.read_table(job["entity_path"], columns=["key", "event_timestamp"])
    last = pa.scalar(job["end_us"] + 86_400_000_000, pa.timestamp("us", "UTC"))
    times = pc.cast(rows["event_timestamp"], last.type)
    late = pa.chunked_array([pa.array([last]), times.slice(1).combine_chunks()])
    rows = rows.set_column(1, "event_timestamp", late)
    with stopwatch.timed():
        made = store.get_historical_features(rows, [f"v:{f}" for f in view["features"]]).to_arrow()
    assert made.num_rows == rows.num_rows
    history = pq.ParquetFile(view["path"]).metadata.num_rows
    return {"rows": history, "versions": {"tidemark": tidemark.__version__}}


if __name__ == "__main__":
    contest(work)
