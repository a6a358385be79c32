"""Goal: rows that Tidemark keeps itself are durable, readable at once in every process, and one
rule holds for them as for files: the later write wins, deletions end a key, nothing is written by
halves.
"""

import io
import itertools
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemark
from tidemark import Entity, FeatureStore, FeatureView, Field, FileSource, PushSource, TableOptions
from tidemark.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    InvalidDataError,
    IoError,
    NotFoundError,
    UnsupportedError,
)
from tidemark.types import Float32, Float64, Int32, Int64, String

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


USER = Entity(name="user", join_keys=[Field("user_id", Int64)])


def clicks(user=USER, **kwargs):
    return FeatureView(
        name="clicks",
        entities=[user],
        schema=[Field("n", Int64), Field("city", String)],
        **kwargs,
    )


def clicks_named(name):
    view = clicks()
    view.name = name
    return view


@pytest.fixture
def store(tmp_path):
    made = FeatureStore(tmp_path / "store")
    made.create_table(clicks())
    return made


def rows(*each):
    users, times, counts = zip(*each, strict=True)
    return pd.DataFrame(
        {"user_id": users, "event_timestamp": times, "n": counts, "city": [None] * len(each)}
    )


def historical(store, *each, **kwargs):
    users, times = zip(*each, strict=True)
    asked = pd.DataFrame({"user_id": users, "event_timestamp": times})
    made = store.get_historical_features(asked, ["clicks:n"], **kwargs).to_arrow()
    return made["n"].to_pylist()


def online(store, *users):
    keys = [{"user_id": user} for user in users]
    return store.get_online_features(["clicks:n"], keys).to_dict()["n"]


def test_a_write_is_seen_at_once_and_after_flush_and_reopening(store):
    report = store.ingest("clicks", rows((1, T0, 10), (1, T0 + HOUR, 11), (2, T0, 20)))
    assert (report.rows, report.online_rows, report.repeated) == (3, 3, False)
    asked = [(1, T0), (1, T0 + 2 * HOUR), (2, T0 - HOUR), (2, T0)]
    for again in (store, FeatureStore(store.repo_path)):
        assert historical(again, *asked) == [10, 11, None, 20]
        assert online(again, 1, 2, 3) == [11, 20, None]
    flushed = store.flush()
    assert [(each.table, each.rows) for each in flushed] == [("clicks", 3)]
    assert store.flush() == []
    assert [each.rows for each in store.snapshots("clicks")] == [3]
    store.push("clicks", rows((1, T0 + HOUR, 12)), to="online_and_offline")
    for again in (store, FeatureStore(store.repo_path)):  # files and log together
        assert historical(again, *asked) == [10, 12, None, 20]
        assert online(again, 1, 2, 3) == [12, 20, None]


def test_many_rows_go_straight_to_files_and_online(store):
    many = pd.DataFrame(
        {
            "user_id": [each % 1000 for each in range(120_000)],
            "event_timestamp": [T0 + timedelta(seconds=each) for each in range(120_000)],
            "n": range(120_000),
            "city": "x",
        }
    )
    report = store.ingest("clicks", many.sample(frac=1, random_state=7))
    assert (report.rows, report.online_rows) == (120_000, 1000)
    assert sum(each.rows for each in store.snapshots("clicks")) == 120_000
    assert online(store, 0, 999) == [119_000, 119_999]
    assert historical(
        store, (5, T0 + timedelta(seconds=1004)), (5, T0 + timedelta(seconds=1005))
    ) == [5, 1005]


def test_a_table_that_nobody_wrote_to_is_read_and_flushed_beside_others(store):
    # The log is trimmed with what others wrote to it, and never had a row of this one.
    store.create_table(FeatureView(name="quiet", schema=[Field("x", Int64)]))
    for count in (1, 2):
        store.ingest("clicks", rows((1, T0, count)))
        assert [each.table for each in store.flush()] == ["clicks"]
        assert store.get_training_features("quiet").to_arrow().num_rows == 0
    for again in (store, FeatureStore(store.repo_path)):
        again.ingest("quiet", [{"event_timestamp": T0, "x": 1}])
        assert historical(again, (1, T0)) == [2]
    assert store.get_training_features("quiet").to_arrow()["x"].to_pylist() == [1, 1]


