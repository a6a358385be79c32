"""Statistics of rows, and how far two sets of rows differ.

Goal: SQL over a store's rows and Arrow over rows in memory say the same, numpy and plain Python say
it too, and the measures are their formulas, worked out by hand.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import at
from hypothesis import given, settings
from hypothesis import strategies as st
from program import PROGRAM

from tidemark import (
    Dataset,
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    OnDemandFeatureView,
    RequestSource,
    column_readers,
)
from tidemark.errors import (
    InvalidArgumentError,
    NotFoundError,
    TypeMismatchError,
    UnsupportedError,
)
from tidemark.statistics import Histogram, StoreStatistics
from tidemark.types import Float64, Int64

TIMES = pa.timestamp("us", tz="UTC")
INF = float("inf")
NAN = float("nan")
IN_MEMORY = StoreStatistics()  # rows in memory need no store


def a_table(count: int = 500) -> pa.Table:
    """Every kind of column, with what is missing, not a number or infinite among it."""
    odd = {0: None, 1: NAN, 2: INF, 3: -INF}
    return pa.table(
        {
            "user": pa.array([f"u{i % 9}" for i in range(count)]),
            "event_timestamp": pa.array([i * 1_000_000 for i in range(count)], TIMES),
            "ratio": pa.array([odd.get(i % 20, i * i % 37 / 8) for i in range(count)]),
            "small": pa.array([odd.get(i % 15, i % 5 / 4) for i in range(count)], pa.float32()),
            "n": pa.array([None if i % 7 == 0 else i * i % 101 - 50 for i in range(count)]),
            "flag": pa.array([None if i % 6 == 0 else i % 4 == 0 for i in range(count)]),
            "text": pa.array([[None, "b", "é", "", "it's", 'q"'][i % 6] for i in range(count)]),
            "day": pa.array([dt.date(2026, 5, 1 + i % 28) for i in range(count)], pa.date32()),
            "price": pa.array([Decimal(i % 50) / 4 for i in range(count)], pa.decimal128(9, 2)),
            "tags": pa.array([None if i % 3 == 0 else [i] for i in range(count)]),
            "empty": pa.array([None] * count, pa.float64()),
        }
    )


@pytest.fixture(params=["fetched", "by SQL"])
def both(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> tuple[FeatureStore, pa.Table]:
    """A store with the rows in a feature table `kept` and in a view over a file, `read`.

    Columns of views are fetched, as those of a few rows are, and looked at by SQL, as long ones.
    """
    if request.param == "by SQL":
        monkeypatch.setattr(column_readers, "_FETCHED_ROWS_MAX", {})
    rows = a_table()
    store = FeatureStore(tmp_path)
    store.create_table_from(rows, name="kept", entities=["user"], time_column="event_timestamp")
    store.ingest("kept", rows)
    pq.write_table(rows, tmp_path / "rows.parquet")
    user = Entity(name="user")
    store.apply(FeatureView(name="read", entities=[user], source=FileSource("rows.parquet")))
    return store, rows


def assert_alike(one: Any, other: Any, where: str = "") -> None:
    """Equal, floats to their last digits."""
    if isinstance(one, float) and isinstance(other, float):
        assert math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12), (where, one, other)
    elif isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), where
        for name in one:
            assert_alike(one[name], other[name], f"{where}.{name}")
    elif isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other), where
        for place, pair in enumerate(zip(one, other, strict=True)):
            assert_alike(*pair, f"{where}[{place}]")
    else:
        assert one == other, (where, one, other)


# --- Statistics ---


def test_sql_and_arrow_say_the_same(both: tuple[FeatureStore, pa.Table]) -> None:
    store, rows = both
    wanted = store.statistics(rows).to_dict()
    assert wanted["source"] == "Table"
    assert wanted["rows"] == 500
    for view in ("kept", "read"):
        got = store.statistics(view).to_dict()
        assert got["source"] == view
        columns = {each["name"]: each for each in got["columns"]}
        assert columns.keys() == set(rows.column_names)
        for each in wanted["columns"]:
            assert_alike(columns[each["name"]], each, each["name"])


def test_numbers_are_those_of_numpy() -> None:
    rows = a_table()
    got = IN_MEMORY.statistics(rows, bins=8, quantiles=(0.1, 0.5))
    for name in ("ratio", "small", "n", "price"):
        values = [each for each in rows[name].to_pylist() if each is not None]
        finite = np.array([float(each) for each in values if math.isfinite(each)])
        column = got[name]
        assert column.nulls == rows[name].null_count
        assert column.nans == sum(math.isnan(each) for each in values)
        assert column.infinite == sum(math.isinf(each) for each in values)
        assert column.count + column.nulls + column.nans == 500
        assert float(column.min) == finite.min()
        assert float(column.max) == finite.max()
        assert column.mean == pytest.approx(finite.mean())
        assert column.std == pytest.approx(finite.std(ddof=1))
        assert column.distinct == len(set(finite.tolist()))
        assert column.quantiles == pytest.approx(
            {0.1: np.quantile(finite, 0.1), 0.5: np.quantile(finite, 0.5)}
        )
        counts, edges = np.histogram(finite, bins=8)
        assert column.histogram is not None
        assert column.histogram.edges == pytest.approx(tuple(edges))
        assert sum(column.histogram.counts) == len(finite)
        if name != "small":  # whose quarters lie on edges, which numpy rounds
            assert column.histogram.counts == tuple(counts)


def test_without_numpy_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal: numbers that are sorted, and those that Arrow hashes where numpy is not there."""
    rows = a_table().append_column("big", pa.array([2**62 + i % 3 for i in range(500)]))
    sorted_ones = IN_MEMORY.statistics(rows, top=3).to_dict()
    monkeypatch.setattr(column_readers, "sorts", lambda dtype: False)
    assert_alike(IN_MEMORY.statistics(rows, top=3).to_dict(), sorted_ones)


