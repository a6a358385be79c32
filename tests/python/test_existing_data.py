"""Goal: files that were there before become tables without being copied or changed: registered,
extended by partitions, refreshed, read by every engine; what is wrong is said, and changes nothing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import multiprocessing
import os
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import duckdb_iceberg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program import PROGRAM
from pyiceberg.catalog.sql import SqlCatalog

from tidemark import Entity, FeatureStore, FeatureView, Field, IcebergSource
from tidemark.errors import (
    AlreadyExistsError,
    CorruptionError,
    InvalidArgumentError,
    InvalidDataError,
    NotFoundError,
    TidemarkError,
    UnsupportedError,
)
from tidemark.existing import TableInfo
from tidemark.types import Float64, Int64

T0 = dt.datetime(2019, 7, 1, tzinfo=dt.UTC)
DRIVER = Entity(name="driver", join_keys=[Field("driver_id", Int64)])
Files = dict[str, tuple[int, bytes]]


def day(number: int) -> str:
    """The partition of a day, counted from the first of July."""
    when = T0 + dt.timedelta(days=number)
    return f"y={when.year}/m={when.month:02}/d={when.day:02}"


def rows_of(number: int, rows: int = 2, **more: pa.Array) -> pa.Table:
    when = T0 + dt.timedelta(days=number)
    return pa.table(
        {
            "driver_id": pa.array(range(rows), pa.int64()),
            "event_timestamp": pa.array(
                [when + dt.timedelta(hours=each) for each in range(rows)],
                pa.timestamp("us", tz="UTC"),
            ),
            "demand": pa.array([float(number)] * rows, pa.float64()),
            "place": pa.array(
                [{"city": "Oslo", "zones": [number, each]} for each in range(rows)],
                pa.struct([("city", pa.string()), ("zones", pa.list_(pa.int64()))]),
            ),
        }
        | more
    )


def write(root: Path, number: int, name: str = "part-00000.snappy.parquet", **more: Any) -> Path:
    folder = root / day(number)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows_of(number, **more), folder / name, compression="snappy")
    return folder / name


def look(root: Path) -> Files:
    """All files below a folder, with their times and bytes."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three days of a table as other programs leave it."""
    made = tmp_path / "lake" / "demand_attributes"
    for number in range(3):
        write(made, number)
    (made / "_SUCCESS").touch()
    return made


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    made = FeatureStore(tmp_path / "store")
    made.create_database("taxi")
    return made


def iceberg(store: FeatureStore, name: str = "demand") -> Any:
    catalog = SqlCatalog("tidemark", uri=f"sqlite:///{store.repo_path}/.tidemark/registry.db")
    return catalog.load_table(("taxi", name))