@pytest.mark.parametrize("flush", [False, True])
def test_of_equal_rows_the_later_write_wins_everywhere(store, flush):
    # Arrival orders equal events; within one batch the order of the rows does.
    store.ingest("clicks", rows((1, T0, 1), (1, T0, 2)))
    if flush:
        store.flush()
    assert historical(store, (1, T0)) == [2]
    assert online(store, 1) == [2]
    store.ingest("clicks", rows((1, T0, 3)))
    if flush:
        store.flush()
    assert historical(store, (1, T0)) == [3]
    assert online(store, 1) == [3]
    late = rows((1, T0 - HOUR, 99))
    store.ingest("clicks", late)
    assert online(store, 1) == [3]


@pytest.mark.parametrize("flush", [False, True])
def test_a_deletion_ends_an_entity_from_its_time_on(store, flush):
    store.ingest("clicks", rows((1, T0, 10), (2, T0, 20)))
    store.delete("clicks", {"user_id": 1}, event_time=T0 + HOUR)
    if flush:
        store.flush()
    assert historical(store, (1, T0), (1, T0 + HOUR), (2, T0 + HOUR)) == [10, None, 20]
    assert online(store, 1, 2) == [None, 20]
    store.ingest("clicks", rows((1, T0 + 2 * HOUR, 12)))
    assert online(store, 1) == [12]


def test_targets(store):
    store.ingest("clicks", rows((1, T0, 1)), to="offline")
    assert (historical(store, (1, T0)), online(store, 1)) == ([1], [None])
    store.ingest("clicks", rows((2, T0, 2)), to="online")
    assert (historical(store, (2, T0)), online(store, 2)) == ([None], [2])
    store.materialize_incremental(datetime.now(UTC))
    assert online(store, 1, 2) == [1, 2]
    store.flush()
    assert historical(store, (2, T0)) == [None]
    ahead = datetime.now(UTC) + timedelta(days=1)
    report = store.ingest("clicks", rows((3, ahead, 3)))
    assert (report.ahead, report.online_rows, online(store, 3)) == (1, 0, [None])
    with pytest.raises(InvalidDataError, match=r"'event_timestamp', row 1: .* ahead of"):
        store.ingest("clicks", rows((4, T0, 4), (3, ahead, 3)), to="online")
    report = store.ingest("clicks", rows((4, T0, 4), (3, ahead, 3)), to="online", on_error="skip")
    assert (report.rows, report.rejected["n"].to_pylist(), online(store, 3, 4)) == (
        1,
        [3],
        [None, 4],
    )


def test_a_bad_row_changes_nothing_or_is_given_back(store):
    bad = pa.table(
        {
            "user_id": pa.array([1, None, 3], pa.int64()),
            "event_timestamp": ["2026-01-01", "2026-01-01", "not a time"],
            "n": [1, 2, 3],
            "city": ["a", "b", "c"],
        }
    )
    with pytest.raises(InvalidDataError, match="column 'user_id', row 1"):
        store.ingest("clicks", bad)
    assert online(store, 1) == [None]
    assert store.ingest("clicks", bad.slice(0, 1), dry_run=True).rows == 1
    assert online(store, 1) == [None]
    report = store.ingest("clicks", bad, on_error="skip")
    assert (report.rows, online(store, 1)) == (1, [1])
    assert report.rejected["n"].to_pylist() == [2, 3]
    errors = report.rejected["error"].to_pylist()
    assert "row 1" in errors[0]
    assert "'not a time'" in errors[1]


@pytest.mark.parametrize(
    ("spoil", "error", "match"),
    [
        (lambda df: df.assign(extra=1), InvalidArgumentError, "no column 'extra'"),
        (lambda df: df.drop(columns="n"), NotFoundError, "no column 'n'"),
        (lambda df: df.assign(write_time=1), InvalidArgumentError, "by Tidemark alone"),
    ],
)
def test_wrong_columns_are_refused(store, spoil, error, match):
    with pytest.raises(error, match=match):
        store.ingest("clicks", spoil(rows((1, T0, 1))))
    assert online(store, 1) == [None]


def test_the_same_batch_within_a_day_changes_nothing(store):
    first = store.ingest("clicks", rows((1, T0, 1)), idempotency_key="batch 1")
    again = FeatureStore(store.repo_path).ingest(
        "clicks", rows((1, T0, 1)), idempotency_key="batch 1"
    )
    assert (first.repeated, again.repeated, again.token) == (False, True, first.token)
    assert store.get_training_features("clicks").to_arrow().num_rows == 1


def test_a_read_can_ask_to_see_a_write(store, tmp_path):
    token = store.ingest("clicks", rows((1, T0, 1))).token
    assert historical(store, (1, T0), at_least=token) == [1]
    store.flush()
    assert historical(store, (1, T0), at_least=token) == [1]
    other = FeatureStore(tmp_path / "other")
    other.create_table(clicks())
    with pytest.raises(NotFoundError, match="is not seen here"):
        historical(other, (1, T0), at_least=token)


