"""Goal: rows that are added to the folder of a batch source leave it readable, or are refused.

A file that is added has the format and the columns of those that are there. What would not go
together with them is an error before anything is written.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tidemark import Entity, FeatureStore, FeatureView, Field, FileSource
from tidemark.errors import TidemarkError, TypeMismatchError, UnsupportedError
from tidemark.types import Array, Int64

T0 = datetime(2026, 1, 1, tzinfo=UTC)
USER = Entity(name="user", join_keys=[Field("user_id", Int64)])
UTC_US = pa.timestamp("us", "UTC")


def file_rows(**columns: Any) -> pa.Table:
    """One row of user 1 at T0, with n = 1 unless said otherwise."""
    usual = {"user_id": pa.array([1]), "at": pa.array([T0], UTC_US), "n": pa.array([1])}
    return pa.table(usual | columns)


def write(path: Path, rows: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(rows, path)
    else:
        pq.write_table(rows, path)


def store_over(tmp_path: Path, rows: pa.Table, name: str, field: Field) -> FeatureStore:
    write(tmp_path / "clicks" / name, rows)
    store = FeatureStore(tmp_path)
    source = FileSource("clicks", timestamp_field="at")
    store.apply([USER, FeatureView(name="clicks", entities=[USER], schema=[field], source=source)])
    return store


def read(store: FeatureStore) -> list[object]:
    asked = {"user_id": [1], "event_timestamp": [T0 + timedelta(hours=1)]}
    found: list[object] = (
        store.get_historical_features(asked, ["clicks:n"]).to_arrow()["n"].to_pylist()
    )
    return found


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("a.csv", {}),
        ("a.csv", {"extra": pa.array(["x"])}),
        (
            "a.parquet",
            {"extra": pa.array([{"b": [1]}]), "more": pa.array(["x"]).dictionary_encode()},
        ),
        ("a.parquet", {"n": pa.array([1], pa.int32()), "user_id": pa.array([1], pa.int16())}),
        ("a.parquet", {"at": pa.array([T0], pa.timestamp("ns"))}),
        ("2026/01/a.parquet", {"extra": pa.array(["x"])}),
    ],
)
def test_an_added_file_is_like_the_others(
    tmp_path: Path, name: str, columns: dict[str, pa.Array]
) -> None:
    store = store_over(tmp_path, file_rows(**columns), name, Field("n", Int64))
    assert read(store) == [1]
    for n in (2, 3):  # the second finds a file that the first has added
        at = T0 + timedelta(minutes=n)
        assert store.ingest("clicks", [{"user_id": 1, "at": at, "n": n}]).rows == 1
        assert read(store) == [n]
        assert store.get_online_features(["clicks:n"], {"user_id": [1]}).to_dict()["n"] == [n]
    assert len(list((tmp_path / "clicks").glob(f"tidemark-*{Path(name).suffix}"))) == 2


@pytest.mark.parametrize(
    ("name", "columns", "error", "message"),
    [
        ("day=2026-01-01/a.parquet", {}, UnsupportedError, "day=2026-01-01/a.parquet does"),
        ("a.parquet", {"at": pa.array(["2026-01-01"])}, TypeMismatchError, "column 'at' as"),
        ("a.parquet", {"at": pa.array([date(2026, 1, 1)])}, TypeMismatchError, "it as date32"),
        ("a.parquet", {"n": pa.array([1.0])}, TypeMismatchError, "'n' as int64, but .* double"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path,
    name: str,
    columns: dict[str, pa.Array],
    error: type[TidemarkError],
    message: str,
) -> None:
    store = store_over(tmp_path, file_rows(**columns), name, Field("n", Int64))
    rows = [{"user_id": 1, "at": T0 + timedelta(minutes=1), "n": 2}]
    for dry_run in (True, False):
        with pytest.raises(error, match=message):
            store.ingest("clicks", rows, dry_run=dry_run)
    assert read(store) == [1]
    assert len([file for file in (tmp_path / "clicks").rglob("*") if file.is_file()]) == 1
    assert store.get_online_features(["clicks:n"], {"user_id": [1]}).to_dict()["n"] == [None]
    assert store.ingest("clicks", rows, to="online").online_rows == 1


def test_a_column_that_the_other_files_do_not_have_is_refused(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    source = FileSource("clicks", timestamp_field="at")
    fields = [Field("n", Int64), Field("m", Int64)]
    store.create_table(FeatureView(name="clicks", entities=[USER], schema=fields, source=source))
    write(tmp_path / "clicks" / "a.parquet", file_rows())
    with pytest.raises(TypeMismatchError, match="have a column 'm', which the files"):
        store.ingest("clicks", [{"user_id": 1, "at": T0, "n": 2, "m": 3}])


def test_lists_are_not_for_csv(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    source = FileSource("clicks", timestamp_field="at", file_format="csv")
    view = FeatureView(
        name="clicks", entities=[USER], schema=[Field("n", Array(Int64))], source=source
    )
    store.create_table(view)
    with pytest.raises(UnsupportedError, match="column 'n' is list"):
        store.ingest("clicks", [{"user_id": 1, "at": T0, "n": [2]}])
    assert not (tmp_path / "clicks").exists()
    assert store.flush() == []  # nothing is logged
