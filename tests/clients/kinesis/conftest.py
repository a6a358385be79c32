"""A Kinesis stream of moto's, and a store that it is read into."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

sys.path.insert(0, str(Path(__file__).parent))

from clicks_stream import Kinesis


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
