"""Goal: a table or query of a real PostgreSQL is a batch source like any other, with the answers of
the same rows in Parquet; the server is asked for no more than a request needs; rows are added to it
once; and whatever fails is told clearly, without a password.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import random
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from postgresql_server import PASSWORD, PASSWORD_IN_URI, PostgreSQLServer
from program import PROGRAM

from tidemark import AdbcSource, Entity, FeatureStore, FeatureView, Field, FileSource, PushSource
from tidemark.errors import (
    CancelledError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    TidemarkError,
    TypeMismatchError,
    UnavailableError,
    UnsupportedError,
)
from tidemark.types import Array, Float64, Int64, String
from tidemark.warehouse_source import (
    BigQuerySource,
    PostgreSQLSource,
    RedshiftSource,
    SnowflakeSource,
)

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
DRIVER = Entity(name="driver", join_keys=[Field("driver_id", Int64)])
TIME = pa.timestamp("us", tz="UTC")
_numbers = itertools.count(1)


@pytest.fixture
def table(postgresql: PostgreSQLServer) -> Iterator[str]:
    """The name of a table that is no other test's; it need not be made."""
    name = f"stats_{next(_numbers)}"
    yield name
    postgresql.run(f'DROP TABLE IF EXISTS "{name}"')


def stats(rows: list[tuple[int, dt.datetime, dt.datetime, float | None, str | None]]) -> pa.Table:
    schema = pa.schema(
        [
            ("driver_id", pa.int64()),
            ("at", TIME),
            ("made", TIME),
            ("rating", pa.float64()),
            ("city", pa.string()),
        ]
    )
    return pa.table([list(column) for column in zip(*rows, strict=True)], schema=schema)


def random_stats(count: int, seed: int) -> pa.Table:
    """Late rows, ties of event times, keys that come often and seldom, nulls."""
    made = random.Random(seed)
    rows = []
    for number in range(count):
        at = T0 + dt.timedelta(minutes=made.randrange(60 * 24 * 20))
        late = dt.timedelta(seconds=made.randrange(3600 * 5), microseconds=number)
        rating = None if made.random() < 0.1 else made.random()
        city = None if made.random() < 0.1 else made.choice(["Oslo", "Ålesund", "", "a'b\\\"c"])
        rows.append((int(made.paretovariate(0.5)) % 300, at, at + late, rating, city))
    return stats(rows)


def random_entities(count: int, seed: int) -> pa.Table:
    made = random.Random(seed)
    times = [T0 + dt.timedelta(minutes=made.randrange(60 * 24 * 22)) for _ in range(count)]
    keys = [int(made.paretovariate(0.5)) % 320 for _ in range(count)]
    return pa.table({"driver_id": keys, "event_timestamp": pa.array(times, TIME)})


def source(server: PostgreSQLServer, table: str, **arguments: Any) -> AdbcSource:
    if "query" not in arguments:
        arguments["table"] = table
    arguments.setdefault("timestamp_field", "at")
    arguments.setdefault("created_timestamp_column", "made")
    arguments.setdefault("uri", server.uri)
    return AdbcSource(driver="postgresql", **arguments)


def view(name: str, of: Any, ttl: Any = 0, **arguments: Any) -> FeatureView:
    return FeatureView(name=name, entities=[DRIVER], source=of, ttl=ttl, **arguments)


def answers(store: FeatureStore, rows: Any, features: list[str], **arguments: Any) -> pa.Table:
    return store.get_historical_features(rows, features, **arguments).to_arrow()


def rows_query(server: PostgreSQLServer, table: str) -> str:
    """The last query that read rows of a table."""
    found = server.statements('COPY (SELECT "driver_id", "at"')
    return [line for line in found if f'"{table}"' in line][-1]


# --- The same answers as files ---


@pytest.mark.parametrize("ttl", ["0", "3d"])
@pytest.mark.parametrize("status", [True, False])
def test_training_sets_are_those_of_the_same_rows_in_parquet(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str, ttl: str, status: bool
) -> None:
    rows = random_stats(5_000, seed=len(ttl) + status)
    postgresql.put(table, rows)
    pq.write_table(rows, tmp_path / "stats.parquet")
    file = FileSource("stats.parquet", timestamp_field="at", created_timestamp_column="made")
    store = FeatureStore(tmp_path)
    store.apply([view("lake", file, ttl), view("house", source(postgresql, table), ttl)])
    assert store.get_feature_view("lake").schema == store.get_feature_view("house").schema
    entities = random_entities(3_000, seed=7)
    for known_by in (None, "event", T0 + 10 * dt.timedelta(days=1)):
        wanted, got = (
            answers(
                store,
                entities,
                [f"{name}:rating", f"{name}:city"],
                include_status=status,
                known_by=known_by,
            )
            for name in ("lake", "house")
        )
        assert got == wanted, f"known_by {known_by}"
    wanted, got = (
        answers(
            store,
            None,
            [f"{name}:rating"],
            start_date=T0 + 30 * HOUR,
            end_date=T0 + 200 * HOUR,
        ).sort_by("driver_id")
        for name in ("lake", "house")
    )
    assert got == wanted, "the entities of a range of times"
    assert len(got) > 10


