"""Goal: SQL answers what was written, in the forms that users write it, and reads nothing else.

The four usual queries on tables of every kind of event time, names, columns, times past, sources of
all formats, and what is wrong with a query.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from sql_tables import KINDS, Visits, hour, values

from tidemark import (
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    IcebergSource,
    errors,
)
from tidemark.types import Float64, Int64, String

LATEST = """
SELECT * FROM (
  SELECT *, row_number() OVER (
    PARTITION BY USER ORDER BY EVENT_TIME desc, Api_Invocation_Time DESC, write_time DESC
  ) AS row_num
  FROM feature_store.visits
  {where}
) WHERE row_num = 1 {also};
"""
HIDDEN = {"origin", "__event_timestamp"}


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    (tmp_path / "tidemark.yaml").write_text("offline_store:\n  maintenance: false\n")
    return FeatureStore(tmp_path)


@pytest.fixture(params=KINDS)
def visits(store: FeatureStore, request: pytest.FixtureRequest) -> Visits:
    made = Visits.make(store, request.param)
    made.fill()
    return made


def latest(store: FeatureStore, where: str = "", also: str = "") -> pa.Table:
    return store.sql(LATEST.format(where=where, also=also)).to_arrow()


def before(visits: Visits, moment: dt.datetime) -> str:
    if visits.kind == "seconds":
        return f"WHERE EVENT_TIME <= {moment.timestamp()}"
    return f"WHERE EVENT_TIME <= timestamp '{moment:%Y-%m-%d %H:%M:%S}'"


# --- The usual queries ---


def test_the_first_rows(visits: Visits) -> None:
    table = visits.store.sql('SELECT * FROM "feature_store"."visits" LIMIT 1000').to_arrow()
    assert table.num_rows == len(visits.rows)
    assert table.column_names == [
        "user",
        "event_time",
        "n",
        "tags",
        "place",
        "write_time",
        "api_invocation_time",
        "is_deleted",
        "expires_at",
    ]
    assert not HIDDEN & set(table.column_names)
    kinds = {
        "timestamp": pa.timestamp("us", tz="UTC"),
        "text": pa.string(),
        "seconds": pa.float64(),
    }
    assert table.schema.field("event_time").type == kinds[visits.kind]


def test_the_latest_rows(visits: Visits) -> None:
    assert values(latest(visits.store)) == visits.latest(deleted=True)


def test_the_latest_rows_without_deletions(visits: Visits) -> None:
    assert values(latest(visits.store, also="and NOT is_deleted")) == visits.latest()
    assert values(latest(visits.store, also="AND not IS_DELETED")) == visits.latest()


@pytest.mark.parametrize("at", [hour(0.5), hour(2), hour(3), hour(5), hour(6), hour(100)])
def test_the_latest_rows_at_a_past_time(visits: Visits, at: dt.datetime) -> None:
    where = before(visits, at)
    assert values(latest(visits.store, where, "and NOT is_deleted")) == visits.latest(at)
    assert values(latest(visits.store, where)) == visits.latest(at, deleted=True)


def test_the_latest_times_by_a_subquery(visits: Visits) -> None:
    """Rows of values compare as times do, in whatever form and zone each is written."""
    query = """
      SELECT user, n FROM visits WHERE (user, event_time) IN
        (SELECT user, max(event_time) FROM visits GROUP BY user)
    """
    last: dict[str, dt.datetime] = {}
    for row in visits.rows:
        last[row.key] = max(row.moment, last.get(row.key, row.moment))
    expected = [(row.key, row.n) for row in visits.rows if row.moment == last[row.key]]
    found = [(row["user"], row["n"]) for row in visits.store.sql(query).to_arrow().to_pylist()]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def test_times_as_text_are_cast_by_their_zone(store: FeatureStore) -> None:
    visits = Visits.make(store, "text")
    visits.fill()
    query = "select max(cast(event_time as timestamp)) AS t from visits"
    assert store.sql(query).to_arrow().to_pylist() == [{"t": hour(6)}]
    with pytest.raises(errors.UnsupportedError, match=r"ON a\.event_time = b\.event_time"):
        store.sql("select 1 from visits a join visits b using (user, event_time)")


def test_joins_of_tables(visits: Visits) -> None:
    store = visits.store
    people = pa.table(
        {"id": ["a", "b", "e"], "event_timestamp": [hour(0)] * 3, "age": [10, 20, 30]}
    )
    store.create_table_from(people, name="people", entities=["id"])
    store.ingest("people", people)
    query = """
      WITH Ages AS (SELECT id, age FROM Feature_Store.PEOPLE)
      SELECT v.user, max(a.age) AS age, count(*) AS visits, max(v.n) AS n
      FROM visits v JOIN ages a ON a.id = v.user
      LEFT JOIN feature_store.people p ON p.id = v.user
      GROUP BY v.user ORDER BY 1
    """
    rows = store.sql(query).to_arrow().to_pylist()
    expected: dict[str, list[int]] = {}
    for row in visits.rows:
        if row.key in ("a", "b", "e") and row.n is not None:
            expected.setdefault(row.key, []).append(row.n)
    ages = {"a": 10, "b": 20, "e": 30}
    assert rows == [
        {"user": user, "age": ages[user], "visits": len(n), "n": max(n)}
        for user, n in sorted(expected.items())
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_random_rows_against_the_reference(store: FeatureStore, kind: str, seed: int) -> None:
    visits = Visits.make(store, kind)
    visits.fill_at_random(seed)
    for at in (None, hour(0), hour(7), hour(19)):
        where = "" if at is None else before(visits, at)
        assert values(latest(store, where, "and not is_deleted")) == visits.latest(at)
        assert values(store.snapshot("visits", at).to_arrow()) == visits.latest(at)
        everything = store.snapshot("visits", at, deleted=True).to_arrow()
        assert values(everything) == visits.latest(at, deleted=True)


# --- Snapshots ---


@pytest.mark.parametrize("at", [None, hour(0.5), hour(3), hour(6)])
def test_snapshot_is_the_query_ready_made(visits: Visits, at: dt.datetime | None) -> None:
    made = visits.store.snapshot("visits", at)
    assert values(made.to_arrow()) == visits.latest(at)
    where = "" if at is None else before(visits, at)
    asked = latest(visits.store, where, "and not is_deleted").drop_columns(["row_num"])
    order = [("user", "ascending")]
    assert made.to_arrow().schema.names == asked.schema.names
    assert made.to_arrow().schema.types == asked.schema.types
    assert made.to_arrow().sort_by(order).to_pylist() == asked.sort_by(order).to_pylist()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("kind", [pa.int64(), pa.float64()])
def test_snapshot_at_a_number(store: FeatureStore, unit: str, kind: pa.DataType) -> None:
    """Where event times are numbers, a bare one is a time, as it is in SQL."""
    if kind == pa.float64() and unit == "ns":
        kind = pa.int64()  # a float has no such digits
    a_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    begin = int(hour(0).timestamp()) * a_second
    numbers = [begin, begin + 10 * a_second, begin + 20 * a_second]
    rows = pa.table({"user": ["a", "a", "a"], "t": pa.array(numbers, kind), "n": [0, 1, 2]})
    store.create_table_from(
        rows, name="my-clicks", entities=["user"], time_column="t", time_unit=unit
    )
    store.ingest("my-clicks", rows)
    for at, found in ((begin - 1, []), (begin, [0]), (numbers[1], [1]), (numbers[2] - 1, [1])):
        for name in ("my-clicks", "feature_store.My_Clicks"):
            number = float(at) if kind == pa.float64() else at
            assert store.snapshot(name, number).to_arrow()["n"].to_pylist() == found
    moment = hour(0) + dt.timedelta(seconds=10)
    assert store.snapshot("my-clicks", moment).to_arrow()["n"].to_pylist() == [1]


def test_snapshot_at_a_number_needs_times_that_are_numbers(store: FeatureStore) -> None:
    rows = pa.table({"user": ["a"], "event_timestamp": [hour(0)], "n": [0]})
    store.create_table_from(rows, name="clicks", entities=["user"])
    for name in ("clicks", "nothing"):
        with pytest.raises(errors.InvalidArgumentError, match="event times are numbers"):
            store.snapshot(name, 1767225600)
    with pytest.raises(errors.InvalidArgumentError, match="point in time"):
        store.snapshot("clicks", True)  # type: ignore[arg-type]


def test_snapshot_agrees_with_training_sets(visits: Visits) -> None:
    users = sorted({row.key for row in visits.rows})
    for at in (hour(1), hour(3), hour(7)):
        entities = pa.table({"user": users, "event_timestamp": [at] * len(users)})
        asked = visits.store.get_historical_features(entities, features=["visits:n"]).to_arrow()
        trained = {
            user: n for user, n in zip(users, asked.column("n").to_pylist(), strict=True) if n
        }
        assert values(visits.store.snapshot("visits", at).to_arrow()) == trained


def test_snapshot_of_a_view_over_files(tmp_path: Path) -> None:
    """Rows equal in both times are ordered by path, then row."""
    folder = tmp_path / "rates"
    folder.mkdir()
    for name, rates in (("a.parquet", [1.0, 2.0]), ("b.parquet", [3.0, 4.0])):
        times = [hour(1), hour(1)]
        pq.write_table(pa.table({"id": [1, 2], "ts": times, "rate": rates}), folder / name)
    store = FeatureStore(tmp_path)
    entity = Entity(name="thing", join_keys={"id": Int64})
    source = FileSource("rates", timestamp_field="ts")
    fields = [Field("rate", Float64)]
    store.apply(
        [entity, FeatureView(name="rates", entities=[entity], schema=fields, source=source)]
    )
    rows = store.snapshot("feature_store.rates").to_arrow().sort_by("id").to_pylist()
    assert [row["rate"] for row in rows] == [3.0, 4.0]
    assert store.snapshot("rates", hour(0)).to_arrow().num_rows == 0


# --- Names and columns ---


def test_names_in_any_case_and_dashes(store: FeatureStore) -> None:
    rows = pa.table({"id": [1], "event_timestamp": [hour(0)], "Value": [7]})
    store.create_table_from(rows, name="my-table-v0001", entities=["id"])
    store.ingest("my-table-v0001", rows)
    for name in (
        '"my-table-v0001"',
        "my_table_v0001",
        "MY_TABLE_V0001",
        "Feature_Store.My_Table_V0001",
        '"feature_store"."my-table-v0001"',
        '"default".my_table_v0001',
    ):
        assert store.sql(f"SELECT VALUE FROM {name}").to_arrow().to_pylist() == [{"Value": 7}], name


def test_other_databases(store: FeatureStore) -> None:
    store.create_database("sales")
    rows = pa.table({"id": [1], "event_timestamp": [hour(0)], "v": [7]})
    store.create_table_from(rows, name="orders", entities=["id"], database="sales")
    store.ingest("orders", rows)
    assert store.sql("select v from Sales.Orders").to_arrow().to_pylist() == [{"v": 7}]
    with pytest.raises(errors.NotFoundError, match=r"did you mean 'sales\.orders'"):
        store.sql("select v from orders")


def test_tables_of_another_project(tmp_path: Path) -> None:
    rows = pa.table({"id": [1], "event_timestamp": [hour(0)], "v": [7]})
    other = FeatureStore(tmp_path, project="churn")
    other.create_table_from(rows, name="orders", entities=["id"])
    other.ingest("orders", rows)
    assert other.sql("select v from churn.orders").to_arrow().to_pylist() == [{"v": 7}]
    assert other.sql("select v from orders").to_arrow().to_pylist() == [{"v": 7}]
    store = FeatureStore(tmp_path)
    assert store.sql("select v from churn.orders").to_arrow().to_pylist() == [{"v": 7}]


def test_unlisted_tables_are_out_of_reach(store: FeatureStore) -> None:
    rows = pa.table({"id": [1], "event_timestamp": [hour(0)], "v": [7]})
    store.create_table_from(rows, name="secret", entities=["id"], catalog=False)
    store.ingest("secret", rows)
    with pytest.raises(errors.NotFoundError, match="kept from SQL"):
        store.sql("select * from secret")
    assert all(each.name != "secret" for each in store.list_tables())
    assert store.snapshot("secret").to_arrow().num_rows == 1


def test_show_and_describe(visits: Visits) -> None:
    store = visits.store
    assert store.sql("show tables;").to_arrow().to_pylist() == [
        {"database": "feature_store", "name": "visits", "kind": "feature table"}
    ]
    assert store.sql("SHOW DATABASES").to_arrow().to_pylist() == [{"database": "feature_store"}]
    with pytest.raises(errors.NotFoundError, match="feature_store"):
        store.sql("show tables from feature_stor")
    described = store.sql("DESCRIBE feature_store.visits").to_arrow()
    assert described.column(0).to_pylist()[:3] == ["user", "event_time", "n"]


def test_schema_evolution(store: FeatureStore) -> None:
    """Files from before a column was added or widened read with nulls and as what it became."""
    rows = pa.table({"id": [1], "event_timestamp": [hour(0)], "a": pa.array([1], pa.int32())})
    store.create_table_from(rows, name="t", entities=["id"])
    store.ingest("t", rows)
    store.flush()
    view = store.get_feature_view("t")
    view.schema = [Field("a", Int64), Field("b", String)]
    store.apply([view])
    more = pa.table({"id": [2], "event_timestamp": [hour(1)], "a": [2**40], "b": ["x"]})
    store.ingest("t", more)
    query = "select id, a, b from t order by id"
    expected = [{"id": 1, "a": 1, "b": None}, {"id": 2, "a": 2**40, "b": "x"}]
    assert store.sql(query).to_arrow().to_pylist() == expected
    store.flush()
    assert store.sql(query).to_arrow().to_pylist() == expected


def test_nested_values(visits: Visits) -> None:
    query = "select n, tags, place, place.city AS city, tags[1] AS tag from visits where n = 8"
    table = visits.store.sql(query).to_arrow()
    assert table.to_pylist() == [
        {
            "n": 8,
            "tags": ["t8", None],
            "place": {"city": "c8", "at": [1.5, 8.0]},
            "city": "c8",
            "tag": "t8",
        }
    ]
    assert table.schema.field("place").type == pa.struct(
        [("city", pa.string()), ("at", pa.list_(pa.float64()))]
    )


# --- Times past, and writes that must be seen ---


def test_time_travel(store: FeatureStore) -> None:
    visits = Visits.make(store, "timestamp")
    visits.ingest([("a", hour(1), 1)])
    store.flush()
    first = store.snapshots("visits")[-1].id
    moment = store.sql("select max(write_time) AS t from visits").to_arrow().to_pylist()[0]["t"]
    token = visits.ingest([("b", hour(1), 2)])
    query = "select n from visits order by n"

    def read(**options: Any) -> list[int]:
        return store.sql(query, **options).to_arrow().column("n").to_pylist()

    assert read() == [1, 2]
    assert read(as_of=moment) == [1]
    assert read(as_of=first) == [1]
    assert read(at_least=token) == [1, 2]
    store.flush()
    assert read(as_of=moment) == [1]
    assert read(as_of=first) == [1]
    assert read(at_least=token) == [1, 2]
    assert values(store.snapshot("visits", as_of=moment).to_arrow()) == {"a": 1}
    assert values(store.snapshot("visits", as_of=first).to_arrow()) == {"a": 1}
    with pytest.raises(errors.NotFoundError):
        read(as_of=12345)
    with pytest.raises(errors.NotFoundError):
        read(at_least=token.rsplit(":", 1)[0] + ":999999")
    with pytest.raises(errors.InvalidArgumentError, match="one of the two"):
        read(as_of=moment, at_least=token)


def test_rows_of_the_log_are_read_anew(store: FeatureStore) -> None:
    """What was opened for one query never hides what was written before the next."""
    visits = Visits.make(store, "timestamp")
    for n in range(5):
        visits.ingest([("a", hour(n), n)])
        count = store.sql("select count(*) AS c from visits").to_arrow().to_pylist()
        assert count == [{"c": n + 1}]
        if n % 2:
            store.flush()


# --- Sources ---


def source_rows() -> pa.Table:
    return pa.table(
        {
            "driver": pa.array([1, 2, 3], pa.int64()),
            "seen": pa.array([hour(1), hour(2), hour(3)], pa.timestamp("us", tz="UTC")),
            "rate": pa.array([0.5, None, 1.5], pa.float64()),
            "city": ["Oslo", None, "Rome, Italy"],
            "extra": [1, 2, 3],
        }
    )


def apply_view(store: FeatureStore, source: Any) -> None:
    entity = Entity(name="driver", join_keys={"driver_id": Int64})
    store.apply(
        [
            entity,
            FeatureView(
                name="stats",
                entities=[entity],
                schema=[Field("rate", Float64), Field("city", String)],
                source=source,
            ),
        ]
    )


EXPECTED = [
    {"driver_id": 1, "seen": hour(1), "rate": 0.5, "city": "Oslo"},
    {"driver_id": 2, "seen": hour(2), "rate": None, "city": None},
    {"driver_id": 3, "seen": hour(3), "rate": 1.5, "city": "Rome, Italy"},
]


@pytest.mark.parametrize("form", ["parquet", "csv", "hive"])
def test_views_over_files(store: FeatureStore, tmp_path: Path, form: str) -> None:
    rows = source_rows()
    mapping = {"driver": "driver_id"}
    if form == "parquet":
        pq.write_table(rows, tmp_path / "s.parquet")
        path = "s.parquet"
    elif form == "csv":
        pa_csv.write_csv(rows, tmp_path / "s.csv")
        path = "s.csv"
    else:
        for i in range(rows.num_rows):
            folder = tmp_path / "s" / f"driver={i + 1}"
            folder.mkdir(parents=True)
            pq.write_table(rows.slice(i, 1).drop_columns(["driver"]), folder / "x.parquet")
        path = "s"
    source = FileSource(path, name="raw", timestamp_field="seen", field_mapping=mapping)
    apply_view(store, source)
    table = store.sql("select * from feature_store.stats order by driver_id").to_arrow()
    assert table.to_pylist() == EXPECTED
    assert table.schema.field("seen").type == pa.timestamp("us", tz="UTC")
    raw = store.sql('select "driver_id", extra from RAW order by 1').to_arrow()
    assert raw.to_pylist() == [{"driver_id": i, "extra": i} for i in (1, 2, 3)]
    kinds = {(each.name, each.kind) for each in store.list_tables()}
    assert kinds == {("stats", "feature view"), ("raw", "source")}
    assert values_of(
        store, "select count(*) AS c from stats where seen <= timestamp '2026-01-01 02:00:00'"
    ) == [2]
    assert (
        sorted(store.snapshot("stats").to_arrow().to_pylist(), key=lambda r: r["driver_id"])
        == EXPECTED
    )


def values_of(store: FeatureStore, query: str) -> list[Any]:
    return store.sql(query).to_arrow().column(0).to_pylist()


def test_a_source_that_changes_is_read_as_it_is(store: FeatureStore, tmp_path: Path) -> None:
    pq.write_table(source_rows().slice(0, 1), tmp_path / "s.parquet")
    apply_view(
        store,
        FileSource("s.parquet", timestamp_field="seen", field_mapping={"driver": "driver_id"}),
    )
    assert values_of(store, "select count(*) from stats") == [1]
    pq.write_table(source_rows(), tmp_path / "s.parquet")
    assert values_of(store, "select count(*) from stats") == [3]
    (tmp_path / "s.parquet").unlink()
    with pytest.raises(errors.NotFoundError, match=r"s\.parquet"):
        store.sql("select count(*) from stats")
    (tmp_path / "s.parquet").write_bytes(b"PAR1 not a file PAR1")
    with pytest.raises(errors.CorruptionError, match=r"s\.parquet"):
        store.sql("select count(*) from stats")


def test_iceberg_tables_by_field_id(tmp_path: Path) -> None:
    """A column that was renamed, widened and added since is found in older files by its id."""
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.types import LongType

    (tmp_path / "lake").mkdir()
    catalog = SqlCatalog(
        "lake", uri=f"sqlite:///{tmp_path}/lake/c.db", warehouse=f"file://{tmp_path}/lake"
    )
    catalog.create_namespace("rides")
    older = pa.table(
        {
            "driver_id": pa.array([1, 2], pa.int64()),
            "seen": pa.array([hour(1), hour(2)], pa.timestamp("us", tz="UTC")),
            "count": pa.array([10, 20], pa.int32()),
        }
    )
    table = catalog.create_table("rides.trips", older.schema)
    table.append(older)
    with table.update_schema() as update:
        update.update_column("count", LongType())
        update.rename_column("count", "trips")
        update.add_column("tip", LongType())
    newer = {"driver_id": [1], "seen": [hour(3)], "trips": [2**40], "tip": [5]}
    table.append(pa.table(newer, table.schema().as_arrow()))
    store = FeatureStore(tmp_path / "store")
    driver = Entity(name="driver", join_keys={"driver_id": Int64})
    source = IcebergSource(
        table.location().removeprefix("file://"),
        name="raw_trips",
        timestamp_field="seen",
        field_mapping={"tip": "bonus"},
    )
    fields = [Field("trips", Int64), Field("bonus", Int64)]
    store.apply(
        [driver, FeatureView(name="trips", entities=[driver], schema=fields, source=source)]
    )
    expected = [
        {"driver_id": 1, "seen": hour(1), "trips": 10, "bonus": None},
        {"driver_id": 2, "seen": hour(2), "trips": 20, "bonus": None},
        {"driver_id": 1, "seen": hour(3), "trips": 2**40, "bonus": 5},
    ]
    for name in ("trips", "raw_trips"):
        query = f"select driver_id, seen, trips, bonus from {name} order by seen"
        assert store.sql(query).to_arrow().to_pylist() == expected
    assert values_of(store, "select count(*) from trips") == [3]
    table.append(pa.table(newer, table.schema().as_arrow()))
    assert values_of(store, "select count(*) from trips") == [4]


def test_as_of_is_for_feature_tables(store: FeatureStore, tmp_path: Path) -> None:
    pq.write_table(source_rows(), tmp_path / "s.parquet")
    apply_view(
        store,
        FileSource("s.parquet", timestamp_field="seen", field_mapping={"driver": "driver_id"}),
    )
    with pytest.raises(errors.InvalidArgumentError, match="as_of is for feature tables"):
        store.sql("select * from stats", as_of=hour(1))


# --- What is wrong ---


def state_of(folder: Path) -> dict[str, int]:
    """Every file below the folder, but for those that say who is reading."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {"leases", "spill"} & set(path.parts) and ".mdb" not in path.name
    }


