"""Goal: a store that was moved or copied works where it is, and never touches the place it came
from; databases group tables for other engines, and name them.
"""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from tidemark import Entity, FeatureStore, FeatureView, Field, FileSource, TableOptions
from tidemark.errors import InvalidArgumentError, NotFoundError
from tidemark.types import Float64, Int64, String

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
USER = Entity(name="user", join_keys=[Field("user_id", Int64)])


def clicks(**kwargs) -> FeatureView:
    return FeatureView(
        name="clicks",
        entities=[USER],
        schema=[Field("n", Int64), Field("city", String)],
        table=TableOptions(partitions=("bucket(2, user_id)",), **kwargs),
    )


def rows(*each: tuple[int, datetime, int]) -> pd.DataFrame:
    users, times, counts = zip(*each, strict=True)
    return pd.DataFrame(
        {"user_id": users, "event_timestamp": times, "n": counts, "city": ["x"] * len(each)}
    )


def trained(store: FeatureStore, *users: int, **kwargs) -> list[int | None]:
    asked = pd.DataFrame({"user_id": users, "event_timestamp": [T0 + 9 * HOUR] * len(users)})
    made = store.get_historical_features(asked, ["clicks:n"], **kwargs).to_arrow()
    return made["n"].to_pylist()


def online(store: FeatureStore, *users: int) -> list[int | None]:
    keys = [{"user_id": user} for user in users]
    return store.get_online_features(["clicks:n"], keys).to_dict()["n"]


def seen_by_pyiceberg(folder: Path, name: str = "clicks", database: str = "feature_store"):
    catalog = SqlCatalog("tidemark", uri=f"sqlite:///{folder}/.tidemark/registry.db")
    table = catalog.load_table((database, name))
    assert table.metadata.location.startswith(f"file://{folder}/")
    return sorted(table.scan().to_arrow()["n"].to_pylist())


def made(folder: Path, settings: str = "") -> FeatureStore:
    """Two snapshots, rows that are only in the log, and a view over a file with a relative path."""
    folder.mkdir()
    if settings:
        (folder / "tidemark.yaml").write_text(settings)
    pq.write_table(
        pa.table(
            {
                "user_id": pa.array([1, 2], pa.int64()),
                "event_timestamp": pa.array([T0, T0], pa.timestamp("us", tz="UTC")),
                "score": [0.5, 0.25],
            }
        ),
        folder / "scores.parquet",
    )
    scores = FeatureView(
        name="scores",
        entities=[USER],
        schema=[Field("score", Float64)],
        source=FileSource("scores.parquet", timestamp_field="event_timestamp"),
    )
    store = FeatureStore(folder)
    store.apply([USER, clicks(), scores])
    for n in (1, 2):
        store.ingest("clicks", rows((1, T0 + n * HOUR, n), (2, T0 + n * HOUR, 10 * n)))
        store.flush()
    store.ingest("clicks", rows((3, T0, 300)))
    store.materialize_incremental(T0 + 9 * HOUR)
    return store


