"""One set of definitions, for a Feast repository and for Tidemark, and its batch files."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.types import Array, Bool, Float32, Float64, Int32, Int64, Map, String, UnixTimestamp
from server_process import ServerProcess, run_program

STATS = {
    "f32": (Float32, "float32"),
    "f64": (Float64, "float64"),
    "i32": (Int32, "int32"),
    "i64": (Int64, "int64"),
    "text": (String, "string"),
    "flag": (Bool, "bool"),
    "at": (UnixTimestamp, "timestamp"),
    "floats": (Array(Float64), "list<float64>"),
    "texts": (Array(String), "list<string>"),
    "counts": (Map, "map<string, int64>"),
}
STATS_FEATURES = [f"driver_stats:{name}" for name in STATS]
LOADED = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)  # event time of the batch rows


def feast_objects(folder: Path) -> list[Any]:
    """What a Feast repository would define, over files in `folder`."""

    def file(name: str) -> FileSource:
        path = str(folder / f"{name}.parquet")
        return FileSource(name=f"{name}_file", path=path, timestamp_field="event_timestamp")

    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
    stats = FeatureView(
        name="driver_stats",
        entities=[driver],
        ttl=dt.timedelta(0),
        schema=[Field(name="driver_id", dtype=Int64)]
        + [Field(name=name, dtype=types[0]) for name, types in STATS.items()],
        source=PushSource(name="stats_push", batch_source=file("driver_stats")),
    )
    customers = FeatureView(
        name="customers",
        entities=[customer],
        ttl=dt.timedelta(0),
        schema=[
            Field(name="customer_id", dtype=String),
            Field(name="spent", dtype=Float64),
            Field(name="f64", dtype=Float64),
        ],
        source=file("customers"),
    )
    trips = FeatureView(
        name="trips",
        entities=[driver, customer],
        ttl=dt.timedelta(0),
        schema=[
            Field(name="driver_id", dtype=Int64),
            Field(name="customer_id", dtype=String),
            Field(name="n", dtype=Int64),
        ],
        source=file("trips"),
    )
    service = FeatureService(name="both", features=[stats[["f64", "text"]], customers[["spent"]]])
    return [driver, customer, stats, customers, trips, service]


def tidemark_definitions(folder: Path) -> dict[str, Any]:
    """The same for Tidemark."""

    def view(name: str, entities: list[str], fields: dict[str, str], **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "entities": entities,
            "fields": [{"name": field, "type": kind} for field, kind in fields.items()],
            "source": {
                "path": str(folder / name),
                "format": "parquet",
                "timestamp_field": "event_timestamp",
            },
            **more,
        }

    stats = {name: types[1] for name, types in STATS.items()}
    stream = {"type": "push", "name": "stats_push"}
    return {
        "entities": [
            {"name": "driver", "join_keys": [{"name": "driver_id", "type": "int64"}]},
            {"name": "customer", "join_keys": [{"name": "customer_id", "type": "string"}]},
        ],
        "feature_views": [
            view("driver_stats", ["driver"], stats, stream_source=stream),
            view("customers", ["customer"], {"spent": "float64", "f64": "float64"}),
            view("trips", ["driver", "customer"], {"n": "int64"}),
        ],
        "feature_services": [
            {
                "name": "both",
                "features": ["driver_stats:f64", "driver_stats:text", "customers:spent"],
            }
        ],
    }


def write_batch_files(folder: Path) -> None:
    """Each table twice: as a file for Feast, and for Tidemark in a folder that takes pushes."""
    at = pa.array([LOADED, LOADED], pa.timestamp("us", tz="UTC"))
    stats = {
        "driver_id": [1, 2],
        "event_timestamp": at,
        "f32": pa.array([0.5, None], pa.float32()),
        "f64": [0.5, None],
        "i32": pa.array([1, 2], pa.int32()),
        "i64": [1, 2**62],
        "text": ["one", 'quo"te\u00e9'],
        "flag": [True, False],
        "at": pa.array([LOADED, LOADED], pa.timestamp("us", tz="UTC")),
        "floats": pa.array([[0.5, 0.25], [1.0]], pa.list_(pa.float64())),
        "texts": [["a"], ["b", "c"]],
        "counts": pa.array([[("a", 1)], [("b", 2)]], pa.map_(pa.string(), pa.int64())),
    }
    tables = {
        "driver_stats": stats,
        "customers": {
            "customer_id": ["c1", "c2"],
            "event_timestamp": at,
            "spent": [10.5, 3.0],
            "f64": [0.1, 1e-07],
        },
        "trips": {
            "driver_id": [1, 2],
            "customer_id": ["c1", "c2"],
            "event_timestamp": at,
            "n": [5, 7],
        },
    }
    for name, columns in tables.items():
        table = pa.table(columns)
        pq.write_table(table, folder / f"{name}.parquet")
        (folder / name).mkdir()
        pq.write_table(table, folder / name / "first.parquet")


def apply(folder: Path, store: Path, **changes: Any) -> None:
    """Applies the definitions to Tidemark's store."""
    path = folder / "definitions.json"
    path.write_text(json.dumps(tidemark_definitions(folder) | changes))
    run_program(store, "apply", str(path))


def online(server: ServerProcess, **request: Any) -> Any:
    """A plain call of /get-online-features that succeeds: {name: (values, statuses, times)}."""
    answer = server.post_json("/get-online-features", request)
    assert answer.status == 200, answer.text
    return by_name(answer.json())


def by_name(body: Any) -> dict[str, tuple[list[Any], list[str], list[str]]]:
    names = body["metadata"]["feature_names"]
    assert len(names) == len(body["results"])
    return {
        name: (result["values"], result["statuses"], result["event_timestamps"])
        for name, result in zip(names, body["results"], strict=True)
    }