@pytest.mark.parametrize(
    ("query", "error", "match"),
    [
        ("selec * from visits", errors.InvalidArgumentError, "(?i)syntax"),
        ("select * from visits where", errors.InvalidArgumentError, "(?i)syntax"),
        ("", errors.InvalidArgumentError, "."),
        ("select 1; select 2", errors.InvalidArgumentError, "(?i)one|several"),
        ("select * from visit", errors.NotFoundError, "did you mean 'visits'"),
        ("select * from nowhere.visits", errors.NotFoundError, r"feature_store\.visits"),
        ("select use from visits", errors.NotFoundError, "user"),
        ("select v.use from visits v", errors.NotFoundError, "did you mean 'user'"),
        ("select 1::variant", errors.UnsupportedError, "VARCHAR"),
        ("select nofunction(n) from visits", errors.InvalidArgumentError, "nofunction"),
        ("drop table visits", errors.InvalidArgumentError, "."),
        ("insert into visits values (1)", errors.InvalidArgumentError, "."),
        ("create table x as select 1", errors.InvalidArgumentError, "."),
        ("copy (select 1) to 'x.parquet'", errors.InvalidArgumentError, "."),
        ("attach 'x.db'", errors.InvalidArgumentError, "."),
        ("set memory_limit = '1GB'", errors.InvalidArgumentError, "."),
        ("install httpfs", errors.InvalidArgumentError, "."),
        ("select * from read_csv('/etc/passwd')", errors.PermissionDeniedError, "passwd"),
        ("select * from read_text('/etc/passwd')", errors.PermissionDeniedError, "passwd"),
        (
            "select current_setting('temp_directory')",
            errors.PermissionDeniedError,
            "current_setting",
        ),
        ("select * from read_csv('http://localhost:1/x')", errors.PermissionDeniedError, "."),
        ("select origin from visits", errors.NotFoundError, "origin"),
    ],
)
def test_bad_queries(
    store: FeatureStore, tmp_path: Path, query: str, error: type[Exception], match: str
) -> None:
    Visits.make(store, "timestamp").fill()
    store.sql("select 1")
    before_it = state_of(tmp_path)
    with pytest.raises(error, match=match):
        store.sql(query).to_arrow()
    assert state_of(tmp_path) == before_it


