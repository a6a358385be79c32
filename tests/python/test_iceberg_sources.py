"""Goal: an Iceberg table that pyiceberg wrote is a batch source like any other: training sets,
materialize, explain and plan see its newest snapshot, whatever its partitions and its history.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from tidemark import Entity, FeatureStore, FeatureView, Field, FileSource, IcebergSource
from tidemark.errors import InvalidArgumentError, NotFoundError, UnsupportedError
from tidemark.types import Float64, Int64, String

Row = dict[str, Any]
T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
DRIVER = Entity(name="driver", join_keys=[Field("driver_id", Int64)])
TRIPS = Schema(
    NestedField(1, "driver_id", LongType()),
    NestedField(2, "at", TimestamptzType()),
    NestedField(3, "country", StringType()),
    NestedField(4, "trips", IntegerType()),
    NestedField(5, "rating", FloatType()),
)
PARTS = PartitionSpec(
    PartitionField(3, 1000, IdentityTransform(), "country"),
    PartitionField(1, 1001, IdentityTransform(), "driver"),
)


@pytest.fixture
def lake(tmp_path: Path) -> SqlCatalog:
    """A catalog that is not the store's."""
    (tmp_path / "lake").mkdir()
    made = SqlCatalog(
        "lake", uri=f"sqlite:///{tmp_path}/lake/catalog.db", warehouse=f"file://{tmp_path}/lake"
    )
    made.create_namespace("rides")
    return made


def folder_of(table: Table) -> str:
    return table.location().removeprefix("file://")


def append(table: Table, rows: list[Row]) -> None:
    table.append(pa.Table.from_pylist(rows, table.schema().as_arrow()))


def trip(driver: int, hours: int, trips: int, country: str | None = "NO") -> Row:
    return {
        "driver_id": driver,
        "at": T0 + hours * HOUR,
        "country": country,
        "trips": trips,
        "rating": trips / 2,
    }


def trips_view(source: FileSource) -> FeatureView:
    return FeatureView(
        name="trips",
        entities=[DRIVER],
        schema=[Field("trips", Int64), Field("rating", Float64), Field("country", String)],
        source=source,
    )


def store_of(tmp_path: Path, source: FileSource) -> FeatureStore:
    store = FeatureStore(tmp_path / "store")
    store.apply([DRIVER, trips_view(source)])
    return store


def trained(store: FeatureStore, *asked: tuple[int, int], features: str = "trips:trips") -> list:
    drivers, hours = zip(*asked, strict=True)
    rows = pa.table({"driver_id": drivers, "event_timestamp": [T0 + h * HOUR for h in hours]})
    made = store.get_historical_features(rows, [features]).to_arrow()
    return made[features.split(":")[1]].to_pylist()


def online(store: FeatureStore, *drivers: int) -> list:
    keys = [{"driver_id": driver} for driver in drivers]
    return store.get_online_features(["trips:trips"], keys).to_dict()["trips"]


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_partitioned_table_with_several_snapshots(
    tmp_path: Path, lake: SqlCatalog, version: str
) -> None:
    table = lake.create_table(
        "rides.trips", TRIPS, partition_spec=PARTS, properties={"format-version": version}
    )
    append(table, [trip(1, 0, 10), trip(1, 30, 11, "SE"), trip(2, 5, 20, None)])
    append(table, [trip(1, 60, 12), trip(3, 1, 30)])
    store = store_of(tmp_path, IcebergSource(folder_of(table), timestamp_field="at"))
    asked = [(1, 0), (1, 29), (1, 30), (1, 99), (2, 4), (2, 5), (3, 99), (4, 99)]
    assert trained(store, *asked) == [10, 10, 11, 12, None, 20, 30, None]
    assert trained(store, (1, 40), features="trips:country") == ["SE"]
    told = json.dumps(store.explain("trips:trips", {"driver_id": 1}, T0 + 40 * HOUR))
    assert "country=SE" in told

    (first,) = store.materialize_incremental(T0 + 99 * HOUR)
    assert online(store, 1, 2, 3) == [12, 20, 30]
    # A new snapshot is seen at once, and only its files are loaded.
    append(table, [trip(3, 2, 31)])
    assert trained(store, (3, 99)) == [31]
    (second,) = store.materialize_incremental(T0 + 99 * HOUR)
    assert (second.files_read, second.files_skipped) == (1, first.files_read)
    assert second.warnings == ()
    assert online(store, 1, 2, 3) == [12, 20, 31]
    # Copy on write: the rows that were deleted are gone, the file with the others is another one.
    table.delete(EqualTo("trips", 11))
    assert trained(store, (1, 40)) == [10]


