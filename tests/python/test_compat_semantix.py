"""Scripts written for the Semantix ML Hub SDK, on tidemark.compat.semantix.

Goal: the same script runs on a store in a folder and on a server, and both give the same answers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from server_process import ServerProcess, create_key

from tidemark.compat.semantix import FeatureStore, FeatureTable, tables_place
from tidemark.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    TidemarkError,
    UnavailableError,
)

ROWS = 1100
SCHEMA: dict[str, Any] = {
    "name": "creditcard_demo",
    "entities": ["id", "shop"],
    "schema": [
        {"name": "id", "type": "int"},
        {"name": "shop", "type": "string"},
        {"name": "v1", "type": "float"},
        {"name": "class", "type": "int"},
        {"name": "event_timestamp", "type": "timestamp"},
    ],
}


@pytest.fixture(params=["embedded", "server"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Where the environment says that tables are; on a server only with a key."""
    store = tmp_path / "store"
    store.mkdir()
    for name in ("TIDEMARK_URL", "SEMANTIX_ML_APIKEY", "MLHUB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "embedded":
        monkeypatch.setenv("TIDEMARK_STORE", str(store))
        yield
        return
    monkeypatch.setenv("MLHUB_API_KEY", create_key(store, ["read,write,admin"])["key"])
    with ServerProcess(store) as server:
        monkeypatch.setenv("TIDEMARK_URL", server.url)
        yield


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    return written(tmp_path, SCHEMA)


def written(folder: Path, schema: dict[str, Any]) -> Path:
    path = folder / "fs_schema.json"
    path.write_text(json.dumps(schema))
    return path


def frame() -> pd.DataFrame:
    times = pd.date_range("2022-07-14 18:08:05.488248", periods=ROWS, freq="min")
    rows = pd.DataFrame(
        {
            "id": [i % 10 for i in range(ROWS)],
            "shop": ["oslo" if i % 20 < 10 else "bergen" for i in range(ROWS)],
            "v1": [i / 8 for i in range(ROWS)],
            "class": [i % 2 for i in range(ROWS)],
            "event_timestamp": times.strftime("%Y-%m-%d %H:%M:%S.%f"),
        }
    )
    rows.loc[7, "v1"] = float("nan")
    return rows.sample(frac=1, random_state=7)


def test_a_script_from_first_to_last(place: None, schema: Path) -> None:
    async def run() -> None:
        ft = FeatureTable()
        await ft.create(schema)
        listed = await ft.list()
        assert [each["name"] for each in listed] == ["creditcard_demo"]
        assert sorted(listed[0]["entities"]) == ["id", "shop"]
        types = {column["name"]: column["type"] for column in listed[0]["schema"]}
        assert types["v1"] == "float64"
        assert types["class"] == "int64"
        assert types["event_timestamp"] == "timestamp"

        fs = FeatureStore()
        await fs.ingest("creditcard_demo", frame())
        training = await fs.get_training_features(
            "creditcard_demo",
            entities=["id"],
            features=["v1", "class"],
            date_from="2022-07-14",
            date_to="2022-12-31",
        )
        assert list(training.columns) == ["id", "event_timestamp", "v1", "class"]
        assert training["id"].tolist() == [i % 10 for i in range(ROWS)]
        assert training["v1"].isna().sum() == 1
        assert training["event_timestamp"].is_monotonic_increasing
        assert str(training["event_timestamp"].dtype.tz) == "UTC"

        online = await fs.get_online_features(
            "creditcard_demo",
            {"id": [1, 2, 77], "shop": ["oslo", "bergen", "oslo"]},
            ["class", "v1"],
        )
        newest = [max(i for i in range(ROWS) if i % 20 == key) for key in (1, 12)]
        assert online == {
            "id": [1, 2, 77],
            "shop": ["oslo", "bergen", "oslo"],
            "class": [newest[0] % 2, newest[1] % 2, None],
            "v1": [newest[0] / 8, newest[1] / 8, None],
        }
        await ft.delete("creditcard_demo")
        assert await ft.list() == []

    asyncio.run(run())


def test_columns_renamed_and_chosen(place: None, schema: Path) -> None:
    async def run() -> None:
        await FeatureTable().create(schema)
        fs = FeatureStore()
        raw = frame().head(5).rename(columns={"v1": "V1"}).assign(other="x")
        columns = [column["name"] for column in SCHEMA["schema"]]
        await fs.ingest("creditcard_demo", raw, renames={"V1": "v1"}, all_columns=columns)
        assert len(await fs.get_training_features("creditcard_demo")) == 5

    asyncio.run(run())


def test_the_same_table_again_and_another_one(place: None, tmp_path: Path) -> None:
    async def run() -> None:
        ft = FeatureTable()
        await ft.create(written(tmp_path, SCHEMA))
        await ft.create(written(tmp_path, SCHEMA))
        other = {**SCHEMA, "schema": SCHEMA["schema"][:2] + SCHEMA["schema"][3:]}
        with pytest.raises(AlreadyExistsError):
            await ft.create(written(tmp_path, other))
        assert len(await ft.list()) == 1

    asyncio.run(run())


def test_what_is_wrong_is_raised(place: None, schema: Path, tmp_path: Path) -> None:
    async def run() -> None:
        ft, fs = FeatureTable(), FeatureStore()
        with pytest.raises(NotFoundError):
            await ft.delete("nothing")
        with pytest.raises(NotFoundError):
            await fs.ingest("nothing", frame().head(1))
        with pytest.raises(NotFoundError):
            await fs.get_training_features("nothing")
        await ft.create(schema)
        with pytest.raises(TidemarkError):
            await fs.ingest("creditcard_demo", frame().head(3).drop(columns="class"))
        with pytest.raises(TidemarkError, match="event_timestamp"):
            await fs.ingest("creditcard_demo", frame().head(3).assign(event_timestamp="yesterday"))
        with pytest.raises(NotFoundError, match="v9"):
            await fs.get_online_features("creditcard_demo", {"id": [1], "shop": ["x"]}, ["v9"])
        with pytest.raises(InvalidArgumentError, match="shop"):
            await fs.get_online_features("creditcard_demo", {"id": [1]}, ["v1"])
        assert len(await fs.get_training_features("creditcard_demo")) == 0, "nothing was written"
        for bad in (
            {**SCHEMA, "schema": [{"name": "V1", "type": "float"}]},
            {**SCHEMA, "schema": SCHEMA["schema"][:4]},
            {"name": "x"},
        ):
            with pytest.raises(InvalidArgumentError):
                await ft.create(written(tmp_path, bad))
        with pytest.raises(NotFoundError):
            await ft.create(tmp_path / "missing.json")

    asyncio.run(run())


def test_a_server_without_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_key(tmp_path, ["read"])
    with ServerProcess(tmp_path) as server:
        for name in ("SEMANTIX_ML_APIKEY", "MLHUB_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(PermissionDeniedError):
            asyncio.run(FeatureTable(remote_server=server.url).list())


def test_a_key_under_either_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal: the old product's own name goes before that of the hub."""
    key = create_key(tmp_path, ["read"])["key"]
    for name in ("TIDEMARK_STORE", "SEMANTIX_ML_APIKEY", "MLHUB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with ServerProcess(tmp_path) as server:
        monkeypatch.setenv("TIDEMARK_URL", server.url)
        monkeypatch.setenv("MLHUB_API_KEY", key)
        assert asyncio.run(FeatureTable().list()) == []
        monkeypatch.setenv("SEMANTIX_ML_APIKEY", "wrong")
        with pytest.raises(PermissionDeniedError):
            asyncio.run(FeatureTable().list())
        monkeypatch.setenv("SEMANTIX_ML_APIKEY", key)
        monkeypatch.setenv("MLHUB_API_KEY", "wrong")
        assert asyncio.run(FeatureTable().list()) == []


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from tidemark.compat.semantix import server_tables

    monkeypatch.setattr(server_tables, "WAIT_SECONDS", 0.0)
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1"):
        asyncio.run(FeatureTable(remote_server="http://127.0.0.1:1").list())
    with pytest.raises(InvalidArgumentError, match="ftp"):
        FeatureTable(remote_server="ftp://x")


def test_both_classes_share_one_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEMARK_URL", raising=False)
    monkeypatch.setenv("TIDEMARK_STORE", str(tmp_path))
    one, other = tables_place.find_tables(None), tables_place.find_tables(None)
    assert one._store is other._store  # type: ignore[attr-defined]
