"""Goal: compaction and expiry change no answer; what is erased is seen by no read from the first
moment, and its bytes are in no file of the store's folder when the receipt says done; what still
holds them is named, and goes when its holder does.
"""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemark
from tidemark import Entity, FeatureStore, FeatureView, Field, FileSource, TableOptions
from tidemark.errors import InvalidArgumentError, NotFoundError, UnsupportedError
from tidemark.types import Int64, String

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = "erase-me-4711"
VALUE = "value-gone-0815"


def visits(**kwargs):
    return FeatureView(
        name="visits",
        entities=[Entity(name="user", join_keys=[Field("user", String)])],
        schema=[Field("n", Int64), Field("place", String)],
        **kwargs,
    )


@pytest.fixture
def store(tmp_path):
    made = FeatureStore(tmp_path / "store")
    made.create_table(visits())
    return made


def rows(*each, at=T0):
    users, counts, places = zip(*each, strict=True)
    return pd.DataFrame(
        {"user": users, "event_timestamp": [at] * len(users), "n": counts, "place": places}
    )


def online(store, *users):
    keys = [{"user": user} for user in users]
    return store.get_online_features(["visits:n"], keys).to_dict()["n"]


def offline(store, **kwargs):
    made = store.get_training_features("visits", features=["n"], **kwargs).to_arrow()
    return sorted(zip(made["user"].to_pylist(), made["n"].to_pylist(), strict=True))


def holders(store, *texts):
    """Files under the store's folder that have one of the texts, in whatever form."""
    found = set()
    for folder, _, names in os.walk(store.repo_path):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                raw = file.read()
            if name.endswith(".parquet"):  # its pages are compressed
                raw += repr(pq.read_table(path).to_pylist()).encode()
            if any(text.encode() in raw for text in texts):
                found.add(path)
    return found


def kinds(paths):
    return {
        "parquet" if path.endswith(".parquet") else "log" if path.endswith(".log") else
        "avro" if path.endswith(".avro") else os.path.basename(path)
        for path in paths
    }  # fmt: skip


# --- Compaction and expiry ---


def test_compaction_makes_few_files_of_many_and_changes_no_answer(store):
    for i in range(6):
        store.ingest("visits", rows((f"u{i % 3}", i, "x"), ("u", 100 + i, None), at=T0 + i * HOUR))
        store.flush()
    before = offline(store)
    latest = offline(store, latest=True)
    between = store.snapshots("visits")[2].id
    old = offline(store, as_of=between)
    assert store.snapshots("visits")[-1].files == 6
    (made,) = store.compact()
    assert (made.table, made.files_before, made.files_after, made.rows) == ("visits", 6, 1, 12)
    newest = store.snapshots("visits")[-1]
    assert (newest.files, newest.rows, newest.operation) == (1, 12, "replace")
    assert offline(store) == before
    assert offline(store, latest=True) == latest
    assert offline(store, as_of=between) == old
    assert store.compact(["visits"]) == []  # there is nothing left to do


def test_compaction_keeps_partitions_apart(tmp_path):
    store = FeatureStore(tmp_path)
    store.create_table(visits(table=TableOptions(partitions=["user"])))
    for i in range(3):
        store.ingest("visits", rows(("a", i, "x"), ("b", i, "x"), at=T0 + i * HOUR))
        store.flush()
    (made,) = store.compact(["visits"])
    assert (made.files_before, made.files_after) == (6, 2)
    assert offline(store) == sorted((user, i) for user in "ab" for i in range(3))


def test_old_snapshots_expire_with_their_files(store):
    for i in range(4):
        store.ingest("visits", rows((f"u{i}", i, "x")))
        store.flush()
    store.compact()
    before = offline(store)
    assert store.expire_snapshots(keep=2)[0].snapshots == 0  # all are younger than a week
    (gone,) = store.expire_snapshots("visits", older_than=timedelta(0), keep=2)
    assert (gone.snapshots, len(store.snapshots("visits"))) == (3, 2)
    (gone,) = store.expire_snapshots("visits", older_than=datetime.now(UTC), keep=1)
    assert (gone.snapshots, gone.files > 4) == (1, True)
    data = [each for each in holders(store, "u1") if each.endswith(".parquet")]
    assert len(data) == 1
    assert offline(store) == before
    with pytest.raises(InvalidArgumentError, match="keep is 0"):
        store.expire_snapshots(keep=0)