def test_of_rows_equal_in_time_the_later_commit_counts(tmp_path: Path, lake: SqlCatalog) -> None:
    table = lake.create_table("rides.trips", TRIPS)
    for n in range(12):  # the names of files say nothing of their order
        append(table, [trip(1, 0, n)])
    store = store_of(tmp_path, IcebergSource(folder_of(table), timestamp_field="at"))
    assert trained(store, (1, 0)) == [11]
    store.materialize_incremental(T0 + HOUR)
    append(table, [trip(1, 0, 99)])
    store.materialize_incremental(T0 + HOUR)
    assert online(store, 1) == trained(store, (1, 0)) == [99]


# What a table was before its schema evolved.
BEFORE = Schema(
    NestedField(1, "driver_id", IntegerType()),
    NestedField(2, "at", TimestamptzType()),
    NestedField(3, "n", IntegerType()),
    NestedField(4, "gone", StringType()),
    NestedField(
        5,
        "car",
        StructType(
            NestedField(6, "make", StringType()),
            NestedField(7, "seats", IntegerType()),
            NestedField(8, "plate", StringType()),
        ),
    ),
    NestedField(
        9,
        "stops",
        ListType(10, StructType(NestedField(11, "town", StringType())), element_required=False),
    ),
)


def test_a_schema_that_evolved(tmp_path: Path, lake: SqlCatalog) -> None:
    table = lake.create_table("rides.trips", BEFORE)
    old = {
        "driver_id": 1,
        "at": T0,
        "n": 1,
        "gone": "x",
        "car": {"make": "saab", "seats": 5, "plate": "A1"},
        "stops": [{"town": "oslo"}, None],
    }
    append(table, [old, {**old, "driver_id": 2, "car": None, "stops": None}])
    with table.update_schema() as update:
        update.update_column("driver_id", LongType())
        update.update_column("n", LongType())
        update.rename_column("n", "count")
        update.delete_column("gone")
        update.add_column("gone", DoubleType())  # another column of the same name
        update.delete_column(("car", "plate"))
        update.rename_column(("car", "make"), "plate")  # a name that another member had
        update.add_column(("car", "year"), IntegerType())
        update.add_column(("stops", "minutes"), LongType())
    new = {
        "driver_id": 3,
        "at": T0,
        "count": 2**40,
        "gone": 0.5,
        "car": {"plate": "volvo", "seats": 4, "year": 1999},
        "stops": [{"town": "bergen", "minutes": 7}],
    }
    append(table, [new])
    store = FeatureStore(tmp_path / "store")
    view = FeatureView(
        name="trips",
        entities=[DRIVER],
        source=IcebergSource(folder_of(table), timestamp_field="at"),
    )
    store.apply([DRIVER, view])
    asked = [(1, 1), (2, 1), (3, 1)]
    assert trained(store, *asked, features="trips:count") == [1, 1, 2**40]
    assert trained(store, *asked, features="trips:gone") == [None, None, 0.5]
    assert trained(store, *asked, features="trips:car") == [
        {"plate": "saab", "seats": 5, "year": None},
        None,
        {"plate": "volvo", "seats": 4, "year": 1999},
    ]
    assert trained(store, *asked, features="trips:stops") == [
        [{"town": "oslo", "minutes": None}, None],
        [],  # pyiceberg writes a null list of structs as an empty one
        [{"town": "bergen", "minutes": 7}],
    ]
    assert trained(store, *asked, features="trips:car") == [
        row["car"]
        for row in sorted(table.scan().to_arrow().to_pylist(), key=lambda r: r["driver_id"])
    ]