@pytest.mark.filterwarnings("ignore:memory_limit")
def test_entity_rows_in_blocks_see_all_rows(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    """With a memory limit, rows are put aside on the disk and entity rows come block by block."""
    rows = random_stats(300_000, seed=11)
    postgresql.put(table, rows)
    pq.write_table(rows, tmp_path / "stats.parquet")
    (tmp_path / "tidemark.yaml").write_text("memory_limit: 16MiB\n")
    file = FileSource("stats.parquet", timestamp_field="at", created_timestamp_column="made")
    store = FeatureStore(tmp_path)
    store.apply([view("lake", file), view("house", source(postgresql, table))])
    entities = random_entities(400_000, seed=12)
    wanted, got = (
        answers(store, entities, [f"{name}:rating", f"{name}:city"]) for name in ("lake", "house")
    )
    assert got == wanted


# --- No more than is needed ---


def test_the_server_gives_only_needed_columns_and_rows(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    postgresql.put(table, random_stats(100, seed=1))
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table), ttl="2d")])
    entities = pa.table(
        {"driver_id": [1, 2], "event_timestamp": pa.array([T0 + 72 * HOUR, T0 + 96 * HOUR], TIME)}
    )

    answers(store, entities, ["v:rating"])
    asked = rows_query(postgresql, table)
    assert f'SELECT "driver_id", "at", "made", "rating" FROM "{table}" WHERE' in asked
    assert "\"at\" >= TIMESTAMP WITH TIME ZONE '2026-01-02 00:00:00+00:00'" in asked
    assert "\"at\" <= TIMESTAMP WITH TIME ZONE '2026-01-05 00:00:00+00:00'" in asked

    answers(store, entities, ["v:city"], include_status=True, known_by=T0 + 80 * HOUR)
    asked = rows_query(postgresql, table)
    assert '"city" FROM' in asked
    assert '"rating"' not in asked
    assert '"at" >=' not in asked, "rows older than the ttl are OUTSIDE_MAX_AGE, and not NOT_FOUND"
    assert "\"made\" <= TIMESTAMP WITH TIME ZONE '2026-01-04 08:00:00+00:00'" in asked

    store.explain("v:rating", {"driver_id": 1}, T0 + 100 * HOUR)
    assert '"driver_id" = 1' in rows_query(postgresql, table)


def test_rows_older_than_the_ttl_keep_their_status(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    postgresql.put(table, stats([(1, T0, T0, 1.5, "x"), (2, T0 + 40 * HOUR, T0, 2.5, None)]))
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table), ttl="1h")])
    times = pa.array([T0 + 9 * HOUR, T0 + HOUR, T0 + 9 * HOUR, T0 + 40 * HOUR], TIME)
    entities = pa.table({"driver_id": [1, 1, 2, 2], "event_timestamp": times})
    got = answers(store, entities, ["v:rating", "v:city"], include_status=True)
    assert got["rating__status"].to_pylist() == [
        "OUTSIDE_MAX_AGE", "PRESENT", "NOT_FOUND", "PRESENT",
    ]  # fmt: skip
    assert got["city__status"].to_pylist()[-1] == "NULL_VALUE"


def test_a_row_without_a_time_is_an_error_as_in_a_file(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    postgresql.put(table, stats([(1, T0, T0, 1.5, "x")]))
    postgresql.run(f"INSERT INTO {table} (driver_id, made) VALUES (2, now())")
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table))])
    entities = pa.table({"driver_id": [1], "event_timestamp": pa.array([T0 + HOUR], TIME)})
    with pytest.raises(TidemarkError, match=f"warehouse postgresql {table}: column 'at'.*null"):
        answers(store, entities, ["v:rating"])


# --- Types ---


