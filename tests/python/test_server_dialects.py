"""Goal: writes end in the same state whatever dialect they come by; every dialect reads them."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest
from server_process import ServerProcess

from tidemark import Entity, FeatureStore, FeatureView, Field, PushSource
from tidemark.types import Float64, Int64, String

SEED = 20261121
KEYS = 6
BATCHES = 60
BASE = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)

Row = dict[str, Any]  # id, second, score, count, note


def random_batches(seed: int) -> list[list[Row]]:
    """Batches of one to four rows: few keys and few event times, so that many rows meet."""
    rng = random.Random(seed)
    return [
        [
            {
                "id": rng.randrange(KEYS),
                "second": rng.randrange(20),
                "score": rng.choice([0.5, -1.25, 1e300, 3.0]),
                "count": rng.choice([0, -7, 2**53 + 1, 2**63 - 1]),
                "note": rng.choice(["", "plain", 'quo"te\\', "\u00e9\u4e16\U0001f600"]),
            }
            for _ in range(rng.randrange(1, 5))
        ]
        for _ in range(BATCHES)
    ]


def event_time(row: Row) -> dt.datetime:
    return BASE + dt.timedelta(seconds=row["second"])


def columns(rows: list[Row]) -> dict[str, list[Any]]:
    return {
        "id": [row["id"] for row in rows],
        "event_timestamp": [event_time(row).isoformat() for row in rows],
        "score": [row["score"] for row in rows],
        "count": [row["count"] for row in rows],
        "note": [row["note"] for row in rows],
    }


def write_v1(server: ServerProcess, rows: list[Row]) -> None:
    answer = server.post_json("/v1/projects/default/views/by_v1/ingest", columns(rows))
    assert answer.status == 200, answer.text


def write_feast(server: ServerProcess, rows: list[Row]) -> None:
    body = {"push_source_name": "feast_push", "df": columns(rows), "to": "online_and_offline"}
    answer = server.post_json("/push", body)
    assert answer.status == 200, answer.text


def write_semantix(server: ServerProcess, rows: list[Row]) -> None:
    body = {"df": columns(rows), "to": "online_and_offline"}
    answer = server.post_json("/by_semantix/push", body)
    assert 200 <= answer.status < 300, answer.text


def write_sagemaker(server: ServerProcess, rows: list[Row]) -> None:
    for row in rows:
        values = {
            "id": str(row["id"]),
            "at": repr(event_time(row).timestamp()),
            "score": repr(row["score"]),
            "count": str(row["count"]),
            "note": row["note"],
        }
        record = [{"FeatureName": k, "ValueAsString": v} for k, v in values.items()]
        answer = server.request(
            "PUT",
            "/FeatureGroup/by_sagemaker",
            body=json.dumps({"Record": record}),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status == 200, answer.text


WRITERS: dict[str, Callable[[ServerProcess, list[Row]], None]] = {
    "by_v1": write_v1,
    "by_feast": write_feast,
    "by_semantix": write_semantix,
    "by_sagemaker": write_sagemaker,
}


def make_tables(server: ServerProcess, folder: Path) -> None:
    fields = [("score", "float64"), ("count", "int64"), ("note", "string")]
    schema = [{"name": name, "type": kind} for name, kind in [("id", "int64"), *fields]]
    schema.append({"name": "event_timestamp", "type": "timestamp"})
    made = server.post_json(
        "/v1/projects/default/tables",
        {"schema": {"name": "by_v1", "entities": ["id"], "schema": schema}},
    )
    assert made.status == 201, made.text
    made = server.post_json(
        "/feature-view", {"name": "by_semantix", "entities": ["id"], "schema": schema}
    )
    assert 200 <= made.status < 300, made.text
    with FeatureStore(str(folder)) as store:
        view = FeatureView(
            name="by_feast",
            entities=[Entity(name="id", join_keys=["id"])],
            schema=[
                Field(name="id", dtype=Int64),
                Field(name="score", dtype=Float64),
                Field(name="count", dtype=Int64),
                Field(name="note", dtype=String),
            ],
            source=PushSource(name="feast_push"),
        )
        store.apply([view])
    kinds = {"id": "Integral", "at": "Fractional", "score": "Fractional", "count": "Integral"}
    made = server.request(
        "POST",
        "/",
        body=json.dumps(
            {
                "FeatureGroupName": "by_sagemaker",
                "RecordIdentifierFeatureName": "id",
                "EventTimeFeatureName": "at",
                "FeatureDefinitions": [
                    {"FeatureName": name, "FeatureType": kinds.get(name, "String")}
                    for name in ["id", "at", "score", "count", "note"]
                ],
                "OnlineStoreConfig": {"EnableOnlineStore": True},
                "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://tidemark/groups"}},
                "RoleArn": "arn:aws:iam::123456789012:role/features",
            }
        ),
        headers={
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "SageMaker.CreateFeatureGroup",
        },
    )
    assert made.status == 200, made.text


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, Path]]:
    folder = tmp_path_factory.mktemp("dialects")
    with ServerProcess(folder) as server:
        make_tables(server, folder)
        for batch in random_batches(SEED):
            for write in WRITERS.values():
                write(server, batch)
        yield server, folder


def expected_latest() -> dict[int, tuple[Any, ...]]:
    """By the rule: the greatest event time, and of equal ones the row written later."""
    latest: dict[int, Row] = {}
    for batch in random_batches(SEED):
        for row in batch:
            known = latest.get(row["id"])
            if known is None or row["second"] >= known["second"]:
                latest[row["id"]] = row
    return {key: (row["score"], row["count"], row["note"]) for key, row in latest.items()}


@pytest.mark.parametrize("table", WRITERS)
def test_the_latest_rows_online_by_feasts_request(
    written: tuple[ServerProcess, Path], table: str
) -> None:
    server, _ = written
    names = ["score", "count", "note"]
    answer = server.post_json(
        "/get-online-features",
        {
            "features": [f"{table}:{name}" for name in names],
            "entities": {"id": [*range(KEYS), 99]},
        },
    ).json()
    order = answer["metadata"]["feature_names"]
    found = {
        key: tuple(answer["results"][order.index(name)]["values"][place] for name in names)
        for place, key in enumerate(answer["results"][order.index("id")]["values"])
    }
    assert found.pop(99) == (None, None, None)
    assert found == expected_latest()


@pytest.mark.parametrize("table", WRITERS)
def test_the_latest_rows_online_by_sagemakers_request(
    written: tuple[ServerProcess, Path], table: str
) -> None:
    server, _ = written
    for key, (score, count, note) in expected_latest().items():
        answer = server.get(f"/FeatureGroup/{quote(table)}?RecordIdentifierValueAsString={key}")
        assert answer.status == 200, answer.text
        record = {v["FeatureName"]: v["ValueAsString"] for v in answer.json()["Record"]}
        assert (float(record["score"]), int(record["count"]), record["note"]) == (
            score,
            count,
            note,
        )


@pytest.mark.parametrize("table", WRITERS)
def test_the_latest_rows_online_by_semantixs_request(
    written: tuple[ServerProcess, Path], table: str
) -> None:
    server, _ = written
    entities = quote(json.dumps([{"entity": "id", "value": list(range(KEYS))}]))
    features = quote(json.dumps(["score", "count", "note"]))
    answer = server.get(f"/{table}/online-features?entities={entities}&feature_refs={features}")
    assert answer.status == 200, answer.text
    found = answer.json()
    rows = zip(found["score"], found["count"], found["note"], strict=True)
    assert dict(zip(found["id"], rows, strict=True)) == expected_latest()


@pytest.mark.parametrize("table", WRITERS)
def test_every_row_is_offline_once(written: tuple[ServerProcess, Path], table: str) -> None:
    _, folder = written
    wanted = sorted(
        (row["id"], row["score"], row["count"], row["note"])
        for batch in random_batches(SEED)
        for row in batch
    )
    with FeatureStore(str(folder)) as store:
        rows: pa.Table = store.sql(f"select id, score, count, note from {table}").to_arrow()
    found = sorted(tuple(row.values()) for row in rows.to_pylist())
    assert found == wanted


@pytest.mark.parametrize("table", WRITERS)
def test_the_snapshot_offline_is_the_state_online(
    written: tuple[ServerProcess, Path], table: str
) -> None:
    _, folder = written
    with FeatureStore(str(folder)) as store:
        rows = store.snapshot(table).to_arrow().select(["id", "score", "count", "note"])
    found = {row["id"]: (row["score"], row["count"], row["note"]) for row in rows.to_pylist()}
    assert found == expected_latest()
