"""Goal: a stream with Kinesis's API is read into a feature table, each record once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from clicks_stream import REGION, STREAM, Kinesis, aggregated


def rows(first: int, count: int) -> list[dict[str, Any] | bytes]:
    return [
        {
            "user": n % 20,
            "n": n,
            "page": f"p{n % 3}",
            "event_timestamp": f"2026-05-01T08:00:00.{n:06}Z",
        }
        for n in range(first, first + count)
    ]


def test_a_stream_is_read_once_however_often_it_is_run(kinesis: Kinesis) -> None:
    kinesis.put(rows(0, 100))
    kinesis.read()
    kinesis.read()
    kinesis.put(rows(100, 50))
    kinesis.read()
    there = [row["n"] for row in kinesis.sql("SELECT n FROM clicks ORDER BY n")]
    assert there == list(range(150))


def test_records_that_are_no_rows_are_kept_apart(kinesis: Kinesis) -> None:
    kinesis.put([*rows(0, 10), b"no JSON", *rows(10, 1)])
    kinesis.read()
    assert kinesis.sql("SELECT count(*) AS n FROM clicks") == [{"n": 11}]
    [rejected] = kinesis.sql('SELECT "partition", reason FROM clicks__rejected')
    assert rejected["partition"].startswith("shardId-")
    assert "no JSON" in rejected["reason"]


def test_a_record_without_data_deletes_its_key(kinesis: Kinesis) -> None:
    kinesis.put(rows(0, 20))
    kinesis.client.put_record(StreamName=STREAM, Data=b"", PartitionKey="7")
    kinesis.read()
    assert kinesis.sql('SELECT "user" FROM clicks WHERE is_deleted') == [{"user": 7}]


def test_records_of_the_producer_library_come_apart(kinesis: Kinesis) -> None:
    packed = aggregated("7", [row for row in rows(0, 50) if isinstance(row, dict)])
    kinesis.client.put_record(StreamName=STREAM, Data=packed, PartitionKey="7")
    kinesis.read()
    kinesis.put(rows(50, 20))
    kinesis.client.put_record(StreamName=STREAM, Data=packed[:-1], PartitionKey="7")
    kinesis.read()
    there = [row["n"] for row in kinesis.sql("SELECT n FROM clicks ORDER BY n")]
    assert there == list(range(70))
    rejected = kinesis.sql("SELECT reason FROM clicks__rejected")
    assert len(rejected) == 1, (
        "a record that only begins like one of the library's is one by itself"
    )


def test_processes_share_the_shards(kinesis: Kinesis) -> None:
    readers = [kinesis.reader(), kinesis.reader()]
    began = time.monotonic()
    sent = 0
    while time.monotonic() < began + 6:  # the second gets its shards meanwhile
        kinesis.put(rows(sent, 20))
        sent += 20
    readers[0].kill()
    readers[0].wait()
    kinesis.put(rows(sent, 50))
    sent += 50
    while kinesis.sql("SELECT count(*) AS n FROM clicks") != [{"n": sent}]:
        assert time.monotonic() < began + 60
    readers[1].terminate()
    assert readers[1].wait() == 0
    there = [row["n"] for row in kinesis.sql("SELECT n FROM clicks ORDER BY n")]
    assert there == list(range(sent))


def test_a_role_is_taken_by_a_web_identity(kinesis: Kinesis, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("who I am\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del kinesis.environment[name]
    kinesis.environment |= {
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/reader",
        "AWS_ROLE_SESSION_NAME": "reader-1",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ENDPOINT_URL_STS": kinesis.client.meta.endpoint_url,
    }
    kinesis.put(rows(0, 30))
    kinesis.read()
    assert kinesis.sql("SELECT count(*) AS n FROM clicks") == [{"n": 30}]
    token.unlink()
    told = kinesis.run("stream", "run", "--until-end", code=5)
    assert "which AWS_WEB_IDENTITY_TOKEN_FILE names, cannot be read" in told


def test_what_is_not_there_is_told(kinesis: Kinesis) -> None:
    kinesis.client.delete_stream(StreamName=STREAM)
    told = kinesis.run("stream", "run", "--until-end", code=3)
    assert f"Kinesis stream '{STREAM}': there is none in region {REGION}" in told


def test_a_stream_that_was_made_anew_is_told(kinesis: Kinesis) -> None:
    kinesis.put(rows(0, 5))
    kinesis.read()
    kinesis.client.delete_stream(StreamName=STREAM)
    kinesis.client.create_stream(StreamName=STREAM, ShardCount=1)
    kinesis.put(rows(100, 3))
    told = kinesis.run("stream", "run", "--until-end", code=4)
    assert "made anew" in told
    told = kinesis.run("stream", "restart", "clicks", "--from", "latest", "--yes", code=2)
    assert "restart from earliest" in told
    kinesis.run("stream", "restart", "clicks", "--from", "earliest", "--yes")
    kinesis.read()
    there = [row["n"] for row in kinesis.sql("SELECT n FROM clicks ORDER BY n")]
    assert there == [0, 1, 2, 3, 4, 100, 101, 102]