def test_every_type(tmp_path: Path, lake: SqlCatalog) -> None:
    some = uuid.UUID("12345678-1234-5678-1234-567812345678")
    values: dict[str, tuple[Any, Any, Any]] = {
        "flag": (BooleanType(), True, "bool"),
        "small": (IntegerType(), -(2**31), "int32"),
        "wide": (LongType(), 2**62, "int64"),
        "ratio": (FloatType(), 0.5, "float32"),
        "price": (DoubleType(), 0.1, "float64"),
        "cents": (DecimalType(9, 2), Decimal("-12.34"), "decimal(9, 2)"),
        "much": (DecimalType(38, 5), Decimal("98765432109876543210.12345"), "decimal(38, 5)"),
        "day": (DateType(), dt.date(1969, 12, 31), "date"),
        "local": (TimestampType(), dt.datetime(2026, 1, 2, 3, 4, 5, 6), "timestamp"),
        "seen": (TimestamptzType(), T0 - 7 * HOUR, "timestamp"),
        "name": (StringType(), "Ålesund", "string"),
        "raw": (BinaryType(), b"\0x", "binary"),
        "code": (FixedType(3), b"abc", "binary"),
        "tags": (ListType(100, StringType(), False), ["a", None], "list<string>"),
        "place": (
            StructType(NestedField(101, "lat", DoubleType()), NestedField(102, "cell", LongType())),
            {"lat": 1.5, "cell": None},
            "struct<lat: float64, cell: int64>",
        ),
        "counts": (
            MapType(103, StringType(), 104, LongType(), False),
            [("x", 1), ("y", None)],
            "map<string, int64>",
        ),
    }
    fields = [
        NestedField(1, "driver_id", LongType()),
        NestedField(2, "at", TimestampType()),
        *(NestedField(3 + i, name, values[name][0]) for i, name in enumerate(values)),
        NestedField(50, "clock", TimeType()),
        NestedField(51, "id", UUIDType()),
    ]
    table = lake.create_table("rides.all", Schema(*fields))
    row = {name: value for name, (_, value, _) in values.items()}
    nulls = dict.fromkeys(row)
    append(
        table,
        [
            {"driver_id": 1, "at": T0.replace(tzinfo=None), "clock": dt.time(1), "id": some.bytes}
            | row,
            {"driver_id": 2, "at": T0.replace(tzinfo=None), "clock": None, "id": None} | nulls,
        ],
    )
    store = FeatureStore(tmp_path / "store")
    view = FeatureView(
        name="all", entities=[DRIVER], source=IcebergSource(folder_of(table), timestamp_field="at")
    )
    store.apply([DRIVER, view])
    found = {field.name: str(field.dtype) for field in store.get_feature_view("all").schema}
    assert found == {name: text for name, (_, _, text) in values.items()} | {"id": "binary"}
    asked = pa.table({"driver_id": [1, 2], "event_timestamp": [T0, T0]})
    made = store.get_historical_features(asked, ["all"]).to_arrow()
    expected = row | {"id": some.bytes, "local": row["local"].replace(tzinfo=dt.UTC)}
    for name, value in expected.items():
        assert made[name].to_pylist() == [value, None], name
    with pytest.raises(NotFoundError, match="clock"):  # no type of Tidemark's
        store.apply(
            [
                FeatureView(
                    name="other",
                    entities=[DRIVER],
                    schema=[Field("clock", Int64)],
                    source=view.source,
                )
            ]
        )


