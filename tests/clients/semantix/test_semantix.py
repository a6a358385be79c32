"""The Semantix ML Hub SDK's own client, unchanged, against the server.

Goal: a table is made, listed, filled, read by period and looked up by the calls that scripts make.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from elemeno_ai_sdk.ml.features.feature_store import FeatureStore
from elemeno_ai_sdk.ml.features.feature_table import FeatureTable
from server_process import ServerProcess, create_key

ROWS = 1234
SCHEMA: dict[str, Any] = {
    "name": "creditcard_demo",
    "entities": ["id"],
    "schema": [
        {"name": "v1", "type": "float"},
        {"name": "amount", "type": "double"},
        {"name": "class", "type": "int"},
        {"name": "event_timestamp", "type": "timestamp"},
    ],
}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLHUB_API_KEY", "no key is asked for")


@pytest.fixture
def schema(tmp_path: Path) -> str:
    path = tmp_path / "fs_schema.json"
    path.write_text(json.dumps(SCHEMA))
    return str(path)


def frame() -> pd.DataFrame:
    """Rows out of order, 100 entities, times as text; one value is missing."""
    times = pd.date_range("2022-07-14 18:08:05.488248", periods=ROWS, freq="min")
    rows = pd.DataFrame(
        {
            "id": [i % 100 for i in range(ROWS)],
            "v1": [i / 8 for i in range(ROWS)],
            "amount": [float(i) for i in range(ROWS)],
            "class": [i % 2 for i in range(ROWS)],
            "event_timestamp": times.strftime("%Y-%m-%d %H:%M:%S.%f"),
        }
    )
    rows.loc[7, "amount"] = float("nan")
    return rows.sample(frac=1, random_state=7)


def test_a_script_from_first_to_last(server: ServerProcess, schema: str) -> None:
    async def run() -> None:
        table = FeatureTable(remote_server=server.url)
        await table.create(schema)
        listed = await table.list()
        assert [each["name"] for each in listed] == ["creditcard_demo"]
        assert listed[0]["entities"] == ["id"]
        assert {"name": "class", "type": "int64"} in listed[0]["schema"]

        store = FeatureStore(remote_server=server.url)
        await store.ingest("creditcard_demo", frame())
        training = await store.get_training_features(
            "creditcard_demo",
            entities=["id"],
            features=["v1", "amount", "class"],
            date_from="2022-01-01",
            date_to="2022-12-31",
        )
        assert len(training) == ROWS
        assert training["v1"].tolist() == [i / 8 for i in range(ROWS)], "in event time order"
        assert training["id"].tolist() == [i % 100 for i in range(ROWS)]
        assert training["amount"].isna().sum() == 1

        online = await store.get_online_features(
            "creditcard_demo", entities={"id": [1, 33, 12345]}, features=["v1", "class"]
        )
        assert list(online) == ["id", "v1", "class"]
        assert online == {
            "id": [1, 33, 12345],
            "v1": [1201 / 8, 1233 / 8, None],
            "class": [1, 1, None],
        }

        await table.delete("creditcard_demo")
        assert await table.list() == []

    asyncio.run(run())


def test_a_period_includes_both_ends(server: ServerProcess, schema: str) -> None:
    async def run() -> None:
        await FeatureTable(remote_server=server.url).create(schema)
        store = FeatureStore(remote_server=server.url)
        days = [f"2022-07-{day:02} 00:00:00" for day in range(1, 11)]
        rows = {"id": range(10), "v1": 0.5, "amount": 1.0, "class": 1, "event_timestamp": days}
        await store.ingest("creditcard_demo", pd.DataFrame(rows))
        got = await store.get_training_features(
            "creditcard_demo",
            features=["class"],
            date_from="2022-07-03",
            date_to="2022-07-05T00:00:00",
        )
        assert got["id"].tolist() == [2, 3, 4]

    asyncio.run(run())


def test_the_same_table_again_and_another_one(
    server: ServerProcess, schema: str, tmp_path: Path
) -> None:
    async def run() -> None:
        table = FeatureTable(remote_server=server.url)
        await table.create(schema)
        began = time.monotonic()
        await table.create(schema)
        assert time.monotonic() - began < 1, (
            "the same again is no error, so the client does not retry"
        )
        assert len(await table.list()) == 1

    asyncio.run(run())
    other = {**SCHEMA, "schema": SCHEMA["schema"][1:]}
    refused = server.post_json("/feature-view", other)
    assert refused.status == 409
    assert "v1" in refused.json()["detail"]


def test_keys(tmp_path: Path, schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    store.mkdir()
    monkeypatch.setenv("MLHUB_API_KEY", create_key(store, ["read,write,admin"])["key"])
    with ServerProcess(store) as server:
        assert server.get("/list-feature-views").status == 401

        async def run() -> None:
            table = FeatureTable(remote_server=server.url)
            await table.create(schema)
            assert len(await table.list()) == 1

        asyncio.run(run())