@pytest.mark.parametrize(
    "values", [[], [None], [NAN], [INF, None], [1.5], [0.0, -0.0], [3, 3, None]]
)
def test_columns_of_few_values(values: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pa.table({"x": pa.array(values, pa.float64())})
    got = IN_MEMORY.statistics(rows)["x"].to_dict()
    monkeypatch.setattr(column_readers, "sorts", lambda dtype: False)
    wanted = IN_MEMORY.statistics(rows)["x"].to_dict()
    if values == [0.0, -0.0]:  # one number, which hashing takes for two
        wanted |= {"distinct": 1, "top": [{"value": 0.0, "count": 2}]}
    assert_alike(got, wanted)


def test_text_bools_times_and_what_is_nested() -> None:
    got = IN_MEMORY.statistics(a_table(), top=2)
    text = got["text"]
    assert (text.min, text.max, text.distinct) == ("", "é", 5)
    assert text.mean is None
    assert text.histogram is None
    assert len(text.top) == 2
    flag = got["flag"]
    assert (flag.min, flag.max, flag.distinct) == (False, True, 2)
    assert flag.mean == pytest.approx(83 / 416)
    assert flag.top == ((False, 333), (True, 83))
    day = got["day"]
    assert (day.min, day.max, day.mean, day.top) == (
        dt.date(2026, 5, 1),
        dt.date(2026, 5, 28),
        None,
        (),
    )
    tags = got["tags"]
    assert (tags.count, tags.nulls, tags.distinct, tags.min) == (333, 167, None, None)
    empty = got["empty"]
    assert (empty.count, empty.nulls, empty.distinct, empty.min) == (0, 500, 0, None)
    assert empty.histogram is None
    assert empty.quantiles == {}


def test_a_column_of_one_value() -> None:
    got = IN_MEMORY.statistics(pa.table({"x": [2.5]}))["x"]
    assert got.histogram == Histogram((2.5, 2.5), (1,))
    assert got.std is None
    assert got.top == ((2.5, 1),)


def test_rows_of_any_kind(both: tuple[FeatureStore, pa.Table]) -> None:
    store, rows = both
    few = rows.select(["n", "text"])
    wanted = store.statistics(few)
    polars = pl.from_arrow(few)
    encoded = few.set_column(1, "text", few["text"].dictionary_encode())
    for each in (Dataset(few), polars, few.to_reader(), few.to_pydict(), encoded):
        got = store.statistics(each)
        assert got.columns[0] == wanted.columns[0]
        assert got.columns[1].top == wanted.columns[1].top
    asked = store.sql("SELECT n, text FROM read WHERE n > 0 ORDER BY n")
    assert store.statistics(asked)["n"].min == 2
    spine = {"user": ["u1"], "event_timestamp": [at(9)]}
    training = store.get_historical_features(spine, ["read:n"])
    assert store.statistics(training).rows == 1
    frame = pd.DataFrame({"a": pd.array([1, None], "Int64")})
    assert store.statistics(frame)["a"].nulls == 1


def test_rows_of_a_view_in_a_range_and_without_deletions(
    both: tuple[FeatureStore, pa.Table],
) -> None:
    store, rows = both
    begin, end = dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC), "1970-01-01T00:02:00Z"
    wanted = store.statistics(rows.slice(60, 61))
    for view in ("kept", "read"):
        got = store.statistics(view, start_date=begin, end_date=end)
        assert got.rows == 61
        assert_alike(got["ratio"].to_dict(), wanted["ratio"].to_dict())
    store.delete("kept", {"user": ["u0"]}, event_time=at(9))
    assert store.statistics("kept").rows == 500
    assert store.statistics("kept", as_of=at(9)).rows == 0
    view = store.get_feature_view("read")
    assert list(store.statistics(view[["n", "flag"]])) == ["n", "flag"]
    assert list(store.statistics("read", ["text"])) == ["text"]


