"""Goal: an online store that was ahead of the disk when its writer was killed, and is found as
after a loss of power, has all acknowledged rows once somebody opens it who may write; who may not
is told so.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import struct
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from nobody import told_to_nobody

from tidemark import Entity, FeatureStore, FeatureView, Field
from tidemark.errors import TidemarkError
from tidemark.types import Int64

USERS = 50
AHEAD = 1  # a state of src/adapters/lmdb/lmdb_synced_root_internal.h
PATIENCE_S = 60.0


def state(folder: Path) -> int:
    """Of the newest record of the online store's synced.root."""
    bytes_of_it = (folder / ".tidemark" / "online" / "synced.root").read_bytes()
    records = [struct.unpack_from("<8sQI", bytes_of_it, at) for at in (0, 4096)]
    return max(records, key=lambda record: record[1])[2]


def row_of(user: int, n: int, second: int) -> dict[str, list[object]]:
    at = dt.datetime(2026, 5, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=second)
    return {"user": [user], "n": [n], "event_timestamp": [at]}


def write_until_killed(folder: Path, acknowledged: int) -> None:
    """Rows one after another; dies when some came behind the synced root."""
    store = FeatureStore(folder)
    behind = 0
    deadline = time.monotonic() + PATIENCE_S
    n = 0
    while time.monotonic() < deadline:
        store.ingest("events", row_of(n % USERS, n, n))
        os.write(acknowledged, struct.pack("<q", n))
        n += 1
        behind = behind + 1 if state(folder) == AHEAD else 0
        if behind == 2 * USERS:
            os.kill(os.getpid(), signal.SIGKILL)


def written(folder: Path, write: Callable[[Path, int], None]) -> int:
    """How many rows a process was told to have, which was killed."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write(folder, write_end)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as told:
        count = len(told.read()) // 8
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    return count


def look(folder: Path) -> list[str]:
    try:
        users = [{"user": 0}]
        return [str(FeatureStore(folder).get_online_features(["events:n"], users).to_dict())]
    except TidemarkError as error:
        return [str(error)]


def test_a_copy_of_a_store_that_was_ahead_of_the_disk_has_all_its_rows(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = FeatureStore(folder)
    user = Entity(name="user", join_keys={"user": Int64})
    store.apply([user, FeatureView(name="events", entities=[user], schema=[Field("n", Int64)])])
    assert "None" in look(folder)[0], "and with it all is imported that nobody may read"
    store.close()
    del store
    count = written(folder, write_until_killed)
    assert state(folder) == AHEAD

    # A copy is another file: what of it was synced is known as little as after a loss of power.
    shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(folder)
    (tmp_path / "copy").rename(folder)
    [told] = told_to_nobody(folder, look)
    assert "open it once as one who may write the folder" in told
    assert str(folder) in told

    store = FeatureStore(folder)
    wanted = [max(range(key, count, USERS)) for key in range(USERS)]
    users = [{"user": key} for key in range(USERS)]
    assert store.get_online_features(["events:n"], users).to_dict()["n"] == wanted
    rows = store.sql("SELECT n FROM events ORDER BY n").to_arrow()["n"].to_pylist()
    assert rows == list(range(count))
    store.ingest("events", row_of(0, -1, count))
    assert store.get_online_features(["events:n"], [{"user": 0}]).to_dict()["n"] == [-1]