def test_types_have_their_counterparts(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    """Goal: every value arrives as what it is, whatever the time zone of the session."""
    postgresql.run(
        f"CREATE TYPE mood_{table} AS ENUM ('calm', 'wild')",
        f"""CREATE TABLE {table} (driver_id int4, at timestamp, b bool, i2 int2, i8 int8, f4 float4,
            f8 float8, n numeric(12, 3), big numeric, whole numeric, t text, v varchar(9),
            c char(3),
            u uuid, m mood_{table}, y bytea, z timestamptz, d date, li int4[], lt text[],
            ln numeric[], j jsonb, "od""d name" int4)""",
        f"""INSERT INTO {table} VALUES (1, '2026-01-01 00:00:00.123456', true, -2, {2**62}, 1.5,
            0.1, 123456789.125, 12.5, 700.000, 'é''x', 'v', 'c',
            '0b3dd3f0-0000-4000-8000-00000000000a',
            'wild', '\\x00ff', '2026-01-01 02:00:00+02', '2026-02-03', '{{1,null,3}}',
            '{{a,"b c",null}}', '{{1.5,null}}', '{{"k": [1]}}', 7)""",
        f"INSERT INTO {table} (driver_id, at) VALUES (2, '2026-01-01')",
    )
    declared = [
        Field("big", Float64), Field("whole", Int64), Field("ln", Array(Float64)),
        *(Field(name, String) for name in ("u", "m", "j", "t", "v", "c")),
    ]  # fmt: skip
    inferred = [*list("bntvcumyzdj"), "i2", "i8", "f4", "f8", "li", "lt"]
    quoted = source(
        postgresql, table, created_timestamp_column="", field_mapping={'od"d name': "o"}
    )
    columns = ", ".join(f'"{name}"' for name in ("driver_id", "at", *inferred))
    plain = source(
        postgresql, table, query=f"SELECT {columns} FROM {table};", created_timestamp_column=""
    )
    store = FeatureStore(tmp_path)
    store.apply(
        [view("declared", quoted, schema=[*declared, Field("o", Int64)]), view("inferred", plain)]
    )
    found = {each.name: str(each.dtype) for each in store.get_feature_view("inferred").schema}
    assert found["n"] == "decimal(12, 3)"
    assert found["i2"] == "int32"
    assert found["d"] == "date"
    times = pa.array([T0 + HOUR] * 3, TIME)
    entities = pa.table({"driver_id": [1, 2, 3], "event_timestamp": times})

    got = answers(store, entities, [f"inferred:{name}" for name in inferred]).to_pylist()
    assert got[0] | {} == {
        "driver_id": 1, "event_timestamp": T0 + HOUR, "b": True, "i2": -2, "i8": 2**62, "f4": 1.5,
        "f8": 0.1, "n": Decimal("123456789.125"), "t": "é'x", "v": "v", "c": "c  ",
        "u": "0b3dd3f0-0000-4000-8000-00000000000a", "m": "wild", "y": b"\x00\xff", "z": T0,
        "d": dt.date(2026, 2, 3), "li": [1, None, 3], "lt": ["a", "b c", None],
        "j": '{"k": [1]}',
    }  # fmt: skip
    assert all(got[row][name] is None for row in (1, 2) for name in inferred)
    got = answers(store, entities, [f"declared:{each.name}" for each in declared] + ["declared:o"])
    assert got.to_pylist()[0]["whole"] == 700
    assert got.to_pylist()[0]["ln"] == [1.5, None]
    assert got.to_pylist()[0]["o"] == 7
    assert got.to_pylist()[0]["big"] == 12.5


@pytest.mark.parametrize(
    ("column", "declared", "message"),
    [
        ("numeric", None, 'cast\\("x" as double precision\\) as "x"'),
        ("interval", None, 'cast\\("x" as text\\)'),
        ("money", None, "it is money"),
        ("point", Float64, "it is point"),
        ("numeric[]", None, "an array of numeric"),
        ("int4range", None, "a type of its own"),
        ("int4", String, "does not fit the field's type string"),
    ],
)
def test_a_type_without_a_counterpart_is_told_with_a_cast(
    tmp_path: Path,
    postgresql: PostgreSQLServer,
    table: str,
    column: str,
    declared: Any,
    message: str,
) -> None:
    postgresql.run(f"CREATE TABLE {table} (driver_id int8, at timestamptz, x {column}, y int8)")
    made = source(postgresql, table, created_timestamp_column="")
    schema = [Field("x", declared)] if declared else None
    store = FeatureStore(tmp_path)
    with pytest.raises(TypeMismatchError, match=f"column 'x'.*{message}"):
        store.apply([view("v", made, schema=schema)])
    with pytest.raises(NotFoundError):
        store.get_feature_view("v")
    store.apply([view("v", made, schema=[Field("y", Int64)])])  # nobody asks for that column


def test_a_value_that_does_not_fit_is_named(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    postgresql.run(
        f"CREATE TABLE {table} (driver_id int8, at timestamptz, x numeric)",
        f"INSERT INTO {table} VALUES (1, '2026-01-01', 1), (1, '2026-01-02', 1.5)",
    )
    store = FeatureStore(tmp_path)
    made = source(postgresql, table, created_timestamp_column="")
    store.apply([view("v", made, schema=[Field("x", Int64)])])
    entities = pa.table({"driver_id": [1], "event_timestamp": pa.array([T0 + 99 * HOUR], TIME)})
    with pytest.raises(TypeMismatchError, match=r"column 'x', row 1: 1\.5 does not fit int64"):
        answers(store, entities, ["v:x"])


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("timestamptz", "'infinity'", r"column 'x', row 1: a time that is infinite.*nullif"),
        ("timestamp", "'-infinity'", r"a time that is infinite"),
        ("date", "'infinity'", r"a time that is infinite"),
        ("timestamptz[]", "'{2026-01-01,infinity}'", r"column 'x', row 1: a time that is infinite"),
        ("int4[]", "'{{1,2},{3,4}}'", r"column x holds an array of dimensions: 2"),
        ("numeric(4,2)", "'NaN'", r"column 'x', row 1: nan does not fit decimal\(4, 2\)"),
    ],
)
def test_values_that_the_driver_would_change_are_errors(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str, kind: str, value: str, message: str
) -> None:
    postgresql.run(
        f"CREATE TABLE {table} (driver_id int8, at timestamptz, x {kind})",
        f"INSERT INTO {table} VALUES (1, '2026-01-01', NULL), (1, '2026-01-02', {value})",
    )
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table, created_timestamp_column=""))])
    entities = pa.table({"driver_id": [1], "event_timestamp": pa.array([T0 + 99 * HOUR], TIME)})
    with pytest.raises(TidemarkError, match=message):
        answers(store, entities, ["v:x"])