def test_time_travel(store):
    store.ingest("clicks", rows((1, T0, 1)))
    store.flush()
    snapshot = store.snapshots("clicks")[-1].id
    between = datetime.now(UTC)
    store.ingest("clicks", rows((1, T0, 2)))
    assert historical(store, (1, T0)) == [2]
    assert historical(store, (1, T0), as_of=between) == [1]
    assert historical(store, (1, T0), as_of=snapshot) == [1]
    store.flush()
    assert historical(store, (1, T0), as_of=between) == [1]


def test_every_version_or_the_latest_of_a_period(store):
    store.ingest("clicks", rows((1, T0, 1), (1, T0 + HOUR, 2), (2, T0, 3)))
    store.flush()
    store.ingest("clicks", rows((1, T0, 4)))

    def read(**kwargs):
        made = store.get_training_features("clicks", features=["n"], **kwargs).to_arrow()
        return list(zip(made["user_id"].to_pylist(), made["n"].to_pylist(), strict=True))

    assert read() == [(1, 1), (1, 4), (1, 2), (2, 3)]
    assert read(date_to=T0) == [(1, 1), (1, 4), (2, 3)]
    assert read(entities={"user_id": [2]}) == [(2, 3)]
    assert read(latest=True) == [(1, 2), (2, 3)]
    assert read(latest=True, date_to=T0, entities={"user_id": [1]}) == [(1, 4)]
    store.delete("clicks", {"user_id": [2]})
    assert read(latest=True) == [(1, 2)]


def test_the_latest_row_of_every_entity_needs_no_entity_rows(store):
    """Goal: files, log and deletions are seen, and what is asked of the read is kept."""
    store.ingest("clicks", rows((1, T0, 1), (2, T0, 2), (3, T0 + HOUR, 3), (4, T0, 4)))
    store.flush()
    between = datetime.now(UTC)
    store.ingest("clicks", rows((1, T0 + HOUR, 11), (5, T0 + 9 * HOUR, 5)))
    store.delete("clicks", {"user_id": 2}, event_time=T0 + HOUR)

    def read(**kwargs):
        made = store.get_historical_features(features=["clicks:n"], **kwargs).to_arrow()
        assert made.column_names[:3] == ["user_id", "event_timestamp", "n"]
        return dict(zip(made["user_id"].to_pylist(), made["n"].to_pylist(), strict=True))

    assert read() == {1: 11, 3: 3, 4: 4, 5: 5}
    assert read(end_date=T0) == {1: 1, 2: 2, 4: 4}
    assert read(start_date=T0 + HOUR) == {1: 11, 3: 3, 5: 5}
    assert read(start_date=T0 + HOUR, end_date=T0 + 2 * HOUR) == {1: 11, 3: 3}
    assert read(as_of=between) == {1: 1, 2: 2, 3: 3, 4: 4}
    assert read(as_of=store.snapshots("clicks")[-1].id) == {1: 1, 2: 2, 3: 3, 4: 4}
    made = store.get_historical_features(features=["clicks:n"], end_date=T0).to_df()
    assert set(made["event_timestamp"]) == {pd.Timestamp(T0)}
    asked = pd.DataFrame({"user_id": [1], "event_timestamp": [T0]})
    with pytest.raises(InvalidArgumentError, match="without entity_df"):
        store.get_historical_features(asked, ["clicks:n"], start_date=T0)
    with pytest.raises(InvalidArgumentError, match="after the end"):
        read(start_date=T0 + HOUR, end_date=T0)


def test_push_sources_reach_their_views(tmp_path):
    store = FeatureStore(tmp_path)
    user = Entity(name="user", join_keys=[Field("user_id", Int64)])
    pushed = PushSource("events")
    first = FeatureView(name="a", entities=[user], schema=[Field("x", Int64)], source=pushed)
    second = FeatureView(name="b", entities=[user], schema=[Field("y", String)], source=pushed)
    store.apply([user, first, second])
    assert store.get_feature_view("a").stream_source == pushed
    both = pd.DataFrame({"user_id": [1], "event_timestamp": [T0], "x": [1], "y": ["one"]})
    assert set(store.push("events", both)) == {"a", "b"}
    found = store.get_online_features(["a:x", "b:y"], [{"user_id": 1}]).to_dict()
    assert (found["x"], found["y"]) == ([1], ["one"])
    with pytest.raises(NotFoundError, match="did you mean"):
        store.push("event", both)


