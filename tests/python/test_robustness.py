"""What goes wrong on a user's machine: damage, interrupts, moved sources, read-only folders."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import shutil
import signal
import subprocess
import threading
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nobody import told_to_nobody
from program import PROGRAM

import tidemark
from tidemark import Entity, FeatureStore, FeatureView, Field, FileSource
from tidemark.errors import (
    CorruptionError,
    InvalidDataError,
    NotFoundError,
    TidemarkError,
    TypeMismatchError,
)
from tidemark.types import Int64, String

NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
PACKAGES = Path(tidemark.__file__).parent.parent


def write_rows(path: Path, **columns: list[object]) -> None:
    keys = len(next(iter(columns.values())))
    table = {"driver_id": list(range(keys)), "at": [NOON] * keys} | columns
    pq.write_table(pa.table(table), path)


def view(path: str = "rows.parquet", **options: object) -> FeatureView:
    driver = Entity(name="driver", join_keys={"driver_id": Int64})
    source = FileSource(path, timestamp_field="at", **options)  # type: ignore[arg-type]
    return FeatureView(
        name="stats", entities=[driver], schema=[Field("note", String)], source=source
    )


def notes(store: FeatureStore, count: int = 2) -> list[object]:
    keys = [{"driver_id": key} for key in range(count)]
    return list(store.get_online_features(["stats:note"], keys).to_dict()["note"])


# --- Damage ---


@pytest.mark.parametrize("kept", ["log", "online"])
def test_rows_whose_registry_is_gone_are_no_other_views(tmp_path: Path, kept: str) -> None:
    """A new registry would give another view the number under which they are kept."""
    write_rows(tmp_path / "rows.parquet", note=["a", "b"])
    store = FeatureStore(tmp_path)
    table = FeatureView(name="table", entities=["driver"], schema=[Field("note", String)])
    store.apply([view(), table])
    store.materialize_incremental(NOON)
    store.ingest("table", [{"driver_id": 1, "event_timestamp": NOON, "note": "c"}])
    own = tmp_path / "copy" / ".tidemark"
    shutil.copytree(tmp_path / ".tidemark" / kept, own / kept)
    for _ in range(2):
        with pytest.raises(NotFoundError, match="no registry"):
            FeatureStore(tmp_path / "copy").list_feature_views()
    assert os.listdir(own) == [kept]
    own.rename(tmp_path / "aside")
    assert FeatureStore(tmp_path / "copy").list_feature_views() == []


@pytest.mark.parametrize("form", ["sync", "async", "range", "program"])
def test_a_damaged_online_row_is_rebuilt_by_a_reload(tmp_path: Path, form: str) -> None:
    payload = "a payload that is nowhere else"
    write_rows(tmp_path / "rows.parquet", note=[payload, "other"])
    store = FeatureStore(tmp_path)
    store.apply(view())
    store.materialize_incremental(NOON)
    store.close()
    del store
    data = tmp_path / ".tidemark" / "online" / "data.mdb"
    found = data.read_bytes()
    assert payload.encode() in found
    data.write_bytes(found.replace(payload.encode(), payload.upper().encode()))

    store = FeatureStore(tmp_path)
    with pytest.raises(CorruptionError, match=r"view stats.*--reload.*reload=True"):
        notes(store)
    store.materialize_incremental(NOON)
    with pytest.raises(CorruptionError):
        notes(store)
    if form == "sync":
        store.materialize_incremental(NOON, reload=True)
    elif form == "async":
        asyncio.run(store.materialize_incremental_async(NOON, reload=True))
    elif form == "range":
        earlier = NOON - dt.timedelta(days=1)
        store.materialize(earlier, earlier, ["stats"], reload=True)
    else:
        subprocess.run([PROGRAM, "materialize-incremental", "--reload"], cwd=tmp_path, check=True)
    assert notes(store) == [payload, "other"]


# --- CSV ---


def test_an_open_quote_names_its_row(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        'driver_id,at,note\n0,2026-05-01,x\n1,2026-05-01,"y\n2,2026-05-01,z\n'
    )
    store = FeatureStore(tmp_path)
    store.apply(view("rows.csv"))
    with pytest.raises(InvalidDataError, match=r"rows\.csv.*row 3 .*never closed"):
        store.materialize_incremental(NOON)
    write_rows(tmp_path / "rows.parquet", note=["x"])
    store.apply(view())
    (tmp_path / "entities.csv").write_text('driver_id,event_timestamp,"x\n0,2026-05-01,1\n')
    with pytest.raises(InvalidDataError, match=r"entities\.csv.*row 1 .*never closed"):
        store.get_historical_features(str(tmp_path / "entities.csv"), ["stats"]).to_arrow()


def test_rows_of_csv_are_counted_from_the_header(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("driver_id,at,note\n0,2026-05-01,x\n1,soon,y\n")
    store = FeatureStore(tmp_path)
    store.apply(view("rows.csv"))
    with pytest.raises(InvalidDataError, match=r"'at', row 3: "):
        store.materialize_incremental(NOON)
    (tmp_path / "rows.csv").write_text("driver_id,at,note\n0,2026-05-01,x\n1,2026-05-01,y\n")
    explained = store.explain("stats:note", {"driver_id": 1}, NOON)
    assert explained["row"]["row"] == 3
    (tmp_path / "entities.csv").write_text("driver_id,event_timestamp\n0,2026-05-01\n1,soon\n")
    with pytest.raises(InvalidDataError, match=r"'event_timestamp', row 3: "):
        store.get_historical_features(str(tmp_path / "entities.csv"), ["stats"]).to_arrow()
    frame = {"driver_id": [0, 1], "event_timestamp": ["2026-05-01", "soon"]}
    with pytest.raises(InvalidDataError, match=r"'event_timestamp', row 1: "):
        store.get_historical_features(frame, ["stats"]).to_arrow()


# --- Interrupts ---


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals need the main thread"
)
def test_ctrl_c_ends_an_apply_that_reads_files(tmp_path: Path) -> None:
    line = "1,2026-05-01T00:00:00Z," + ",".join(f"{i}.5" for i in range(30)) + "\n"
    header = "driver_id,at," + ",".join(f"c{i}" for i in range(30)) + "\n"
    with (tmp_path / "rows.csv").open("w") as out:
        out.write(header)
        for _ in range(100):
            out.write(line * 10_000)
    store = FeatureStore(tmp_path)
    driver = Entity(name="driver", join_keys={"driver_id": Int64})
    source = FileSource("rows.csv", timestamp_field="at")
    inferred = FeatureView(name="stats", entities=[driver], source=source)
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        store.apply(inferred)
    assert store.list_feature_views() == [], "it was stopped before the transaction"


def test_cancelling_an_async_plan_stops_it(tmp_path: Path) -> None:
    async def cancel() -> None:
        task = asyncio.ensure_future(store.plan_async(view()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    write_rows(tmp_path / "rows.parquet", note=["x"])
    store = FeatureStore(tmp_path)
    asyncio.run(cancel())
    assert store.list_feature_views() == []


# --- Definitions ---


def test_join_keys_in_the_schema_are_no_features(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", note=["x", "y"])
    text = """
