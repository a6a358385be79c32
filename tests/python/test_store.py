"""The main job through the SDK: define, build a training set, load, look up."""

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import json
import os
import signal
import threading
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from tidemark import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource
from tidemark.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    InvalidDataError,
    NotFoundError,
    TidemarkError,
    TypeMismatchError,
)
from tidemark.types import Array, Bool, Bytes, Date, Decimal, Int64, Map, String, Struct, Timestamp

FEATURES = ["driver_stats:rating", "driver_stats:trips", "driver_stats:city"]


def at(hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime(2026, 5, 1, hour, minute, tzinfo=dt.UTC)


EXPECTED = {
    "order": [1, 2, 3, 4, 5, 6],
    "driver_id": [1001, 1002, 1001, 9, 1002, 1001],
    "event_timestamp": [at(9), at(9), at(17), at(9), at(8), at(9)],
    "rating": [4.5, None, None, None, None, 4.5],
    "trips": [12, None, None, None, None, 12],
    "city": ["Oslo", "Ålesund", None, None, None, "Oslo"],
}


# --- Definitions ---


def test_applying_again_changes_nothing(store: FeatureStore) -> None:
    view = store.get_feature_view("driver_stats")
    assert len(store.plan([view])) == 0
    assert str(store.apply([view])) == "no changes"


def test_plan_shows_what_apply_does(store: FeatureStore) -> None:
    view = store.get_feature_view("driver_stats")
    view.ttl = dt.timedelta(hours=7)
    planned = store.plan(view)
    assert [(each.action, each.type, each.name) for each in planned] == [
        ("change", "feature_view", "driver_stats")
    ]
    assert "ttl: 6h -> 7h" in str(planned)
    assert store.get_feature_view("driver_stats").ttl == dt.timedelta(hours=6)
    assert store.apply(view) == planned
    assert store.get_feature_view("driver_stats").ttl == dt.timedelta(hours=7)


def test_registered_objects_come_back(store: FeatureStore) -> None:
    view = store.get_feature_view("driver_stats")
    assert view.owner == "rides@example.com"
    assert [each.name for each in view.schema] == ["rating", "trips", "city"]
    assert [each.name for each in store.list_feature_views({"team": "rides"})] == ["driver_stats"]
    assert store.list_feature_views({"team": "other"}) == []
    assert store.get_entity("driver").key_types == {"driver_id": Int64}
    assert [each.name for each in store.list_feature_services()] == ["model"]


def test_the_printed_spec(store: FeatureStore) -> None:
    printed = json.loads(str(store.get_feature_view("driver_stats")))
    assert printed["spec"]["name"] == "driver_stats"
    assert printed["spec"]["entities"] == [{"name": "driver_id", "valueType": "INT64"}]
    assert printed["spec"]["maxAge"] == "21600s"
    assert printed["meta"]["createdTimestamp"].endswith("Z")


def test_the_schema_is_read_from_the_source(folder: Path) -> None:
    store = FeatureStore(folder)
    view = FeatureView(
        name="stats",
        entities=[Entity(name="driver", join_keys=["driver_id"])],
        source=FileSource("stats.parquet", timestamp_field="event_timestamp"),
    )
    store.apply(view)
    fields = {each.name: str(each.dtype) for each in store.get_feature_view("stats").schema}
    assert fields["trips"] == "int64"
    assert fields["city"] == "string"
    assert "driver_id" not in fields


def test_removing(store: FeatureStore) -> None:
    store.delete_feature_service("model")
    assert store.list_feature_services() == []
    store.apply([], objects_to_delete=[store.get_feature_view("driver_stats")])
    assert store.list_feature_views() == []
    store.apply([Entity(name="other", join_keys={"id": Int64})], partial=False)
    assert [each.name for each in store.list_entities()] == ["other"]
    store.teardown()
    assert store.list_entities() == []


def test_definitions_from_files(folder: Path) -> None:
    (folder / "features.yaml").write_text(
        "entities:\n"
        "  - {name: driver, join_keys: [{name: driver_id, type: int64}]}\n"
        "feature_views:\n"
        "  - name: stats\n"
        "    entities: [driver]\n"
        "    fields: {rating: float64}\n"
        "    source: {type: file, path: stats.parquet, timestamp_field: event_timestamp}\n"
    )
    (folder / "services_of_test.py").write_text(
        "from tidemark import FeatureService\n"
        "ratings = FeatureService(name='ratings', features=['stats:rating'])\n"
    )
    store = FeatureStore(folder)
    store.apply(folder)
    assert [each.name for each in store.list_feature_services()] == ["ratings"]
    assert [each.name for each in store.list_feature_views()] == ["stats"]


@pytest.mark.parametrize("name", ["../x", "a b", "x'", 'x"', "p\u0430ypal", "n" * 129, "", "__x"])
def test_names_outside_of_the_pattern(store: FeatureStore, name: str) -> None:
    before = store.list_entities()
    with pytest.raises(InvalidArgumentError):
        store.apply(Entity(name=name, join_keys=["id"], value_type=Int64))
    assert store.list_entities() == before


def test_duplicate_names_differ_more_than_in_case(store: FeatureStore) -> None:
    with pytest.raises(TidemarkError, match=r"(?i)driver"):
        store.apply(Entity(name="DRIVER", join_keys=["id"], value_type=Int64))


def test_unknown_names_suggest_near_ones(store: FeatureStore) -> None:
    with pytest.raises(NotFoundError, match="driver_stats"):
        store.get_feature_view("driver_stat")
    with pytest.raises(NotFoundError, match="driver_stat"):
        store.describe("driver_stat")


def test_opening_without_making(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        FeatureStore(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


# --- Training sets ---


def as_rows(table: pa.Table, kind: str, folder: Path) -> Any:
    if kind == "pandas":
        return table.to_pandas()
    if kind == "polars":
        return pl.from_arrow(table)
    if kind == "batch":
        return table.to_batches()[0]
    if kind == "reader":
        return table.to_reader(max_chunksize=2)
    if kind == "parquet":
        pq.write_table(table, folder / "rows.parquet")
        return folder / "rows.parquet"
    if kind == "csv":
        pa_csv.write_csv(table, folder / "rows.csv")
        return str(folder / "rows.csv")
    return table


KINDS = ["arrow", "pandas", "polars", "batch", "reader", "parquet", "csv"]


@pytest.mark.parametrize("kind", KINDS)
def test_entity_rows_of_every_kind(
    store: FeatureStore, entity_rows: pa.Table, folder: Path, kind: str
) -> None:
    rows = as_rows(entity_rows, kind, folder)
    made = store.get_historical_features(rows, FEATURES).to_arrow()
    assert made.column_names == list(EXPECTED)
    for name, values in EXPECTED.items():
        assert made[name].to_pylist() == values, name


def test_results_of_every_kind(store: FeatureStore, entity_rows: pa.Table, tmp_path: Path) -> None:
    job = store.get_historical_features(entity_rows, FEATURES)
    frame = job.to_df()
    assert str(frame["trips"].dtype) == "Int64"
    assert frame["trips"].tolist()[0] == 12
    assert job.to_polars().to_dict(as_series=False) == EXPECTED
    assert job.to_arrow_stream().read_all().to_pydict() == EXPECTED
    assert pa.table(job).to_pydict() == EXPECTED
    assert sum(batch.num_rows for batch in job) == 6
    report = job.to_parquet(tmp_path / "training.parquet")
    assert report.rows == 6
    assert job.report == report
    assert pq.read_table(tmp_path / "training.parquet").to_pydict() == EXPECTED
    job.to_csv(tmp_path / "training.csv")
    assert pa_csv.read_csv(tmp_path / "training.csv").num_rows == 6
    with pytest.raises(InvalidArgumentError, match="must end in"):
        job.to_parquet(tmp_path / "training.csv")


def test_statuses(store: FeatureStore, entity_rows: pa.Table) -> None:
    made = store.get_historical_features(entity_rows, FEATURES[:2], include_status=True).to_arrow()
    assert made.column_names[3:] == ["rating", "rating__status", "trips", "trips__status"]
    assert made["trips__status"].to_pylist() == [
        "PRESENT",
        "NULL_VALUE",
        "OUTSIDE_MAX_AGE",
        "NOT_FOUND",
        "NOT_FOUND",
        "PRESENT",
    ]


def test_services_views_and_full_names(store: FeatureStore, entity_rows: pa.Table) -> None:
    by_name = store.get_historical_features(entity_rows, "model").to_arrow()
    by_object = store.get_historical_features(
        entity_rows, store.get_feature_service("model")
    ).to_arrow()
    assert by_name.equals(by_object)
    view = store.get_feature_view("driver_stats")
    full = store.get_historical_features(entity_rows, [view[["city"]]], full_feature_names=True)
    assert full.to_arrow().column_names[3:] == ["driver_stats__city"]


def test_one_view_twice_by_different_columns(store: FeatureStore) -> None:
    view = store.get_feature_view("driver_stats")
    rows = {"first": [1001], "second": [1002], "event_timestamp": [at(11)]}
    made = store.get_historical_features(
        rows,
        [
            view[["city"]].with_name("a").with_join_key_map({"driver_id": "first"}),
            view[["city"]].with_name("b").with_join_key_map({"driver_id": "second"}),
        ],
        full_feature_names=True,
    ).to_arrow()
    assert made["a__city"].to_pylist() == ["Bergen"]
    assert made["b__city"].to_pylist() == [None]


def test_known_by(store: FeatureStore) -> None:
    rows = {"driver_id": [1001], "event_timestamp": [at(11)]}
    late = store.get_historical_features(rows, ["driver_stats:rating"])
    assert late.to_arrow()["rating"].to_pylist() == [4.7]
    for known_by in ("event", at(11), "2026-05-01T11:00:00Z"):
        known = store.get_historical_features(rows, ["driver_stats:rating"], known_by=known_by)
        assert known.to_arrow()["rating"].to_pylist() == [4.5]


def test_a_named_timestamp_column_of_any_unit(store: FeatureStore) -> None:
    rows = pa.table(
        {
            "driver_id": pa.array([1001], pa.int32()),
            "when": pa.array([dt.datetime(2026, 5, 1, 9)], pa.timestamp("s")),
        }
    )
    made = store.get_historical_features(rows, ["driver_stats:trips"], event_timestamp="when")
    assert made.to_arrow().schema.field("when").type == pa.timestamp("s")
    assert made.to_arrow()["trips"].to_pylist() == [12]


def test_finer_timestamps_are_cut_with_one_warning(store: FeatureStore) -> None:
    times = pa.array([at(9), at(10)], pa.timestamp("ns", tz="UTC")).cast(pa.int64())
    finer = pa.compute.add(times, 1).cast(pa.timestamp("ns", tz="UTC"))
    rows = pa.table({"driver_id": [1001, 1001], "event_timestamp": finer})
    job = store.get_historical_features(rows, ["driver_stats:trips"])
    with pytest.warns(UserWarning, match="cut") as seen:
        job.to_arrow()
    assert len(seen) == 1


def test_a_stream_is_read_once(store: FeatureStore, entity_rows: pa.Table) -> None:
    job = store.get_historical_features(entity_rows.to_reader(), FEATURES)
    assert job.to_arrow().num_rows == 6
    with pytest.raises(InvalidArgumentError, match="read already"):
        job.to_arrow()


def test_no_rows(store: FeatureStore, entity_rows: pa.Table) -> None:
    made = store.get_historical_features(entity_rows.slice(0, 0), FEATURES).to_arrow()
    assert made.num_rows == 0
    assert made.column_names == list(EXPECTED)


@pytest.mark.parametrize(
    ("rows", "features", "error", "text"),
    [
        ({}, ["driver_stat:rating"], NotFoundError, "driver_stats"),
        ({}, ["driver_stats:ratin"], NotFoundError, "rating"),
        ({}, [], InvalidArgumentError, "empty"),
        ({}, "driver_stats:rating", InvalidArgumentError, "a list"),
        ({}, [5], InvalidArgumentError, "5"),
        ({"driver_id": None}, FEATURES, InvalidDataError, "driver_id"),
        ({"driver_id": 1.5}, FEATURES, TypeMismatchError, "driver_id"),
        ({"event_timestamp": None}, FEATURES, InvalidDataError, "event_timestamp"),
        ({"event_timestamp": "soon"}, FEATURES, InvalidDataError, "soon"),
    ],
)
def test_bad_requests(
    store: FeatureStore,
    rows: dict[str, Any],
    features: Any,
    error: type[Exception],
    text: str,
) -> None:
    good = {"driver_id": 1001, "event_timestamp": at(9)}
    table = pa.Table.from_pylist([good | rows])
    with pytest.raises(error, match=text):
        store.get_historical_features(table, features).to_arrow()


def test_two_features_of_one_name(store: FeatureStore, entity_rows: pa.Table) -> None:
    view = store.get_feature_view("driver_stats")
    both = [view[["city"]], view[["city"]].with_name("again")]
    with pytest.raises(TidemarkError, match=r"driver_stats:city.*again:city"):
        store.get_historical_features(entity_rows, both).to_arrow()


# --- Online ---


@pytest.fixture
def loaded(folder: Path) -> FeatureStore:
    """The store with sources whose rows are fresh now, and loaded."""
    table = pq.read_table(folder / "stats.parquet")
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    shift = now - at(12)
    for name in ("event_timestamp", "created"):
        moved = [value + shift for value in table[name].to_pylist()]
        at_index = table.schema.get_field_index(name)
        table = table.set_column(at_index, name, pa.array(moved, table.schema.field(name).type))
    pq.write_table(table, folder / "stats.parquet")
    store = FeatureStore(folder)
    from_conftest = FeatureView(
        name="driver_stats",
        entities=[Entity(name="driver", join_keys={"driver_id": Int64})],
        ttl="3h",
        source=FileSource("stats.parquet", timestamp_field="event_timestamp"),
    )
    store.apply([from_conftest, FeatureService(name="model", features=["driver_stats:trips"])])
    store.materialize_incremental(dt.datetime.now(dt.UTC))
    return store


def test_lookups(loaded: FeatureStore) -> None:
    rows = [{"driver_id": 1002}, {"driver_id": 1001}, {"driver_id": 5}]
    answer = loaded.get_online_features(FEATURES, rows)
    assert answer.to_dict(include_status=True) == {
        "driver_id": [1002, 1001, 5],
        "rating": [3.5, 4.7, None],
        "rating__status": ["PRESENT", "PRESENT", "NOT_FOUND"],
        "trips": [2**53 + 1, 15, None],
        "trips__status": ["PRESENT", "PRESENT", "NOT_FOUND"],
        "city": [None, "Bergen", None],
        "city__status": ["NULL_VALUE", "PRESENT", "NOT_FOUND"],
    }
    assert answer.statuses["city"] == ["NULL_VALUE", "PRESENT", "NOT_FOUND"]
    assert len(answer) == 3
    times = answer.to_dict(include_event_timestamps=True)["trips__event_timestamp"]
    assert times[0] - times[1] == dt.timedelta(hours=1)
    assert times[2] is None


def test_online_forms(loaded: FeatureStore) -> None:
    answer = loaded.get_online_features(FEATURES, {"driver_id": [1002, 5]})
    assert answer.to_arrow().schema.field("driver_id").type == pa.int64()
    assert answer.to_arrow()["trips"].to_pylist() == [2**53 + 1, None]
    assert str(answer.to_df()["trips"].dtype) == "Int64"
    assert answer.to_polars()["trips"].to_list() == [2**53 + 1, None]
    assert answer.to_dict() == answer.to_arrow().to_pydict()


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "tuple"])
def test_online_keys_of_every_kind(loaded: FeatureStore, kind: str) -> None:
    table = pa.table({"driver_id": pa.array([1001, 1002], pa.int32())})
    rows = {
        "pandas": table.to_pandas(),
        "polars": pl.from_arrow(table),
        "arrow": table,
        "tuple": ({"driver_id": 1001}, {"driver_id": 1002}),
    }[kind]
    answer = loaded.get_online_features("model", rows)
    assert answer.to_dict() == {"driver_id": [1001, 1002], "trips": [15, 2**53 + 1]}


def test_numpy_keys(loaded: FeatureStore) -> None:
    keys = pd.Series([1001]).to_numpy()
    assert loaded.get_online_features("model", {"driver_id": keys}).to_dict()["trips"] == [15]
    assert loaded.get_online_features("model", [{"driver_id": keys[0]}]).to_dict() == {
        "driver_id": [1001],
        "trips": [15],
    }


@pytest.mark.parametrize(
    ("rows", "error", "text"),
    [
        ([{"driver_id": "1001"}], TypeMismatchError, "entity row 0.*driver_id.*int64.*'1001'"),
        ([{"driver_id": 1}, {"driver_id": None}], InvalidDataError, "entity row 1.*driver_id"),
        ([{"driver_id": 1.0}], TypeMismatchError, "float"),
        ([{"driver_id": True}], TypeMismatchError, "bool"),
        ([{"driver_id": 2**63}], TypeMismatchError, "driver_id"),
        ([{"driver": 1}], NotFoundError, "no join key driver_id; there is: driver"),
        ([5], InvalidArgumentError, "entity row 0"),
        ({"driver_id": [1], "x": [1, 2]}, InvalidArgumentError, "column x.* 2 values"),
        ({"driver_id": "1001"}, InvalidArgumentError, "driver_id"),
        ({}, NotFoundError, "driver_id"),
    ],
)
def test_bad_entity_rows(
    loaded: FeatureStore, rows: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        loaded.get_online_features(FEATURES, rows)


def test_prepared_lookups_follow_definitions(loaded: FeatureStore) -> None:
    rows = [{"driver_id": 1001}]
    assert loaded.get_online_features("model", rows).to_dict()["trips"] == [15]
    loaded.apply(FeatureService(name="model", features=["driver_stats:city"]))
    assert loaded.get_online_features("model", rows).to_dict()["city"] == ["Bergen"]


def test_write_to_online_store(loaded: FeatureStore) -> None:
    now = dt.datetime.now(dt.UTC)
    row = {"driver_id": [1001], "rating": [1.0], "trips": [1], "city": ["Oslo"]}
    row["created"] = [now]
    older = row | {"event_timestamp": [now - dt.timedelta(hours=9)]}
    report = loaded.write_to_online_store("driver_stats", older)
    assert (report.written, report.kept) == (0, 1)
    newer = row | {"event_timestamp": [now]}
    report = loaded.write_to_online_store("driver_stats", pd.DataFrame(newer))
    assert (report.written, report.kept) == (1, 0)
    assert loaded.get_online_features("model", [{"driver_id": 1001}]).to_dict()["trips"] == [1]


def test_a_second_load_writes_only_what_is_new(loaded: FeatureStore) -> None:
    end = dt.datetime.now(dt.UTC)
    again = loaded.materialize_incremental(end)
    assert [(each.view, each.rows_written) for each in again] == [("driver_stats", 0)]
    described = loaded.describe("driver_stats")["online"]
    assert described["loaded_at"].endswith("Z")
    assert loaded.materialize_incremental(end, feature_views=[]) == []
    assert loaded.online_stats()["rows"] == 2


def test_load_of_a_range(store: FeatureStore) -> None:
    (report,) = store.materialize(at(8), at(9), ["driver_stats"])
    assert report.view == "driver_stats"
    with pytest.raises(InvalidArgumentError):
        store.materialize(at(9), at(8))
    with pytest.raises(NotFoundError):
        store.materialize(at(8), at(9), ["none"])
    with pytest.raises(InvalidArgumentError, match="a list"):
        store.materialize(at(8), at(9), "driver_stats")


def test_explain(store: FeatureStore) -> None:
    explained = store.explain("driver_stats:rating", {"driver_id": 1001}, at(9))
    assert explained["status"] == "PRESENT"
    assert explained["value"] == 4.5
    assert explained["row"]["file"].endswith("stats.parquet")
    stale = store.explain("driver_stats:rating", {"driver_id": 1001}, "2026-05-02")
    assert stale["status"] == "OUTSIDE_MAX_AGE"


# --- Types ---


EXOTIC = {
    "flag": (Bool, True),
    "blob": (Bytes, b"\x00\xff"),
    "day": (Date, dt.date(1969, 12, 31)),
    "price": (Decimal(10, 2), decimal.Decimal("-0.05")),
    "seen": (Timestamp, dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC)),
    "names": (Array(String), ["a", None]),
    "place": (Struct({"zip": Int64, "tags": Array(Int64)}), {"zip": 2**53 + 1, "tags": [1, None]}),
    "counts": (Map(String, Int64), {"x": 1, "y": None}),
}


def test_every_type_offline_and_online(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    columns: dict[str, pa.Array] = {
        "who": pa.array(["ø", "b"]),
        "since": pa.array([now, now], pa.timestamp("us", tz="UTC")),
        "event_timestamp": pa.array([now, now], pa.timestamp("us", tz="UTC")),
    }
    for name, (dtype, value) in EXOTIC.items():
        stored = list(value.items()) if name == "counts" else value
        columns[name] = pa.array([stored, None], dtype.to_pyarrow())
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    store = FeatureStore(tmp_path)
    entity = Entity(name="pair", join_keys={"who": String, "since": Timestamp})
    view = FeatureView(
        name="all",
        entities=[entity],
        schema=[Field(name, dtype) for name, (dtype, _) in EXOTIC.items()],
        source=FileSource("rows.parquet", timestamp_field="event_timestamp"),
    )
    store.apply(view)
    store.materialize_incremental(dt.datetime.now(dt.UTC))
    keys = [{"who": "ø", "since": now}, {"who": "b", "since": now}, {"who": "c", "since": now}]
    answer = store.get_online_features(["all"], keys)
    online = answer.to_dict()
    for name, (_, value) in EXOTIC.items():
        assert online[name] == [value, None, None], name
    rows = pa.Table.from_pylist([key | {"event_timestamp": now} for key in keys])
    offline = store.get_historical_features(rows, ["all"]).to_arrow()
    for name, (dtype, _) in EXOTIC.items():
        assert offline.schema.field(name).type == dtype.to_pyarrow(), name
        assert offline[name].to_pylist(maps_as_pydicts="strict") == online[name], name
        assert answer.to_arrow()[name].to_pylist(maps_as_pydicts="strict") == online[name], name


def test_a_view_without_entities(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    pq.write_table(pa.table({"t": [now], "rate": [11.5]}), tmp_path / "rates.parquet")
    store = FeatureStore(tmp_path)
    store.apply(FeatureView(name="rates", source=FileSource("rates.parquet", timestamp_field="t")))
    store.materialize_incremental(dt.datetime.now(dt.UTC))
    assert store.get_online_features(["rates:rate"], [{}, {}]).to_dict() == {"rate": [11.5, 11.5]}
    rows = {"event_timestamp": [now, now - dt.timedelta(days=1)]}
    made = store.get_historical_features(rows, ["rates:rate"]).to_arrow()
    assert made["rate"].to_pylist() == [11.5, None]


# --- Async and interrupts ---


def test_async_forms(loaded: FeatureStore, entity_rows: pa.Table) -> None:
    async def use() -> tuple[dict[str, list[Any]], pa.Table]:
        answer = await loaded.get_online_features_async("model", [{"driver_id": 1001}])
        job = await loaded.get_historical_features_async(entity_rows, "model")
        return answer.to_dict(), await job.to_arrow_async()

    answer, table = asyncio.run(use())
    assert answer["trips"] == [15]
    assert table.num_rows == 6


class Interrupting:
    """Entity rows that interrupt their reader and never end."""

    def __init__(self, table: pa.Table) -> None:
        self.given = 0
        self.reader = pa.RecordBatchReader.from_batches(table.schema, self.batches(table))

    def batches(self, table: pa.Table) -> Any:
        while self.given < 100_000:
            self.given += 1
            if self.given == 5:
                os.kill(os.getpid(), signal.SIGINT)
            yield from table.to_batches()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.reader.__arrow_c_stream__(requested_schema)


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals need the main thread"
)
def test_ctrl_c_ends_a_long_call(store: FeatureStore, entity_rows: pa.Table) -> None:
    job = store.get_historical_features(Interrupting(entity_rows), FEATURES)
    with pytest.raises(KeyboardInterrupt):
        job.to_arrow()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.get_historical_features(entity_rows, FEATURES).to_arrow().num_rows == 6


def test_existing_things_are_told(store: FeatureStore) -> None:
    clash = FeatureService(name="clash", features=["driver_stats:city", "driver_stats:city"])
    with pytest.raises((AlreadyExistsError, InvalidArgumentError), match="city"):
        store.apply(clash)