def test_rows_for_a_view_with_a_batch_source_become_a_file_of_its_folder(tmp_path):
    store = FeatureStore(tmp_path)
    user = Entity(name="user", join_keys=[Field("user_id", Int64)])
    folder = FileSource("data/clicks", timestamp_field="at", field_mapping={"N": "n"})
    view = FeatureView(name="clicks", entities=[user], schema=[Field("n", Int64)], source=folder)
    store.apply([user, view])
    first = pd.DataFrame({"user_id": [1], "at": [T0], "n": [5]})
    report = store.ingest("clicks", first)
    assert (report.rows, report.online_rows) == (1, 1)
    assert (historical(store, (1, T0)), online(store, 1)) == ([5], [5])
    (file,) = (tmp_path / "data/clicks").iterdir()
    assert pq.read_schema(file).names == ["user_id", "at", "N"]

    single = FileSource("one.parquet", timestamp_field="at")
    pq.write_table(pa.table({"user_id": [1], "at": [T0], "n": [5]}), tmp_path / "one.parquet")
    store.apply(
        [FeatureView(name="single", entities=[user], schema=[Field("n", Int64)], source=single)]
    )
    with pytest.raises(UnsupportedError, match="make it a folder"):
        store.ingest("single", first)


@pytest.fixture(params=["parquet", "csv"])
def folder_store(request, tmp_path):
    """A store with one view over a folder that has nothing in it yet."""
    store = FeatureStore(tmp_path)
    user = Entity(name="user", join_keys=[Field("user_id", Int64)])
    folder = FileSource("clicks", timestamp_field="event_timestamp", file_format=request.param)
    source = PushSource("events", batch_source=folder)
    fields = [Field("n", Int64), Field("city", String)]
    view = FeatureView(name="clicks", entities=[user], schema=fields, source=source)
    store.create_table(view)
    return store


def files_of(store):
    folder = os.path.join(store.repo_path, "clicks")
    return sorted(os.listdir(folder)) if os.path.exists(folder) else []  # unfinished ones too


def test_a_push_into_a_folder_is_in_the_folder_and_online(folder_store):
    store = folder_store
    store.push("events", rows((9, T0, 90)), to="online_and_offline")
    store.materialize_incremental(datetime.now(UTC))  # the first load writes all there is
    report = store.push("events", rows((1, T0, 10), (1, T0, 11)), to="online_and_offline")["clicks"]
    assert (report.rows, report.online_rows, len(files_of(store))) == (2, 2, 2)
    assert (historical(store, (1, T0)), online(store, 1)) == ([11], [11])
    # A later file is behind an earlier one: of equal rows the later write wins, in both.
    store.push("events", rows((1, T0, 12)), to="online_and_offline")
    assert (historical(store, (1, T0)), online(store, 1)) == ([12], [12])
    (loaded,) = store.materialize_incremental(datetime.now(UTC))
    assert (loaded.rows_written, online(store, 1)) == (0, [12])
    store.push("events", rows((2, T0, 20)), to="online")
    store.push("events", rows((3, T0, 30)), to="offline")
    assert (historical(store, (2, T0), (3, T0)), online(store, 2, 3)) == ([None, 30], [20, None])
    ahead = datetime.now(UTC) + timedelta(days=1)
    report = store.push("events", rows((4, ahead, 40)), to="online_and_offline")["clicks"]
    assert (report.ahead, report.online_rows, online(store, 4)) == (1, 0, [None])
    assert historical(store, (4, ahead)) == [40]
    assert len(files_of(store)) == 5


def test_a_read_of_a_folder_can_ask_to_see_a_write(folder_store, tmp_path):
    store = folder_store
    pushed = store.push("events", rows((1, T0, 1)), to="online_and_offline")["clicks"].token
    online_only = store.push("events", rows((1, T0, 2)), to="online")["clicks"].token
    asked = (["clicks:n"], [{"user_id": 1}])
    for _ in range(2):
        assert historical(store, (1, T0), at_least=pushed) == [1]
        for token in (pushed, online_only):
            found = store.get_online_features(*asked, at_least=token).to_dict()["n"]
            assert found == [2]
        store.flush()  # which trims the log
    with pytest.raises(NotFoundError, match="online only"):
        historical(store, (1, T0), at_least=online_only)
    with pytest.raises(NotFoundError, match="not seen here"):
        historical(store, (1, T0), at_least="log:0123456789abcdef:7")
    with pytest.raises(InvalidArgumentError, match="no token"):
        historical(store, (1, T0), at_least="yesterday")