# --- Erasure ---


def spread(store):
    """Puts the key into files, several snapshots, the log and the online store."""
    store.ingest("visits", rows((KEY, 1, VALUE), ("a", 1, "x")))
    store.flush()
    store.ingest("visits", rows((KEY, 2, VALUE), ("b", 2, "y"), at=T0 + HOUR))
    store.flush()
    store.compact()
    store.ingest("visits", rows(("c", 3, "z"), at=T0 + HOUR))
    store.flush()
    store.ingest("visits", rows((KEY, 4, VALUE), ("d", 4, "z"), at=T0 + 2 * HOUR))
    store.push("visits", rows((KEY, 5, VALUE), at=T0 + 3 * HOUR), to="online")


OTHERS = [("a", 1), ("b", 2), ("c", 3), ("d", 4)]


def test_erased_rows_are_gone_from_every_file(store):
    spread(store)
    assert kinds(holders(store, KEY)) == {"parquet", "log", "avro", "data.mdb"}
    assert kinds(holders(store, VALUE)) >= {"parquet", "log", "data.mdb"}
    receipt = store.erase("visits", {"user": KEY})
    assert receipt.is_done, receipt
    assert receipt.pending == ()
    assert receipt.rows_removed == 4
    assert receipt.files_rewritten == 1
    assert any("backups" in each for each in receipt.out_of_reach)
    assert holders(store, KEY, VALUE) == set()
    assert offline(store) == OTHERS
    assert online(store, KEY, "a", "d") == [None, 1, 4]
    assert store.erasures() == [receipt]


def test_nothing_brings_erased_rows_back(store):
    spread(store)
    before = datetime.now(UTC)
    store.erase("visits", {"user": [KEY]})
    assert offline(store, as_of=before) == OTHERS
    store.materialize_incremental(datetime.now(UTC))
    store.materialize(T0 - HOUR, datetime.now(UTC))
    assert online(store, KEY, "a") == [None, 1]
    for again in (store, FeatureStore(store.repo_path)):
        again.ingest("visits", rows(("e", 6, "w"), at=T0 + 4 * HOUR))
        again.push("visits", rows(("f", 7, "w"), at=T0 + 4 * HOUR))
        again.flush()
        again.compact()
        assert online(again, KEY) == [None]
        assert holders(store, KEY, VALUE) == set()


def test_rows_written_after_an_erasure_stay(store):
    spread(store)
    store.erase("visits", [{"user": KEY}])
    store.ingest("visits", rows((KEY, 9, "new"), at=T0))  # even for an earlier moment
    for _ in range(2):
        assert online(store, KEY) == [9]
        assert (KEY, 9) in offline(store)
        store.flush()
    again = store.erase("visits", {"user": KEY})
    assert (again.state, again.rows_removed) == ("done", 1)
    assert holders(store, KEY) == set()
    assert store.erase("visits", {"user": KEY}).rows_removed == 0
    assert [each.state for each in store.erasures("visits")] == ["done"] * 3


@pytest.mark.parametrize("partitions", [["user"], ["bucket(2, user)", "day"]])
def test_erased_keys_are_gone_from_partitions_too(tmp_path, partitions):
    store = FeatureStore(tmp_path / "store")
    store.create_table(visits(table=TableOptions(partitions=partitions)))
    spread(store)
    receipt = store.erase("visits", {"user": KEY})
    assert receipt.is_done, receipt
    assert holders(store, KEY, VALUE) == set()
    assert offline(store) == OTHERS


def test_rows_that_went_straight_to_files_are_erased(store):
    many = pd.DataFrame(
        {
            "user": [KEY if each % 1000 == 0 else f"u{each % 777}" for each in range(60_000)],
            "event_timestamp": T0,
            "n": range(60_000),
            "place": VALUE,
        }
    )
    many["place"] = many["place"].where(many["user"] == KEY, "elsewhere")
    store.ingest("visits", many)
    receipt = store.erase("visits", {"user": KEY})
    assert (receipt.state, receipt.rows_removed) == ("done", 60)
    assert holders(store, KEY, VALUE) == set()
    assert len(offline(store)) == 60_000 - 60


