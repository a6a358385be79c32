"""Files as users have them: what text, folders and other libraries' layouts turn into."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from tidemark import Entity, FeatureStore, FeatureView, Field, FileSource
from tidemark.errors import InvalidDataError, OutOfSpaceError, TidemarkError, TypeMismatchError
from tidemark.types import Date, Int64, String

NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


def apply(
    folder: Path, path: str, fields: dict[str, Any] | None, key: Any = Int64, **source: Any
) -> FeatureStore:
    store = FeatureStore(folder)
    entity = Entity(name="driver", join_keys={"driver_id": key})
    schema = [Field(name, dtype) for name, dtype in fields.items()] if fields else None
    store.apply(
        [
            entity,
            FeatureView(
                name="stats",
                entities=[entity],
                schema=schema,
                source=FileSource(path, timestamp_field="at", **source),
            ),
        ]
    )
    return store


def looked_up(store: FeatureStore, feature: str, keys: list[Any]) -> list[Any]:
    rows = {"driver_id": keys, "event_timestamp": [NOON] * len(keys)}
    return store.get_historical_features(rows, [f"stats:{feature}"]).to_arrow()[feature].to_pylist()


@pytest.mark.parametrize("fields", [{"city": String, "trips": Int64}, None])
def test_nothing_between_commas_is_null_and_quotes_are_empty_text(
    tmp_path: Path, fields: dict[str, Any] | None
) -> None:
    (tmp_path / "stats.csv").write_text(
        "driver_id,at,city,trips\n1,2026-05-01,,\n"
        '2,2026-05-01,"",3\n3,2026-05-01,NA,4\n4,2026-05-01,Oslo,5\n'
    )
    store = apply(tmp_path, "stats.csv", fields)
    assert looked_up(store, "city", [1, 2, 3]) == [None, "", "NA"]
    assert looked_up(store, "trips", [1, 2, 3]) == [None, 3, 4]


def test_a_csv_key_that_is_missing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "stats.csv").write_text("driver_id,at,trips\na,2026-05-01,1\n,2026-05-01,2\n")
    store = apply(tmp_path, "stats.csv", {"trips": Int64}, String)
    with pytest.raises(InvalidDataError, match="'driver_id', row 3: null"):
        looked_up(store, "trips", ["a"])


def test_text_of_csv_entity_rows_passes_through(tmp_path: Path) -> None:
    (tmp_path / "stats.csv").write_text("driver_id,at,trips\n1,2026-05-01,7\n")
    store = apply(tmp_path, "stats.csv", None)
    (tmp_path / "rows.csv").write_text(
        "driver_id,event_timestamp,note\n1,2026-05-02,\n"
        '1,2026-05-02,""\n1,2026-05-02,NA\n1,2026-05-02,hi\n'
    )
    job = store.get_historical_features(tmp_path / "rows.csv", ["stats:trips"])
    assert job.to_arrow()["note"].to_pylist() == [None, "", "NA", "hi"]
    job.to_csv(tmp_path / "out.csv")
    assert [line.split(",")[2] for line in (tmp_path / "out.csv").read_text().splitlines()[1:]] == [
        "",
        '""',
        '"NA"',
        '"hi"',
    ]


def test_files_may_write_times_differently(tmp_path: Path) -> None:
    for name, text in {
        "a": "2026-05-01T10:00:00Z",
        "b": "2026-05-01 09:00:00",
        "c": "2026-05-01",
    }.items():
        (tmp_path / f"{name}.csv").write_text(
            f"driver_id,at,seen,trips\n1,{text},{text},{ord(name)}\n"
        )
    store = apply(tmp_path, "*.csv", {"trips": Int64})
    assert looked_up(store, "trips", [1]) == [ord("a")]
    FeatureStore(tmp_path).teardown()
    store = apply(tmp_path, "*.csv", None)
    assert looked_up(store, "seen", [1]) == ["2026-05-01T10:00:00Z"]


def hive(folder: Path, name: str, values: list[str]) -> None:
    for number, value in enumerate(values):
        part = folder / "stats" / f"{name}={value}"
        part.mkdir(parents=True)
        table = pa.table({"driver_id": [number], "at": [NOON], "trips": [number]})
        if name in table.column_names:
            table = table.drop_columns([name])
        pq.write_table(table, part / "part.parquet")


def test_folders_have_the_declared_type(tmp_path: Path) -> None:
    hive(tmp_path, "store", ["007", "12", "__HIVE_DEFAULT_PARTITION__"])
    store = apply(tmp_path, "stats", {"store": String, "trips": Int64})
    assert looked_up(store, "store", [0, 1, 2]) == ["007", "12", None]


def test_folders_of_days_are_dates(tmp_path: Path) -> None:
    hive(tmp_path, "day", ["2026-04-30", "2026-05-01"])
    store = apply(tmp_path, "stats", {"day": Date})
    assert looked_up(store, "day", [0, 1]) == [dt.date(2026, 4, 30), dt.date(2026, 5, 1)]
    (tmp_path / "stats" / "day=soon").mkdir()
    pq.write_table(
        pa.table({"driver_id": [9], "at": [NOON], "trips": [9]}),
        tmp_path / "stats/day=soon/x.parquet",
    )
    with pytest.raises(InvalidDataError, match=r"day=soon.*date32"):
        looked_up(store, "day", [0])


def test_folders_that_are_keys(tmp_path: Path) -> None:
    hive(tmp_path, "driver_id", ["01", "1"])
    store = apply(tmp_path, "stats", {"trips": Int64}, String)
    assert looked_up(store, "trips", ["01", "1"]) == [0, 1]


def test_categories_and_text_of_polars(tmp_path: Path) -> None:
    (tmp_path / "stats.csv").write_text("driver_id,at,trips\na,2026-05-01,7\n")
    store = apply(tmp_path, "stats.csv", {"trips": Int64}, String)
    rows = pl.DataFrame(
        {"driver_id": ["a", "b"], "event_timestamp": [NOON, NOON], "note": ["x", None]},
        schema_overrides={"driver_id": pl.Categorical},
    )
    job = store.get_historical_features(rows, ["stats:trips"])
    assert job.to_polars()["trips"].to_list() == [7, None]
    job.to_parquet(tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet")["driver_id"].to_pylist() == ["a", "b"]
    job.to_csv(tmp_path / "out.csv")
    made = pa_csv.read_csv(tmp_path / "out.csv")
    assert made["driver_id"].to_pylist() == ["a", "b"]
    assert made["trips"].to_pylist() == [7, None]


def test_an_error_may_quote_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "stats.csv").write_bytes(b"driver_id,at,trips\n1,2026-05-01,\xff\xfe\n")
    store = apply(tmp_path, "stats.csv", {"trips": Int64})
    with pytest.raises(TidemarkError, match="row 2"):
        looked_up(store, "trips", [1])
    pq.write_table(pa.table({"driver_id": [1]}), tmp_path / "binary.parquet")
    with pytest.raises(TidemarkError):
        apply(tmp_path, "binary.parquet", None, file_format="csv")


def test_a_full_map_names_the_setting(tmp_path: Path) -> None:
    count = 60_000
    pq.write_table(
        pa.table({"driver_id": range(count), "at": [NOON] * count, "trips": range(count)}),
        tmp_path / "stats.parquet",
    )
    (tmp_path / "tidemark.yaml").write_text("online_store: {size_max: 1MiB}\n")
    store = apply(tmp_path, "stats.parquet", None)
    with pytest.raises(OutOfSpaceError, match=r"online_store\.size_max"):
        store.materialize_incremental(NOON)
    assert store.online_stats()["rows"] == 0


def test_rows_that_cannot_be_columns_and_keys_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "stats.csv").write_text("driver_id,at,trips\na,2026-05-01,7\n")
    store = apply(tmp_path, "stats.csv", {"trips": Int64}, String)
    columns = ["driver_id", "driver_id", "event_timestamp"]
    twice = pd.DataFrame([["a", "a", NOON]], columns=columns)
    with pytest.raises(InvalidDataError, match="driver_id"):
        store.get_historical_features(twice, ["stats:trips"]).to_arrow()
    with pytest.raises(TypeMismatchError, match=r"driver_id.*ud800"):
        store.get_online_features(["stats:trips"], [{"driver_id": "\ud800"}])