def test_rows_that_tie_are_ordered_as_they_lie(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    rows = stats([(1, T0, T0, float(number), None) for number in range(20_000)])
    postgresql.put(table, rows)
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table))])
    query = f"SELECT * FROM {table} ORDER BY rating DESC"
    store.apply([view("q", source(postgresql, table, query=query))])
    entities = pa.table({"driver_id": [1], "event_timestamp": pa.array([T0], TIME)})
    for _ in range(3):
        assert answers(store, entities, ["v:rating"])["rating"].to_pylist() == [19_999.0]
    assert answers(store, entities, ["q:rating"])["rating"].to_pylist() == [0.0]


# --- Loading the online store ---


def online(store: FeatureStore, *keys: int) -> list[Any]:
    found = store.get_online_features(["v:rating"], [{"driver_id": key} for key in keys])
    values: list[Any] = found.to_dict()["rating"]
    return values


def test_incremental_loading_reads_what_was_created_since(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    postgresql.put(table, stats([(key, T0, T0 + 5 * HOUR, 1.0, None) for key in range(50)]))
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table))])
    assert store.materialize_incremental(T0 + 48 * HOUR)[0].rows_read == 50
    # One of an old event time, known only now; one that is not due; one that came too late.
    late = [
        (1, T0 + HOUR, T0 + 6 * HOUR, 2.0, None),
        (2, T0 + 49 * HOUR, T0 + 6 * HOUR, 3.0, None),
        (3, T0 + HOUR, T0 + HOUR, 4.0, None),
    ]
    postgresql.put(table, stats(late), mode="append")
    report = store.materialize_incremental(T0 + 48 * HOUR)[0]
    assert online(store, 1, 2, 3, 4) == [2.0, 1.0, 1.0, 1.0]
    assert report.rows_written == 1
    assert report.rows_read == 51, "those of the overlap are read again"
    asked = rows_query(postgresql, table)
    assert "\"made\" >= TIMESTAMP WITH TIME ZONE '2026-01-01 04:00:00+00:00'" in asked
    store.materialize_incremental(T0 + 60 * HOUR)
    assert online(store, 2, 3) == [3.0, 1.0]
    store.materialize_incremental(T0 + 60 * HOUR, reload=True)
    assert online(store, 1, 2, 3) == [2.0, 3.0, 4.0]
    state = store.describe("v")["online"]
    assert state["files"] == [f"postgresql {table}"]


def test_without_a_created_column_all_is_read_again(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    postgresql.put(table, stats([(1, T0, T0, 1.0, None)]))
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table, created_timestamp_column=""))])
    store.materialize_incremental(T0 + HOUR)
    postgresql.put(table, stats([(2, T0, T0, 2.0, None)]), mode="append")
    report = store.materialize_incremental(T0 + HOUR)[0]
    assert (report.rows_read, online(store, 1, 2)) == (2, [1.0, 2.0])


def test_windows_loaded_one_by_one_miss_no_late_row(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    day = 24 * HOUR
    postgresql.put(
        table, stats([(key, T0 + key * day, T0 + key * day, 1.0, None) for key in range(3)])
    )
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table))])
    store.materialize(T0, T0 + HOUR)
    postgresql.put(table, stats([(9, T0, T0 + 20 * HOUR, 5.0, None)]), mode="append")
    store.materialize(
        T0 + 2 * day, T0 + 2 * day + HOUR
    )  # its rows were created later than that one
    assert online(store, 0, 1, 2, 9) == [1.0, None, 1.0, None]
    store.materialize_incremental(T0 + 3 * day)
    assert online(store, 0, 1, 2, 9) == [1.0, 1.0, 1.0, 5.0]