def test_files_by_their_path_are_not_read(store: FeatureStore, tmp_path: Path) -> None:
    pq.write_table(source_rows(), tmp_path / "s.parquet")
    for text in (f"'{tmp_path}/s.parquet'", f"read_parquet('{tmp_path}/s.parquet')"):
        with pytest.raises((errors.PermissionDeniedError, errors.NotFoundError)):
            store.sql(f"select * from {text}").to_arrow()


def test_files_that_the_settings_open(tmp_path: Path) -> None:
    (tmp_path / "tidemark.yaml").write_text("sql:\n  extra_files: ['lookups/*.parquet']\n")
    (tmp_path / "lookups").mkdir()
    pq.write_table(source_rows(), tmp_path / "lookups" / "a.parquet")
    pq.write_table(source_rows(), tmp_path / "b.parquet")
    store = FeatureStore(tmp_path)
    query = f"select count(*) from read_parquet('{tmp_path}/lookups/a.parquet')"
    assert values_of(store, query) == [3]
    with pytest.raises(errors.PermissionDeniedError, match=r"b\.parquet"):
        store.sql(f"select * from read_parquet('{tmp_path}/b.parquet')").to_arrow()


LONG = "select count(*) from range(100000000) a, range(1000) b where a.range % 7 = b.range % 5"


