"""`tidemark serve` as a process of its own, for tests that talk to it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

from program import PROGRAM

STARTED = re.compile(r"tidemark serves .* on (https?)://\S*:(\d+) ")
TIMEOUT_SECONDS = (
    60.0  # generous: a machine that is busy is slow, and only what hangs takes so long
)


@dataclass(frozen=True)
class Answer:
    """What the server answered; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class ServerProcess:
    """A server on a free port of this machine; stopped by its own process id."""

    def __init__(
        self,
        folder: Path,
        *flags: str,
        environment: Mapping[str, str] | None = None,
        open_files_max: int | None = None,
    ) -> None:
        self._lines: list[str] = []
        self._has_ended_its_lines = False
        self._line_there = threading.Condition()
        began = time.monotonic()
        limit = ["prlimit", f"--nofile={open_files_max}"] if open_files_max else []
        self.process = subprocess.Popen(
            [*limit, str(PROGRAM), "--store", str(folder), "serve", "--port", "0", *flags],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        started = self.wait_for_line(STARTED)
        self.seconds_to_start = time.monotonic() - began
        if started is None:
            self.kill()
            raise RuntimeError("the server did not start:\n" + "\n".join(self._lines))
        self.scheme, self.port = started[1], int(started[2])
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                with self._line_there:
                    self._lines.append(line.rstrip("\n"))
                    self._line_there.notify_all()
        with self._line_there:
            self._has_ended_its_lines = True
            self._line_there.notify_all()

    def wait_for_line(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The first line on standard error that matches; None if the server ends before."""
        until = time.monotonic() + TIMEOUT_SECONDS
        seen = 0
        with self._line_there:
            while True:
                for line in self._lines[seen:]:
                    if found := pattern.search(line):
                        return found
                seen = len(self._lines)
                if self._has_ended_its_lines:
                    return None
                if not self._line_there.wait(until - time.monotonic()):
                    return None

    @property
    def lines(self) -> list[str]:
        with self._line_there:
            return list(self._lines)

    def connect(self, context: ssl.SSLContext | None = None) -> HTTPConnection:
        if self.scheme == "https":
            return HTTPSConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS, context=context)
        return HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = self.connect(context)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            return read_answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request(
            "GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    def post_json(self, path: str, value: Any, **headers: str) -> Answer:
        return self.request(
            "POST",
            path,
            body=json.dumps(value),
            headers={
                "Content-Type": "application/json",
                **{k.replace("_", "-"): v for k, v in headers.items()},
            },
        )

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_SECONDS)

    def metric(self, name: str, **headers: str) -> float:
        """The value of a metric, summed over its labels."""
        text = self.get("/metrics", **headers).text
        values = [
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith((name + " ", name + "{"))
        ]
        assert values, f"no metric {name} in:\n{text}"
        return sum(values)

    def stop(self) -> int:
        """Asks it to drain: its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Until it has ended by itself: its exit code. (Another signal would cut it off.)"""
        code = self.process.wait(TIMEOUT_SECONDS)
        self._reader.join()
        return code

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self._reader.join()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
            raise


def read_answer(response: HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def run_program(
    folder: Path, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), "--store", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=check,
        timeout=TIMEOUT_SECONDS,
    )


def create_key(folder: Path, scopes: Sequence[str], *more: str) -> dict[str, str]:
    """A new key: `id`, `key`, `aws_secret_access_key`, ..."""
    flags = [flag for scope in scopes for flag in ("--scope", scope)]
    made = run_program(folder, "--output", "json", "keys", "create", *flags, *more)
    document: dict[str, str] = json.loads(made.stdout)
    return document