def test_rows_for_a_folder_are_checked_as_those_of_a_table(folder_store):
    store = folder_store
    bad = pa.table(
        {
            "user_id": pa.array([1, None, 3], pa.int64()),
            "event_timestamp": ["2026-01-01", "2026-01-01", "not a time"],
            "n": [1, 2, 3],
            "city": ["a", "b", "c"],
        }
    )
    with pytest.raises(InvalidDataError, match="column 'user_id', row 1"):
        store.ingest("clicks", bad)
    with pytest.raises(InvalidArgumentError, match="expires_at"):
        store.ingest("clicks", rows((1, T0, 1)).assign(expires_at=T0))
    assert store.ingest("clicks", bad.slice(0, 1), dry_run=True).rows == 1
    assert (files_of(store), online(store, 1)) == ([], [None])
    report = store.ingest("clicks", bad, on_error="skip")
    assert (report.rows, online(store, 1), historical(store, (1, T0))) == (1, [1], [1])
    assert report.rejected["n"].to_pylist() == [2, 3]
    first = store.ingest("clicks", rows((5, T0, 1)), idempotency_key="batch")
    again = store.ingest("clicks", rows((5, T0, 1)), idempotency_key="batch")
    assert (first.repeated, again.repeated, len(files_of(store))) == (False, True, 2)


def test_many_rows_for_a_folder_become_one_file_and_come_online(folder_store):
    store = folder_store
    many = pd.DataFrame(
        {"user_id": range(60_000), "event_timestamp": T0, "n": range(60_000), "city": "x"}
    )
    many.loc[7, "n"] = None
    report = store.ingest("clicks", many.astype({"n": "Int64"}), idempotency_key="all")
    assert (report.rows, report.online_rows, len(files_of(store))) == (60_000, 60_000, 1)
    assert online(store, 7, 59_999) == [None, 59_999]
    assert store.ingest("clicks", many.astype({"n": "Int64"}), idempotency_key="all").repeated
    assert os.listdir(f"{store.repo_path}/.tidemark/loads") == []
    bad = pa.table(
        {
            "user_id": range(60_000),
            "event_timestamp": ["2026-01-01"] * 59_999 + ["never"],
            "n": range(60_000),
            "city": ["x"] * 60_000,
        }
    )
    with pytest.raises(InvalidDataError, match="row 59999"):
        store.ingest("clicks", bad)
    assert len(files_of(store)) == 1
    assert os.listdir(f"{store.repo_path}/.tidemark/loads") == []


FOLDER_WRITER = """
import sys
import pandas as pd
from tidemark import FeatureStore
store = FeatureStore(sys.argv[1])
rows = int(sys.argv[2])
for n in range(1, 100_000):
    users = range(n * rows, n * rows + rows)
    frame = pd.DataFrame({"user_id": users, "event_timestamp": "2026-01-01", "n": n, "city": "x"})
    store.push("events", frame, to="online_and_offline")
    print(n, flush=True)
"""