def test_explain_names_the_table(tmp_path: Path, postgresql: PostgreSQLServer, table: str) -> None:
    postgresql.put(table, stats([(1, T0, T0 + HOUR, 1.0, None), (2, T0, T0, 3.0, None)]))
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table), online=False)])
    told = store.explain("v:rating", {"driver_id": 1}, T0 + HOUR)
    assert (told["value"], told["rows_of_key"]) == (1.0, 1)
    assert told["row"]["file"] == f"postgresql {table}"
    assert "row" not in told["row"]
    assert told["row"]["created_timestamp"] == "2026-01-01T01:00:00Z"


# --- Adding rows ---


def test_rows_are_added_to_the_table_and_come_online(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    postgresql.run(
        f"""CREATE TABLE {table} (driver_id int4 NOT NULL, at timestamp NOT NULL, made timestamptz,
            rating numeric(6, 2), city varchar(6), more text DEFAULT 'x')"""
    )
    of = PushSource("events", batch_source=source(postgresql, table))
    store = FeatureStore(tmp_path)
    store.apply([view("v", of, schema=[Field("rating", Float64), Field("city", String)])])
    small = stats([(1, T0, T0, 1.5, "Oslo"), (2, T0, T0, None, None)])
    assert store.ingest("v", small).rows == 2
    store.push("events", stats([(1, T0 + HOUR, T0 + HOUR, 2.5, "Bodø")]), to="online_and_offline")
    assert online(store, 1, 2) == [2.5, None]
    assert postgresql.ask(
        f"SELECT driver_id, at, rating, city, more FROM {table} ORDER BY at, 1"
    ) == [
        (1, T0.replace(tzinfo=None), "1.50", "Oslo", "x"),
        (2, T0.replace(tzinfo=None), None, None, "x"),
        (1, (T0 + HOUR).replace(tzinfo=None), "2.50", "Bodø", "x"),
    ]
    entities = pa.table({"driver_id": [1, 2], "event_timestamp": pa.array([T0 + HOUR] * 2, TIME)})
    assert answers(store, entities, ["v:rating"])["rating"].to_pylist() == [2.5, None]
    written = postgresql.ask(f"SELECT count(*) FROM tidemark_writes WHERE target = '\"{table}\"'")
    assert written == [(2,)]


def test_many_rows_are_added_in_one_transaction_once(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    rows = random_stats(300_000, seed=5)
    postgresql.put(table, rows.slice(0, 0))
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table))])
    assert store.ingest("v", rows, idempotency_key="day-1").rows == len(rows)
    assert store.ingest("v", rows, idempotency_key="day-1").repeated
    assert postgresql.ask(f"SELECT count(*), sum(driver_id)::int8 FROM {table}") == [
        (len(rows), sum(rows["driver_id"].to_pylist()))
    ]
    assert [value for value in online(store, *range(300)) if value is not None]


@pytest.mark.parametrize("many", [False, True])
def test_rows_that_the_table_refuses_leave_nothing(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str, many: bool
) -> None:
    postgresql.run(
        f"""CREATE TABLE {table} (driver_id int8, at timestamptz, made timestamptz, rating float8,
            city varchar(3))"""
    )
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table))])
    rows = random_stats(300_000 if many else 3, seed=6)
    city = pa.array(["Oslo"] * len(rows))
    rows = rows.set_column(4, "city", city)
    with pytest.raises(TidemarkError, match="too long"):
        store.ingest("v", rows)
    assert postgresql.ask(f"SELECT count(*) FROM {table}") == [(0,)]


def test_what_cannot_be_written_to_says_so(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    rows = stats([(1, T0, T0, 1.5, "Oslo")])
    postgresql.put(table, rows)
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table, query=f"SELECT * FROM {table}"))])
    with pytest.raises(UnsupportedError, match="is a query"):
        store.ingest("v", rows)
    schema = [Field("rating", Float64), Field("city", String)]
    big = BigQuerySource(table_ref="p:d.t", timestamp_field="at", created_timestamp_column="made")
    store.apply([view("big", big, schema=schema)])
    with pytest.raises(UnsupportedError, match="not to those of bigquery"):
        store.ingest("big", rows)


# --- What goes wrong, and what is shown ---


def broken(server: PostgreSQLServer, **arguments: Any) -> AdbcSource:
    return source(server, "stats", **arguments)


def refused_uri(server: PostgreSQLServer) -> str:
    return server.uri.replace(PASSWORD_IN_URI, "wr0ng-p%40ss")


def closed_uri(server: PostgreSQLServer) -> str:
    with socket.socket() as taken:  # bound, and not listened to
        taken.bind(("127.0.0.1", 0))
        return server.uri.replace(str(server.port), str(taken.getsockname()[1]))


def test_a_warehouse_that_cannot_be_reached_or_refuses(
    tmp_path: Path, postgresql: PostgreSQLServer
) -> None:
    store = FeatureStore(tmp_path)
    with pytest.raises(UnavailableError, match="warehouse postgresql stats") as closed:
        store.apply([view("v", broken(postgresql, uri=closed_uri(postgresql)))])
    with pytest.raises(PermissionDeniedError, match="password authentication failed") as refused:
        store.apply([view("v", broken(postgresql, uri=refused_uri(postgresql)))])
    for error in (closed, refused):
        assert PASSWORD not in str(error.value)
        assert "p%40ss" not in str(error.value)
        assert "wr0ng" not in str(error.value)
    assert store.list_feature_views() == []