def texts_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_copy_is_a_store_of_its_own(tmp_path: Path) -> None:
    first = made(tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    copy = FeatureStore(tmp_path / "copy")
    for refused in (
        lambda: trained(copy, 1),
        lambda: copy.ingest("clicks", rows((1, T0 + 3 * HOUR, 4))),
        lambda: copy.flush(),
        lambda: copy.snapshots("clicks"),
        lambda: copy.drop_table("clicks"),
        lambda: copy.teardown(),
    ):
        with pytest.raises(InvalidArgumentError, match="tidemark relocate"):
            refused()
    assert online(copy, 1, 3) == [2, 300]  # lookups need no table

    (moved,) = copy.relocate()
    assert moved.table == "feature_store.clicks"
    assert Path(moved.old_folder).parent == tmp_path / "first/.tidemark/tables"
    assert Path(moved.new_folder).parent == tmp_path / "copy/.tidemark/tables"
    assert moved.snapshots == 2
    assert copy.relocate() == []
    old_place = f"{tmp_path}/first".encode()
    assert old_place not in texts_below(tmp_path / "copy/.tidemark/tables")

    # Both go on, each for itself; what was only in the log is in both.
    first.ingest("clicks", rows((1, T0 + 3 * HOUR, 1000)))
    copy.ingest("clicks", rows((1, T0 + 3 * HOUR, 2000), (4, T0, 4)))
    first.flush()
    copy.flush()
    for store, own, four in ((first, 1000, None), (copy, 2000, 4)):
        assert trained(store, 1, 2, 3, 4) == [own, 20, 300, four]
        assert online(store, 1, 2, 3, 4) == [own, 20, 300, four]
    assert seen_by_pyiceberg(tmp_path / "first") == [1, 2, 10, 20, 300, 1000]
    assert seen_by_pyiceberg(tmp_path / "copy") == [1, 2, 4, 10, 20, 300, 2000]
    early = copy.snapshots("clicks")[0]
    assert early.rows == 2
    assert trained(copy, 1, 2, 3, as_of=early.id) == [1, 10, None]

    shutil.rmtree(tmp_path / "first")
    assert trained(FeatureStore(tmp_path / "copy"), 1, 2, 3, 4) == [2000, 20, 300, 4]


def test_a_moved_store(tmp_path: Path) -> None:
    store = made(tmp_path / "old")
    snapshots = store.snapshots("clicks")
    del store
    shutil.move(tmp_path / "old", tmp_path / "new")
    store = FeatureStore(tmp_path / "new")
    with pytest.raises(InvalidArgumentError, match="tidemark relocate"):
        store.materialize_incremental(T0 + 9 * HOUR, ["clicks"])
    assert [each.snapshots for each in store.relocate()] == [2]
    assert store.snapshots("clicks") == snapshots
    assert trained(store, 1, 2, 3) == [2, 20, 300]
    # What was loaded is known by its place in the store.
    for view in store.materialize_incremental(T0 + 9 * HOUR):
        assert (view.files_read, view.rows_written, view.warnings) == (0, 0, ()), view
    assert [each.rows for each in store.flush()] == [1]
    assert seen_by_pyiceberg(tmp_path / "new") == [1, 2, 10, 20, 300]
    # A definition can follow.
    store.apply([USER, clicks(database="feature_store", catalog=True)])
    assert trained(store, 1) == [2]


def test_a_store_reached_by_a_link_is_the_same(tmp_path: Path) -> None:
    made(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = FeatureStore(tmp_path / "link")
    assert trained(store, 1, 3) == [2, 300]
    assert store.relocate() == []


def test_tables_that_did_not_come_along(tmp_path: Path) -> None:
    made(tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "copy", ignore=shutil.ignore_patterns("tables"))
    with pytest.raises(NotFoundError, match="copy that folder to"):
        FeatureStore(tmp_path / "copy").relocate()


def test_a_place_outside_is_one_stores(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    settings = f"offline_store:\n  path: {tables}\n"
    first = made(tmp_path / "first", settings)
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    for use in (lambda store: trained(store, 1), lambda store: store.relocate()):
        with pytest.raises(InvalidArgumentError, match="belongs to the store"):
            use(FeatureStore(tmp_path / "copy"))
    # The way out that the message names.
    shutil.copytree(tables, tmp_path / "other tables")
    (tmp_path / "copy/tidemark.yaml").write_text(
        f"offline_store:\n  path: {tmp_path}/other tables\n"
    )
    copy = FeatureStore(tmp_path / "copy")
    with pytest.raises(InvalidArgumentError, match="belongs to the store"):
        copy.relocate()
    (tmp_path / "other tables/belongs-to").unlink()
    assert len(copy.relocate()) == 1
    copy.ingest("clicks", rows((1, T0 + 3 * HOUR, 2000)))
    assert (trained(first, 1), trained(copy, 1)) == ([2], [2000])
    # A store that moved takes its place with it.
    del first
    shutil.move(tmp_path / "first", tmp_path / "moved")
    moved = FeatureStore(tmp_path / "moved")
    with pytest.raises(InvalidArgumentError, match="tidemark relocate"):
        trained(moved, 1)
    assert moved.relocate() == []
    assert trained(moved, 1, 3) == [2, 300]


def test_an_online_store_outside_is_one_stores(tmp_path: Path) -> None:
    made(tmp_path / "first", f"online_store:\n  path: {tmp_path}/online\n")
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    with pytest.raises(InvalidArgumentError, match="belongs to the store"):
        online(FeatureStore(tmp_path / "copy"), 1)
    shutil.rmtree(tmp_path / "first")
    copy = FeatureStore(tmp_path / "copy")
    assert len(copy.relocate()) == 1
    assert online(copy, 1) == [2]


def test_a_registry_outside_is_not_pointed_elsewhere(tmp_path: Path) -> None:
    first = made(tmp_path / "first", f"registry:\n  path: {tmp_path}/registry/registry.db\n")
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    with pytest.raises(InvalidArgumentError, match=r"registry\.path"):
        FeatureStore(tmp_path / "copy").relocate()
    assert trained(first, 1) == [2]


# --- Databases ---


def test_tables_lie_in_databases(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store")
    assert store.list_databases() == ["feature_store"]
    with pytest.raises(NotFoundError, match="tidemark databases create shop"):
        store.create_table(clicks(), database="shop")
    assert store.list_feature_views() == []
    store.create_database("shop")
    store.create_database("shop")
    with pytest.raises(InvalidArgumentError, match="only in case"):
        store.create_database("Shop")
    with pytest.raises(InvalidArgumentError, match="database"):
        store.create_database("no dots.here")
    assert store.list_databases() == ["feature_store", "shop"]
    assert store.create_table(clicks(), database="shop").table.database == "shop"
    visits = pa.table({"user_id": [1], "n": [7], "event_timestamp": [T0]})
    store.create_table_from(visits, name="visits", entities=["user_id"])

    store.ingest("shop.clicks", rows((1, T0, 1), (2, T0, 2)))
    store.push("shop.clicks", rows((1, T0 + HOUR, 3)), to="online_and_offline")
    store.delete("shop.clicks", {"user_id": 2}, T0 + HOUR)
    store.ingest("feature_store.visits", visits)
    assert {each.table for each in store.flush(["shop.clicks", "visits"])} == {"clicks", "visits"}
    assert [each.rows for each in store.snapshots("shop.clicks")] == [4]
    latest = store.get_training_features("shop.clicks", latest=True).to_arrow()
    assert latest["n"].to_pylist() == [3]
    assert store.get_feature_view("shop.clicks").name == "clicks"
    assert trained(store, 1) == [3]
    store.materialize_incremental(T0 + 9 * HOUR, ["shop.clicks"])

    assert sorted(
        SqlCatalog(
            "tidemark", uri=f"sqlite:///{tmp_path}/store/.tidemark/registry.db"
        ).list_namespaces()
    ) == [("feature_store",), ("shop",)]
    assert seen_by_pyiceberg(tmp_path / "store", "visits") == [7]
    catalog = SqlCatalog("tidemark", uri=f"sqlite:///{tmp_path}/store/.tidemark/registry.db")
    in_shop = catalog.load_table(("shop", "clicks")).scan().to_arrow()
    assert sorted(n for n in in_shop["n"].to_pylist() if n is not None) == [1, 2, 3]

    for name, error, message in (
        ("feature_store.clicks", NotFoundError, "lies in database 'shop'"),
        ("shop.click", NotFoundError, "clicks"),
    ):
        with pytest.raises(error, match=message):
            store.ingest(name, rows((1, T0, 1)))
    with pytest.raises(InvalidArgumentError, match="clicks"):
        store.drop_database("shop")
    with pytest.raises(InvalidArgumentError, match="own"):
        store.drop_database("feature_store")
    with pytest.raises(NotFoundError, match="shop"):
        store.drop_database("shp")
    store.drop_table("shop.clicks")
    store.drop_database("shop")
    assert store.list_databases() == ["feature_store"]


def test_a_table_moves_between_databases_by_apply(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store")
    store.create_database("shop")
    store.create_table(clicks())
    store.ingest("clicks", rows((1, T0, 1)))
    store.flush()
    definition = clicks(database="shop")
    plan = str(store.plan([USER, definition]))
    assert "database: (none) -> 'shop'" in plan
    store.apply([USER, definition])
    assert trained(store, 1) == [1]
    assert store.snapshots("shop.clicks")[0].rows == 1
    catalog = SqlCatalog("tidemark", uri=f"sqlite:///{tmp_path}/store/.tidemark/registry.db")
    assert catalog.list_tables("shop") == [("shop", "clicks")]
    assert catalog.list_tables("feature_store") == []
    store.apply([USER, clicks()])
    assert catalog.list_tables("feature_store") == [("feature_store", "clicks")]


def test_a_database_with_a_table_that_waits_for_rows_stays(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store")
    store.create_database("shop")
    schema = {
        "name": "later",
        "entities": ["id"],
        "schema": [
            {"name": "event_timestamp", "type": "timestamp"},
            {"name": "n", "type": "int64"},
        ],
    }
    store.create_table(schema, database="shop")
    with pytest.raises(InvalidArgumentError, match="later"):
        store.drop_database("shop")
    store.ingest("later", {"id": ["a"], "event_timestamp": [T0], "n": [1]})
    store.flush()
    assert store.snapshots("shop.later")[0].rows == 1


def test_another_project_has_a_database_of_its_own(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store", project="rides")
    assert store.list_databases() == ["rides"]
    store.create_table(clicks())
    assert FeatureStore(tmp_path / "store").list_databases() == ["feature_store", "rides"]
    assert store.snapshots("rides.clicks") == []


def test_the_async_twins(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store")

    async def all_of_them() -> None:
        await store.create_database_async("shop")
        assert await store.list_databases_async() == ["feature_store", "shop"]
        await store.drop_database_async("shop")
        assert await store.relocate_async() == []

    asyncio.run(all_of_them())