@pytest.mark.parametrize(("size", "acks"), [(1, 20), (2, 7), (60_000, 1)])
def test_a_killed_writer_leaves_no_row_in_one_place_only(folder_store, size, acks):
    """Acknowledged rows are in the folder once, and online; those on their way in both or none."""
    store = folder_store
    store.push("events", rows((0, T0, 0)), to="online_and_offline")
    store.materialize_incremental(datetime.now(UTC))  # the first load writes all there is

    def count(unfinished):
        return sum(unfinished or not name.endswith(".tmp") for name in files_of(store))

    for unfinished in (True, False):  # killed while a file is written, or when it is there
        seen_before = count(unfinished)
        with subprocess.Popen(
            [sys.executable, "-c", FOLDER_WRITER, store.repo_path, str(size)],
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            for line in child.stdout:
                if int(line) == acks:
                    break
            while count(unfinished) <= seen_before + acks and child.poll() is None:
                pass  # the next write is on its way
            child.kill()
            child.stdout.close()
        again = FeatureStore(store.repo_path)
        made = again.get_training_features("clicks").to_arrow()
        counts = made["user_id"].value_counts()
        times = {each["values"].as_py(): each["counts"].as_py() for each in counts}
        assert set(range(size, (acks + 1) * size)) <= set(times)
        assert max(times.values()) <= 2  # the second writer writes the same users
        users = sorted(times)
        assert online(again, *users) == [user // size for user in users]
        (loaded,) = again.materialize_incremental(datetime.now(UTC))
        assert loaded.rows_written == 0
        assert count(True) == count(False) or size > 50_000  # a long write leaves its remains


def test_create_table_takes_a_view_whose_folder_is_empty_and_no_other(tmp_path):
    store = FeatureStore(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    frame = rows((1, T0, 5)).assign(city="a")
    frame.to_parquet(tmp_path / "full/a.parquet")

    def view(path):
        source = FileSource(path, timestamp_field="event_timestamp")
        return clicks(source=source)

    with pytest.raises(InvalidArgumentError, match="with data"):
        store.create_table(view("full"))
    store.create_table(view("empty"))
    store.ingest("clicks", frame)
    assert (historical(store, (1, T0)), online(store, 1)) == ([5], [5])
    assert len(os.listdir(tmp_path / "empty")) == 1
    with pytest.raises(AlreadyExistsError):
        store.create_table(view("missing"))


SCHEMA = {
    "name": "creditcard_demo",
    "entities": ["id"],
    "schema": [
        {"name": "v1", "type": "float"},
        {"name": "class", "type": "int"},
        {"name": "event_timestamp", "type": "timestamp"},
    ],
}


def test_a_schema_file_makes_a_table_whose_keys_get_their_type_from_the_first_rows(tmp_path):
    store = FeatureStore(tmp_path / "store")
    path = tmp_path / "fs_schema.json"
    path.write_text(json.dumps(SCHEMA))
    view = store.create_table(path)
    assert [each.name for each in view.schema] == ["v1", "class"]
    with pytest.raises(InvalidArgumentError, match="no rows yet"):
        store.get_online_features(["creditcard_demo:v1"], [{"id": "a"}])
    df = pd.DataFrame({"id": ["a"], "v1": [0.5], "class": [1], "event_timestamp": ["2026-01-01"]})
    store.ingest("creditcard_demo", df)
    assert store.get_entity("id").key_types == {"id": String}
    found = store.get_online_features(["creditcard_demo:class"], [{"id": "a"}]).to_dict()
    assert found["class"] == [1]
    with pytest.raises(AlreadyExistsError):
        store.create_table(path)
    with pytest.raises(InvalidArgumentError, match="the schema"):
        store.create_table({"name": "x", "schema": [{"name": "a"}]})
    store.drop_table("creditcard_demo")
    store.create_table(path)
    assert store.get_training_features("creditcard_demo").to_arrow().num_rows == 0


@pytest.mark.parametrize(
    ("times", "unit", "kept"),
    [
        (["2026-01-01T00:00:00Z", "2026-01-01 01:00"], None, "string"),
        ([1767225600.25, 1767229200.0], "s", "float64"),
        ([1767225600000, 1767229200000], "ms", "int64"),
    ],
)
def test_event_times_keep_the_type_that_the_frame_has(tmp_path, times, unit, kept):
    store = FeatureStore(tmp_path)
    frame = pa.table(
        {
            "k": [1, 1],
            "ts": times,
            "nested": [{"a": 1, "b": ["x"]}, {"a": None, "b": []}],
            "m": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int32())),
            "visits": [[{"page": "/", "seconds": [1, 2]}, {"page": None, "seconds": []}], None],
        }
    )
    view = store.create_table_from(
        frame, name="t", entities=["k"], time_column="ts", time_unit=unit
    )
    assert view.table == TableOptions("ts", kept, unit or "s")
    store.ingest("t", frame)
    for _ in range(2):
        made = store.get_training_features("t", entities={"k": [1]}).to_arrow()
        assert made["ts"].to_pylist() == times
        assert made["nested"].to_pylist() == frame["nested"].to_pylist()
        assert made["m"].to_pylist() == frame["m"].to_pylist()
        assert made["visits"].to_pylist() == frame["visits"].to_pylist()
        found = store.get_online_features(["t:nested"], [{"k": 1}]).to_dict()["nested"]
        assert found == [{"a": None, "b": []}]
        store.delete("t", {"k": 2})
        store.flush()


def test_a_table_can_get_fields_and_wider_ones_and_nothing_else(store):
    store.ingest("clicks", rows((1, T0, 1)))
    store.flush()
    store.ingest("clicks", rows((2, T0, 2)))
    view = store.get_feature_view("clicks")
    view.schema += [Field("small", Int32), Field("weight", Float32)]
    store.apply(view)
    assert historical(store, (1, T0), (2, T0)) == [1, 2]
    third = rows((3, T0, 3)).assign(small=7, weight=0.5)
    store.ingest("clicks", third)
    store.flush()
    view.schema[-2:] = [Field("small", Int64), Field("weight", Float64)]
    store.apply(view)
    made = store.get_training_features("clicks", latest=True).to_arrow()
    assert made["small"].to_pylist() == [None, None, 7]
    assert made["weight"].to_pylist() == [None, None, 0.5]
    found = store.get_online_features(
        ["clicks:small", "clicks:weight"], {"user_id": [1, 3]}
    ).to_dict()
    assert (found["small"], found["weight"]) == ([None, 7], [None, 0.5])  # not written again
    store.ingest("clicks", rows((1, T0 + HOUR, 1)).assign(small=2**40, weight=1e300))
    found = store.get_online_features(
        ["clicks:small", "clicks:weight"], {"user_id": [1, 3]}
    ).to_dict()
    assert (found["small"], found["weight"]) == ([2**40, 7], [1e300, 0.5])
    for spoilt in ([Field("n", Int64)], [Field("n", String), *view.schema[1:]]):
        changed = store.get_feature_view("clicks")
        changed.schema = spoilt
        with pytest.raises(InvalidArgumentError, match="keeps rows of its own"):
            store.apply(changed)


def test_a_join_key_can_get_wider_and_not_narrower(tmp_path):
    store = FeatureStore(tmp_path)
    narrow = Entity(name="user", join_keys=[Field("user_id", Int32)])
    wide = Entity(name="user", join_keys=[Field("user_id", Int64)])
    partitions = TableOptions(partitions=("bucket(4, user_id)",))
    store.apply([narrow, clicks(narrow, table=partitions)])
    store.ingest("clicks", rows((1, T0, 1), (2, T0, 2)))
    store.flush()
    store.ingest("clicks", rows((3, T0, 3)))
    store.apply(wide)  # the view's own definition stays as it is
    store.ingest("clicks", rows((2**40, T0, 4), (2, T0, 5)))
    asked = [1, 2, 3, 2**40]
    for _ in ("in files and in the log", "in files alone", "in one file"):
        assert historical(store, *((user, T0) for user in asked)) == [1, 5, 3, 4]
        assert online(store, *asked) == [1, 5, 3, 4]
        assert store.get_training_features("clicks").to_arrow().num_rows == 5
        if not store.flush():
            store.compact(["clicks"])
    with pytest.raises(InvalidArgumentError, match=r"join key 'user_id' \(from int64"):
        store.apply(narrow)
    store.ingest("clicks", rows((2**41, T0, 6)))
    assert online(store, 2**41) == [6]


def test_names_by_convention():
    assert tidemark.table_name("business", "user", "activity", 1) == "business_user_activity_v0001"
    with pytest.raises(InvalidArgumentError):
        tidemark.table_name("a b", "user", "activity", 1)


WRITER = """
import sys
import pandas as pd
from tidemark import FeatureStore
store = FeatureStore(sys.argv[1])
day = "2026-01-01"
for n in range(1, 100_000):
    row = pd.DataFrame({"user_id": [n], "event_timestamp": [day], "n": [n], "city": [None]})
    store.push("clicks", row, to="online_and_offline")
    print(n, flush=True)
"""


def test_what_was_acknowledged_survives_a_killed_writer(store):
    """Each acknowledged row is there once, in both stores; at most one more is, of each writer."""
    most = 0
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, store.repo_path], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            acknowledged = 0
            for line in child.stdout:
                acknowledged = int(line)
                if acknowledged == 20:
                    os.kill(child.pid, signal.SIGKILL)
        counts = store.get_training_features("clicks").to_arrow()["user_id"].value_counts()
        seen = {each["values"].as_py(): each["counts"].as_py() for each in counts}
        assert all(seen[user] >= 1 for user in range(1, acknowledged + 1))
        most = max(most, acknowledged)
        assert max(seen) <= most + 1
        assert online(store, *range(1, most + 1)) == list(range(1, most + 1))
    assert [seen[user] for user in range(1, 21)] == [3] * 20
    store.flush()
    logs = [each for each in os.listdir(f"{store.repo_path}/.tidemark/log") if len(each) == 16]
    assert len(logs) <= 1  # the dead writers' are gone
    again = store.get_training_features("clicks").to_arrow()
    assert again.num_rows == sum(seen.values())


