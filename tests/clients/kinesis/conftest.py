"""Kinesis streams of moto's and of kinesis-local's, and stores that they are read into."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

sys.path.insert(0, str(Path(__file__).parent))

from clicks_stream import Kinesis
from kinesis_local import kinesis_local


@pytest.fixture
def kinesis(tmp_path: Path) -> Iterator[Kinesis]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        # What moto has is the process's, whatever the server.
        request = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")
        urllib.request.urlopen(request).close()
        yield Kinesis(endpoint, tmp_path / "store")
    finally:
        server.stop()


@pytest.fixture
def splitting(tmp_path: Path) -> Iterator[Kinesis]:
    """Of kinesis-local's: shards that are split or merged end."""
    with kinesis_local() as endpoint:
        yield Kinesis(endpoint, tmp_path / "store")