def test_a_table_of_the_stores_own_catalog(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store")
    store.create_database("lake")
    catalog = SqlCatalog(
        "tidemark",
        uri=f"sqlite:///{tmp_path}/store/.tidemark/registry.db",
        warehouse=f"file://{tmp_path}/elsewhere",
    )
    table = catalog.create_table("lake.trips", TRIPS)
    append(table, [trip(1, 0, 10)])
    source = IcebergSource(table="lake.trips", timestamp_field="at", field_mapping={"trips": "n"})
    view = FeatureView(name="trips", entities=[DRIVER], schema=[Field("n", Int64)], source=source)
    store.apply([DRIVER, view])
    append(table, [trip(1, 1, 11)])
    assert trained(store, (1, 0), (1, 1), features="trips:n") == [10, 11]
    assert store.get_feature_view("trips").source == source
    assert store.describe("trips")["spec"]["batchSource"]["fileOptions"] == {
        "fileFormat": {"icebergFormat": {}},
        "fileUrl": "lake.trips",
    }
    with pytest.raises(InvalidArgumentError, match="trips"):
        store.drop_database("lake")
    with pytest.raises(NotFoundError, match=r"lake\.trip'"):
        store.apply(
            [FeatureView(name="none", entities=[DRIVER], source=IcebergSource(table="lake.trip"))]
        )
    # A feature table is read as what it is.
    own = FeatureView(name="own", entities=[DRIVER], schema=[Field("trips", Int64)])
    store.create_table(own)
    with pytest.raises(UnsupportedError, match="feature view"):
        store.apply(
            [
                trips_view(
                    IcebergSource(table="feature_store.own", timestamp_field="event_timestamp")
                )
            ]
        )


def test_definitions_in_yaml_and_what_is_said_of_them(tmp_path: Path, lake: SqlCatalog) -> None:
    table = lake.create_table("rides.trips", TRIPS)
    append(table, [trip(1, 0, 10)])
    definitions = tmp_path / "trips.yaml"
    definitions.write_text(
        "entities:\n  - name: driver\n    join_keys: [{name: driver_id, type: int64}]\n"
        "feature_views:\n  - name: trips\n    entities: [driver]\n    source:\n"
        f"      format: iceberg\n      path: {folder_of(table)}\n      timestamp_field: at\n"
    )
    store = FeatureStore(tmp_path / "store")
    plan = str(store.plan(definitions))
    assert folder_of(table) in plan
    assert "field trips (int32)" in plan
    store.apply(definitions)
    assert trained(store, (1, 0)) == [10]
    assert str(store.plan(definitions)) == "no changes"
    with pytest.raises(UnsupportedError, match="the engine that keeps it"):
        store.ingest("trips", pa.Table.from_pylist([trip(1, 5, 1)]), to="offline")


def test_a_source_says_where_it_is() -> None:
    source = IcebergSource("lake/trips", timestamp_field="at", name="trips", tags={"a": "b"})
    assert source.to_dict() == {
        "type": "file",
        "path": "lake/trips",
        "name": "trips",
        "format": "iceberg",
        "timestamp_field": "at",
        "tags": {"a": "b"},
    }
    assert FileSource.from_dict(source.to_dict()) == source
    named = IcebergSource(table="lake.trips")
    assert FileSource.from_dict(named.to_dict()) == named
    for wrong in ({}, {"path": "x", "table": "a.b"}):
        with pytest.raises(InvalidArgumentError, match="give one"):
            IcebergSource(**wrong)
    with pytest.raises(InvalidArgumentError, match="IcebergSource"):
        FileSource("x", file_format="iceberg")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"table": "trips"}, "database.name"),
        ({"table": "a.b", "path": "x"}, "give one"),
        ({"table": "a.b", "format": "csv"}, "format is iceberg"),
        ({"path": "x", "format": "icebrg"}, "iceberg"),
    ],
)
def test_definitions_that_cannot_be(tmp_path: Path, source: Row, message: str) -> None:
    definitions = tmp_path / "trips.json"
    view = {"name": "trips", "source": {**source, "timestamp_field": "at"}}
    definitions.write_text(json.dumps({"feature_views": [view]}))
    with pytest.raises(InvalidArgumentError, match=message):
        FeatureStore(tmp_path / "store").apply(definitions)