def test_a_password_with_an_at_sign_must_be_written_so_that_the_server_is_found(
    tmp_path: Path, postgresql: PostgreSQLServer
) -> None:
    store = FeatureStore(tmp_path)
    uri = postgresql.uri.replace(PASSWORD_IN_URI, "s3cret@p4ss")
    with pytest.raises(InvalidArgumentError, match="%40") as error:
        store.apply([view("v", broken(postgresql, uri=uri))])
    assert "s3cret" not in str(error.value)
    assert "p4ss" not in str(error.value)


def test_missing_tables_and_columns_are_told_with_what_there_is(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    postgresql.put(table, stats([(1, T0, T0, 1.5, "Oslo")]))
    store = FeatureStore(tmp_path)
    with pytest.raises(NotFoundError, match=f"did you mean 'public.{table}'"):
        store.apply([view("v", source(postgresql, table + "x"))])
    with pytest.raises(NotFoundError, match=f"write schema='public', table='{table}'"):
        store.apply([view("v", source(postgresql, f"public.{table}"))])
    with pytest.raises(NotFoundError, match="its columns are: driver_id, at, made, rating, city"):
        store.apply([view("v", source(postgresql, table), schema=[Field("ratings", Float64)])])
    with pytest.raises(InvalidArgumentError, match="nonsense"):
        store.apply([view("v", source(postgresql, table, query="SELECT nonsense FROM x y z"))])
    with pytest.raises(NotFoundError, match="install the Python package"):
        store.apply([view("v", AdbcSource(driver="nonsense", table="t"))])
    with pytest.raises(InvalidArgumentError, match=r"TIDEMARK_NO_SUCH.*is not set"):
        store.apply([view("v", broken(postgresql, uri="${TIDEMARK_NO_SUCH}"))])


def test_sql_over_a_view_in_a_warehouse_is_refused_with_the_way_out(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    """Goal: listed, and read by `snapshot`; SQL neither asks the warehouse nor keeps anything."""
    rows = stats([(1, T0, T0, 1.5, "Oslo")])
    postgresql.put(table, rows)
    pq.write_table(rows, tmp_path / "stats.parquet")
    file = FileSource("stats.parquet", timestamp_field="at", created_timestamp_column="made")
    store = FeatureStore(tmp_path)
    store.apply([view("house", source(postgresql, table, name="shop")), view("lake", file)])
    listed = store.sql("show tables").to_arrow().to_pylist()
    assert ("house", "feature view") in [(row["name"], row["kind"]) for row in listed]
    asked = len(postgresql.statements("COPY"))
    for text in (
        "SELECT * FROM house",
        "SELECT count(*) FROM lake JOIN (FROM feature_store.house) AS h USING (driver_id)",
        "WITH h AS (FROM shop) SELECT * FROM h",
    ):
        for ask in (store.sql, store.dump):
            with pytest.raises(UnsupportedError) as refused:
                ask(text)
            message = str(refused.value)
            assert "its rows lie in a warehouse (" in message
            assert f"{table}), which has SQL of its own" in message
            assert "Ask the warehouse, or bring its rows into a feature table" in message
            assert ("shop" if "FROM shop" in text else "house") in message
            assert PASSWORD not in message
    assert len(postgresql.statements("COPY")) == asked
    assert store.snapshot("house").to_arrow()["rating"].to_pylist() == [1.5]
    assert store.dumps() == []
    assert store.sql("SELECT city FROM lake").to_arrow().to_pydict() == {"city": ["Oslo"]}


def test_a_query_that_takes_too_long_ends(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    postgresql.put(table, stats([(1, T0, T0, 1.5, "Oslo")]))
    query = f"SELECT s.*, pg_sleep(60)::text AS x FROM {table} AS s"
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table, query=query, timeout="300ms"))])
    entities = pa.table({"driver_id": [1], "event_timestamp": pa.array([T0], TIME)})
    with pytest.raises(UnavailableError, match="timeout of 300ms"):
        answers(store, entities, ["v:x"])