def test_processes_that_write_one_table_lose_nothing(store):
    code = """
import sys
import pandas as pd
from concurrent.futures import ThreadPoolExecutor
from tidemark import FeatureStore
store = FeatureStore(sys.argv[1])
first = int(sys.argv[2])
day = "2026-01-01"
def write(n):
    row = pd.DataFrame({"user_id": [n], "event_timestamp": [day], "n": [n], "city": [None]})
    store.ingest("clicks", row)
    if n % 10 == 0:
        store.flush()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(write, range(first, first + 40)))
"""
    children = [
        subprocess.Popen([sys.executable, "-c", code, store.repo_path, str(first)])
        for first in (0, 1000)
    ]
    assert [child.wait() for child in children] == [0, 0]
    wanted = [*range(40), *range(1000, 1040)]
    assert store.get_training_features("clicks").to_arrow()["user_id"].to_pylist() == wanted
    store.flush()
    assert store.get_training_features("clicks").to_arrow()["user_id"].to_pylist() == wanted
    assert online(store, *wanted) == wanted


def test_a_table_is_read_when_the_log_was_trimmed_for_another(store):
    quiet = FeatureView(name="quiet", entities=["user"], schema=[Field("n", Int64)])
    store.create_table(quiet)
    for number in range(1, 4):
        store.ingest("clicks", rows((1, T0, number)))
        store.push("clicks", rows((1, T0, 10 + number)), to="online")
        store.flush(["clicks"])
        assert store.get_training_features("quiet").to_arrow().num_rows == number - 1
        store.ingest("quiet", rows((1, T0, number)).drop(columns="city"))
    assert [(each.table, each.rows) for each in store.flush()] == [("quiet", 3)]
    assert store.get_training_features("quiet").to_arrow()["n"].to_pylist() == [1, 2, 3]


