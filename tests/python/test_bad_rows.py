"""Goal: one bad row among few or many changes nothing, wherever it is, and the error names its row,
its column and its value; with on_error="skip" it is given back, and the others are written.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest

from tidemark import Entity, FeatureStore, FeatureView, Field
from tidemark.errors import InvalidDataError, TidemarkError, TypeMismatchError
from tidemark.types import Int32, Int64, String

T0 = datetime(2026, 1, 1, tzinfo=UTC)
FEW, MANY = 3, 60_000  # through the log, straight to files

# What is wrong with a row: its column, its value, and how the error shows that.
BAD: dict[str, tuple[str, Any, str]] = {
    "no time": ("event_timestamp", "not a time", "'not a time'"),
    "null time": ("event_timestamp", None, "null"),
    "null key": ("user_id", None, "null"),
    "too large": ("n", 2**31, str(2**31)),
    "a fraction": ("n", 7.5, "7.5"),
}


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    made = FeatureStore(tmp_path / "store")
    user = Entity(name="user", join_keys=[Field("user_id", Int64)])
    schema = [Field("n", Int32), Field("city", String)]
    made.create_table(FeatureView(name="clicks", entities=[user], schema=schema))
    made.ingest("clicks", rows_with(FEW))
    return made


def rows_with(count: int, bad: dict[int, tuple[str, Any]] | None = None) -> pa.Table:
    """Rows whose columns are wide enough for bad values."""
    columns: dict[str, list[Any]] = {
        "user_id": list(range(count)),
        "event_timestamp": [T0.isoformat()] * count,
        "n": [7] * count,
        "city": ["x"] * count,
    }
    for row, (column, value) in (bad or {}).items():
        columns[column][row] = value
    is_fraction = any(isinstance(each, float) for each in columns["n"])
    types = {"user_id": pa.int64(), "event_timestamp": pa.string(), "city": pa.string()}
    types["n"] = pa.float64() if is_fraction else pa.int64()
    return pa.table({name: pa.array(column, types[name]) for name, column in columns.items()})


def state(store: FeatureStore) -> tuple[Any, ...]:
    """All that a write could have changed, files included."""
    tables = Path(store.repo_path) / ".tidemark" / "tables"
    return (
        store.get_training_features("clicks").to_arrow().to_pylist(),
        store.get_online_features(["clicks:n"], [{"user_id": 0}]).to_dict(),
        store.snapshots("clicks"),
        sorted(path.name for path in tables.rglob("*") if not path.name.endswith(".lease")),
    )


def as_csv(rows: pa.Table, folder: Path) -> Path:
    path = folder / "rows.csv"
    pa.csv.write_csv(rows, path)
    return path


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.parametrize("what", BAD)
def test_a_bad_row_changes_nothing_and_is_named(store: FeatureStore, count: int, what: str) -> None:
    column, value, shown = BAD[what]
    before = state(store)
    bad_row = count - 1  # when all others have been taken in
    with pytest.raises(TidemarkError) as told:
        store.ingest("clicks", rows_with(count, {bad_row: (column, value)}))
    assert isinstance(told.value, InvalidDataError | TypeMismatchError)
    for named in ("clicks", f"'{column}'", f"row {bad_row}", shown):
        assert named in str(told.value)
    assert state(store) == before
    report = store.ingest(
        "clicks", rows_with(count, {bad_row: (column, value)}), on_error="skip", dry_run=True
    )
    assert report.rows == count - 1
    assert state(store) == before


@pytest.mark.parametrize("count", [FEW, MANY])
def test_bad_rows_are_given_back_as_they_came(store: FeatureStore, count: int) -> None:
    bad = {0: ("n", 2**31), count - 1: ("event_timestamp", "not a time")}
    given = rows_with(count, bad)
    report = store.ingest("clicks", given, on_error="skip")
    assert report.rows == count - 2
    assert report.rejected is not None
    assert report.rejected.drop_columns("error") == given.take([0, count - 1])
    errors = report.rejected["error"].to_pylist()
    assert "row 0" in errors[0]
    assert f"row {count - 1}" in errors[1]
    assert store.get_training_features("clicks").to_arrow().num_rows == FEW + count - 2


@pytest.mark.parametrize("what", ["no time", "too large"])
def test_a_bad_row_of_a_file_is_named_with_it(
    store: FeatureStore, tmp_path: Path, what: str
) -> None:
    column, value, shown = BAD[what]
    before = state(store)
    path = as_csv(rows_with(FEW, {1: (column, value)}), tmp_path)
    with pytest.raises(TidemarkError) as told:
        store.ingest("clicks", path)
    for named in ("clicks", column, "row", shown):
        assert named in str(told.value)
    assert state(store) == before


@pytest.mark.parametrize(
    "write",
    [
        lambda store, rows: store.push("clicks", rows, to="online"),
        lambda store, rows: store.push("clicks", rows, to="online_and_offline"),
        lambda store, rows: store.delete("clicks", rows.drop_columns(["n", "city"])),
    ],
    ids=["online", "both", "delete"],
)
def test_every_way_of_writing_refuses_a_bad_row(
    store: FeatureStore, write: Callable[[FeatureStore, pa.Table], object]
) -> None:
    before = state(store)
    with pytest.raises(InvalidDataError, match=r"'user_id', row 1\b.*null"):
        write(store, rows_with(FEW, {1: ("user_id", None)}))
    assert state(store) == before


# Values of which pyarrow makes no column together with the others.
MIXED: dict[str, tuple[str, Any]] = {
    "text among numbers": ("n", "seven"),
    "a number beyond 64 bits": ("n", 2**70),
    "a list among numbers": ("n", [7]),
    "text among keys": ("user_id", "ann"),
    "text among times": ("event_timestamp", "yesterday"),
}


@pytest.mark.parametrize("form", [list, pd.DataFrame], ids=["list", "pandas"])
@pytest.mark.parametrize("bad_row", [0, 2])
@pytest.mark.parametrize("what", MIXED)
def test_a_python_value_of_another_kind_is_one_bad_row(
    store: FeatureStore, what: str, bad_row: int, form: Any
) -> None:
    column, value = MIXED[what]
    rows: list[dict[str, Any]] = [
        {"user_id": each, "event_timestamp": T0, "n": 7, "city": "x"} for each in range(4)
    ]
    rows[bad_row][column] = value
    before = state(store)
    with pytest.raises(InvalidDataError, match=rf"'{column}', row \d") as told:
        store.ingest("clicks", form(rows))
    assert bad_row == 0 or f"row {bad_row}: {value!r}" in str(told.value)
    assert state(store) == before
    report = store.ingest("clicks", form(rows), on_error="skip")
    assert report.rows == 3
    assert report.rejected is not None
    assert report.rejected[column].to_pylist() == [str(value)]
    assert f"'{column}', row {bad_row}" in report.rejected["error"][0].as_py()
    written = store.get_training_features("clicks").to_arrow()
    assert written.num_rows == FEW + 3
    assert written["n"].to_pylist() == [7] * (FEW + 3)


@pytest.mark.parametrize("form", [list, pd.DataFrame], ids=["list", "pandas"])
@pytest.mark.parametrize("others", [["x", None, "ä"], [None, "x", ""]])
def test_what_is_no_text_among_texts_is_one_bad_row(
    store: FeatureStore, form: Any, others: list[str | None]
) -> None:
    """Text would be turned into other text if it were made of what is none."""
    cities: list[Any] = [*others, 5, ["y"]]
    rows = [
        {"user_id": 100 + row, "event_timestamp": T0, "n": 7, "city": city}
        for row, city in enumerate(cities)
    ]
    before = state(store)
    with pytest.raises(InvalidDataError, match=r"'city', row \d: .* does not go together"):
        store.ingest("clicks", form(rows))
    assert state(store) == before
    report = store.ingest("clicks", form(rows), on_error="skip")
    assert report.rows == 3
    assert report.rejected is not None
    assert report.rejected["user_id"].to_pylist() == [103, 104]
    assert report.rejected["city"].to_pylist() == ["5", "['y']"]
    first, second = report.rejected["error"].to_pylist()
    assert "'city', row 3: 5 does not go together" in first
    assert "'city', row 4: ['y'] does not go together" in second
    written = store.get_training_features("clicks", {"user_id": [100, 101, 102]}).to_arrow()
    found = dict(zip(written["user_id"].to_pylist(), written["city"].to_pylist(), strict=True))
    assert [found[key] for key in (100, 101, 102)] == others


def test_bad_values_of_several_kinds_are_one_bad_row_each(store: FeatureStore) -> None:
    rows: list[dict[str, Any]] = [
        {"user_id": 100 + row, "event_timestamp": T0, "n": 7, "city": "x"} for row in range(5)
    ]
    rows[0]["city"], rows[2]["n"], rows[3]["city"], rows[3]["n"] = 5, "seven", 6, "six"
    report = store.ingest("clicks", rows, on_error="skip")
    assert report.rows == 2
    assert report.rejected is not None
    assert report.rejected["user_id"].to_pylist() == [100, 102, 103]
    assert report.rejected["city"].to_pylist() == ["5", "x", "6"]
    assert report.rejected["n"].to_pylist() == ["7", "seven", "six"]
    errors = report.rejected["error"].to_pylist()
    assert all(f"row {row}" in error for row, error in zip([0, 2, 3], errors, strict=True))