WRITER = """
import sys
from datetime import UTC, datetime
import pandas as pd
from tidemark import FeatureStore
store = FeatureStore(sys.argv[1])
at = datetime(2026, 1, 1, tzinfo=UTC)
row = pd.DataFrame({"user": [sys.argv[2], "w"], "event_timestamp": [at, at],
                    "n": [50, 51], "place": [sys.argv[3], "x"]})
store.ingest("visits", row)
print("written", flush=True)
for line in sys.stdin:
    if line.strip() == "flush":
        store.flush()
        print("flushed", flush=True)
    else:
        break
"""


@pytest.fixture
def writer(store):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, store.repo_path, KEY, VALUE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "written\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_the_log_of_a_running_process_is_pending_until_it_flushes(store, writer):
    receipt = store.erase("visits", {"user": KEY})
    assert receipt.state == "pending"
    assert ["another running process" in each for each in receipt.pending] == [True]
    assert kinds(holders(store, KEY)) == {"log"}
    assert offline(store) == [("w", 51)]  # no read sees them all the same
    assert online(store, KEY, "w") == [None, 51]
    writer.stdin.write("flush\n")
    writer.stdin.flush()
    assert writer.stdout.readline() == "flushed\n"
    assert holders(store, KEY, VALUE) == set()
    assert [each.state for each in store.erasures()] == ["done"]


def test_the_log_of_a_process_that_ends_is_taken_over(store, writer):
    assert store.erase("visits", {"user": KEY}).state == "pending"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    store.flush()
    assert [each.state for each in store.erasures()] == ["done"]
    assert holders(store, KEY, VALUE) == set()
    assert (offline(store), online(store, KEY, "w")) == ([("w", 51)], [None, 51])


def test_what_cannot_be_erased_says_why(tmp_path, store):
    with pytest.raises(NotFoundError, match="no column 'user'"):
        store.erase("visits", {"id": "x"})
    with pytest.raises(InvalidArgumentError, match="no keys"):
        store.erase("visits", pa.table({"user": pa.array([], pa.string())}))
    with pytest.raises(NotFoundError, match="visit"):
        store.erase("visit", {"user": KEY})
    frame = pa.table({"event_timestamp": [T0], "x": [1]})
    store.create_table_from(frame, name="keyless")
    with pytest.raises(UnsupportedError, match="no entities"):
        store.erase("keyless", {"x": 1})
    pq.write_table(pa.table({"user": ["a"], "at": [T0], "n": [1]}), tmp_path / "f.parquet")
    store.apply(
        [
            FeatureView(
                name="files",
                entities=[Entity(name="user", join_keys=[Field("user", String)])],
                schema=[Field("n", Int64)],
                source=FileSource(str(tmp_path / "f.parquet"), timestamp_field="at"),
            )
        ]
    )
    with pytest.raises(UnsupportedError, match="batch source"):
        store.erase("files", {"user": "a"})


def test_async_twins(store):
    import asyncio

    spread(store)

    async def run():
        await store.compact_async()
        await store.expire_snapshots_async(older_than=timedelta(0), keep=1)
        receipt = await store.erase_async("visits", {"user": KEY})
        assert await store.erasures_async() == [receipt]
        return receipt

    assert asyncio.run(run()).is_done


# --- Command line ---


def program(store, *arguments, code=0):
    path = os.path.join(os.path.dirname(tidemark.__file__), "bin", "tidemark")
    run = subprocess.run(
        [path, "--store", str(store.repo_path), *arguments], capture_output=True, text=True
    )
    assert run.returncode == code, run.stderr
    return run


def test_commands(store):
    spread(store)
    made = json.loads(program(store, "compact", "--output", "json").stdout)
    assert [each["table"] for each in made] == ["visits"]
    (gone,) = json.loads(
        program(
            store, "expire-snapshots", "--older-than", "0s", "--keep", "1", "--output", "json"
        ).stdout
    )
    assert gone["snapshots"] > 0
    run = program(store, "erase", "visits", f"user={KEY}", "--output", "json")
    (receipt,) = json.loads(run.stdout)
    assert receipt["keys"] == 1
    # The log of this process is alive: what it holds is pending.
    assert receipt["state"] == "pending"
    assert "pending: log" in run.stderr
    assert "out of reach: backups" in run.stderr
    store.flush()
    (listed,) = json.loads(program(store, "erasures", "visits", "--output", "json").stdout)
    assert (listed["id"], listed["state"]) == (receipt["id"], "done")
    assert holders(store, KEY, VALUE) == set()
    assert (
        "neither a time" in program(store, "expire-snapshots", "--older-than", "x", code=2).stderr
    )