def test_ranges_of_event_times_that_are_text_or_numbers(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    for name, times in (
        ("texts", ["2026-05-01T08:00:00Z", "2026-05-01T12:00:00+02:00", "2026-05-01T11:00:00Z"]),
        ("numbers", [1, 2, 3]),
    ):
        rows = {"user": ["a", "b", "c"], "event_timestamp": times, "n": [1, 2, 3]}
        store.create_table_from(
            pa.table(rows),
            name=name,
            entities=["user"],
            time_column="event_timestamp",
            time_unit="s" if name == "numbers" else None,
        )
        store.ingest(name, rows)
    got = store.statistics("texts", ["n"], start_date=at(9), end_date=at(10, 30))
    assert (got.rows, got["n"].min) == (1, 2)
    with pytest.raises(InvalidArgumentError, match="view numbers: its event times are numbers"):
        store.statistics("numbers", start_date=at(9))


def test_names_and_values_that_sql_could_misread(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    texts = ["a'; DROP TABLE x; --", 'say "x"', "nul\0 inside", "", "$1 ?"]
    rows = pa.table(
        {
            "select": ["k"] * 5,
            "event_timestamp": pa.array(range(5), TIMES),
            "a-b": texts,
        }
    )
    store.create_table_from(
        rows, name="from-table", entities=["select"], time_column="event_timestamp"
    )
    store.ingest("from-table", rows)
    got = store.statistics("from-table")["a-b"]
    assert dict(got.top) == dict.fromkeys(texts, 1)
    compared = store.compare("from-table", rows)["a-b"]
    assert compared.psi == 0
    assert {each.label: (each.reference, each.current) for each in compared.bins} == {
        **dict.fromkeys(texts, (1, 1)),
        "all others": (0, 0),
        "missing": (0, 0),
    }


def test_tables_in_another_database_and_tables_kept_from_sql(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.create_database("other")
    rows = pa.table({"user": ["a"], "event_timestamp": pa.array([0], TIMES), "n": [1]})
    for name, place in (("there", {"database": "other"}), ("hidden", {"catalog": False})):
        store.create_table_from(rows, name=name, entities=["user"], **place)
        store.ingest(name, rows)
    assert store.statistics("there").rows == 1
    with pytest.raises(NotFoundError, match="'hidden' is kept from SQL"):
        store.statistics("hidden")
    assert store.statistics(store.get_training_features("hidden"))["n"].max == 1


def test_statistics_as_a_frame_and_as_json() -> None:
    got = IN_MEMORY.statistics(a_table(), quantiles=(0.5,))
    frame = got.to_df()
    assert list(frame.index) == a_table().column_names
    assert frame.loc["n", "q0.5"] == got["n"].quantiles[0.5]
    assert frame["nulls"].dtype == "int64"
    assert frame["distinct"].dtype == "Int64"
    assert frame.loc["text", "top"] == got["text"].top[0][0]
    read = json.loads(json.dumps(got.to_dict()))
    assert read["columns"][1]["min"] == "1970-01-01T00:00:00+00:00"
    assert read["columns"][8]["max"] == "12.25"
    with pytest.raises(NotFoundError, match="no statistics of 'm'; there are of: user"):
        got["m"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"quantiles": (1.5,)}, "each is a number from 0 to 1"),
        ({"bins": 0}, "bins=0: give a number from 1"),
        ({"top": True}, "top=True: give a number"),
        ({"columns": "n"}, "columns is a list"),
        ({"columns": ["m"]}, "there is no column 'm'; there are: n"),
        ({"start_date": at(9)}, "are for the rows of a view"),
        ({"as_of": 1}, "are for the rows of a view"),
    ],
)
def test_requests_that_make_no_sense(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((InvalidArgumentError, NotFoundError)) as raised:
        IN_MEMORY.statistics(pa.table({"n": [1]}), **arguments)
    assert message in str(raised.value)


def test_views_and_rows_that_are_not_there(store: FeatureStore) -> None:
    with pytest.raises(NotFoundError, match="driver_stat"):
        store.statistics("driver_stat")
    with pytest.raises(InvalidArgumentError, match="is not rows"):
        store.statistics(7)
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    with pytest.raises(InvalidArgumentError, match="more than one column 'a'"):
        store.statistics(twice)


# --- Comparing ---


def test_measures_worked_out_by_hand() -> None:
    # Shares 1/2, 1/4, 1/4 (missing) against 1/4, 1/4, 1/2; no other values.
    reference = pa.table({"x": ["a", "a", "b", None]})
    current = pa.table({"x": ["a", "b", None, None]})
    got = IN_MEMORY.compare(reference, current)["x"]
    assert [(each.label, each.reference, each.current) for each in got.bins] == [
        ("a", 2, 1),
        ("b", 1, 1),
        ("all others", 0, 0),
        ("missing", 1, 2),
    ]
    assert got.psi == pytest.approx(2 * 0.25 * math.log(2))
    side = 0.5 * math.log2(0.5 / 0.375) + 0.25 * math.log2(0.25 / 0.375)
    assert got.jensen_shannon == pytest.approx(side)


def test_an_empty_bin_counts_as_a_ten_thousandth() -> None:
    got = IN_MEMORY.compare(pa.table({"x": [True]}), pa.table({"x": [False]}))["x"]
    assert got.psi == pytest.approx(2 * (1 - 0.0001) * math.log(1 / 0.0001))
    assert got.jensen_shannon == 1
    assert [each.label for each in got.bins] == ["true", "all others", "missing"]


def test_bins_of_numbers_are_between_quantiles_of_the_reference() -> None:
    reference = pa.table({"x": [*map(float, range(8)), NAN, None]})
    current = pa.table({"x": [-INF, 1.75, 3.5, 5.25, INF, 100.0, None, NAN]})
    got = IN_MEMORY.compare(reference, current, bins=4)["x"]
    assert [(each.label, each.reference, each.current) for each in got.bins] == [
        ("below 1.75", 2, 1),
        ("1.75 to 3.5", 2, 1),
        ("3.5 to 5.25", 2, 1),
        ("5.25 and above", 2, 3),
        ("missing", 2, 2),
    ]
    one = IN_MEMORY.compare(reference, current, bins=1)["x"]
    assert [(each.label, each.reference, each.current) for each in one.bins] == [
        ("all", 8, 6),
        ("missing", 2, 2),
    ]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=40),
    st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=40),
)
def test_measures_are_their_formulas(first: list[int | None], second: list[int | None]) -> None:
    tables = [pa.table({"x": pa.array(each, pa.int64())}) for each in (first, second)]
    got = IN_MEMORY.compare(*tables, bins=5)["x"]
    there = np.array([each for each in first if each is not None], dtype=float)
    edges = np.unique(np.quantile(there, [0.2, 0.4, 0.6, 0.8])) if len(there) else np.array([])
    shares = []
    for values in (first, second):
        places = [
            len(edges) + 1 if each is None else int(np.searchsorted(edges, each, "right"))
            for each in values
        ]
        shares.append(np.bincount(places, minlength=len(edges) + 2) / len(values))
    p, q = (np.maximum(each, 1e-4) for each in shares)
    assert got.psi == pytest.approx(float(np.sum((q - p) * np.log(q / p))), abs=1e-12)
    p, q = shares
    m = (p + q) / 2
    entropy = [float(np.sum(each[each > 0] * np.log2(each[each > 0]))) for each in (p, q, m)]
    assert got.jensen_shannon == pytest.approx(sum(entropy[:2]) / 2 - entropy[2], abs=1e-9)
    assert got.psi >= 0
    mirrored = IN_MEMORY.compare(tables[0], tables[0], bins=5)["x"]
    assert (mirrored.psi, mirrored.jensen_shannon) == (0, 0)


