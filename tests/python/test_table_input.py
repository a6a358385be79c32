"""Goal: what does not fit is refused where it comes in, in words that name it, and changes nothing:
no row, no type of a key, no definition; and reads that cannot be answered say so.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from tidemark import Entity, FeatureStore, FeatureView, Field, FileSource, PushSource, TableOptions
from tidemark.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    InvalidDataError,
    NotFoundError,
    TidemarkError,
    TypeMismatchError,
)
from tidemark.types import Array, Bytes, Date, Decimal, Float64, Int64, String, Timestamp

T0 = datetime(2026, 1, 1, tzinfo=UTC)
USER = Entity(name="user", join_keys=[Field("user_id", Int64)])


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "store")


def table(store: FeatureStore, *fields: Field, **kwargs: Any) -> None:
    store.create_table(FeatureView(name="t", entities=[USER], schema=list(fields), **kwargs))


def row(user: Any = 1, **values: Any) -> dict[str, Any]:
    return {"user_id": user, "event_timestamp": T0, **values}


def every_row(store: FeatureStore, name: str = "t") -> list[dict[str, Any]]:
    return store.get_training_features(name).to_arrow().to_pylist()


def not_text(text: bytes) -> pa.Array:
    """A string column that says it is text and is not."""
    return pa.Array.from_buffers(
        pa.string(),
        1,
        [None, pa.py_buffer(b"\0\0\0\0" + bytes([len(text), 0, 0, 0])), pa.py_buffer(text)],
    )


def test_text_that_is_not_utf8_is_refused(store: FeatureStore) -> None:
    table(store, Field("s", String), Field("l", Array(String)), Field("b", Bytes))
    bad = not_text(b"\xff\xfe")
    times = pa.array([T0], pa.timestamp("us", tz="UTC"))
    columns = {"user_id": [1], "event_timestamp": times, "b": [b"\xff"]}
    nested = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), bad)
    for wrong, column in (
        ({"s": bad, "l": pa.array([None], pa.list_(pa.string()))}, "column 's', row 0"),
        ({"s": ["fine"], "l": nested}, r"column 'l\.item', row 0"),
    ):
        with pytest.raises(InvalidDataError, match=f"{column}: the bytes ff fe are no UTF-8"):
            store.ingest("t", pa.table({**columns, **wrong}))
    assert every_row(store) == []
    store.ingest("t", [row(s="ü", l=["ü", None], b=b"\xff")])
    assert every_row(store)[0]["s"] == "ü"


@pytest.mark.parametrize(
    ("partitions", "message"),
    [
        (("f",), "column 'f' is float64"),
        (("bucket(4, f)",), "column 'f' is float64"),
        (("d",), "column 'd' is decimal"),
        (("l",), "column 'l' is list"),
        (("day", "day"), "comes twice"),
        (("s", "bucket(4, s)"), "does already"),
        (("none",), "which the table does not have"),
    ],
)
def test_partitions_that_cannot_be_are_refused_before_anything_is_applied(
    store: FeatureStore, partitions: tuple[str, ...], message: str
) -> None:
    fields = [
        Field("f", Float64),
        Field("d", Decimal(10, 2)),
        Field("l", Array(Int64)),
        Field("s", String),
    ]
    view = FeatureView(
        name="t", entities=[USER], schema=fields, table=TableOptions(partitions=partitions)
    )
    with pytest.raises(TidemarkError, match=message):
        store.create_table(view)
    assert store.list_feature_views() == []


UNTYPED = {
    "name": "t",
    "entities": ["id"],
    "schema": [{"name": "event_timestamp", "type": "timestamp"}, {"name": "x", "type": "int64"}],
}


@pytest.mark.parametrize("way", ["bad row", "dry run", "no rows"])
def test_a_write_that_writes_nothing_gives_keys_no_type(store: FeatureStore, way: str) -> None:
    store.create_table(UNTYPED)
    if way == "bad row":
        with pytest.raises(InvalidDataError):
            store.ingest("t", [{"id": "1", "event_timestamp": None, "x": 1}])
    elif way == "dry run":
        report = store.ingest("t", [{"id": "1", "event_timestamp": T0, "x": 1}], dry_run=True)
        assert report.rows == 1
    else:
        frame = pd.DataFrame({"id": ["1"], "event_timestamp": [T0], "x": [1]})[:0]
        assert store.ingest("t", frame).rows == 0
    store.ingest("t", [{"id": 7, "event_timestamp": T0, "x": 1}])
    assert [each["id"] for each in every_row(store)] == [7]


def test_rows_that_do_not_fit_one_view_of_a_push_go_to_none(store: FeatureStore) -> None:
    events = PushSource("events")
    one = FeatureView(name="one", entities=[USER], schema=[Field("x", Int64)], source=events)
    two = FeatureView(name="two", entities=[USER], schema=[Field("z", Float64)], source=events)
    offline = FeatureView(
        name="offline", entities=[USER], schema=[Field("x", Int64)], source=events, online=False
    )
    store.apply([USER, one, two, offline])
    with pytest.raises(TypeMismatchError, match="view two: column 'z'"):
        store.push("events", [row(x=1, z="bad")], to="online_and_offline")
    assert every_row(store, "one") == []
    # A view that is not kept online is passed over, or written offline.
    assert set(store.push("events", [row(x=1, z=1.0)], to="online")) == {"one", "two"}
    told = store.push("events", [row(x=2, z=2.0)], to="online_and_offline")
    assert (set(told), told["offline"].online_rows) == ({"one", "two", "offline"}, 0)
    assert [each["x"] for each in every_row(store, "offline")] == [2]


def test_members_of_any_row_are_columns(store: FeatureStore) -> None:
    table(store, Field("x", Int64))
    later = T0 + timedelta(days=1)
    store.ingest("t", [row(1, x=1), row(2, x=None, expires_at=later), row(3)])
    assert [each["expires_at"] for each in every_row(store)] == [None, later, None]
    with pytest.raises(InvalidArgumentError, match="no column 'X'"):
        store.ingest("t", [row(1, x=1), row(2, X=5)])


def test_tables_stay_when_definitions_do_not_name_them(store: FeatureStore) -> None:
    table(store, Field("x", Int64))
    store.ingest("t", [row(x=1)])
    other = FeatureView(name="other", schema=[Field("y", Int64)])
    assert "- feature view t" not in str(store.apply([other], partial=False))
    assert len(every_row(store)) == 1
    assert [each.name for each in store.list_entities()] == ["user"]
    store.drop_table("t")
    assert [each.name for each in store.list_feature_views()] == ["other"]


def test_a_deletion_with_a_column_that_is_none_deletes_nothing(store: FeatureStore) -> None:
    """Goal: a time that is spelt wrongly is not passed over, which would delete as of now."""
    table(store, Field("x", Int64))
    store.ingest("t", [row(x=1)])
    keys = {"user_id": 1, "event_timestmp": T0}
    with pytest.raises(InvalidArgumentError, match=r"no column 'event_timestmp'.*event_timestamp"):
        store.delete("t", keys)
    with pytest.raises(
        InvalidArgumentError, match=r"column 'event_timestamp'.*one is given for all"
    ):
        store.delete("t", {"user_id": 1, "event_timestamp": T0}, event_time=T0)
    for column in ("event_timestamp", "x", "typo"):
        with pytest.raises(InvalidArgumentError, match=f"column '{column}' is no join key"):
            store.erase("t", {"user_id": 1, column: 1})
    assert len(every_row(store)) == 1
    store.delete("t", {"user_id": 1, "event_timestamp": T0, "x": 1})
    assert store.get_training_features("t", latest=True).to_arrow().num_rows == 0


def test_one_key_counts_for_few_rows_and_for_many(store: FeatureStore) -> None:
    table(store, Field("x", Int64))
    many = pa.table(
        {"user_id": range(60_000), "event_timestamp": [T0] * 60_000, "x": range(60_000)}
    )
    batches: dict[str, Any] = {"few": [row(x=1)], "many": many}
    for key, batch in batches.items():
        assert not store.ingest("t", batch, idempotency_key=key).repeated
    for key, others in (("few", many), ("many", [row(x=1)]), ("few", [row(x=2)])):
        with pytest.raises(AlreadyExistsError, match=f"idempotency key '{key}'.*other rows"):
            store.ingest("t", others, idempotency_key=key)
    for key, batch in batches.items():
        assert store.ingest("t", batch, idempotency_key=key).repeated
    assert len(every_row(store)) == 60_001


def test_reads_say_what_they_cannot_see(store: FeatureStore, tmp_path: Path) -> None:
    table(store, Field("x", Int64))
    asked = pd.DataFrame({"user_id": [1], "event_timestamp": [T0]})
    online = store.ingest("t", [row(x=1)], to="online").token
    with pytest.raises(NotFoundError, match="online only"):
        store.get_historical_features(asked, ["t:x"], at_least=online).to_arrow()
    both = store.ingest("t", [row(x=2)]).token
    for token in (online, both):
        found = store.get_online_features(["t:x"], [{"user_id": 1}], at_least=token)
        assert found.to_dict()["x"] == [2]
    with pytest.raises(NotFoundError, match="is not seen here"):
        store.get_online_features(["t:x"], [{"user_id": 1}], at_least="log:00000000000000ff:1")
    with pytest.raises(InvalidArgumentError, match="give one of the two"):
        store.get_historical_features(asked, ["t:x"], at_least=both, as_of=T0).to_arrow()
    pd.DataFrame({"user_id": [1], "at": [T0], "y": [5]}).to_parquet(tmp_path / "files.parquet")
    files = FileSource(str(tmp_path / "files.parquet"), timestamp_field="at")
    store.apply(FeatureView(name="files", entities=[USER], source=files))
    with pytest.raises(InvalidArgumentError, match="view files: as_of is for feature tables"):
        store.get_historical_features(asked, ["files:y"], as_of=T0).to_arrow()


def test_expired_rows_are_no_latest_rows_and_explain_says_why(store: FeatureStore) -> None:
    table(store, Field("x", Int64), ttl="36500d")
    past = T0 + timedelta(hours=1)
    store.ingest("t", [row(1, x=1, expires_at=past), row(2, x=2)])
    latest = store.get_training_features("t", latest=True).to_arrow()
    assert latest["user_id"].to_pylist() == [2]
    told = store.explain("t:x", {"user_id": 1})
    assert "expired by its own expires_at" in told["decision"]


CSV = """user_id,event_timestamp,n,price,day,at,note
1,2026-01-01T00:00:00Z,1,1.25,2026-01-01,2026-01-01 10:00:00,a
2,2026-01-01T00:00:00Z,zz,1.25,2026-01-01,,b
,2026-01-01T00:00:00Z,3,1.25,2026-01-01,,c
4,yesterday,4,1.25,2026-01-01,,d
5,2026-01-01T00:00:00Z,5,much,2026-01-01,,e
6,2026-01-01T00:00:00Z,6,1.25,2026-02-30,,f
7,2026-01-01T00:00:00Z,7,1.25,2026-01-01,never,g
8,2026-01-01T00:00:00Z,8,,,,
"""


def test_bad_rows_of_a_csv_file_are_given_back(store: FeatureStore, tmp_path: Path) -> None:
    fields = [
        Field("n", Int64),
        Field("price", Decimal(10, 2)),
        Field("day", Date),
        Field("at", Timestamp),
        Field("note", String),
    ]
    table(store, *fields)
    path = tmp_path / "rows.csv"
    path.write_text(CSV)
    with pytest.raises(TidemarkError, match=r"rows\.csv: row \d"):
        store.ingest("t", path)
    assert every_row(store) == []
    report = store.ingest("t", path, on_error="skip")
    assert [each["user_id"] for each in every_row(store)] == [1, 8]
    assert [each["n"] for each in every_row(store)] == [1, 8]
    last = every_row(store)[1]
    assert (last["price"], last["day"], last["note"]) == (None, None, None)
    assert report.rejected is not None
    errors = report.rejected["error"].to_pylist()
    assert [each["note"] for each in report.rejected.to_pylist()] == list("bcdefg")
    for error, column, row_number in zip(
        errors, ["n", "user_id", "event_timestamp", "price", "day", "at"], range(3, 9), strict=True
    ):
        assert f"column '{column}', row {row_number}" in error
    # As an editor numbers them, the header being the first.
    path.write_text("".join(CSV.splitlines(keepends=True)[:2]) + ",2026-01-01,3,1.25,,,c\n")
    with pytest.raises(InvalidDataError, match="column 'user_id', row 3: null"):
        store.ingest("t", path)


def test_whole_numbers_as_times_say_their_unit(store: FeatureStore) -> None:
    frame = pa.table({"id": [1], "at": [1767225600000], "x": [1]})
    with pytest.raises(InvalidArgumentError, match="say their time_unit"):
        store.create_table_from(frame, name="t", entities=["id"], time_column="at")
    store.create_table_from(frame, name="t", entities=["id"], time_column="at", time_unit="ms")
    assert store.ingest("t", frame).ahead == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.get_training_features("t", features="x"),
        lambda store: store.create_table_from(pa.table({"i": [1]}), name="u", entities="i"),
    ],
)
def test_one_text_is_no_list(store: FeatureStore, call: Any) -> None:
    table(store, Field("x", Int64))
    with pytest.raises(InvalidArgumentError, match="is a list"):
        call(store)


def test_a_table_can_be_left_out_of_the_catalog(store: FeatureStore) -> None:
    view = FeatureView(name="t", entities=[USER], schema=[Field("x", Int64)])
    assert store.create_table(view, catalog=False).table.catalog is False
    assert view.table.catalog is True


def test_a_frame_with_a_column_twice_makes_no_table(store: FeatureStore) -> None:
    twice = pa.table([[1], [2], [T0]], names=["a", "a", "event_timestamp"])
    with pytest.raises(InvalidArgumentError, match="table t: column 'a' is there 2 times"):
        store.create_table_from(twice, name="t")
    assert store.list_feature_views() == []


def test_a_join_key_of_another_type_than_its_entity_is_told(store: FeatureStore) -> None:
    def make(name: str, key: Any) -> None:
        frame = pd.DataFrame({"id": [key], "event_timestamp": [T0], "x": [1]})
        store.create_table_from(frame, name=name, entities=["id"])

    make("first", 1)
    with pytest.raises(
        TypeMismatchError, match="join key 'id' is string here, and int64 in feature view 'first'"
    ):
        make("second", "one")
    make("third", 2)
    for name in ("first", "third"):
        store.drop_table(name)
    make("second", "one")  # nothing holds the type any more
    assert str(store.get_entity("id").key_types["id"]) == "string"


def test_a_table_without_entities_is_deleted_as_a_whole_or_not_at_all(store: FeatureStore) -> None:
    frame = pd.DataFrame({"id": [1], "event_timestamp": [T0]})
    store.create_table(FeatureView(name="t", entities=[], schema=[Field("id", Int64)]))
    store.ingest("t", frame)
    for keys in ({"id": 1}, frame):
        with pytest.raises(InvalidArgumentError, match=r"table 't' has no entities, .* by 'id'"):
            store.delete("t", keys)
    assert store.get_online_features(["t:id"], [{}]).to_dict() == {"id": [1]}
    store.delete("t", {"event_timestamp": T0 + timedelta(hours=1)})
    assert store.get_online_features(["t:id"], [{}]).to_dict() == {"id": [None]}
