"""A Kinesis stream of moto's, and a store that it is read into."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from server_process import PROGRAM

STREAM = "clicks"
REGION = "eu-west-1"

DEFINITIONS = """
entities:
  - {{name: user, join_keys: [{{name: user, type: int64}}]}}
feature_views:
  - name: clicks
    entities: [user]
    schema:
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
        folder.mkdir()
        (folder / "clicks.yaml").write_text(
            DEFINITIONS.format(stream=STREAM, region=REGION, endpoint=endpoint)
        )
        self.run("init")
        self.run("apply")

    def put(self, rows: list[dict[str, Any] | bytes]) -> None:
        for row in rows:
            data = row if isinstance(row, bytes) else json.dumps(row).encode()
            key = "0" if isinstance(row, bytes) else str(row["user"])
            self.client.put_record(StreamName=STREAM, Data=data, PartitionKey=key)

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

    def read(self) -> None:
        self.run("stream", "run", "--until-end")

    def sql(self, query: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.run("sql", query, "--output", "json"))
        return rows


@pytest.fixture
def kinesis(tmp_path: Path) -> Iterator[Kinesis]:
    server = ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Kinesis(f"http://{host}:{port}", tmp_path / "store")
    finally:
        server.stop()
