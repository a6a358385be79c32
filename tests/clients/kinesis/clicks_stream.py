"""A stream with Kinesis's API, and the program that reads it into a store."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import boto3
from program import PROGRAM

STREAM = "clicks"
REGION = "eu-west-1"

DEFINITIONS = """
entities:
  - {{name: user, join_keys: [{{name: user, type: int64}}]}}
feature_views:
  - name: clicks
    entities: [user]
    fields:
      - {{name: n, type: int64}}
      - {{name: page, type: string}}
    stream_source:
      type: kinesis
      name: clicks
      stream_name: {stream}
      region: {region}
      endpoint_url: {endpoint}
      record_format: json
      timestamp_field: event_timestamp
"""


def _field(number: int, data: bytes) -> bytes:
    """A field of bytes in protobuf's encoding."""
    size = len(data)
    length = b""
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def aggregated(key: str, rows: list[dict[str, Any]]) -> bytes:
    """Rows of one key as Amazon's producer library puts them into one record."""
    message = _field(1, key.encode())
    for row in rows:
        message += _field(3, b"\x08\x00" + _field(3, json.dumps(row).encode()))
    return b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message).digest()


class Kinesis:
    """Writes to the stream, and runs the program that reads it."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        self.client: Any = boto3.client(
            "kinesis",
            region_name=REGION,
            endpoint_url=endpoint,
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="secret",
        )
        self.client.create_stream(StreamName=STREAM, ShardCount=3)
        self._wait_until_active()
        folder.mkdir()
        (folder / "tidemark.yaml").write_text("project: clicks\n")
        (folder / "clicks.yaml").write_text(
            DEFINITIONS.format(stream=STREAM, region=REGION, endpoint=endpoint)
        )
        self.run("apply")

    def put(self, rows: list[dict[str, Any] | bytes]) -> None:
        for row in rows:
            data = row if isinstance(row, bytes) else json.dumps(row).encode()
            key = "0" if isinstance(row, bytes) else str(row["user"])
            self.client.put_record(StreamName=STREAM, Data=data, PartitionKey=key)

    def _wait_until_active(self) -> None:
        deadline = time.monotonic() + 30
        while self._status() != "ACTIVE":
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _status(self) -> str:
        summary = self.client.describe_stream_summary(StreamName=STREAM)
        return str(summary["StreamDescriptionSummary"]["StreamStatus"])

    def open_shards(self) -> list[dict[str, Any]]:
        """Neither split nor merged, in the order of their hash keys."""
        listed = self.client.list_shards(StreamName=STREAM)["Shards"]
        shards = [
            each for each in listed if "EndingSequenceNumber" not in each["SequenceNumberRange"]
        ]
        return sorted(shards, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))

    def split_widest(self) -> None:
        """Halves the shard with the most hash keys."""

        def bounds(shard: dict[str, Any]) -> tuple[int, int]:
            keys = shard["HashKeyRange"]
            return int(keys["StartingHashKey"]), int(keys["EndingHashKey"])

        widest = max(self.open_shards(), key=lambda shard: bounds(shard)[1] - bounds(shard)[0])
        self.client.split_shard(
            StreamName=STREAM,
            ShardToSplit=widest["ShardId"],
            NewStartingHashKey=str(sum(bounds(widest)) // 2),
        )
        self._wait_until_active()

    def merge_first(self) -> None:
        """Makes one shard of the two with the lowest hash keys."""
        first, second, *_ = self.open_shards()
        self.client.merge_shards(
            StreamName=STREAM,
            ShardToMerge=first["ShardId"],
            AdjacentShardToMerge=second["ShardId"],
        )
        self._wait_until_active()

    def resize(self, shards: int) -> None:
        """Has the service split and merge until there are so many."""
        self.client.update_shard_count(
            StreamName=STREAM, TargetShardCount=shards, ScalingType="UNIFORM_SCALING"
        )
        self._wait_until_active()

    def run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [str(PROGRAM), "--store", str(self.folder), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=self.environment,
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def reader(self) -> subprocess.Popen[bytes]:
        """A process that reads until it is told to stop."""
        command = [str(PROGRAM), "--store", str(self.folder), "stream", "run"]
        return subprocess.Popen(command, env=self.environment)

    def read(self) -> None:
        self.run("stream", "run", "--until-end")

    def online(self, users: range) -> list[int]:
        """What is served as `n` of each."""
        asked = [f"user={user}" for user in users]
        answer = self.run("get-online", "--features", "clicks:n", "--output", "json", *asked)
        return [row["n"] for row in json.loads(answer)]

    def sql(self, query: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.run("sql", query, "--output", "json"))
        return rows
