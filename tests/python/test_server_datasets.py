"""Training sets that a server keeps.

Goal: over a URL a saved dataset is what it is in a folder: the same methods, the same bytes, the
same errors; files come here whole and verified; who may do it is said by scopes.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import test_saved_datasets
from conftest import at
from program import PROGRAM
from server_process import ServerProcess, create_key
from test_python_workers import ENVIRONMENT
from test_saved_datasets import BOTH, ORDERS, WITH_KM, bytes_of, ingest

from tidemark import FeatureStore
from tidemark.errors import (
    AlreadyExistsError,
    CorruptionError,
    InvalidArgumentError,
    InvalidDataError,
    NotFoundError,
    PermissionDeniedError,
    UnsupportedError,
)

# What the SDK's own tests make: a table "visits", a file source "scores", a service "model".
folder = test_saved_datasets.store


@pytest.fixture
def server(folder: FeatureStore) -> Iterator[ServerProcess]:
    workers = ["--python-workers", "1"]
    with ServerProcess(Path(folder.repo_path), *workers, environment=ENVIRONMENT) as running:
        yield running


@pytest.fixture
def store(server: ServerProcess) -> FeatureStore:
    return FeatureStore(url=server.url)


def sha256(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_saved_read_and_forgotten(store: FeatureStore, tmp_path: Path) -> None:
    job = store.get_historical_features(ORDERS, "model")
    saved = store.create_saved_dataset(
        job, "set", tmp_path / "here.parquet", tags={"team": "x"}, feature_service="model"
    )
    assert saved.path == str(tmp_path / "here.parquet")
    assert sha256(saved.path) == saved.sha256
    assert saved.to_arrow() == job.to_arrow() == pq.read_table(saved.path)
    found = store.get_saved_dataset("set")
    assert (found.tags, found.feature_service_name) == ({"team": "x"}, "model")
    assert (found.features, found.join_keys, len(found)) == (["n", "score"], ["user"], 4)
    assert found.fetch(tmp_path / "copy.parquet") == str(tmp_path / "copy.parquet")
    assert bytes_of(tmp_path / "copy.parquet") == bytes_of(saved.path)
    rows = found.entity_rows()
    assert rows is not None
    assert rows.to_arrow() == ORDERS
    assert [each.name for each in store.list_saved_datasets({"team": "x"})] == ["set"]
    store.delete_saved_dataset("set")
    assert store.list_saved_datasets() == []
    with pytest.raises(NotFoundError, match="set"):
        store.get_saved_dataset("set")


def test_the_same_bytes_again(folder: FeatureStore, store: FeatureStore, tmp_path: Path) -> None:
    job = store.get_historical_features(ORDERS, BOTH, include_status=True)
    saved = store.create_saved_dataset(job, "set", tmp_path / "first.parquet")
    ingest(folder, ("a", at(8), 100))
    folder.compact()
    assert bytes_of(store.rebuild("set", tmp_path / "again.parquet")) == bytes_of(saved.path)
    assert bytes_of(folder.rebuild("set")) == bytes_of(saved.path)
    assert store.get_saved_dataset("set").rebuild() == folder.get_saved_dataset("set").path
    os.remove(folder.get_saved_dataset("set").path)
    with pytest.raises(NotFoundError, match="gone"):
        saved.fetch(tmp_path / "no.parquet")
    store.rebuild("set")
    Path(folder.get_saved_dataset("set").path).write_bytes(b"other")
    with pytest.raises(CorruptionError, match="set"):
        saved.fetch(tmp_path / "no.parquet")
    with pytest.raises(CorruptionError, match="set"):
        saved.to_arrow()
    assert [each for each in os.listdir(tmp_path) if each.startswith("no.")] == []
    store.erase("visits", {"user": ["a"]})
    with pytest.raises(InvalidDataError, match="erased"):
        store.rebuild("set")


def test_errors_name_what_is_wrong(store: FeatureStore, tmp_path: Path) -> None:
    job = store.get_historical_features(ORDERS, ["visits"])
    taken = tmp_path / "taken.parquet"
    taken.write_bytes(b"")
    with pytest.raises(AlreadyExistsError, match=r"taken\.parquet"):
        store.create_saved_dataset(job, "set", taken)
    assert store.list_saved_datasets() == []
    store.create_saved_dataset(job, "set")
    with pytest.raises(AlreadyExistsError, match="saved dataset set"):
        store.create_saved_dataset(job, "set")
    store.create_saved_dataset(job, "set", taken, allow_overwrite=True)
    assert sha256(taken) == store.get_saved_dataset("set").sha256
    with pytest.raises(InvalidArgumentError, match="a/b"):
        store.create_saved_dataset(job, "a/b")
    with pytest.raises(NotFoundError, match="nothing"):
        store.create_saved_dataset(store.get_historical_features(ORDERS, ["nothing"]), "other")
    store.apply(test_saved_datasets.functions())
    with pytest.raises(NotFoundError, match="km"):
        store.create_saved_dataset(store.get_historical_features(ORDERS, ["distance"]), "other")


def test_of_a_range_of_times(store: FeatureStore) -> None:
    job = store.get_historical_features(
        features=["visits"], start_date=at(8), end_date=at(12), entity_df=None
    )
    saved = store.create_saved_dataset(job, "range")
    assert saved.entity_rows() is None
    assert sorted(saved.to_arrow()["n"].to_pylist()) == [2, 3]
    store.rebuild("range")


def test_features_of_python_functions(
    folder: FeatureStore, store: FeatureStore, tmp_path: Path
) -> None:
    store.apply(test_saved_datasets.functions())
    job = store.get_historical_features(WITH_KM, ["visits:n", "distance:far"])
    saved = store.create_saved_dataset(job, "set", tmp_path / "here.parquet")
    local = folder.get_historical_features(WITH_KM, ["visits:n", "distance:far"])
    assert saved.to_arrow() == job.to_arrow() == local.to_arrow()
    assert bytes_of(store.rebuild("set", tmp_path / "again.parquet")) == bytes_of(saved.path)
    assert bytes_of(folder.rebuild("set")) == bytes_of(saved.path)
    with pytest.raises(InvalidDataError, match="gave other values"):
        store.create_saved_dataset(store.get_historical_features(WITH_KM, ["chance"]), "other")


def test_functions_need_processes(folder: FeatureStore) -> None:
    folder.apply(test_saved_datasets.functions())
    with ServerProcess(Path(folder.repo_path)) as server:
        store = FeatureStore(url=server.url)
        job = store.get_historical_features(WITH_KM, ["distance"])
        with pytest.raises(UnsupportedError, match="--python-workers"):
            store.create_saved_dataset(job, "set")


def test_kept_in_a_table(store: FeatureStore) -> None:
    job = store.get_historical_features(ORDERS, ["visits"])
    with pytest.raises(NotFoundError, match="training"):
        job.persist("training.first")
    store.create_database("training")
    kept = job.persist("training.first")
    assert kept.to_arrow() == job.to_arrow()
    assert len(kept) == 4
    with pytest.raises(AlreadyExistsError, match=r"training\.first"):
        job.persist("training.first")
    assert len(job.split("random", (0.5, 0.5)).train.to_arrow()) == 2
    job.persist("training.first", allow_overwrite=True)
    store.create_saved_dataset(job, "set", "training.second")
    assert len(store.sql("SELECT * FROM training.second").to_arrow()) == 4


def test_scopes(folder: FeatureStore) -> None:
    path = Path(folder.repo_path)
    folder.create_database("training")
    keys = [create_key(path, [scopes])["key"] for scopes in ("read", "read,write")]
    with ServerProcess(path) as server:
        reader, writer = (FeatureStore(url=server.url, api_key=key) for key in keys)
        job = writer.get_historical_features(ORDERS, ["visits"])
        assert writer.create_saved_dataset(job, "set").to_arrow() == job.to_arrow()
        assert reader.get_saved_dataset("set").to_arrow() == job.to_arrow()
        with pytest.raises(PermissionDeniedError, match="write"):
            reader.create_saved_dataset(reader.get_historical_features(ORDERS, ["visits"]), "no")
        for forbidden in (reader.rebuild, reader.delete_saved_dataset):
            with pytest.raises(PermissionDeniedError, match="write"):
                forbidden("set")
        with pytest.raises(PermissionDeniedError, match="admin"):
            job.persist("training.first")


def test_the_program(server: ServerProcess, tmp_path: Path) -> None:
    pq.write_table(ORDERS, tmp_path / "orders.parquet")

    def run(*arguments: str) -> str:
        command = [str(PROGRAM), "--url", server.url, "datasets", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("create", "set", str(tmp_path / "orders.parquet"), "-f", "visits:n")
    assert "set" in run("list")
    assert "rows: 4" in run("show", "set")
    run("fetch", "set", str(tmp_path / "rows.parquet"))
    run("fetch", "set", str(tmp_path / "entities.parquet"), "--entity-rows")
    assert pq.read_table(tmp_path / "entities.parquet") == ORDERS
    run("rebuild", "set", "--out", str(tmp_path / "again.parquet"))
    assert bytes_of(tmp_path / "again.parquet") == bytes_of(tmp_path / "rows.parquet")
    run("delete", "set")
    assert "set" not in run("list")


def test_the_routes(server: ServerProcess) -> None:
    body = {
        "name": "set",
        "features": ["visits:n"],
        "entity_rows": {"user": ["a"], "event_timestamp": ["2026-05-01T12:00:00Z"]},
        "tags": {"team": "x"},
    }

    def post(path: str, body: object) -> tuple[int, dict[str, object]]:
        answer = server.request("POST", f"/v1/projects/default/{path}", json.dumps(body))
        return answer.status, answer.json()

    status, made = post("datasets", body)
    assert status == 201, made
    assert post("datasets", body)[0] == 409
    assert post("datasets", {**body, "name": "b", "tags": {"a": 1}})[0] == 400
    assert post("datasets", {**body, "name": "b", "storage": "x.parquet"})[0] == 400
    assert post("datasets", {"name": "b", "features": ["visits"]})[0] == 400
    rows = server.request("GET", "/v1/projects/default/datasets/set/rows?format=ndjson")
    assert json.loads(rows.text)["n"] == 3
    assert server.request("GET", "/v1/projects/default/datasets/none/file").status == 404
    assert post("datasets/set/rebuild", {})[0] == 200
