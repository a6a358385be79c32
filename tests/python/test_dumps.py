"""Goal: a dump is there whole or not at all, comes back as it was, and goes with erased rows."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program import PROGRAM
from sql_tables import Visits, hour

from tidemark import FeatureStore, errors


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    (tmp_path / "tidemark.yaml").write_text("offline_store:\n  maintenance: false\n")
    return FeatureStore(tmp_path)


@pytest.fixture
def visits(store: FeatureStore) -> Visits:
    made = Visits.make(store, "timestamp")
    made.fill()
    return made


def everything() -> pa.Table:
    """One column of each type, with a null in each."""
    moment = hour(1)
    return pa.table(
        {
            "id": pa.array([1, 2], pa.int64()),
            "event_timestamp": pa.array([moment, moment], pa.timestamp("us", tz="UTC")),
            "small": pa.array([7, None], pa.int32()),
            "real": pa.array([1.5, None], pa.float32()),
            "wide": pa.array([2.5, None], pa.float64()),
            "yes": pa.array([True, None], pa.bool_()),
            "word": pa.array(["å", None], pa.string()),
            "raw": pa.array([b"\x00\xff", None], pa.binary()),
            "day": pa.array([dt.date(2026, 1, 2), None], pa.date32()),
            "price": pa.array([Decimal("1.25"), None], pa.decimal128(10, 2)),
            "list": pa.array([[1, None], None], pa.list_(pa.int64())),
            "deep": pa.array(
                [{"a": [{"b": "x"}], "c": None}, None],
                pa.struct([("a", pa.list_(pa.struct([("b", pa.string())]))), ("c", pa.float64())]),
            ),
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        }
    )


def test_every_type_comes_back(store: FeatureStore) -> None:
    rows = everything()
    store.create_table_from(rows, name="all_types", entities=["id"])
    store.ingest("all_types", rows)
    asked = f"select {', '.join(rows.column_names)} from all_types order by id"
    for flushed in (False, True):
        if flushed:
            store.flush()
        direct = store.sql(asked).to_arrow()
        assert direct.to_pylist() == rows.to_pylist()
        assert direct.schema.types == rows.schema.types
        query_id, path = store.dump(asked)
        assert Path(path).is_file()
        assert Path(path).is_relative_to(Path(store.repo_path) / "dumps")
        frame, schema = store.read_dump(query_id)
        assert isinstance(frame, pd.DataFrame)
        assert list(frame.columns) == rows.column_names
        assert [str(each) for each in schema.types] == [str(each) for each in rows.schema.types]
        assert frame["deep"][0]["a"][0] == {"b": "x"}
        assert pq.read_table(path).num_rows == 2


def test_the_list_of_dumps(visits: Visits) -> None:
    store = visits.store
    assert store.dumps() == []
    query = "select user, count(*) AS c from feature_store.visits group by user"
    first, _ = store.dump(query)
    second, path = store.dump("select 1 AS one")
    listed = store.dumps()
    assert [each.query_id for each in listed] == [first, second]
    assert listed[0].sql == query
    assert listed[0].rows == len({row.key for row in visits.rows})
    assert listed[0].tables == ("feature_store.visits",)
    assert [name for name, _ in listed[0].columns] == ["user", "c"]
    assert listed[0].time.startswith(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}")
    store.remove_dump(first)
    assert [each.query_id for each in store.dumps()] == [second]
    store.remove_dump(second)
    assert not Path(path).exists()
    with pytest.raises(errors.NotFoundError, match="no dump"):
        store.remove_dump(second)


def test_an_empty_result(visits: Visits) -> None:
    query_id, _ = visits.store.dump("select user, tags, place from visits where n = 1000")
    frame, schema = visits.store.read_dump(query_id)
    assert len(frame) == 0
    assert schema.names == ["user", "tags", "place"]


@pytest.mark.parametrize(
    "query_id", ["", ".", "..", "../registry.db", "/etc/passwd", "a/b", "x" * 300, "\x00", "0-0"]
)
def test_ids_of_no_dump(visits: Visits, query_id: str) -> None:
    visits.store.dump("select 1 AS one")
    for call in (visits.store.read_dump, visits.store.remove_dump):
        with pytest.raises(errors.NotFoundError, match="no dump"):
            call(query_id)
    assert len(visits.store.dumps()) == 1


def test_a_dump_that_was_cut_off(visits: Visits) -> None:
    store = visits.store
    query_id, path = store.dump("select * from visits")
    whole = Path(path).read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole[:200] + b"\xff" + whole[201:]):
        Path(path).write_bytes(damaged)
        with pytest.raises(errors.CorruptionError, match=query_id):
            store.read_dump(query_id)
    Path(path).unlink()
    with pytest.raises(errors.CorruptionError, match=query_id):
        store.read_dump(query_id)
    assert store.dumps()[0].damage
    store.remove_dump(query_id)
    assert store.dumps() == []


def test_a_query_that_fails_leaves_nothing(visits: Visits, tmp_path: Path) -> None:
    store = visits.store
    store.dump("select 1 AS one")
    left = sorted(os.listdir(tmp_path / "dumps"))
    for query in (
        "select",
        "select * from nothing",
        "select error('no') from visits",
        "select cast(user as int) from visits",
    ):
        with pytest.raises(errors.TidemarkError):
            store.dump(query)
        assert sorted(os.listdir(tmp_path / "dumps")) == left
    with pytest.raises(errors.CancelledError, match=r"(?i)time limit"):
        store.dump(
            "select count(*) from range(100000000) a, range(1000) b where a.range = b.range + 1",
            time_limit=0.2,
        )
    assert sorted(os.listdir(tmp_path / "dumps")) == left


def test_ctrl_c_ends_a_dump_and_leaves_nothing(store: FeatureStore, tmp_path: Path) -> None:
    store.dump("select 1 AS one")
    left = sorted(os.listdir(tmp_path / "dumps"))
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        store.dump("select a.range, b.range AS c from range(100000000) a, range(1000) b")
    assert sorted(os.listdir(tmp_path / "dumps")) == left
    assert len(store.dumps()) == 1


def test_a_killed_writer_leaves_nothing(visits: Visits, tmp_path: Path) -> None:
    script = (
        "import sys; from tidemark import FeatureStore; FeatureStore(sys.argv[1]).dump("
        "'select a.range, b.range from range(100000000) a, range(100) b')"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    folder = tmp_path / "dumps"
    deadline = time.monotonic() + 30
    while not (folder.exists() and any(folder.glob(".*.new/data.parquet"))):
        assert process.poll() is None, "it ended"
        assert time.monotonic() < deadline, "it does not write"
        os.sched_yield()
    # Others leave it alone while it is being written.
    assert visits.store.dumps() == []
    assert any(folder.glob(".*.new"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert visits.store.dumps() == []
    assert os.listdir(folder) == []


def test_async_twins(visits: Visits) -> None:
    async def run() -> None:
        query_id, _ = await visits.store.dump_async("select 1 AS one")
        frame, _ = await visits.store.read_dump_async(query_id)
        assert frame["one"].tolist() == [1]
        assert len(await visits.store.dumps_async()) == 1
        await visits.store.remove_dump_async(query_id)

    asyncio.run(run())


# --- Erasing ---


def test_erasing_removes_the_dumps_that_hold_the_keys(visits: Visits, tmp_path: Path) -> None:
    store = visits.store
    kept = {
        store.dump(query).query_id
        for query in (
            "select * from visits where user = 'b'",
            "select count(*) AS c, avg(n) AS mean from visits",
            "select user || '!' AS shown from visits where user = 'b'",
            "select 'a' AS user",
        )
    }
    gone = {
        store.dump(query).query_id
        for query in (
            "select * from visits",
            "select user AS other from visits",
            "select list(user) AS users from visits",
            "select {'u': user} AS packed from visits",
            "select n from visits where user = 'a'",
        )
    }
    receipt = store.erase("visits", {"user": "a"})
    assert set(receipt.dumps_removed) == gone
    assert receipt.is_done
    assert {each.query_id for each in store.dumps()} == kept
    assert len(os.listdir(tmp_path / "dumps")) == len(kept)
    assert store.erasures("visits")[-1].dumps_removed == receipt.dumps_removed
    # What is dumped from now on does not have them, and stays.
    query_id, path = store.dump("select * from visits")
    assert "a" not in pq.read_table(path).column("user").to_pylist()
    assert store.erase("visits", {"user": "f"}).dumps_removed == (query_id,)


def test_erasing_keys_of_several_columns(store: FeatureStore) -> None:
    rows = pa.table(
        {
            "shop": [1, 1, 2],
            "day": ["mon", "tue", "mon"],
            "event_timestamp": [hour(1)] * 3,
            "sold": [10, 20, 30],
        }
    )
    store.create_table_from(rows, name="sales", entities=["shop", "day"])
    store.ingest("sales", rows)
    kept = store.dump("select * from sales where not (shop = 1 and day = 'tue')").query_id
    gone = {
        store.dump("select * from sales").query_id,
        store.dump("select shop AS s, day AS d from sales where shop = 2").query_id,  # unknown
    }
    receipt = store.erase("sales", {"shop": 1, "day": "tue"})
    assert set(receipt.dumps_removed) == gone
    assert [each.query_id for each in store.dumps()] == [kept]


def test_an_erasure_waits_for_a_dump_that_is_being_written(visits: Visits, tmp_path: Path) -> None:
    """One that another process is writing may have read the rows before."""
    script = (
        "import sys; from tidemark import FeatureStore; FeatureStore(sys.argv[1]).dump("
        "'select v.*, a.range from visits v, range(100000000) a')"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    folder = tmp_path / "dumps"
    deadline = time.monotonic() + 30
    while not (folder.exists() and any(folder.glob(".*.new/data.parquet"))):
        assert process.poll() is None, "it ended"
        assert time.monotonic() < deadline, "it does not write"
        os.sched_yield()
    receipt = visits.store.erase("visits", {"user": "a"})
    assert not receipt.is_done
    assert any("dump" in each for each in receipt.pending)
    process.send_signal(signal.SIGKILL)
    process.wait()
    visits.store.flush()
    assert visits.store.erasures("visits")[-1].is_done


# --- The program ---


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments, "--store", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )


def test_the_program(visits: Visits, tmp_path: Path) -> None:
    query = "select user, n from visits where n is not null order by n limit 2"
    done = run(tmp_path, "sql", query, "--output", "json")
    assert json.loads(done.stdout) == [{"user": "a", "n": 1}, {"user": "b", "n": 2}]
    (tmp_path / "q.sql").write_text(query + ";\n")
    done = run(tmp_path, "sql", "-f", str(tmp_path / "q.sql"), "--output", "csv")
    assert done.stdout.split() == ["user,n", "a,1", "b,2"]
    out = tmp_path / "out.parquet"
    assert run(tmp_path, "sql", query, "--out", str(out)).returncode == 0
    assert pq.read_table(out).num_rows == 2
    done = run(tmp_path, "snapshot", "visits", "--at", "2026-01-01T02:00:00Z", "--output", "json")
    found = {each["user"]: each["n"] for each in json.loads(done.stdout)}
    assert found == visits.latest(hour(2))
    done = run(tmp_path, "snapshot", "visits", "--deleted", "--output", "json")
    assert len(json.loads(done.stdout)) == len(visits.latest(deleted=True))
    done = run(tmp_path, "tables", "--output", "json")
    assert json.loads(done.stdout)[0]["name"] == "visits"
    done = run(tmp_path, "dump", query, "--output", "json")
    query_id = json.loads(done.stdout)[0]["id"]
    done = run(tmp_path, "dumps", "--output", "json")
    assert [each["id"] for each in json.loads(done.stdout)] == [query_id]
    done = run(tmp_path, "dumps", "--read", query_id, "--output", "csv")
    assert done.stdout.split() == ["user,n", "a,1", "b,2"]
    assert run(tmp_path, "dumps", "--remove", query_id).returncode == 0
    assert json.loads(run(tmp_path, "dumps", "--output", "json").stdout) == []
    assert run(tmp_path, "dumps", "--read", query_id).returncode == 3
    assert run(tmp_path, "sql", "select * from nothing").returncode == 3
    assert run(tmp_path, "sql", "selec").returncode == 2
    assert run(tmp_path, "sql").returncode == 2
    assert "sql" in run(tmp_path, "completion", "bash").stdout
