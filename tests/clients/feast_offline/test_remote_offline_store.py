"""Feast's own client, with a remote offline store, against our Flight port.

Goal: a Feast repository gets its training sets from Tidemark and writes rows to it by changing
`offline_store` in feature_store.yaml; values are those of the embedded store.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    RepoConfig,
    ValueType,
)
from feast.errors import (
    DataSourceObjectNotFoundException,
    FeastError,
    FeatureViewNotFoundException,
)
from feast.infra.offline_stores.remote import RemoteOfflineStore
from feast.types import Float32, Float64, Int64, String
from program import ROOT
from server_process import ServerProcess, create_key

FLIGHT = re.compile(r"tidemark serves Arrow Flight on grpc://\S+:(\d+)")
FEATURES = [
    "driver_stats:rating",
    "driver_stats:trips",
    "clicks:n",
    "driver_stats:city",
    "clicks:score",
]
T0 = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def embedded(call: str, folder: Path, **request: Any) -> str:
    done = subprocess.run(
        [
            ROOT / ".venv/bin/python",
            Path(__file__).with_name("embedded.py"),
            call,
            folder,
            json.dumps(request),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "python/src")},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("feast") / "store"
    embedded("make", made)
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    with ServerProcess(folder, "--flight-port", "0") as running:
        yield running


def feast_store(server: ServerProcess, folder: Path, apply: bool = True) -> FeatureStore:
    """A Feast repository, its registry in a file of its own, its offline store ours."""
    flight = server.wait_for_line(FLIGHT)
    assert flight is not None
    store = FeatureStore(
        config=RepoConfig(
            project="default",
            provider="local",
            registry=str(folder / "registry.db"),
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            offline_store={"type": "remote", "host": "127.0.0.1", "port": int(flight[1])},
            entity_key_serialization_version=3,
        )
    )
    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    stats = FeatureView(
        name="driver_stats",
        entities=[driver],
        schema=[
            Field(name="driver_id", dtype=Int64),
            Field(name="rating", dtype=Float64),
            Field(name="trips", dtype=Int64),
            Field(name="city", dtype=String),
        ],
        ttl=dt.timedelta(0),
        source=FileSource(
            name="stats_file",
            path="elsewhere/stats.parquet",  # the server knows where it is
            timestamp_field="event_timestamp",
            created_timestamp_column="created",
        ),
    )
    clicks = FeatureView(
        name="clicks",
        entities=[driver],
        schema=[
            Field(name="driver_id", dtype=Int64),
            Field(name="n", dtype=Int64),
            Field(name="score", dtype=Float32),
            Field(name="page", dtype=String),
        ],
        ttl=6 * HOUR,
        source=FileSource(
            name="clicks", path="elsewhere/clicks.parquet", timestamp_field="event_timestamp"
        ),
    )
    service = FeatureService(
        name="model", features=[stats[["rating"]].with_name("rated"), clicks[["n"]]]
    )
    if apply:
        store.apply([driver, stats, clicks, service])
    return store


@pytest.fixture(scope="module")
def store(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return feast_store(server, tmp_path_factory.mktemp("repository"))


def entity_frame(count: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(9)
    return pd.DataFrame(
        {
            "driver_id": rng.integers(1000, 1007, count),
            "event_timestamp": pd.to_datetime(
                [T0 + HOUR * float(h) for h in rng.uniform(-3, 110, count)], utc=True
            ),
            "label": [f"row {i}" for i in range(count)],
        }
    )


def expected(folder: Path, tmp_path: Path, frame: pd.DataFrame, **request: Any) -> pa.Table:
    entities, out = tmp_path / "entities.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), entities)
    embedded("historical", folder, entities=str(entities), out=str(out), **request)
    return pq.read_table(out)


def same(got: pa.Table, wanted: pa.Table) -> None:
    assert set(got.column_names) == set(wanted.column_names)
    for name in wanted.column_names:
        assert got[name].to_pylist() == wanted[name].to_pylist(), name


@pytest.mark.parametrize("full", [False, True])
def test_training_sets_are_those_of_the_embedded_store(
    store: FeatureStore, folder: Path, tmp_path: Path, full: bool
) -> None:
    frame = entity_frame()
    job = store.get_historical_features(frame, FEATURES, full_feature_names=full)
    wanted = expected(folder, tmp_path, frame, features=FEATURES, full=full)
    same(job.to_arrow(), wanted)
    n = "clicks__n" if full else "n"
    assert 0 < wanted[n].null_count < len(frame)  # ttl, and drivers that nobody knows
    assert len(job.to_df()) == len(frame)


def test_a_service_with_an_alias(store: FeatureStore, folder: Path, tmp_path: Path) -> None:
    frame = entity_frame(50)
    service = store.get_feature_service("model")
    got = store.get_historical_features(frame, service, full_feature_names=True).to_arrow()
    assert {"rated__rating", "clicks__n"} < set(got.column_names)
    same(got, expected(folder, tmp_path, frame, service="model", full=True))


def test_the_index_of_a_frame_is_no_column(store: FeatureStore) -> None:
    frame = entity_frame(20)
    odd = frame[frame.index % 2 == 1]
    got = store.get_historical_features(odd, ["driver_stats:rating"]).to_arrow()
    assert got.column_names == ["driver_id", "event_timestamp", "label", "rating"]
    assert got["label"].to_pylist() == odd["label"].to_list()


def test_entity_rows_by_query_and_by_range(store: FeatureStore) -> None:
    query = "SELECT driver_id, event_timestamp FROM clicks WHERE n IN (8, 9, 200) ORDER BY n"
    got = store.get_historical_features(query, ["clicks:n", "clicks:page"]).to_arrow()
    assert got.select(["driver_id", "n", "page"]).to_pylist() == [
        {"driver_id": 1001, "n": 8, "page": "page 8"},
        {"driver_id": 1002, "n": 9, "page": None},
        {"driver_id": 1001, "n": 200, "page": "page 200"},
    ]
    with pytest.raises(FeastError, match="nowhere"):
        store.get_historical_features("SELECT * FROM nowhere", ["clicks:n"]).to_arrow()
    ranged = store.get_historical_features(
        features=["clicks:n"], start_date=T0, end_date=T0 + 2 * HOUR
    ).to_arrow()
    assert sorted(zip(ranged["driver_id"].to_pylist(), ranged["n"].to_pylist(), strict=True)) == [
        (1001, 4),
        (1002, 5),
        (1003, 6),
        (1004, 3),
    ]


def test_rows_are_written(store: FeatureStore, folder: Path) -> None:
    late = T0 + 500 * HOUR
    frame = pd.DataFrame(
        {
            "driver_id": [1001, 4004],
            "event_timestamp": pd.to_datetime([late, late], utc=True),
            "n": [70_001, 70_002],
            "score": np.array([0.5, 1.5], np.float32),
            "page": ["written", "by feast"],
        }
    )
    store.write_to_offline_store("clicks", frame)
    asked = pd.DataFrame(
        {"driver_id": [4004, 1001], "event_timestamp": pd.to_datetime([late, late], utc=True)}
    )
    got = store.get_historical_features(asked, ["clicks:n", "clicks:page"]).to_df()
    assert got[["n", "page"]].values.tolist() == [[70_002, "by feast"], [70_001, "written"]]
    # Offline only: what is online stays as it is.
    online = json.loads(
        embedded("online", folder, features=["clicks:n"], keys=[{"driver_id": 4004}])
    )
    assert online["n"] == [None]
    before = len(
        store.get_historical_features("SELECT * FROM clicks", ["driver_stats:rating"]).to_df()
    )
    bad = pa.Table.from_pandas(frame.assign(n=["1", "two"]))
    with pytest.raises(FeastError, match=r"'n': string cannot become int64"):
        store._get_provider().ingest_df_to_offline_store(store.get_feature_view("clicks"), bad)
    after = len(
        store.get_historical_features("SELECT * FROM clicks", ["driver_stats:rating"]).to_df()
    )
    assert after == before


def pull(
    store: FeatureStore, api: str, view: str, start: dt.datetime, end: dt.datetime
) -> pa.Table:
    defined = store.get_feature_view(view)
    call = getattr(RemoteOfflineStore, api)
    return call(
        config=store.config,
        data_source=defined.batch_source,
        join_key_columns=["driver_id"],
        feature_name_columns=[field.name for field in defined.features],
        timestamp_field="event_timestamp",
        created_timestamp_column=defined.batch_source.created_timestamp_column or None,
        start_date=start,
        end_date=end,
    ).to_arrow()


@pytest.mark.parametrize("view", ["driver_stats", "clicks"])
def test_rows_of_a_source(store: FeatureStore, view: str) -> None:
    start, end = T0 + 10 * HOUR, T0 + 20 * HOUR
    every = pull(store, "pull_all_from_table_or_query", view, start, end).to_pylist()
    assert {row["event_timestamp"] for row in every} <= {start + i * HOUR / 3 for i in range(31)}
    assert len(every) == {"driver_stats": 33, "clicks": 31}[view]
    latest = pull(store, "pull_latest_from_table_or_query", view, start, end).to_pylist()
    order = ["event_timestamp", "created"] if view == "driver_stats" else ["event_timestamp"]
    best: dict[int, tuple[Any, ...]] = {}
    for row in every:
        best[row["driver_id"]] = max(
            best.get(row["driver_id"], ()), tuple(row[name] for name in order)
        )
    assert {row["driver_id"]: tuple(row[name] for name in order) for row in latest} == best
    assert len(latest) == len(best)
    empty = pull(store, "pull_latest_from_table_or_query", view, T0 - 9 * HOUR, T0 - HOUR)
    assert empty.num_rows == 0


def test_columns_of_a_source(store: FeatureStore) -> None:
    provider = store._get_provider()
    found = provider.get_table_column_names_and_types_from_data_source(
        store.config, store.get_feature_view("clicks").batch_source
    )
    assert dict(found) == {
        "driver_id": "int64",
        "event_timestamp": "timestamp[us, tz=UTC]",
        "n": "int64",
        "score": "float",
        "page": "string",
    }
    RemoteOfflineStore().validate_data_source(
        store.config, store.get_feature_view("clicks").batch_source
    )


def test_errors_are_feasts(store: FeatureStore, tmp_path: Path) -> None:
    nobodys = FileSource(name="nobodys", path="x.parquet", timestamp_field="event_timestamp")
    with pytest.raises(DataSourceObjectNotFoundException, match="nobodys"):
        RemoteOfflineStore().validate_data_source(store.config, nobodys)
    with pytest.raises(DataSourceObjectNotFoundException):
        store._get_provider().get_table_column_names_and_types_from_data_source(
            store.config, nobodys
        )
    unknown = FeatureView(
        name="unknown",
        entities=[store.get_entity("driver")],
        schema=[Field(name="driver_id", dtype=Int64), Field(name="n", dtype=Int64)],
        source=nobodys,
    )
    registry = store.registry
    for upload in (entity_frame(3), entity_frame(200_000)):  # also while it is still sending
        job = RemoteOfflineStore.get_historical_features(
            store.config, [unknown], ["unknown:n"], upload, registry, "default"
        )
        with pytest.raises(FeatureViewNotFoundException, match="unknown"):
            job.to_arrow()
    frame = entity_frame(3)
    with pytest.raises(FeatureViewNotFoundException):
        RemoteOfflineStore.offline_write_batch(
            store.config, unknown, pa.Table.from_pandas(frame), None
        )
    with pytest.raises(FeastError, match="driver_id"):
        store.get_historical_features(frame.drop(columns=["driver_id"]), ["clicks:n"]).to_arrow()
    clicks = store.get_feature_view("clicks")
    with pytest.raises(FeastError, match="reference"):
        RemoteOfflineStore.get_historical_features(
            store.config, [clicks], ["clicks"], frame, registry, "default"
        ).to_arrow()


def test_a_key_is_asked_for(tmp_path: Path) -> None:
    """Feast's client sends its token as `authorization: Bearer`."""
    import pyarrow.flight as fl

    embedded("make", tmp_path / "store")
    key = create_key(tmp_path / "store", ["read@default"])["key"]
    with ServerProcess(tmp_path / "store", "--flight-port", "0") as server:
        store = feast_store(server, tmp_path)
        with pytest.raises(fl.FlightUnauthenticatedError):
            store.get_historical_features(entity_frame(3), ["clicks:n"]).to_arrow()
        flight = server.wait_for_line(FLIGHT)
        assert flight is not None
        token = fl.FlightCallOptions(headers=[(b"authorization", f"Bearer {key}".encode())])
        command = {
            "command_id": "1",
            "api": "get_historical_features",
            "feature_view_names": ["clicks"],
            "name_aliases": [None],
            "feature_refs": ["clicks:n"],
            "project": "default",
            "full_feature_names": False,
        }
        rows = pa.Table.from_pandas(entity_frame(3))
        with fl.FlightClient(f"grpc://127.0.0.1:{flight[1]}") as client:
            writer, reader = client.do_exchange(
                fl.FlightDescriptor.for_command(json.dumps(command)), token
            )
            writer.begin(rows.schema)
            writer.write_table(rows)
            writer.done_writing()
            assert reader.read_all().num_rows == 3