async def _use(store):
    await store.create_table_async(clicks_named("more"))
    await store.ingest_async("clicks", rows((1, T0, 1)))
    await store.push_async("more", rows((1, T0, 1)), to="online_and_offline")
    await store.delete_async("more", {"user_id": 1}, T0 + HOUR)
    await store.flush_async()
    await store.compact_async()
    await store.expire_snapshots_async()
    assert len(await store.snapshots_async("more")) >= 1
    assert (await store.erase_async("more", {"user_id": 1})).keys == 1
    await store.drop_table_async("more")
    return await store.get_training_features("clicks").to_df_async()


def test_async_twins(store):
    import asyncio

    assert len(asyncio.run(_use(store))) == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("batches", [3, 40])
def test_a_stream_goes_in_and_shows_how_far_it_is(store, monkeypatch, batches):
    of_each = 2_000  # few go through the log, many straight to files
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    made = (
        pa.RecordBatch.from_pydict(
            {
                "user_id": range(number * of_each, (number + 1) * of_each),
                "event_timestamp": [T0] * of_each,
                "n": [number] * of_each,
                "city": ["a"] * of_each,
            }
        )
        for number in range(batches)
    )
    first = next(made)
    stream = pa.RecordBatchReader.from_batches(first.schema, itertools.chain([first], made))
    assert store.ingest(store.get_feature_view("clicks"), stream).rows == batches * of_each
    assert f"{batches * of_each:,}" in terminal.getvalue()
    assert online(store, batches * of_each - 1) == [batches - 1]


def test_polars_and_files_go_in(store, tmp_path):
    frame = pl.from_pandas(rows((1, T0, 1)).assign(city="a"))
    store.ingest("clicks", frame)
    frame.with_columns(n=pl.lit(2)).write_csv(tmp_path / "more.csv")
    store.ingest("clicks", tmp_path / "more.csv")
    assert online(store, 1) == [2]


def test_rows_of_a_table_have_the_join_keys_first_and_go_to_parquet(store, tmp_path):
    frame = rows((1, T0, 10), (2, T0, 20))
    store.create_table_from(
        frame[["n", "event_timestamp", "user_id"]], name="t", entities=["user_id"]
    )
    store.ingest("t", frame[["n", "event_timestamp", "user_id"]])
    found = store.get_training_features("t")
    system = ["api_invocation_time", "write_time", "is_deleted", "expires_at"]
    assert found.to_arrow().column_names == ["user_id", "event_timestamp", "n", *system]
    assert found.to_parquet(tmp_path / "rows.parquet") == 2
    assert pq.read_table(tmp_path / "rows.parquet").equals(found.to_arrow())
    with pytest.raises(IoError, match="cannot be written"):
        found.to_parquet(tmp_path / "absent" / "rows.parquet")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IoError, match="cannot be written"):
        found.to_parquet(tmp_path / "folder")
    assert [each.name for each in tmp_path.glob("*.tmp")] == []


def test_an_online_table_is_said_to_be_kept_by_writes(store):
    store.ingest("clicks", rows((1, T0, 10)))
    assert store.describe("clicks")["online"] == {"kept_by_writes": True}
    store.materialize_incremental(datetime.now(UTC))
    described = store.describe("clicks")["online"]
    assert described["kept_by_writes"]
    assert described["newest_event_timestamp"] == "2026-01-01T00:00:00Z"
