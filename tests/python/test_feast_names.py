"""What files written for Feast import and say beyond the names that Tidemark has of itself.

Goal: it means what it means in Feast, or is refused; nothing is passed over in silence.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import at

from tidemark import (
    ConflictPolicy,
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    LabelView,
    Project,
    PushSource,
)
from tidemark.data_source import PushMode
from tidemark.errors import (
    InvalidArgumentError,
    InvalidDataError,
    IoError,
    NotFoundError,
    UnsupportedError,
)
from tidemark.feature_logging import LoggingConfig
from tidemark.infra.offline_stores.file_source import FileLoggingDestination
from tidemark.migrate import main, read_registry
from tidemark.types import Array, Int64, Json, Map, String, Struct

# --- A folder made for Feast ---


def a_repository(folder: Path, settings: str = "") -> None:
    pq.write_table(
        pa.table(
            {
                "driver_id": [1001, 1001, 1002],
                "event_timestamp": [at(8), at(10), at(9)],
                "extra": [{"car": "suv"}, {"car": "van"}, None],
                "config": ['{"a": 1}', "{}", None],
            }
        ),
        folder / "stats.parquet",
    )
    (folder / "feature_store.yaml").write_text(
        "project: drivers\nregistry: data/registry.db\nprovider: local\n"
        "online_store:\n    type: sqlite\n    path: data/online_store.db\n"
        "entity_key_serialization_version: 3\n" + settings
    )
    (folder / "definitions_of_feast.py").write_text(
        "from datetime import timedelta\n"
        "from tidemark import Entity, FeatureView, Field, FileSource, Project\n"
        "from tidemark.types import Json, Map\n"
        "project = Project(name='drivers', description='of drivers')\n"
        "driver = Entity(name='driver', join_keys=['driver_id'])\n"
        "stats = FeatureView(\n"
        "    name='stats', entities=[driver], ttl=timedelta(days=1), online=True,\n"
        "    schema=[Field(name='extra', dtype=Map), Field(name='config', dtype=Json)],\n"
        "    source=FileSource(path='stats.parquet', timestamp_field='event_timestamp'),\n"
        "    enable_validation=True, offline=True, version='latest',\n"
        ")\n"
    )


def test_a_repository_opens_under_its_project(tmp_path: Path) -> None:
    a_repository(tmp_path)
    store = FeatureStore(repo_path=tmp_path)
    assert store.project == "drivers"
    store.apply(tmp_path)
    assert not (tmp_path / "data").exists()
    store.materialize_incremental(at(12))
    rows = [{"driver_id": 1001}, {"driver_id": 1002}]
    got = store.get_online_features(["stats:extra", "stats:config"], rows).to_arrow()
    assert got["extra"].to_pylist() == [None, None]  # older than a day by now
    spine = pa.table({"driver_id": [1001, 1002], "event_timestamp": [at(11), at(11)]})
    got = store.get_historical_features(spine, ["stats"]).to_arrow()
    assert got["extra"].to_pylist() == [[("car", "van")], None]
    assert got["config"].to_pylist() == ["{}", None]


def test_definitions_of_another_project_are_refused(tmp_path: Path) -> None:
    a_repository(tmp_path)
    (tmp_path / "feature_store.yaml").write_text("project: others\nprovider: local\n")
    with pytest.raises(InvalidArgumentError, match="of project 'drivers'"):
        FeatureStore(tmp_path).apply(tmp_path)
    with pytest.raises(InvalidArgumentError, match="several projects: a, b"):
        FeatureStore(tmp_path).apply([Project(name="a"), Project(name="b")])
    with pytest.raises(InvalidArgumentError, match="has a name"):
        Project(name="")


def test_settings_that_ask_for_more_are_refused(tmp_path: Path) -> None:
    a_repository(tmp_path, "offline_store: {type: bigquery}\n")
    with pytest.raises(UnsupportedError, match="'offline_store': type 'bigquery'"):
        FeatureStore(tmp_path)


# --- Names ---


def test_types() -> None:
    assert Field("a", Map) == Field("a", Map(String, String))
    assert Field("a", Array(Map)) == Field("a", Array(Map(String, String)))
    assert Field("a", Json).dtype == String
    assert Struct({"a": Map}).fields[0][1] == Map(String, String)


def test_a_label_view_is_a_view_of_latest_rows(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    labels = LabelView(
        name="labels",
        entities=[Entity(name="driver", join_keys={"driver_id": Int64})],
        schema=[Field("is_good", Int64), Field("labeler", String)],
        source=PushSource(name="labels_pushed"),
        labeler_field="labeler",
        conflict_policy=ConflictPolicy.LAST_WRITE_WINS,
    )
    store.apply(labels)
    for minute, value in ((1, 0), (2, 1)):
        row = {"driver_id": [7], "event_timestamp": [at(8, minute)], "is_good": [value]}
        store.push("labels_pushed", row | {"labeler": ["ann"]}, to=PushMode.ONLINE_AND_OFFLINE)
    got = store.get_online_features(["labels:is_good"], [{"driver_id": 7}]).to_dict()
    assert got["is_good"] == [1]
    store.apply([], objects_to_delete=[labels])
    assert store.list_feature_views() == []
    with pytest.raises(UnsupportedError, match="MAJORITY_VOTE: the latest row"):
        LabelView(name="l", conflict_policy=ConflictPolicy.MAJORITY_VOTE)


def test_versions_and_logging() -> None:
    with pytest.raises(UnsupportedError, match="version='v2': a view has one definition in force"):
        FeatureView(name="a", version="v2")
    config = LoggingConfig(destination=FileLoggingDestination(path="logs"))
    with pytest.warns(UserWarning, match="service s: served features are not logged"):
        service = FeatureService(name="s", features=["a:b"], logging_config=config)
    assert service.logging_config == config
    assert "logging_config" not in service.to_dict()


# --- Taking a registry over ---


def of_file(uri: str = "stats.parquet", **more: Any) -> dict[str, Any]:
    return {
        "type": "BATCH_FILE",
        "name": "stats_file",
        "timestampField": "event_timestamp",
        "fileOptions": {"uri": uri},
        **more,
    }


def a_view(name: str, **more: Any) -> dict[str, Any]:
    spec = {
        "name": name,
        "project": "p",
        "entities": ["driver"],
        "features": [{"name": "a", "valueType": "INT64"}],
        "entityColumns": [{"name": "driver_id", "valueType": "INT64"}],
        "ttl": "86400s",
        "online": True,
        "batchSource": of_file(),
    }
    return {"spec": {**spec, **more}}


def a_registry() -> dict[str, Any]:
    """What the reader prints: parts of what Feast 0.67 writes."""
    struct_tag = {"feast:struct_schema": '{"name": "STRING"}', "kept": "yes"}
    push = {"type": "PUSH_SOURCE", "name": "pushed", "batchSource": of_file()}
    return {
        "entities": [
            {"spec": {"name": "__dummy", "joinKey": "__dummy_id", "project": "p"}},
            {"spec": {"name": "driver", "joinKey": "driver_id", "project": "p", "owner": "me"}},
        ],
        "featureViews": [
            a_view("plain"),
            a_view(
                "nested",
                entities=["__dummy"],
                features=[
                    {"name": "m", "valueType": "MAP"},
                    {"name": "j", "valueType": "JSON", "description": "text"},
                    {"name": "s", "valueType": "STRUCT", "tags": struct_tag},
                ],
                streamSource=push,
                online=False,
            ),
            a_view("elsewhere", batchSource=of_file("s3://bucket/stats.parquet")),
            a_view("big", batchSource={"type": "BATCH_BIGQUERY", "name": "b"}),
            a_view("streamed", streamSource={"type": "STREAM_KAFKA", "name": "k"}),
            a_view("of_views", sourceViews=[{}]),
            a_view("odd", features=[{"name": "u", "valueType": "UUID"}]),
            a_view("old", version="v2"),
        ],
        "labelViews": [
            a_view("labels", entityColumns=[{"name": "driver_id", "valueType": "STRING"}]),
        ],
        "onDemandFeatureViews": [{"spec": {"name": "computed", "project": "p"}}],
        "featureServices": [
            {
                "spec": {
                    "name": "model",
                    "project": "p",
                    "features": [
                        {"featureViewName": "plain", "featureColumns": [{"name": "a"}]},
                        {
                            "featureViewName": "nested",
                            "featureViewNameAlias": "n",
                            "featureColumns": [{"name": "j"}],
                        },
                    ],
                }
            },
            {"spec": {"name": "other", "project": "p", "features": [{"featureViewName": "big"}]}},
        ],
    }


def reading(tmp_path: Path, registry: dict[str, Any]) -> tuple[Path, Path]:
    """A registry's file, and in the place of Feast's interpreter a program that prints JSON."""
    (tmp_path / "registry.db").write_bytes(b"\x0a")
    (tmp_path / "printed.json").write_text(json.dumps(registry))
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\ncat "{tmp_path}/printed.json"\n')
    program.chmod(0o755)
    return tmp_path / "registry.db", program


def test_definitions_of_a_registry(tmp_path: Path) -> None:
    path, python = reading(tmp_path, a_registry())
    made = read_registry(path, python=python)
    assert made.project == "p"
    found = {each.name: each for each in made.definitions}
    assert list(found) == ["driver", "plain", "nested", "labels", "model"]
    driver, plain, nested = found["driver"], found["plain"], found["nested"]
    assert isinstance(driver, Entity)
    assert driver.key_types == {"driver_id": Int64}
    assert driver.owner == "me"
    assert isinstance(plain, FeatureView)
    assert plain.ttl == dt.timedelta(days=1)
    assert plain.source == FileSource(
        "stats.parquet", name="stats_file", timestamp_field="event_timestamp"
    )
    assert isinstance(nested, FeatureView)
    assert (nested.entities, nested.online) == ([], False)
    assert [str(each.dtype) for each in nested.schema] == [
        "map<string, string>",
        "string",
        "struct<name: string>",
    ]
    assert nested.schema[2].tags == {"kept": "yes"}
    assert isinstance(nested.stream_source, PushSource)
    assert isinstance(found["model"], FeatureService)
    assert found["model"].features == [
        {"view": "plain"},
        {"view": "nested", "features": ["j"], "alias": "n"},
    ]


def test_what_has_no_counterpart_is_said(tmp_path: Path) -> None:
    path, python = reading(tmp_path, a_registry())
    said = "\n".join(read_registry(path, python=python).left_out)
    for text in (
        "on-demand feature view computed: mode 'pandas', or a function without its text",
        "feature view elsewhere: its file is not on this machine: s3://bucket/stats.parquet",
        "feature view big: its batch source 'b' is of type BATCH_BIGQUERY: declare it again",
        "feature view streamed: its stream source 'k' is of type STREAM_KAFKA",
        "feature view of_views: views made of views",
        "feature view odd: feature 'u' is of type UUID",
        "feature view old: version='v2'",
        "feature service other: needs big",
    ):
        assert text in said


def test_migrated_definitions_apply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, python = reading(tmp_path, a_registry())
    rows = {"driver_id": [1], "event_timestamp": [at(8)], "a": [2], "m": [{"x": "1"}], "j": ["{}"]}
    pq.write_table(pa.table(rows | {"s": [{"name": "n"}]}), tmp_path / "stats.parquet")
    assert main([str(path), "--python", str(python)]) == 0
    printed = capsys.readouterr()
    assert "left out: feature view big" in printed.err
    (tmp_path / "features.json").write_text(printed.out)
    store = FeatureStore(tmp_path, project="p")
    store.apply(tmp_path / "features.json")
    made = read_registry(path, python=python)
    assert len(store.plan(list(made.definitions))) == 0
    spine = {"driver_id": [1], "event_timestamp": [at(9)]}
    got = store.get_historical_features(spine, "model").to_arrow().to_pylist()
    assert (got[0]["a"], got[0]["j"]) == (2, "{}")


def test_registries_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotFoundError, match="there is no such file"):
        read_registry(tmp_path / "none.db")
    path, python = reading(tmp_path, {})
    with pytest.raises(NotFoundError, match="has no definitions"):
        read_registry(path, python=python)
    with pytest.raises(UnsupportedError, match="could not read the registry with Feast") as raised:
        read_registry(path, python=sys.executable)
    assert "No module named 'feast'" in str(raised.value)
    with pytest.raises(IoError, match="cannot be run"):
        read_registry(path, python=tmp_path / "nothing")
    (tmp_path / "printed.json").write_text("no JSON")
    with pytest.raises(InvalidDataError, match="is not JSON"):
        read_registry(path, python=python)
    two = a_registry()
    two["projects"] = [{"spec": {"name": "q"}}]
    path, python = reading(tmp_path, two)
    with pytest.raises(InvalidArgumentError, match="has the projects p, q: name one"):
        read_registry(path, python=python)
    with pytest.raises(InvalidArgumentError, match="name one"):
        read_registry(path, python=python, project="r")
    assert read_registry(path, python=python, project="q").definitions == ()
    assert main([str(tmp_path / "none.db")]) == 3
    assert "error: " in capsys.readouterr().err