def test_a_server_that_dies_in_the_middle_of_a_read(tmp_path: Path) -> None:
    server = PostgreSQLServer()
    try:
        server.run(
            "CREATE TABLE big (driver_id int8, at timestamptz, made timestamptz, rating float8)"
        )
        # The last of many rows ends the server.
        server.run(
            """CREATE FUNCTION deadly(n int8) RETURNS float8 LANGUAGE plpgsql AS $$ BEGIN
               IF n = 400000 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
               RETURN n; END $$""",
            "INSERT INTO big SELECT n, now(), now(), n FROM generate_series(1, 500000) AS n",
        )
        query = "SELECT driver_id, at, made, deadly(driver_id) AS rating FROM big"
        store = FeatureStore(tmp_path)
        store.apply([view("v", source(server, "", query=query))])
        entities = pa.table({"driver_id": [1], "event_timestamp": pa.array([T0], TIME)})
        later = pa.table({"driver_id": [1], "event_timestamp": pa.array([T0 + 10**6 * HOUR], TIME)})
        with pytest.raises(UnavailableError, match=r"terminat|closed|lost"):
            answers(store, later, ["v:rating"])
        with pytest.raises(UnavailableError):
            store.materialize_incremental(dt.datetime.now(dt.UTC))
        assert store.online_stats()["rows"] == 0
        server.stop()
        with pytest.raises(UnavailableError, match="warehouse postgresql"):
            answers(store, entities, ["v:rating"])
        server.start()
        assert answers(store, entities, ["v:rating"]) is not None
    finally:
        server.remove()