def test_a_time_limit(store: FeatureStore) -> None:
    with pytest.raises(errors.CancelledError, match=r"(?i)time limit"):
        store.sql(LONG, time_limit=0.2).to_arrow()
    with pytest.raises(errors.CancelledError, match=r"(?i)time limit"):
        store.sql(LONG, time_limit=dt.timedelta(milliseconds=200)).to_arrow()
    assert values_of(store, "select 1") == [1]


def test_a_memory_limit(store: FeatureStore) -> None:
    """A sum of lists has to be held whole, and cannot be spilled."""
    query = "select list(r.range || 'xxxxxxxxxxxxxxxxxxxxxxxx') from range(20000000) r"
    with pytest.raises(errors.OutOfSpaceError, match=r"(?i)memory"):
        store.sql(query, memory_limit="128MiB").to_arrow()
    with pytest.raises(errors.InvalidArgumentError):
        store.sql("select 1", memory_limit="much")
    for wrong in (True, 1.5):
        with pytest.raises(errors.InvalidArgumentError, match="number of bytes"):
            store.sql("select 1", memory_limit=wrong)  # type: ignore[arg-type]
    for little in (1, "64MiB"):
        with pytest.raises(errors.InvalidArgumentError, match="too little for a query"):
            store.sql("select 7 AS n", memory_limit=little)
    assert values_of(store, "select 1") == [1]


