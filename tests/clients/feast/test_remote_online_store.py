"""Feast's own client, its online store of the type `remote`, unchanged, against our server.

Goal: what a program does through `feast.FeatureStore` works by pointing `path` at Tidemark:
look-ups, feature services, writes, pushes, materialization, and the errors that it knows.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from drivers import LOADED, STATS_FEATURES, apply, feast_objects, online, write_batch_files
from feast import FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.errors import FeastObjectNotFoundException, FeatureViewNotFoundException
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Float64, Int64
from server_process import ServerProcess

NOW = dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC)


@pytest.fixture
def client(server: ServerProcess, tmp_path: Path) -> FeatureStore:
    """A Feast repository of its own, whose online store is our server."""
    data = tmp_path / "data"
    data.mkdir()
    write_batch_files(data)
    apply(data, tmp_path)
    store = FeatureStore(
        config=RepoConfig(
            project="default",
            provider="local",
            registry=str(tmp_path / "registry.db"),
            online_store={"type": "remote", "path": server.url},
            offline_store={"type": "file"},
            entity_key_serialization_version=3,
        )
    )
    store.apply(feast_objects(data))
    return store


def stats_frame(**changes: object) -> pd.DataFrame:
    row = {
        "driver_id": 1001,
        "event_timestamp": NOW,
        "f32": 0.1,
        "f64": 0.25,
        "i32": -3,
        "i64": 2**60,
        "text": "pushed",
        "flag": True,
        "at": dt.datetime(2024, 2, 1, tzinfo=dt.UTC),
        "floats": [0.5, 1.0],
        "texts": ["x", "y"],
        "counts": {"n": 4},
    }
    return pd.DataFrame([row | changes])


def test_what_is_written_is_looked_up(client: FeatureStore) -> None:
    client.write_to_online_store("driver_stats", stats_frame())
    answer = client.get_online_features(
        STATS_FEATURES, [{"driver_id": 1001}, {"driver_id": 9}]
    ).to_dict()
    assert answer["driver_id"] == [1001, 9]
    assert answer["f32"][0] == pytest.approx(0.1)
    assert answer["f64"] == [0.25, None]
    assert answer["i32"] == [-3, None]
    assert answer["i64"] == [2**60, None]
    assert answer["text"] == ["pushed", None]
    assert answer["flag"] == [True, None]
    assert answer["at"] == [int(dt.datetime(2024, 2, 1, tzinfo=dt.UTC).timestamp()), None]
    assert answer["floats"] == [[0.5, 1.0], None]
    assert answer["texts"] == [["x", "y"], None]
    assert answer["counts"] == [{"n": 4}, None]


def test_materialize_goes_through_the_server(client: FeatureStore) -> None:
    client.materialize(LOADED - dt.timedelta(days=1), LOADED + dt.timedelta(days=1))
    answer = client.get_online_features(
        ["driver_stats:f64", "driver_stats:text", "customers:spent", "trips:n"],
        [{"driver_id": 1, "customer_id": "c1"}, {"driver_id": 2, "customer_id": "c2"}],
        full_feature_names=True,
    ).to_dict()
    assert answer["driver_stats__f64"] == [0.5, None]
    assert answer["driver_stats__text"] == ["one", 'quo"te\u00e9']
    assert answer["customers__spent"] == [10.5, 3.0]
    assert answer["trips__n"] == [5, 7]


def test_a_feature_service(client: FeatureStore) -> None:
    client.write_to_online_store("driver_stats", stats_frame())
    service = client.get_feature_service("both")
    answer = client.get_online_features(service, [{"driver_id": 1001, "customer_id": "c1"}])
    assert answer.to_dict() == {
        "driver_id": [1001],
        "customer_id": ["c1"],
        "f64": [0.25],
        "text": ["pushed"],
        "spent": [None],
    }


def test_push(client: FeatureStore, server: ServerProcess) -> None:
    client.push("stats_push", stats_frame(text="by push"))
    assert online(server, entities={"driver_id": [1001]}, features=["driver_stats:text"])["text"][
        0
    ] == ["by push"]


def test_online_read_as_the_store_itself_is_called(client: FeatureStore) -> None:
    """Goal: values by their declared types and the row's event time."""
    client.write_to_online_store("driver_stats", stats_frame())
    key = EntityKey(join_keys=["driver_id"], entity_values=[Value(int64_val=1001)])
    view = client.get_feature_view("driver_stats")
    provider = client._get_provider()
    [(when, values)] = provider.online_read(client.config, view, [key], ["i32", "f64", "text"])
    assert when is not None
    assert when.replace(tzinfo=dt.UTC) == NOW
    assert values is not None
    assert values["i32"].int32_val == -3
    assert values["f64"].double_val == 0.25
    assert values["text"].string_val == "pushed"


def test_errors_are_raised_as_feasts_own(client: FeatureStore, tmp_path: Path) -> None:
    source = FileSource(path=str(tmp_path / "x.parquet"), timestamp_field="event_timestamp")
    view = FeatureView(
        name="only_here",
        entities=[client.get_entity("driver")],
        schema=[Field(name="driver_id", dtype=Int64), Field(name="f64", dtype=Float64)],
        source=source,
    )
    client.registry.apply_feature_view(view, "default")
    with pytest.raises(FeatureViewNotFoundException, match="only_here does not exist in project"):
        client.get_online_features(["only_here:f64"], [{"driver_id": 1}])
    frame = pd.DataFrame({"driver_id": [1], "event_timestamp": [NOW], "f64": [0.5]})
    with pytest.raises(FeastObjectNotFoundException, match="a name only_here"):
        client.write_to_online_store("only_here", frame)


def test_an_unmapped_error_says_what_is_wrong(client: FeatureStore) -> None:
    with pytest.raises(RuntimeError, match=r"400.*driver_id.*x"):
        client._get_provider().online_store.get_online_features(
            config=client.config,
            features=["driver_stats:f64"],
            entity_rows={"driver_id": ["x"]},
            registry=client.registry,
            project="default",
        )
