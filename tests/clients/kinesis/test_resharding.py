"""Goal: shards are split and merged while they are read, and each record becomes a row once."""

from __future__ import annotations

import json
import time
from typing import Any

from clicks_stream import Kinesis

USERS = 20


def rows(first: int, count: int) -> list[dict[str, Any] | bytes]:
    """All of one event time: of a user's rows the one that is written last counts."""
    return [
        {"user": n % USERS, "n": n, "page": "p", "event_timestamp": "2026-05-01T08:00:00Z"}
        for n in range(first, first + count)
    ]


def wait_for(kinesis: Kinesis, count: int) -> None:
    deadline = time.monotonic() + 60
    while kinesis.sql("SELECT count(*) AS n FROM clicks")[0]["n"] < count:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def check_each_once(kinesis: Kinesis, count: int) -> None:
    there = [row["n"] for row in kinesis.sql("SELECT n FROM clicks ORDER BY n")]
    assert there == list(range(count))
    newest = kinesis.online(range(USERS))
    assert newest == list(range(count - USERS, count)), "the last put of each user is served"


def test_what_was_split_and_merged_before_it_was_read(splitting: Kinesis) -> None:
    splitting.put(rows(0, 40))
    splitting.split_widest()
    splitting.put(rows(40, 40))
    splitting.merge_first()
    splitting.put(rows(80, 40))
    splitting.split_widest()
    splitting.put(rows(120, 40))
    splitting.read()
    check_each_once(splitting, 160)
    splitting.put(rows(160, 20))
    splitting.read()
    check_each_once(splitting, 180)


def test_splits_and_merges_while_it_is_read(splitting: Kinesis) -> None:
    reader = splitting.reader()
    sent = 0
    changes = [splitting.split_widest, splitting.merge_first] * 2
    for change in [*changes, lambda: splitting.resize(2), lambda: splitting.resize(4)]:
        splitting.put(rows(sent, 20))
        change()
        splitting.put(rows(sent + 20, 20))
        sent += 40
    wait_for(splitting, sent)
    status = json.loads(splitting.run("stream", "status", "clicks", "--output", "json"))
    assert {shard["ShardId"] for shard in splitting.open_shards()} <= {
        row["partition"] for row in status
    }
    reader.terminate()
    assert reader.wait() == 0
    check_each_once(splitting, sent)


def test_readers_that_are_killed_between_parents_and_children(splitting: Kinesis) -> None:
    sent = 0
    for _ in range(3):
        readers = [splitting.reader(), splitting.reader()]
        for change in (splitting.split_widest, splitting.merge_first):
            splitting.put(rows(sent, 40))
            change()
            splitting.put(rows(sent + 40, 40))
            sent += 80
        time.sleep(0.5)
        for reader in readers:
            reader.kill()
            reader.wait()
    splitting.read()
    check_each_once(splitting, sent)