def test_ctrl_c_ends_a_query(store: FeatureStore) -> None:
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        store.sql(LONG).to_arrow()
    assert values_of(store, "select 1") == [1]


def test_async_queries_can_be_cancelled(store: FeatureStore) -> None:
    async def run() -> None:
        result = await store.sql_async("select 1 AS one")
        assert (await result.to_arrow_async()).to_pylist() == [{"one": 1}]

        async def work() -> None:
            await (await store.sql_async(LONG)).to_arrow_async()

        task = asyncio.create_task(work())
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


# --- Results ---


def test_results_stream(visits: Visits) -> None:
    result = visits.store.sql("select r.range AS n from range(1000000) r")
    assert result.schema.names == ["n"]
    count = 0
    for batch in result:
        count += batch.num_rows
        assert batch.num_rows < 500_000
    assert count == 1_000_000
    with pytest.raises(errors.InvalidArgumentError, match="read already"):
        result.to_arrow()


def test_results_in_every_form(visits: Visits) -> None:
    polars = pytest.importorskip("polars")
    query = "select user, n from visits where n is not null order by n"
    result = visits.store.sql(query)
    frame = result.to_df()
    assert list(frame.columns) == ["user", "n"]
    assert result.to_polars().equals(polars.DataFrame(result.to_arrow()))
    assert pa.table(visits.store.sql(query)).equals(result.to_arrow())
    unread = visits.store.sql("select r.range from range(10000000) r")
    unread.close()


def test_columns_of_one_name_are_told_apart(store: FeatureStore) -> None:
    Visits.make(store, "timestamp").fill()
    query = "select a.user, a.n, b.n from visits a join visits b using (user)"
    table = store.sql(query).to_arrow()
    assert table.column_names == ["user", "n", "n_1"]
    assert store.sql(query).to_df().columns.tolist() == table.column_names
    assert store.sql(query).to_polars().columns == table.column_names
    assert store.read_dump(store.dump(query).query_id).schema.names == table.column_names


def test_a_query_is_text(store: FeatureStore) -> None:
    for ask in (store.sql, store.dump):
        with pytest.raises(errors.InvalidArgumentError, match="not a NoneType"):
            ask(None)  # type: ignore[arg-type]


def test_many_threads(visits: Visits) -> None:
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(5):
                assert values(latest(visits.store, also="and not is_deleted")) == visits.latest()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
