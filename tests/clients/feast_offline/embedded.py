"""The embedded SDK's side, run by the Python of .venv: `embedded.py CALL FOLDER JSON`.

make        a store with a view over a file, a feature table with ttl, a service with an alias
historical  {"entities", "out", "features" or "service", "full"}: the training set, as Parquet
online      {"features", "keys"}: prints what a lookup says, as JSON
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tidemark import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource
from tidemark.types import Float32, Float64, Int64, String

HOUR = dt.timedelta(hours=1)
T0 = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def make(folder: Path) -> None:
    store = FeatureStore(folder)
    times = pa.timestamp("us", tz="UTC")
    pq.write_table(
        pa.table(
            {
                "driver_id": pa.array([1001, 1001, 1002, 1003] * 50, pa.int64()),
                "event_timestamp": pa.array([T0 + HOUR * (i % 67) for i in range(200)], times),
                "created": pa.array([T0 + HOUR * (i % 67 + i % 3) for i in range(200)], times),
                "rating": [None if i % 11 == 0 else i / 8 for i in range(200)],
                "trips": [None if i % 7 == 0 else 2**53 + i for i in range(200)],
                "city": [None if i % 13 == 0 else f"city {i % 5}" for i in range(200)],
            }
        ),
        folder / "stats.parquet",
    )
    driver = Entity(name="driver", join_keys={"driver_id": Int64})
    stats = FeatureView(
        name="driver_stats",
        entities=[driver],
        schema=[Field("rating", Float64), Field("trips", Int64), Field("city", String)],
        source=FileSource(
            str(folder / "stats.parquet"),
            name="stats_file",
            timestamp_field="event_timestamp",
            created_timestamp_column="created",
        ),
    )
    clicks = FeatureView(
        name="clicks",
        entities=[driver],
        ttl=6 * HOUR,
        schema=[Field("n", Int64), Field("score", Float32), Field("page", String)],
    )
    named = stats[["rating"]].with_name("rated")
    store.apply(
        [driver, stats, clicks, FeatureService(name="model", features=[named, clicks[["n"]]])]
    )
    count = 300
    store.ingest(
        "clicks",
        pa.table(
            {
                "driver_id": pa.array([1001 + i % 4 for i in range(count)], pa.int64()),
                "event_timestamp": pa.array([T0 + HOUR * (i / 3) for i in range(count)], times),
                "n": pa.array(range(count), pa.int64()),
                "score": pa.array([i / 3 for i in range(count)], pa.float32()),
                "page": [None if i % 9 == 0 else f"page {i}" for i in range(count)],
            }
        ),
    )


def historical(folder: Path, request: dict[str, Any]) -> None:
    store = FeatureStore(folder)
    features = request.get("features") or store.get_feature_service(request["service"])
    rows = store.get_historical_features(
        pq.read_table(request["entities"]), features, full_feature_names=request["full"]
    ).to_arrow()
    pq.write_table(rows, request["out"])


def online(folder: Path, request: dict[str, Any]) -> None:
    found = FeatureStore(folder).get_online_features(request["features"], request["keys"])
    print(json.dumps(found.to_dict()))


if __name__ == "__main__":
    call, where = sys.argv[1], Path(sys.argv[2])
    if call == "make":
        make(where)
    else:
        {"historical": historical, "online": online}[call](where, json.loads(sys.argv[3]))
