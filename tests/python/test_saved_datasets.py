"""Saved datasets, and training sets that are kept in tables.

Goal: what is made again is the same file to the byte, whatever has come between; where that cannot
be, the error names what is in the way; other engines see the tags that keep the snapshots.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import at
from pyiceberg.table import StaticTable

from tidemark import Dataset, Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource
from tidemark.errors import (
    AlreadyExistsError,
    CorruptionError,
    InvalidArgumentError,
    InvalidDataError,
    NotFoundError,
    UnsupportedError,
)
from tidemark.infra.offline_stores.file_source import SavedDatasetFileStorage
from tidemark.on_demand_feature_view import RequestSource, on_demand_feature_view
from tidemark.types import Float64, Int64, String

ORDERS = pa.table(
    {
        "user": ["a", "b", "a", "nobody"],
        "event_timestamp": [at(9), at(10), at(12), at(12)],
        "label": [1, 0, 1, 0],
    }
)
BOTH = ["visits", "scores:score"]


def user() -> Entity:
    return Entity(name="user", join_keys={"user": String})


def visits(**more: Any) -> FeatureView:
    return FeatureView(name="visits", entities=[user()], schema=[Field("n", Int64)], **more)


def write_scores(path: Path, *scores: float) -> None:
    count = len(scores)
    pq.write_table(
        pa.table(
            {"user": ["a"] * count, "event_timestamp": [at(8)] * count, "score": list(scores)}
        ),
        path,
    )


def ingest(store: FeatureStore, *rows: tuple[str, dt.datetime, int]) -> None:
    users, times, counts = zip(*rows, strict=True)
    table = {"user": list(users), "event_timestamp": list(times), "n": list(counts)}
    store.ingest("visits", pa.table(table))


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    folder = tmp_path / "store"
    (folder / "scores").mkdir(parents=True)
    write_scores(folder / "scores" / "one.parquet", 0.5)
    made = FeatureStore(folder)
    scores = FeatureView(name="scores", entities=[user()], source=FileSource("scores"))
    made.apply([visits(), scores, FeatureService(name="model", features=[visits(), scores])])
    ingest(made, ("a", at(8), 1), ("b", at(8), 2))
    made.flush()
    ingest(made, ("a", at(11), 3))
    return made


def bytes_of(path: str | os.PathLike[str]) -> bytes:
    return Path(path).read_bytes()


def test_a_dataset_is_what_feast_calls_so(store: FeatureStore, tmp_path: Path) -> None:
    storage = SavedDatasetFileStorage(str(tmp_path / "set.parquet"))
    job = store.get_historical_features(ORDERS, "model")
    saved = store.create_saved_dataset(
        from_=job, name="set", storage=storage, tags={"team": "x"}, feature_service="model"
    )
    assert saved.to_arrow().drop(["user", "event_timestamp"]).to_pylist() == [
        {"label": 1, "n": 1, "score": 0.5},
        {"label": 0, "n": 2, "score": None},
        {"label": 1, "n": 3, "score": 0.5},
        {"label": 0, "n": None, "score": None},
    ]
    assert saved.to_arrow() == pq.read_table(storage.path)
    found = store.get_saved_dataset("set")
    assert (found.name, found.features, found.join_keys) == ("set", ["n", "score"], ["user"])
    assert (found.tags, found.feature_service_name) == ({"team": "x"}, "model")
    assert found.storage.path == storage.path
    assert len(found.to_df()) == len(found) == 4
    assert [each["name"] for each in found.definitions if each["type"] == "feature service"]
    assert [each.name for each in store.list_saved_datasets({"team": "x"})] == ["set"]
    assert store.list_saved_datasets({"team": "y"}) == []
    assert {name: len(part) for name, part in found.split("entity", (0.5, 0.5)).items()}
    again = store.get_historical_features(found.entity_rows(), "model").to_arrow()
    assert again == found.to_arrow()


def test_the_same_bytes_after_all_that_moves(store: FeatureStore, tmp_path: Path) -> None:
    job = store.get_historical_features(ORDERS, BOTH, include_status=True)
    saved = store.create_saved_dataset(job, "set")
    before = bytes_of(saved.path)
    ingest(store, ("a", at(8), 100), ("nobody", at(8), 5))
    store.delete("visits", {"user": ["b"]})
    store.flush()
    store.compact()
    store.expire_snapshots(keep=1, older_than=dt.timedelta(0))
    write_scores(Path(store.repo_path) / "scores" / "two.parquet", 9.0)  # a file more
    store.apply([visits(ttl="1s")])
    for each in (store, FeatureStore(store.repo_path)):
        out = each.rebuild("set", tmp_path / "again.parquet")
        assert bytes_of(out) == before
    os.remove(saved.path)
    with pytest.raises(NotFoundError, match="rebuild"):
        saved.to_arrow()
    assert bytes_of(saved.rebuild()) == before
    Path(saved.path).write_bytes(before[:-1] + b"?")
    with pytest.raises(CorruptionError, match="saved dataset set"):
        saved.to_arrow()


def test_a_file_that_has_changed_is_named(store: FeatureStore) -> None:
    saved = store.create_saved_dataset(store.get_historical_features(ORDERS, BOTH), "set")
    path = Path(store.repo_path) / "scores" / "one.parquet"
    assert [each["path"] for each in saved.files] == [str(path)]
    write_scores(path, 0.25)
    with pytest.raises(InvalidDataError, match=r"view scores: file '.*' is not what"):
        saved.rebuild()
    path.unlink()
    write_scores(path.with_name("two.parquet"), 0.5)
    with pytest.raises(NotFoundError, match=r"one\.parquet"):
        saved.rebuild()
    assert len(saved.to_arrow()) == 4, "what was saved is there"


def test_other_engines_see_the_tag(store: FeatureStore) -> None:
    saved = store.create_saved_dataset(store.get_historical_features(ORDERS, ["visits"]), "set")
    (table,) = saved.tables
    ingest(store, ("a", at(8), 100))
    store.flush()
    folder = Path(store.repo_path)
    metadata = max(
        (each for each in folder.rglob("*.metadata.json") if table["tag"] in each.read_text()),
        key=lambda each: each.name,
    )
    read = StaticTable.from_metadata(str(metadata))
    reference = read.refs()[table["tag"]]
    assert (reference.snapshot_ref_type.value, reference.snapshot_id) == ("tag", table["snapshot"])
    then = read.scan(snapshot_id=reference.snapshot_id).to_arrow()
    assert sorted(then["n"].to_pylist()) == [1, 2, 3]
    assert len(read.scan().to_arrow()) == 4
    store.delete_saved_dataset("set")
    assert all(not each.tags for each in store.snapshots("visits"))


def test_an_erasure_ends_it(store: FeatureStore) -> None:
    store.create_saved_dataset(store.get_historical_features(ORDERS, ["visits"]), "with")
    others = {"user": ["b"], "event_timestamp": [at(10)]}
    store.create_saved_dataset(store.get_historical_features(others, ["visits"]), "without")
    store.create_saved_dataset(store.get_historical_features(ORDERS, ["scores"]), "files")
    receipt = store.erase("visits", {"user": ["a"]})
    assert (receipt.is_done, receipt.datasets) == (True, ("with", "without"))
    for name in ("with", "without"):
        with pytest.raises(InvalidDataError, match=receipt.id):
            store.rebuild(name)
    with pytest.raises(NotFoundError, match=receipt.id):
        store.get_saved_dataset("with").to_arrow()
    assert store.get_saved_dataset("with").state == "erased"
    assert store.get_saved_dataset("without").to_arrow()["n"].to_pylist() == [2]
    store.rebuild("files")
    assert store.erasures() == [receipt]


def test_without_entity_rows(store: FeatureStore, tmp_path: Path) -> None:
    job = store.get_historical_features(features=["visits"], start_date=at(7), end_date=at(12))
    saved = store.create_saved_dataset(job, "range")
    assert saved.entity_rows() is None
    before = bytes_of(saved.path)
    ingest(store, ("c", at(9), 4))
    assert bytes_of(saved.rebuild(tmp_path / "again.parquet")) == before


def test_names_and_files_that_are_taken(store: FeatureStore, tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    job = store.get_historical_features(ORDERS, ["visits"])
    store.create_saved_dataset(job, "set", path)
    with pytest.raises(AlreadyExistsError, match="saved dataset set"):
        store.create_saved_dataset(job, "set", tmp_path / "other.parquet")
    with pytest.raises(AlreadyExistsError, match=r"set\.parquet"):
        store.create_saved_dataset(job, "other", path)
    ingest(store, ("a", at(8), 7))
    replaced = store.create_saved_dataset(job, "set", path, allow_overwrite=True)
    assert replaced.to_arrow()["n"].to_pylist() == [7, 2, 3, None]
    tags = [tag for each in store.snapshots("visits") for tag in each.tags]
    assert tags == [replaced.tables[0]["tag"]]
    with pytest.raises(NotFoundError, match="did you mean 'set'"):
        store.get_saved_dataset("sett")
    with pytest.raises(InvalidArgumentError, match="does not end in"):
        store.create_saved_dataset(job, "csv", tmp_path / "set.csv")
    with pytest.raises(InvalidArgumentError, match="saved dataset"):
        store.create_saved_dataset(job, "a.b")
    with pytest.raises(InvalidArgumentError, match="get_historical_features"):
        store.create_saved_dataset(ORDERS, "x")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="s3_endpoint"):
        SavedDatasetFileStorage("x.parquet", s3_endpoint_override="http://localhost")
    assert [each.name for each in store.list_saved_datasets()] == ["set"]


# --- Features of Python functions ---


def functions() -> list[Any]:
    request = RequestSource(name="now", schema=[Field("km", Float64)])

    @on_demand_feature_view(sources=[request], schema=[Field("far", Float64)], mode="python")
    def distance(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"far": [each * 2 for each in inputs["km"]]}

    @on_demand_feature_view(sources=[request], schema=[Field("odd", Float64)], mode="python")
    def chance(inputs: dict[str, Any]) -> dict[str, Any]:
        import random

        return {"odd": [random.random() for _ in inputs["km"]]}

    return [distance, chance]


WITH_KM = ORDERS.append_column("km", pa.array([1.0, 2.0, 3.0, 4.0]))


def test_features_of_python_functions(store: FeatureStore, tmp_path: Path) -> None:
    store.apply(functions())
    job = store.get_historical_features(WITH_KM, ["visits:n", "distance:far"])
    saved = store.create_saved_dataset(job, "set")
    assert saved.features == ["n", "far"]
    assert saved.to_arrow() == job.to_arrow()
    before = bytes_of(saved.path)

    def distance(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"far": [each * 3 for each in inputs["km"]]}

    request = RequestSource(name="now", schema=[Field("km", Float64)])
    schema = [Field("far", Float64)]
    store.apply([on_demand_feature_view(sources=[request], schema=schema, mode="python")(distance)])
    ingest(store, ("a", at(8), 100))
    for each in (store, FeatureStore(store.repo_path)):
        assert bytes_of(each.rebuild("set", tmp_path / "again.parquet")) == before


def test_functions_that_answer_otherwise_are_refused(store: FeatureStore) -> None:
    store.apply(functions())
    job = store.get_historical_features(WITH_KM, ["chance:odd"])
    with pytest.raises(InvalidDataError, match=r"saved dataset set: .*gave other values"):
        store.create_saved_dataset(job, "set")
    assert store.list_saved_datasets() == []
    assert os.listdir(Path(store.repo_path) / "datasets") == []


def test_a_table_beside_it(store: FeatureStore) -> None:
    job = store.get_historical_features(ORDERS, ["visits"])
    with pytest.raises(NotFoundError, match="training"):
        store.create_saved_dataset(job, "set", "training.first")
    assert store.list_saved_datasets() == []
    store.create_database("training")
    saved = store.create_saved_dataset(job, "set", "training.first")
    assert store.sql("SELECT * FROM training.first").to_arrow().num_rows == len(saved) == 4
    saved.rebuild()


def test_async(store: FeatureStore) -> None:
    async def run() -> int:
        job = store.get_historical_features(ORDERS, ["visits"])
        saved = await store.create_saved_dataset_async(job, "set")
        await saved.rebuild_async()
        rows = await saved.to_arrow_async()
        await store.delete_saved_dataset_async("set")
        return rows.num_rows

    assert asyncio.run(run()) == 4


# --- Tables ---


def test_persisted_into_a_table(store: FeatureStore) -> None:
    store.create_database("training")
    job = store.get_historical_features(ORDERS, ["visits"])
    kept = job.persist("training.first")
    assert kept.to_arrow() == job.to_arrow()
    query = "SELECT sum(n) AS n FROM training.first"
    assert store.sql(query).to_arrow().to_pylist() == [{"n": 6}]
    assert [each.kind for each in store.list_tables("training")] == ["registered table"]
    with pytest.raises(AlreadyExistsError, match=r"training\.first"):
        job.persist("training.first")
    other = store.get_historical_features(ORDERS, ["scores"])
    other.persist("training.first", allow_overwrite=True)
    assert "score" in store.sql("SELECT * FROM training.first").to_arrow().column_names
    part = job.split("random", (0.5, 0.5)).train
    part.persist("training.part")
    assert len(store.sql("SELECT * FROM training.part").to_arrow()) == 2
    store.drop_table("training.first")
    store.drop_table("training.part")
    assert os.listdir(Path(store.repo_path) / "datasets") == []


def test_an_erasure_drops_tables_with_the_key(store: FeatureStore) -> None:
    store.create_database("training")
    store.get_historical_features(ORDERS, ["visits"]).persist("training.both")
    only = {"user": ["b"], "event_timestamp": [at(10)]}
    store.get_historical_features(only, ["visits"]).persist("training.only")
    receipt = store.erase("visits", {"user": ["a"]})
    assert (receipt.is_done, receipt.datasets) == (True, ("training.both",))
    assert [each.name for each in store.list_tables("training")] == ["only"]


def test_tables_that_cannot_be(store: FeatureStore, tmp_path: Path) -> None:
    job = store.get_historical_features(ORDERS, ["visits"])
    with pytest.raises(NotFoundError, match="nowhere"):
        job.persist("nowhere.first")
    with pytest.raises(InvalidArgumentError, match="rows_per_file"):
        job.persist("training.first", rows_per_file=10)
    store.create_database("training")
    write_scores(tmp_path / "theirs.parquet", 1.0)
    store.register_table("training", "theirs", tmp_path / "theirs.parquet")
    with pytest.raises(InvalidArgumentError, match="files that lie elsewhere"):
        job.persist("training.theirs", allow_overwrite=True)
    with pytest.raises(InvalidArgumentError, match="come from none"):
        Dataset(ORDERS).persist("training.first")
    assert os.listdir(Path(store.repo_path) / "datasets") == []
    os.chdir(tmp_path)
    assert len(job.persist("./training.v1")) == 4
    assert (tmp_path / "training.v1").is_dir()