def scanned(store: FeatureStore, name: str = "demand", **filters: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = iceberg(store, name).scan(**filters).to_arrow().to_pylist()
    return sorted(rows, key=lambda row: (row["event_timestamp"], row["driver_id"]))


def days(store: FeatureStore, name: str = "demand") -> list[int]:
    """The days that other engines see, once for each row."""
    return sorted(int(row["demand"]) for row in scanned(store, name))


@pytest.fixture
def duck(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    return duckdb_iceberg.connect(tmp_path / "extensions")


# --- Registering ---


def test_a_folder_of_partitions_is_a_table_of_every_engine(
    root: Path, store: FeatureStore, duck: duckdb.DuckDBPyConnection
) -> None:
    before = look(root)
    made = store.register_table("taxi", "demand", root)
    assert made.kind == "registered table"
    assert made.full_name == "taxi.demand"
    assert made.partition_columns == ("y", "m", "d")
    assert (made.partitions, made.files, made.rows) == (3, 3, 6)
    assert made.columns == {
        "driver_id": "int64",
        "event_timestamp": "timestamp",
        "demand": "float64",
        "place": "struct<city: string, zones: list<int64>>",
        "y": "int64",
        "m": "int64",
        "d": "int64",
    }
    rows = scanned(store)
    expected = [
        row | {"y": 2019, "m": 7, "d": number + 1}
        for number in range(3)
        for row in rows_of(number).to_pylist()
    ]
    assert rows == expected
    assert scanned(store, row_filter="d = 2") == expected[2:4]
    assert len(list(iceberg(store).scan(row_filter="d = 2").plan_files())) == 1
    location = iceberg(store).metadata_location
    found = duck.execute(
        "select driver_id, demand, place.zones[2], y, m, d from iceberg_scan(?) where d > 1"
        " order by demand, driver_id",
        [location],
    ).fetchall()
    assert found == [
        (driver, float(number), driver, 2019, 7, number + 1)
        for number in (1, 2)
        for driver in (0, 1)
    ]
    assert look(root) == before, "nothing was written to the folder"
    data = Path(store.repo_path) / ".tidemark" / "tables"
    assert not list(data.rglob("*.parquet")), "nothing was copied"


def test_a_file_deep_in_a_partition_says_where_the_table_begins(
    root: Path, store: FeatureStore
) -> None:
    write(root, 1, "part-00001.snappy.parquet")
    file = root / day(1) / "part-00000.snappy.parquet"
    made = store.register_table("taxi", "demand", file)
    assert made.path == str(root)
    assert (made.partitions, made.files) == (1, 2), "that partition, with all of its files"
    report = store.add_partitions("taxi", "demand", [day(0) + "/", day(2)])
    assert report.added == (day(0), day(2))
    assert days(store) == [0, 0, 1, 1, 1, 1, 2, 2]


def test_partitions_can_be_named(root: Path, store: FeatureStore) -> None:
    assert store.register_table("taxi", "a", root, ["y", "m", "d"]).partitions == 3
    assert store.register_table("taxi", "b", root, [day(2), f"{root}/{day(0)}/"]).partitions == 2
    assert days(store, "b") == [0, 0, 2, 2]
    for partitions, text in [
        (["y", "d"], "say the columns (y, m, d), and not (y, d)"),
        (["y", day(0)], "not some of each"),
        (["y=2018/m=01/d=01"], "y=2018/m=01/d=01"),
        (["=3"], "no partition"),
    ]:
        with pytest.raises(TidemarkError) as caught:
            store.register_table("taxi", "c", root, partitions)
        assert text in str(caught.value)
    assert [each.name for each in store.list_tables("taxi")] == ["a", "b"]


def test_one_file_and_a_pattern(root: Path, store: FeatureStore, tmp_path: Path) -> None:
    pq.write_table(rows_of(7), tmp_path / "one.parquet")
    one = store.register_table("taxi", "one", tmp_path / "one.parquet")
    assert (one.partition_columns, one.files, one.partitions) == ((), 1, 0)
    with pytest.raises(InvalidArgumentError, match="not partitioned"):
        store.add_partitions("taxi", "one", ["y=2019"])
    some = store.register_table("taxi", "some", f"{root}/y=*/m=07/d=0[12]/*.parquet")
    assert (some.partition_columns, some.files) == (("y", "m", "d"), 2)
    assert days(store, "some") == [0, 0, 1, 1]


def test_values_of_folders_that_are_no_numbers_are_text(
    store: FeatureStore, tmp_path: Path
) -> None:
    for name in ("region=north%20sea", "region=__HIVE_DEFAULT_PARTITION__", "region=12"):
        (tmp_path / "r" / name).mkdir(parents=True)
        pq.write_table(rows_of(0, 1), tmp_path / "r" / name / "a.parquet")
    made = store.register_table("taxi", "demand", tmp_path / "r")
    assert made.columns["region"] == "string"
    assert {row["region"] for row in scanned(store)} == {"north sea", None, "12"}


def test_a_column_of_the_files_goes_before_that_of_the_folders(
    store: FeatureStore, tmp_path: Path
) -> None:
    folder = tmp_path / "t" / "day=3"
    folder.mkdir(parents=True)
    pq.write_table(rows_of(0, 1, day=pa.array(["third"])), folder / "a.parquet")
    made = store.register_table("taxi", "demand", tmp_path / "t")
    assert made.columns["day"] == "string"
    assert scanned(store)[0]["day"] == "third"


def test_columns_of_several_files_become_one_schema(store: FeatureStore, tmp_path: Path) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    small = pa.table({"n": pa.array([1], pa.int32()), "s": pa.array([{"a": 1}])})
    large = pa.table(
        {
            "n": pa.array([2**40], pa.int64()),
            "s": pa.array([{"a": 2, "b": "x"}]),
            "at": pa.array([dt.datetime(2026, 1, 1)], pa.timestamp("ns")),
            "clock": pa.array([dt.time(1)]),
        }
    )
    pq.write_table(small, folder / "a.parquet")
    pq.write_table(large, folder / "b.parquet")
    made = store.register_table("taxi", "demand", folder)
    assert made.columns == {
        "n": "int64",
        "s": "struct<a: int64, b: string>",
        "at": "timestamp",
    }
    assert "clock" in made.warnings[0]
    rows = iceberg(store).scan().to_arrow().to_pylist()
    assert sorted(rows, key=lambda row: row["n"]) == [
        {"n": 1, "s": {"a": 1, "b": None}, "at": None},
        {"n": 2**40, "s": {"a": 2, "b": "x"}, "at": dt.datetime(2026, 1, 1)},
    ]


def test_what_cannot_be_registered(root: Path, store: FeatureStore, tmp_path: Path) -> None:
    store.register_table("taxi", "demand", root)
    store.apply([DRIVER, FeatureView(name="Trips", entities=[DRIVER], schema=[Field("n", Int64)])])
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "cut.parquet").write_bytes(b"PAR1 but no more of it")
    (tmp_path / "ids").mkdir()
    field = pa.field("n", pa.int64(), metadata={"PARQUET:field_id": "7"})
    pq.write_table(pa.table([[1]], pa.schema([field])), tmp_path / "ids" / "a.parquet")
    (tmp_path / "two").mkdir()
    pq.write_table(pa.table({"n": [1]}), tmp_path / "two" / "a.parquet")
    pq.write_table(pa.table({"n": ["x"]}), tmp_path / "two" / "b.parquet")
    (tmp_path / "mixed" / "y=1").mkdir(parents=True)
    pq.write_table(pa.table({"n": [1]}), tmp_path / "mixed" / "y=1" / "a.parquet")
    pq.write_table(pa.table({"n": [1]}), tmp_path / "mixed" / "b.parquet")
    cases: list[tuple[str, str, Path, type[TidemarkError], str]] = [
        ("taxis", "t", root, NotFoundError, "did you mean 'taxi'?"),
        ("taxi", "demand", root, AlreadyExistsError, "registered already"),
        ("taxi", "DEMAND", root, AlreadyExistsError, "'taxi.demand'"),
        ("feature_store", "trips", root, AlreadyExistsError, "feature view 'feature_store.Trips'"),
        ("taxi", "no.name", root, InvalidArgumentError, "no.name"),
        ("taxi", "t", tmp_path / "nothing", NotFoundError, "nothing"),
        ("taxi", "t", tmp_path / "empty", NotFoundError, "empty"),
        ("taxi", "t", tmp_path / "bad", TidemarkError, "cut.parquet"),
        ("taxi", "t", tmp_path / "ids", UnsupportedError, "field ids"),
        ("taxi", "t", tmp_path / "two", TidemarkError, "b.parquet"),
        ("taxi", "t", tmp_path / "mixed", InvalidArgumentError, "in no partition"),
        ("taxi", "t", Path(store.repo_path) / ".tidemark", InvalidArgumentError, "own"),
    ]
    for database, table, path, kind, text in cases:
        with pytest.raises(kind) as caught:
            store.register_table(database, table, path)
        assert text in str(caught.value), str(caught.value)
    names = [(each.name, each.kind) for each in store.list_tables()]
    assert names == [("Trips", "feature table"), ("demand", "registered table")]
    with pytest.raises(TidemarkError) as caught:
        store.register_table("taxi", "t", tmp_path / "two")
    assert "column 'n' is string in the file and int64 in the table" in str(caught.value)


def test_a_view_cannot_take_a_registered_name(root: Path, store: FeatureStore) -> None:
    store.register_table("feature_store", "Demand", root)
    view = FeatureView(name="demand", entities=[DRIVER], schema=[Field("n", Int64)])
    with pytest.raises(AlreadyExistsError, match=r"registered table 'feature_store\.Demand'"):
        store.apply([DRIVER, view])
    assert store.list_feature_views() == []
    store.drop_table("feature_store.Demand")
    store.apply([DRIVER, view])


# --- Adding partitions ---


def test_250_partitions_come_in_three_commits(root: Path, store: FeatureStore) -> None:
    store.register_table("taxi", "demand", root / day(0))
    for number in range(3, 253):
        write(root, number)
    report = store.add_partitions("taxi", "demand", [day(number) + "/" for number in range(3, 253)])
    assert (len(report.added), report.files, report.commits) == (250, 250, 3)
    table = iceberg(store)
    counts = [int(each.summary["total-data-files"]) for each in table.snapshots()]
    assert counts == [1, 100, 199, 251]
    assert days(store) == sorted([0, *range(3, 253)] * 2)
    again = store.add_partitions("taxi", "demand", [day(number) for number in range(3, 253)])
    assert (again.added, len(again.present), again.commits) == ((), 250, 0)
    assert iceberg(store).metadata_location == table.metadata_location, "no change, no commit"
    write(root, 5, "part-00001.parquet")
    assert store.add_partitions("taxi", "demand", day(5)).added == (day(5),)
    assert days(store).count(5) == 4


def test_a_bad_partition_is_named_and_changes_nothing(root: Path, store: FeatureStore) -> None:
    store.register_table("taxi", "demand", root / day(0))
    other = root / "y=2019" / "m=08" / "d=01"
    other.mkdir(parents=True)
    pq.write_table(pa.table({"demand": ["much"]}), other / "a.parquet")
    text = root / "y=2019" / "m=08" / "d=last"
    text.mkdir()
    pq.write_table(rows_of(1), text / "a.parquet")
    cut = root / "y=2019" / "m=08" / "d=02"
    cut.mkdir()
    whole = write(root, 9).read_bytes()
    (cut / "a.parquet").write_bytes(whole[:-20])
    (root / "y=2019" / "m=08" / "d=03").mkdir()
    before = iceberg(store).metadata_location
    for partition, texts in [
        ("y=2019/m=12/d=31", ["y=2019/m=12/d=31", "there is no file or folder"]),
        ("y=2019/m=08/d=03", ["y=2019/m=08/d=03", "no data file"]),
        ("y=2019/m=08", ["no partition of the table", "y=.../m=.../d=..."]),
        ("m=08/y=2019/d=01", ["no partition of the table"]),
        ("2019/08/01", ["no partition", "name=value"]),
        ("../y=2019/m=07/d=02", ["no partition"]),
        ("y=2019/m=08/d=01", ["d=01/a.parquet", "'demand'", "string", "float64"]),
        ("y=2019/m=08/d=last", ["d=last", "'d' is int64", "string"]),
        ("y=2019/m=08/d=02", ["d=02/a.parquet"]),
    ]:
        with pytest.raises(TidemarkError) as caught:
            store.add_partitions("taxi", "demand", [day(1), day(2), partition])
        for each in texts:
            assert each in str(caught.value), str(caught.value)
    assert iceberg(store).metadata_location == before
    with pytest.raises(NotFoundError, match=r"did you mean 'taxi\.demand'"):
        store.add_partitions("taxi", "demands", [day(1)])


def test_a_partition_is_text(root: Path, store: FeatureStore) -> None:
    store.register_table("taxi", "demand", root / day(0))
    with pytest.raises(InvalidArgumentError, match="7 is a int"):
        store.add_partitions("taxi", "demand", [day(1), 7])  # type: ignore[list-item]
    assert asked(store, "select count(*) from taxi.demand") == [(2,)]


def test_new_columns_come_with_a_partition(root: Path, store: FeatureStore) -> None:
    store.register_table("taxi", "demand", root)
    write(root, 3, surge=pa.array([1.5, None], pa.float32()))
    report = store.add_partitions("taxi", "demand", [day(3)])
    assert report.columns_added == ("surge",)
    assert [row["surge"] for row in scanned(store)] == [None] * 6 + [1.5, None]


def add_some(folder: str, partitions: list[str]) -> None:
    FeatureStore(folder).add_partitions("taxi", "demand", partitions)


def test_two_processes_add_at_once(root: Path, store: FeatureStore) -> None:
    store.register_table("taxi", "demand", root / day(0))
    for number in range(3, 43):
        write(root, number)
    context = multiprocessing.get_context("spawn")
    halves = [range(1, 30), range(15, 43)]  # some of them twice
    writers = [
        context.Process(target=add_some, args=(store.repo_path, [day(number) for number in half]))
        for half in halves
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert days(store) == sorted([*range(43)] * 2)


# --- Reading through feature views ---


def demand_view(source: IcebergSource, **more: Any) -> FeatureView:
    return FeatureView(
        name="demand_stats",
        entities=[DRIVER],
        schema=[Field("demand", Float64), Field("d", Int64), *more.get("fields", [])],
        source=source,
    )


def trained(store: FeatureStore, driver: int, hours: int) -> list[Any]:
    spine = pa.table(
        {
            "driver_id": [driver],
            "event_timestamp": pa.array(
                [T0 + dt.timedelta(hours=hours)], pa.timestamp("us", tz="UTC")
            ),
        }
    )
    made = store.get_historical_features(spine, ["demand_stats:demand", "demand_stats:d"])
    row = made.to_arrow().to_pylist()[0]
    return [row["demand"], row["d"]]


def test_a_registered_table_is_a_batch_source(root: Path, store: FeatureStore) -> None:
    store.register_table("taxi", "demand", root)
    source = IcebergSource(table="taxi.demand", timestamp_field="event_timestamp")
    store.apply([DRIVER, demand_view(source)])
    assert trained(store, 1, 0) == [None, None]
    assert trained(store, 1, 24) == [0.0, 1]
    assert trained(store, 1, 25) == [1.0, 2]
    store.materialize_incremental(T0 + dt.timedelta(days=9))
    online = store.get_online_features(["demand_stats:demand"], [{"driver_id": 0}]).to_dict()
    assert online["demand"] == [2.0]
    write(root, 3)
    store.add_partitions("taxi", "demand", [day(3)])
    assert trained(store, 1, 99) == [3.0, 4]
    with pytest.raises(InvalidArgumentError, match="demand_stats"):
        store.drop_table("taxi.demand")

    gone = root / day(1) / "part-00000.snappy.parquet"
    kept = gone.read_bytes()
    gone.unlink()
    with pytest.raises(NotFoundError) as caught:
        trained(store, 1, 25)
    assert str(gone) in str(caught.value)
    assert "refresh" in str(caught.value)
    gone.write_bytes(kept + b"!")
    with pytest.raises(InvalidDataError, match="written over"):
        trained(store, 1, 25)
    gone.write_bytes(kept)
    store.refresh()
    assert trained(store, 1, 25) == [1.0, 2]


# --- SQL ---


def asked(store: FeatureStore, query: str) -> list[tuple[Any, ...]]:
    rows = store.sql(query).to_arrow().to_pylist()
    return [tuple(row.values()) for row in rows]


def test_sql_reads_only_the_partitions_that_are_asked_for(root: Path, store: FeatureStore) -> None:
    store.register_table("taxi", "demand", root)
    assert asked(store, "select count(*), min(y), sum(d) from taxi.demand where Y = 2019") == [
        (6, 2019, 12)
    ]
    assert asked(
        store,
        "select driver_id, demand, place.zones[2], d from TAXI.Demand where d >= 2"
        " and event_timestamp <= timestamp '2019-07-03 00:00:00' order by d, driver_id",
    ) == [(0, 1.0, 0, 2), (1, 1.0, 1, 2), (0, 2.0, 0, 3)]
    source = IcebergSource(table="taxi.demand", timestamp_field="event_timestamp")
    store.apply([DRIVER, demand_view(source)])
    assert asked(store, "select sum(demand), max(d) from demand_stats where d < 3") == [(2.0, 2)]
    damaged = root / day(2) / "part-00000.snappy.parquet"
    seen = damaged.stat()
    damaged.write_bytes(b"x" * seen.st_size)
    os.utime(damaged, ns=(seen.st_atime_ns, seen.st_mtime_ns))  # as bytes that rot on the disk
    assert asked(store, "select sum(demand) from taxi.demand where d < 3") == [(2.0,)]
    with pytest.raises(TidemarkError) as caught:
        asked(store, "select sum(demand) from taxi.demand")
    assert "part-00000" in str(caught.value)
    damaged.unlink()
    with pytest.raises(NotFoundError) as caught:
        asked(store, "select sum(demand) from taxi.demand")
    assert str(damaged) in str(caught.value)
    assert "refresh" in str(caught.value)
    store.refresh()
    assert asked(store, "select sum(demand) from taxi.demand") == [(2.0,)]


def test_sql_sees_what_was_added(root: Path, store: FeatureStore) -> None:
    store.register_table("taxi", "demand", root / day(0))
    assert asked(store, "select count(*) from taxi.demand") == [(2,)]
    write(root, 1, surge=pa.array([1.5, 2.5]))
    store.add_partitions("taxi", "demand", [day(1)])
    assert asked(store, "select count(*), count(surge), sum(surge) from taxi.demand") == [
        (4, 2, 4.0)
    ]
    write_csv(root.parent / "csv", 1)
    store.register_table("taxi", "other", root.parent / "csv")
    assert asked(
        store,
        "select o.demand, d.demand as d from taxi.other o"
        " join taxi.demand d using (y, m, d, driver_id)",
    ) == [(1.5, 1.0)]


# --- CSV ---


def write_csv(folder: Path, number: int, header: str = "", more: str = "") -> Path:
    place = folder / day(number)
    place.mkdir(parents=True, exist_ok=True)
    when = (T0 + dt.timedelta(days=number)).isoformat()
    text = f"driver_id,event_timestamp,demand{header}\n1,{when},{number}.5{more}\n"
    (place / "a.csv").write_text(text)
    return place / "a.csv"


def test_csv_is_a_view_of_its_files(store: FeatureStore, tmp_path: Path) -> None:
    folder = tmp_path / "csv"
    for number in range(2):
        write_csv(folder, number)
    before = look(folder)
    made = store.register_table("taxi", "demand", folder)
    assert (made.format, made.files, made.rows) == ("csv", 2, None)
    assert made.columns == {
        "driver_id": "int64",
        "event_timestamp": "timestamp",
        "demand": "float64",
        "y": "int64",
        "m": "int64",
        "d": "int64",
    }
    store.apply(
        [
            DRIVER,
            demand_view(IcebergSource(table="taxi.demand", timestamp_field="event_timestamp")),
        ]
    )
    assert trained(store, 1, 23) == [0.5, 1]
    assert trained(store, 1, 24) == [1.5, 2]
    write_csv(folder, 2, ",note", ",new")
    assert store.add_partitions("taxi", "demand", [day(2)]).columns_added == ("note",)
    assert trained(store, 1, 99) == [2.5, 3]
    (folder / day(4)).mkdir()
    bad = folder / day(4) / "a.csv"
    bad.write_text("driver_id,event_timestamp,demand\none,2019-07-05T00:00:00Z,4.5\n")
    with pytest.raises(TidemarkError) as caught:
        store.add_partitions("taxi", "demand", [day(4)])
    assert str(bad) in str(caught.value)
    assert "'driver_id' is string in the file and int64 in the table" in str(caught.value)
    bad.unlink()
    (folder / day(0) / "a.csv").unlink()
    with pytest.raises(NotFoundError, match="refresh"):
        trained(store, 1, 99)
    report = store.refresh()
    assert report.tables[0].files_removed == (str(folder / day(0) / "a.csv"),)
    assert trained(store, 1, 23) == [None, None]
    for path, content in look(folder).items():
        assert before.get(path, content) == content


def test_a_file_that_was_written_over_is_an_error_until_refreshed(
    root: Path, store: FeatureStore, tmp_path: Path
) -> None:
    for number in range(2):
        write_csv(tmp_path / "csv", number)
    store.register_table("taxi", "demand", root)
    store.register_table("taxi", "texts", tmp_path / "csv")
    source = IcebergSource(table="taxi.texts", timestamp_field="event_timestamp")
    store.apply([DRIVER, demand_view(source)])
    over = write(root, 1, rows=3)
    os.utime(root / day(2) / over.name, ns=(1, 1))
    text = write_csv(tmp_path / "csv", 1, ",note", ",new")
    for _ in range(2):
        for read, file in (
            (lambda: store.sql("select * from taxi.demand").to_arrow(), over),
            (lambda: store.dump("select * from taxi.demand"), over),
            (lambda: store.sql("select * from taxi.texts").to_arrow(), text),
            (lambda: trained(store, 1, 99), text),
        ):
            with pytest.raises(InvalidDataError, match=r"written over.*refresh") as caught:
                read()
            assert str(file) in str(caught.value)
    changed = [each for table in store.refresh().tables for each in table.files_changed]
    assert sorted(changed) == sorted(map(str, [over, root / day(2) / over.name, text]))
    assert asked(store, "select count(*) from taxi.demand") == [(7,)]
    assert asked(store, "select note from taxi.texts order by 1") == [("new",), (None,)]
    assert trained(store, 1, 99)[0] == 1.5


def test_damage_within_a_file_is_told_with_its_name(root: Path, store: FeatureStore) -> None:
    """Of one file among others, and nothing but its size and time says that it is as it was."""
    store.register_table("taxi", "demand", root)
    store.register_table("taxi", "one", root / day(1))
    file = root / day(1) / "part-00000.snappy.parquet"
    when, whole = file.stat().st_mtime_ns, file.read_bytes()
    begin = pq.ParquetFile(file).metadata.row_group(0).column(2).dictionary_page_offset
    for damage in (b"\xff" * 8, b"\x00" * 8, b"\x15\x63\x15\xff\xff\xff"):
        damaged = bytearray(whole)
        damaged[begin : begin + len(damage)] = damage
        file.write_bytes(damaged)
        os.utime(file, ns=(when, when))
        for table in ("demand", "one"):
            with pytest.raises(CorruptionError, match="damaged") as caught:
                store.sql(f"select * from taxi.{table}").to_arrow()
            assert str(file) in str(caught.value)
            with pytest.raises(CorruptionError, match="damaged"):
                store.dump(f"select * from taxi.{table}")
    assert not store.dumps()


# --- Refresh ---


def test_a_scheduler_refreshes_by_the_program(root: Path, store: FeatureStore) -> None:
    """As cron runs it: from another folder, with next to no environment, and twice at once."""
    store.register_table("taxi", "demand", root)
    write(root, 3)
    command = [str(PROGRAM), "--store", str(store.repo_path), "--output", "json", "refresh"]
    jobs = [
        subprocess.Popen(command, cwd="/", env={}, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [json.loads(job.communicate()[0]) for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0]
    assert sorted(each[0]["partitions_added"] for each in told) == [0, 1]
    assert asked(store, "select count(*) from taxi.demand") == [(8,)]


def test_a_link_that_leads_nowhere_is_named(root: Path, store: FeatureStore) -> None:
    store.register_table("taxi", "demand", root)
    link = root / day(2) / "more.parquet"
    link.symlink_to(root / "elsewhere")
    write(root, 3)
    (table,) = store.refresh().tables
    assert table.error is not None
    assert f"{link} is a link to what is not there" in table.error
    assert not table.is_changed
    with pytest.raises(TidemarkError, match="link to what is not there"):
        store.add_partitions("taxi", "demand", [day(2), day(3)])
    link.unlink()
    assert store.refresh().tables[0].partitions_added == (day(3),)


def test_refresh_follows_the_folder(root: Path, store: FeatureStore) -> None:
    store.register_table("taxi", "demand", root)
    (first,) = store.refresh().tables
    assert not first.is_changed
    assert not first.warnings
    write(root, 3, surge=pa.array([1, 2], pa.int32()))
    write(root, 1, "part-00001.parquet")
    (root / day(0) / "part-00000.snappy.parquet").unlink()
    write(root, 2, rows=3)  # over the one that was there
    (root / "y=2019" / "m=09").mkdir()
    (root / "y=2019" / "m=09" / "stray.parquet").write_bytes(
        (root / day(1) / "part-00001.parquet").read_bytes()
    )
    (root / day(3) / "cut.parquet").write_bytes(b"PAR1")
    (told,) = store.refresh("taxi.demand").tables
    assert set(told.files_added) == {
        str(root / day(3) / "part-00000.snappy.parquet"),
        str(root / day(1) / "part-00001.parquet"),
    }
    assert told.files_removed == (str(root / day(0) / "part-00000.snappy.parquet"),)
    assert told.files_changed == (str(root / day(2) / "part-00000.snappy.parquet"),)
    assert told.partitions_added == (day(3),)
    assert told.columns_added == ("surge",)
    assert len(told.warnings) == 2
    assert any("stray.parquet" in each for each in told.warnings)
    assert any("cut.parquet" in each for each in told.warnings)
    assert days(store) == [1, 1, 1, 1, 2, 2, 2, 3, 3]
    location = iceberg(store).metadata_location
    (again,) = store.refresh().tables
    assert not again.is_changed
    assert iceberg(store).metadata_location == location


def test_a_file_written_over_with_as_many_bytes_is_noticed(root: Path, store: FeatureStore) -> None:
    file = root / day(0) / "part-00000.snappy.parquet"
    pq.write_table(rows_of(41), file, compression="none")
    store.register_table("taxi", "demand", root)
    source = IcebergSource(table="taxi.demand", timestamp_field="event_timestamp")
    store.apply([DRIVER, demand_view(source)])
    assert trained(store, 1, 2000) == [41.0, 1]
    size = file.stat().st_size
    pq.write_table(rows_of(42), file, compression="none")
    assert file.stat().st_size == size
    for read in (
        lambda: trained(store, 1, 2000),
        lambda: store.materialize(T0, T0 + dt.timedelta(days=99)),
        lambda: store.snapshot("demand_stats").to_arrow(),
        lambda: store.sql("select * from demand_stats").to_arrow(),
    ):
        with pytest.raises(InvalidDataError, match=r"written over.*refresh") as caught:
            read()
        assert str(file) in str(caught.value)
    (told,) = store.refresh().tables
    assert told.files_changed == (str(file),)
    assert trained(store, 1, 2000) == [42.0, 1]
    rows = scanned(store, row_filter="demand = 42")
    assert len(rows) == 2, "other engines find it by its new bounds"


def test_refresh_of_a_folder_that_is_gone_changes_nothing(root: Path, store: FeatureStore) -> None:
    store.register_table("taxi", "demand", root)
    away = root.rename(root.with_name("away"))
    report = store.refresh()
    assert report.tables[0].error is not None
    assert "nothing was changed" in report.problems[0]
    away.rename(root)
    assert days(store) == [0, 0, 1, 1, 2, 2]
    with pytest.raises(NotFoundError, match="no registered table"):
        store.refresh(["taxi.nothing"])
    with pytest.raises(InvalidArgumentError, match=r"database\.table"):
        store.refresh("demand")


def test_refresh_tells_of_columns_that_views_do_not_have(root: Path, store: FeatureStore) -> None:
    store.register_table("taxi", "demand", root)
    fields = [Field("m", Int64), Field("y", Int64)]
    view = demand_view(
        IcebergSource(table="taxi.demand", timestamp_field="event_timestamp"), fields=fields
    )
    store.apply([DRIVER, view])
    (told,) = store.refresh().views
    assert (told.view, told.new_columns) == ("demand_stats", ("place",))
    names = [field.name for field in store.get_feature_view("demand_stats").schema]
    assert "place" not in names, "that is for apply to decide"


# --- What keeps tables in shape leaves these files alone ---


def test_nothing_ever_touches_the_files(root: Path, store: FeatureStore, tmp_path: Path) -> None:
    before = look(root)
    store.register_table("taxi", "demand", root)
    table = store.create_table(
        FeatureView(name="clicks", entities=[DRIVER], schema=[Field("n", Int64)])
    )
    store.ingest(table, pa.table({"driver_id": [1], "event_timestamp": [T0], "n": [1]}))
    calls: list[Callable[[str], Any]] = [
        lambda name: store.compact([name]),
        lambda name: store.expire_snapshots(name, keep=1, older_than="2100-01-01"),
        lambda name: store.erase(name, {"driver_id": 1}),
        lambda name: store.snapshots(name),
    ]
    for call in calls:
        with pytest.raises(UnsupportedError, match="registered"):
            call("taxi.demand")
    with pytest.raises(TidemarkError):
        store.ingest("taxi.demand", rows_of(0))
    store.compact()
    store.expire_snapshots(keep=1, older_than="2100-01-01")
    receipt = store.erase("clicks", {"driver_id": 1})
    assert any("registered" in each for each in receipt.out_of_reach)
    store.refresh()
    assert iceberg(store).properties["gc.enabled"] == "false"
    assert days(store) == [0, 0, 1, 1, 2, 2]
    with pytest.raises(InvalidArgumentError, match=r"'taxi\.demand'"):
        store.drop_database("taxi")
    store.drop_table("taxi.demand")
    assert [each.name for each in store.list_tables()] == ["clicks"]
    store.drop_database("taxi")
    store.create_database("taxi")
    store.register_table("taxi", "demand", root)
    store.teardown()
    assert look(root) == before


def test_a_moved_store_finds_the_files_where_they_are(
    root: Path, store: FeatureStore, tmp_path: Path
) -> None:
    store.register_table("taxi", "demand", root)
    folder = Path(store.repo_path)
    del store
    moved = folder.rename(tmp_path / "moved")
    there = FeatureStore(moved)
    with pytest.raises(TidemarkError, match="relocate"):
        there.list_tables()
    assert "relocate" in str(there.refresh().tables[0].error)
    there.relocate()
    assert days(there) == [0, 0, 1, 1, 2, 2]
    assert not there.refresh().problems


def test_names_and_strings_of_any_kind(store: FeatureStore, tmp_path: Path) -> None:
    folder = tmp_path / "ünïcode 'quoted'" / "a=1"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"größe": [1.5], "with space": ["x"]}), folder / "f 1.parquet")
    made = store.register_table("taxi", "demand", folder.parent)
    assert list(made.columns) == ["größe", "with space", "a"]
    rows = iceberg(store).scan().to_arrow().to_pylist()
    assert rows == [{"größe": 1.5, "with space": "x", "a": 1}]


def test_async_forms(root: Path, store: FeatureStore) -> None:
    async def use() -> list[TableInfo]:
        await store.register_table_async("taxi", "demand", root / day(0))
        await store.add_partitions_async("taxi", "demand", [day(1)])
        assert not (await store.refresh_async()).problems
        return await store.list_tables_async("taxi")

    assert asyncio.run(use())[0].partitions == 3


def register_over_and_over(folder: str, root: str) -> None:
    store = FeatureStore(folder)
    while True:
        store.register_table("taxi", "demand", root)
        store.drop_table("taxi.demand")


def test_killed_processes_leave_nothing_or_all(root: Path, store: FeatureStore) -> None:
    for number in range(3, 30):
        write(root, number)
    before = look(root)
    context = multiprocessing.get_context("spawn")
    seen = set()
    for round_ in range(6):
        writer = context.Process(target=register_over_and_over, args=(store.repo_path, str(root)))
        writer.start()
        # Somewhere in its work, wherever that is by then.
        for _ in range(20 + 7 * round_):
            seen.add(tuple(each.rows for each in store.list_tables("taxi")))
        writer.kill()
        writer.join()
        (rows, *others) = [each.rows for each in store.list_tables("taxi")] or [0]
        assert rows in (0, 60)
        assert not others
        if rows == 0:
            assert store.register_table("taxi", "demand", root).rows == 60
        assert len(days(store)) == 60
        store.drop_table("taxi.demand")
    assert seen <= {(), (60,)}
    assert look(root) == before


def test_what_a_killed_process_leaves_counts_for_nothing(root: Path, store: FeatureStore) -> None:
    """A name that was taken, with nothing behind it."""
    store.register_table("taxi", "demand", root)
    database = Path(store.repo_path) / ".tidemark" / "registry.db"
    with sqlite3.connect(database) as connection:
        connection.execute("delete from iceberg_tables")
        connection.execute("delete from offline_tables")
    connection.close()
    assert store.list_tables() == []
    assert os.listdir(root)
    assert store.register_table("taxi", "demand", root).rows == 6