def test_sql_and_arrow_compare_the_same(both: tuple[FeatureStore, pa.Table]) -> None:
    store, rows = both
    later = a_table(300).slice(100)
    wanted = store.compare(rows, later)
    assert (wanted.reference_rows, wanted.current_rows) == (500, 200)
    for view in ("kept", "read"):
        got = store.compare(view, later)
        assert (got.reference, got.current) == (view, "Table")
        for column in wanted.columns:
            assert_alike(got[column.name].to_dict(), column.to_dict(), column.name)
    same = store.compare("kept", "read")
    assert {each.psi for each in same.columns} == {0.0}
    assert len(same) == len(rows.column_names)


def test_columns_of_one_side_and_columns_that_do_not_compare() -> None:
    store = IN_MEMORY
    got = store.compare(pa.table({"a": [1], "b": [1]}), pa.table({"a": [1.5], "c": [1]}))
    assert list(got) == ["a"]
    assert (got.only_reference, got.only_current) == (("b",), ("c",))
    assert got.to_df().loc["a", "bins"] == 3
    assert json.loads(json.dumps(got.to_dict()))["columns"][0]["name"] == "a"
    with pytest.raises(NotFoundError, match="'b' was not compared; these were: a"):
        got["b"]
    with pytest.raises(TypeMismatchError, match="'a' is int64 in the reference"):
        store.compare(pa.table({"a": [1]}), pa.table({"a": ["1"]}))
    with pytest.raises(InvalidArgumentError, match="no column is in both"):
        store.compare(pa.table({"a": [1]}), pa.table({"b": [1]}))
    with pytest.raises(InvalidArgumentError, match="has no rows"):
        store.compare(pa.table({"a": [1]}), pa.table({"a": pa.array([], pa.int64())}))
    with pytest.raises(InvalidArgumentError, match="values=0"):
        store.compare(pa.table({"a": [1]}), pa.table({"a": [1]}), values=0)


