"""Rows of every kind become an Arrow stream; result tables become frames, no value changed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tidemark import frames
from tidemark.errors import InvalidArgumentError, InvalidDataError
from tidemark.rows import as_stream, as_stream_or_path

TABLE = pa.table({"k": [1, 2], "t": [dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 2)]})


def read(rows: Any) -> pa.Table:
    return pa.RecordBatchReader.from_stream(as_stream(rows, "rows")).read_all()


@pytest.mark.parametrize(
    "rows",
    [
        TABLE,
        TABLE.to_batches()[0],
        TABLE.to_reader(),
        TABLE.to_pandas(),
        TABLE.to_pandas().set_index(pd.Index(["x", "y"], name="label")),
        pl.from_arrow(TABLE),
        pl.from_arrow(TABLE).lazy(),
        TABLE.to_pydict(),
        TABLE.to_pylist(),
    ],
    ids=lambda rows: type(rows).__module__ + "." + type(rows).__name__,
)
def test_kinds_of_rows(rows: Any) -> None:
    made = read(rows)
    assert made.column_names == ["k", "t"]
    assert made.to_pylist() == TABLE.to_pylist()


def test_paths() -> None:
    assert as_stream_or_path("rows.csv", "rows") == "rows.csv"
    assert as_stream_or_path(Path("a") / "rows.parquet", "rows") == "a/rows.parquet"


@pytest.mark.parametrize("rows", [5, None, b"rows", pd.Series([1])])
def test_what_are_no_rows(rows: object) -> None:
    with pytest.raises(InvalidArgumentError, match="entity rows"):
        as_stream(rows, "entity rows")


@pytest.mark.parametrize(
    "rows",
    [
        pd.DataFrame({"k": [1, "x"]}),
        {"k": [1, "x"]},
        {"k": [1, 2], "t": [1]},
        [{"k": 1}, {"k": "x"}],
        ["x"],
    ],
)
def test_rows_that_cannot_be_columns(rows: object) -> None:
    with pytest.raises(InvalidDataError, match="entity rows"):
        as_stream(rows, "entity rows")


def test_pandas_column_is_named_in_the_error() -> None:
    with pytest.raises(InvalidDataError, match="mixed_up"):
        as_stream(pd.DataFrame({"mixed_up": [1, "x"]}), "entity rows")


def test_integers_with_nulls_stay_integers() -> None:
    table = pa.table({"i": [2**53 + 1, None], "b": [True, None], "f": [1.5, None], "n": [1, 2]})
    frame = frames.to_pandas(table)
    assert [str(each) for each in frame.dtypes] == ["Int64", "boolean", "float64", "int64"]
    assert frame["i"][0] == 2**53 + 1
    assert pd.isna(frame["i"][1])


def test_nested_values_are_exact() -> None:
    table = pa.table(
        {
            "lossless": [[1, 2], [3]],
            "holes": [[2**53 + 1, None], [3]],
            "deep": [{"a": [{"b": None}]}, {"a": [{"b": 2**53 + 1}]}],
        }
    )
    frame = frames.to_pandas(table)
    assert list(frame["lossless"][0]) == [1, 2]
    assert frame["holes"][0] == [2**53 + 1, None]
    assert frame["deep"][1] == {"a": [{"b": 2**53 + 1}]}


def test_pandas_goes_there_and_back() -> None:
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None], "Int64"),
            "c": pd.Categorical(["a", "b"]),
            "t": pd.to_datetime(["2026-01-01", None]).as_unit("us"),
            "z": pd.to_datetime(["2026-01-01", None]).as_unit("us").tz_localize("Europe/Oslo"),
        }
    )
    pd.testing.assert_frame_equal(frames.to_pandas(read(frame)), frame)


def test_polars() -> None:
    assert frames.to_polars(TABLE).to_dicts() == TABLE.to_pylist()