def test_no_output_shows_a_secret(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str, capfd: pytest.CaptureFixture[str]
) -> None:
    postgresql.put(table, stats([(1, T0, T0, 1.5, "Oslo")]))
    made = view("v", source(postgresql, table))
    store = FeatureStore(tmp_path)
    shown = [repr(made), str(made), str(store.plan([made]))]
    store.apply([made])
    listed = store.list_feature_views()[0]
    shown += [repr(listed), json.dumps(store.describe("v")), str(listed.to_dict())]
    moved = view(
        "v", source(postgresql, table, uri=postgresql.uri.replace("127.0.0.1", "localhost"))
    )
    shown.append(str(store.plan([moved])))
    other = view("v", source(postgresql, table, uri=refused_uri(postgresql)))
    with pytest.raises(PermissionDeniedError) as refused:
        store.plan([other])
    shown.append(str(refused.value))
    for command in (["views", "list"], ["views", "describe", "v"]):
        for output in ("table", "json"):
            done = subprocess.run(
                [PROGRAM, "--output", output, *command],
                cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip
            shown += [done.stdout, done.stderr]
    captured = capfd.readouterr()
    for text in [*shown, captured.out, captured.err]:
        assert not any(secret in text for secret in (PASSWORD, PASSWORD_IN_URI, "wr0ng")), text
    assert "tide:***@127.0.0.1" in repr(listed)


def test_what_was_shown_can_be_applied_again(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    """Goal: a definition without its password means the one that the store has, and no other."""
    postgresql.put(table, stats([(1, T0, T0, 1.5, "Oslo")]))
    store = FeatureStore(tmp_path)
    store.apply([DRIVER, view("v", source(postgresql, table))])
    again = store.get_feature_view("v")
    assert isinstance(again.source, AdbcSource)
    assert "***" in again.source.uri
    assert not store.plan([again])
    again.source.uri = again.source.uri.replace("127.0.0.1", "localhost")
    with pytest.raises(InvalidArgumentError, match="in the place of a secret"):
        store.apply([again])
    entities = pa.table({"driver_id": [1], "event_timestamp": pa.array([T0], TIME)})
    assert answers(store, entities, ["v:rating"])["rating"].to_pylist() == [1.5]


def test_secrets_come_from_the_environment(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: a password from a variable is taken as it is; the definition holds only its name."""
    postgresql.put(table, stats([(1, T0, T0, 1.5, "Oslo")]))
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    monkeypatch.setenv("SHOP_URI", postgresql.uri)
    uri = f"postgresql://tide:${{SHOP_PASSWORD}}@127.0.0.1:{postgresql.port}/postgres"
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table, uri=uri))])
    store.apply([view("w", source(postgresql, table, uri="${SHOP_URI}"))])
    again = store.get_feature_view("v").source
    assert isinstance(again, AdbcSource)
    assert again.uri == uri
    entities = pa.table({"driver_id": [1], "event_timestamp": pa.array([T0], TIME)})
    got = answers(store, entities, ["v:rating", "w:city"])
    assert got.to_pylist()[0] | {"event_timestamp": 0} == {
        "driver_id": 1, "event_timestamp": 0, "rating": 1.5, "city": "Oslo",
    }  # fmt: skip
    monkeypatch.setenv("SHOP_PASSWORD", "wr0ng-from-env")
    with pytest.raises(PermissionDeniedError) as refused:
        answers(store, entities, ["v:rating"])
    assert "wr0ng" not in str(refused.value)


def test_the_program_finds_the_driver(
    tmp_path: Path, postgresql: PostgreSQLServer, table: str
) -> None:
    """Goal: definitions in YAML, and the program; the environment says where the driver is."""
    postgresql.put(table, stats([(1, T0, T0, 1.5, "Oslo")]))
    (tmp_path / "features.yaml").write_text(
        "entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]\n"
        "feature_views:\n"
        "- name: v\n  entities: [driver]\n"
        f"  source: {{type: postgresql, uri: '${{SHOP_URI}}', table: {table}, schema: public,\n"
        "    timestamp_field: at, created_timestamp_column: made, timeout: 30s}\n"
    )
    import adbc_driver_postgresql

    packages = Path(adbc_driver_postgresql.__file__).parents[1]
    environment = os.environ | {
        "SHOP_URI": postgresql.uri,
        "TIDEMARK_ADBC_DRIVERS": str(packages),
    }
    for command in (["apply"], ["materialize-incremental", "2026-02-01T00:00:00Z"]):
        done = subprocess.run(
            [PROGRAM, *command], cwd=tmp_path, capture_output=True, text=True,
            env=environment, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert online(FeatureStore(tmp_path), 1) == [1.5]
    del environment["TIDEMARK_ADBC_DRIVERS"]
    done = subprocess.run(
        [PROGRAM, "materialize-incremental", "2026-02-01T00:00:00Z"],
        cwd=tmp_path, capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    if done.returncode != 0:  # where the program does not lie beside the drivers
        assert "adbc-driver-postgresql" in done.stderr


def test_an_interrupted_read_ends(tmp_path: Path, postgresql: PostgreSQLServer, table: str) -> None:
    """Goal: a query that would run for a minute is cancelled on the server with the request."""
    import asyncio

    postgresql.put(table, stats([(1, T0, T0, 1.5, "Oslo")]))
    query = f"SELECT s.*, pg_sleep(60)::text AS x FROM {table} AS s"
    store = FeatureStore(tmp_path)
    store.apply([view("v", source(postgresql, table, query=query))])

    async def interrupted() -> None:
        work = asyncio.ensure_future(store.materialize_incremental_async(T0 + HOUR))
        while not postgresql.ask(
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' "
            "AND pid <> pg_backend_pid() AND query LIKE 'COPY%'"
        ):
            await asyncio.sleep(0)
        work.cancel()
        with pytest.raises((asyncio.CancelledError, CancelledError)):
            await work

    asyncio.run(interrupted())


# --- Other warehouses: their definitions ---


def test_thin_forms_say_driver_options_and_place() -> None:
    big = BigQuerySource(table_ref="shop:sales.trips", timestamp_field="at")
    assert big.to_dict() == {
        "type": "bigquery",
        "table": "shop:sales.trips",
        "timestamp_field": "at",
    }
    snow = SnowflakeSource(
        database="SHOP", schema="SALES", table="TRIPS", warehouse="WH", role="READER"
    )
    assert snow.to_dict() == {
        "type": "snowflake",
        "options": {
            "adbc.snowflake.sql.warehouse": "WH",
            "adbc.snowflake.sql.role": "READER",
        },
        "catalog": "SHOP",
        "schema": "SALES",
        "table": "TRIPS",
    }
    assert (snow.database, snow.warehouse) == ("SHOP", "WH")
    red = RedshiftSource(database="shop", schema="sales", table="trips")
    assert red.to_dict() == {
        "type": "redshift",
        "catalog": "shop",
        "schema": "sales",
        "table": "trips",
    }
    post = PostgreSQLSource(table="trips", uri="postgresql://db/shop")
    for each in (big, snow, red, post):
        again = AdbcSource.from_dict(each.to_dict())
        assert type(again) is type(each)
        assert again == each
        assert replace(each) == each
    with pytest.raises(InvalidArgumentError, match="give one"):
        BigQuerySource(table="a", query="SELECT 1")
    with pytest.raises(InvalidArgumentError, match="table= and table_ref= are two words"):
        BigQuerySource(table="a", table_ref="b")
    with pytest.raises(InvalidArgumentError, match="catalog= and database= are two words"):
        SnowflakeSource(catalog="A", database="B", table="T")
    with pytest.raises(InvalidArgumentError, match="name the driver"):
        AdbcSource(table="t")


def test_other_warehouses_are_registered_and_printed(tmp_path: Path) -> None:
    """Goal: what is stated in full needs no driver to be registered."""
    schema = [Field("rating", Float64)]
    store = FeatureStore(tmp_path)
    store.apply(
        [
            view(
                "big",
                BigQuerySource(table_ref="shop:sales.trips", timestamp_field="at"),
                schema=schema,
            ),
            view("snow", SnowflakeSource(table="T", timestamp_field="AT"), schema=schema),
        ]
    )
    spec = store.describe("big")["spec"]
    assert spec["batchSource"] == {
        "type": "BATCH_BIGQUERY",
        "name": "big",
        "eventTimestampColumn": "at",
        "bigqueryOptions": {"tableRef": "shop:sales.trips"},
    }
    entities = pa.table({"driver_id": [1], "event_timestamp": pa.array([T0], TIME)})
    with pytest.raises(NotFoundError, match="adbc-driver-bigquery"):
        answers(store, entities, ["big:rating"])
    with pytest.raises(NotFoundError, match="adbc-driver-snowflake"):
        answers(store, entities, ["snow:rating"])