# --- Pictures ---


def test_pictures(tmp_path: Path) -> None:
    rows = a_table()
    store = IN_MEMORY
    figure = store.statistics(rows).plot()
    drawn = [each for each in figure.axes if each.get_title()]
    assert [each.get_title().partition(":")[0] for each in drawn] == rows.column_names
    assert len(drawn[2].patches) == 20
    figure.savefig(tmp_path / "statistics.png")
    figure = store.compare(rows, rows.slice(100)).plot()
    assert "PSI" in figure.axes[0].get_title()
    figure.savefig(tmp_path / "comparison.png")
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UnsupportedError, match="pip install matplotlib"):
        IN_MEMORY.statistics(pa.table({"a": [1]})).plot()


# --- The program ---


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TIDEMARK_PYTHON": sys.executable}
    environment["PYTHONPATH"] = os.pathsep.join(each for each in sys.path if each)
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, env=environment)


def test_the_program_tells_of_views_and_files(tmp_path: Path) -> None:
    rows = a_table(40)
    store = FeatureStore(tmp_path)
    store.create_table_from(rows, name="kept", entities=["user"], time_column="event_timestamp")
    store.ingest("kept", rows)
    pq.write_table(rows, tmp_path / "rows.parquet")
    told = run("--store", tmp_path, "statistics", "kept", "--columns", "n,text", "--output", "json")
    assert told.returncode == 0, told.stderr
    wanted = store.statistics("kept", ["n", "text"]).to_dict()
    assert_alike(json.loads(told.stdout), wanted)
    table = run("statistics", tmp_path / "rows.parquet", "--output", "csv")
    assert table.stdout.splitlines()[0].startswith("column,type,count,nulls,distinct,min,max")
    assert len(table.stdout.splitlines()) == 1 + rows.num_columns
    compared = run(
        *("--store", tmp_path, "statistics", "compare", "kept", tmp_path / "rows.parquet"),
        *("--columns", "n", "--output", "csv"),
    )
    assert compared.stdout.splitlines()[1].split(",")[:2] == ["n", "int64"]
    assert float(compared.stdout.splitlines()[1].split(",")[2]) == 0
    missing = run("--store", tmp_path, "statistics", "nothing")
    assert missing.returncode == 3
    assert "nothing" in missing.stderr
    assert run("--store", tmp_path, "statistics", "kept", "kept").returncode == 2


def test_of_an_on_demand_feature_view(tmp_path: Path) -> None:
    rows = {"user": ["a", "a", "b"], "event_timestamp": [at(8), at(9), at(9)], "n": [1, 2, None]}
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    user = Entity(name="user", join_keys=["user"])
    stored = FeatureView(name="stored", entities=[user], source=FileSource("rows.parquet"))
    ride = RequestSource(name="ride", schema=[Field("km", Float64)])

    def view(name: str, sources: list[Any], expression: str) -> OnDemandFeatureView:
        fields = [Field("f", Int64)]
        return OnDemandFeatureView(
            name=name, sources=sources, schema=fields, mode="sql", expressions={"f": expression}
        )

    twice = view("twice", [stored], "n * 2")
    more = view("more", ["twice", ride], "f + round(km)::bigint")
    store = FeatureStore(tmp_path)
    store.apply([stored, twice, more])
    found = store.statistics("twice")
    assert (found["f"].count, found["f"].nulls, found["f"].max) == (1, 1, 4)
    assert store.statistics(twice, end_date=at(8))["f"].max == 2
    assert store.compare("twice", twice)["f"].psi == 0
    with pytest.raises(UnsupportedError, match=r"view more: .*request data.*km"):
        store.statistics("more")