entities:
- {name: driver, join_keys: [driver_id]}
feature_views:
- name: stats
  entities: [driver]
  fields: {driver_id: int64, note: string}
  source: {type: file, path: rows.parquet, timestamp_field: at}
"""
    (tmp_path / "features.yaml").write_text(text)
    store = FeatureStore(tmp_path)
    store.apply(tmp_path / "features.yaml")
    assert [field.name for field in store.get_feature_view("stats").schema] == ["note"]
    assert store.list_entities()[0].to_dict()["join_keys"] == [
        {"name": "driver_id", "type": "int64"}
    ]
    assert not store.plan(tmp_path / "features.yaml")
    (tmp_path / "features.yaml").write_text(text.replace("driver_id: int64", "driver_id: string"))
    with pytest.raises(TypeMismatchError, match=r"does not fit|state one type"):
        store.apply(tmp_path / "features.yaml")
    again = FeatureView(
        name="more",
        entities=["driver"],
        schema=[Field("driver_id", Int64), Field("note", String)],
        source=FileSource("rows.parquet", timestamp_field="at"),
    )
    store.apply(again)
    assert [field.name for field in store.get_feature_view("more").schema] == ["note"]


def test_another_source_is_told_and_loads_all_again(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", note=["a", "b"], other=["c", "d"])
    write_rows(tmp_path / "moved.parquet", note=["e", "f"])
    store = FeatureStore(tmp_path)
    store.apply(view())
    store.materialize_incremental(NOON)
    mapped = view(field_mapping={"other": "note", "note": "old_note"})
    for stated, values in ((mapped, ["c", "d"]), (view("moved.parquet"), ["e", "f"])):
        before = notes(store)
        told = "online values are those of the source as it was"
        assert told in str(store.plan(stated))
        assert told in str(store.apply(stated))
        assert notes(store) == before
        store.materialize_incremental(NOON)
        assert notes(store) == values
        assert store.materialize_incremental(NOON)[0].files_read == 0


# --- Read-only folders ---


def use(folder: Path) -> list[str]:
    """What reading and writing a store in the folder tells."""
    store = FeatureStore(folder)
    rows = {"driver_id": [0], "event_timestamp": [NOON]}
    told = [
        str(store.get_online_features(["stats:note"], [{"driver_id": 1}]).to_dict()["note"]),
        str(store.get_historical_features(rows, ["stats:note"]).to_arrow()["note"].to_pylist()),
    ]
    row = {"driver_id": [0], "at": [NOON], "note": ["z"]}
    for write in (
        lambda: store.materialize_incremental(NOON),
        lambda: store.write_to_online_store("stats", row),
        lambda: store.delete_feature_view("stats"),
    ):
        try:
            write()
            told.append("written")
        except TidemarkError as error:
            told.append(str(error))
    return told


def test_a_read_only_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    write_rows(folder / "rows.parquet", note=["a", "b"])
    store = FeatureStore(folder)
    store.apply(view())
    store.materialize_incremental(NOON)
    store.close()
    del store
    copy = shutil.copytree(folder, tmp_path / "copy")
    with warnings.catch_warnings(action="ignore"):  # "its file is gone": the copy has another
        assert use(copy)[2:] == ["written"] * 3, "and with it all is imported that nobody may read"

    online, offline, *refused = told_to_nobody(folder, use)
    assert (online, offline) == ("['b']", "['a']")
    assert len(refused) == 3
    for told in refused:
        assert "write" in told, told
        assert str(folder) in told, told
