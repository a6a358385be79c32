"""Servers and their load for the rows over HTTP: each server has one core and the client the other.

What counts is requests per second of the server's CPU time, which neighbours on the machine disturb
less than requests per second.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from datasets import DATA
from outcome import Outcome, Settings
from processes import ENVIRONMENT, Contestant, Figures, run_contestant

CONNECTIONS = 16
START_SECONDS = 120.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

FEAST = """
project: bench
provider: local
registry: {folder}/registry.db
online_store: {{type: redis, connection_string: "127.0.0.1:{redis_port}"}}
offline_store: {{type: dask}}
entity_key_serialization_version: 3
"""

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=16;
  server {{
    listen 127.0.0.1:{port};
    root {folder};
    default_type application/json;
  }}
}}
"""


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cores() -> tuple[int, int]:
    """One for the server, one for the client."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def tree(pid: int) -> list[int]:
    """A process and all that it has started."""
    found = [pid]
    for each in found:
        children = Path(f"/proc/{each}/task/{each}/children")
        if children.exists():
            found += [int(child) for child in children.read_text().split()]
    return found


def cpu_seconds(pid: int) -> float:
    """What a server and its workers have used."""
    ticks = 0
    for each in tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / CLOCK_TICKS


def ask(
    port: int,
    method: str,
    path: str,
    body: str | None = None,
    headers: dict[str, str] | None = None,
    wanted: int = 200,
) -> bytes:
    """One request; its answer has the wanted status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(
            method, path, body, {"Content-Type": "application/json"} | (headers or {})
        )
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != wanted:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return text
    finally:
        connection.close()


@contextmanager
def running(
    command: list[str], port: int, probe: str, log: Path, *, pinned: bool = True
) -> Iterator[int]:
    """A server, on its own core if pinned, once it answers; stopped by its own process id."""
    core, _ = cores()
    with log.open("wb") as out:
        server = subprocess.Popen(
            ["taskset", "-c", str(core), *command] if pinned else command,
            stdout=out,
            stderr=out,
            env=os.environ | ENVIRONMENT,
        )
        try:
            until = time.monotonic() + START_SECONDS
            while True:
                if server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{command[0]} does not start: {log.read_text()[-800:]}")
                try:
                    ask(port, "GET", probe)
                    break
                except OSError:
                    time.sleep(0.05)
            yield server.pid
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


class Client:
    """The load generator, on its own core."""

    def __init__(self, settings: Settings) -> None:
        self._program = DATA / "http_load"
        self._seconds = 5.0 if settings.scale == 1.0 else 0.5
        self._folder = settings.work

    def run(
        self,
        server: tuple[int, int],
        requests: list[str],
        rate: float = 0,
        connections: int = CONNECTIONS,
    ) -> dict[str, Any]:
        """One run of requests "METHOD /path body" against (process id, port).

        A closed loop, or an open one at a rate.

        Adds the server's CPU time and what follows from it.
        """
        pid, port = server
        file = self._folder / "requests.txt"
        file.write_text("".join(f"{request}\n" for request in requests))
        _, core = cores()
        command = ["taskset", "-c", str(core), str(self._program), str(port), str(file)]
        command += [str(connections), str(self._seconds), str(rate)]
        before = cpu_seconds(pid)
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        report: dict[str, Any] = json.loads(done.stdout)
        report["server_cpu_seconds"] = cpu_seconds(pid) - before
        report["per_cpu_second"] = report["all_requests"] / max(report["server_cpu_seconds"], 1e-9)
        if report["failures"] > 0:
            raise RuntimeError(f"{report['failures']} requests failed")
        return report


def record(outcome: Outcome, name: str, report: dict[str, Any]) -> None:
    """Keeps one closed loop's report."""
    figures = outcome.figures.setdefault(name, Figures())
    figures.seconds.append(1.0 / report["per_cpu_second"])
    figures.cpu_seconds.append(report["server_cpu_seconds"])
    figures.peak_mb.append(0.0)
    figures.reports.append(report)
    print(
        f"  {name:<20} {report['per_cpu_second']:10,.0f} requests/CPU s "
        f"{report['rate']:10,.0f}/s  "
        f"p50 {report['p50_us']:8.0f} us  p99 {report['p99_us']:8.0f} us",
        flush=True,
    )


def load(settings: Settings, contestant: Contestant, job: dict[str, Any]) -> Path:
    """Materializes into a store of the contestant's own: its folder."""
    folder = settings.work / f"http-{contestant.name}"
    shutil.rmtree(folder, ignore_errors=True)
    python = settings.our_python if contestant.ours else settings.python
    whole = job | {"phase": "materialize", "store_path": str(folder / "store")}
    run_contestant(contestant, whole, python, folder)
    return folder / "store"


def start_tidemark(stack: ExitStack, settings: Settings, folder: Path) -> tuple[int, int]:
    """(process id, port) of our server over a store, with one thread for connections."""
    port = free_port()
    built = settings.root / "build" / "release" / "bin" / "tidemark"
    program = os.environ.get("TIDEMARK_PROGRAM", built)
    command = [str(program), "--store", str(folder), "serve", "--port", str(port), "--threads", "1"]
    log = settings.work / "http-tidemark.log"
    return stack.enter_context(running(command, port, "/health", log)), port


def start_feast(
    stack: ExitStack, settings: Settings, folder: Path, redis_port: int
) -> tuple[int, int]:
    """(process id, port) of `feast serve` over a loaded store."""
    port = free_port()
    log = settings.work / "http-feast.log"
    (folder / "feature_store.yaml").write_text(FEAST.format(folder=folder, redis_port=redis_port))
    feast = str(Path(settings.python).with_name("feast"))
    command = [
        settings.python,
        feast,
        "-c",
        str(folder),
        "serve",
        "-p",
        str(port),
        "--no-access-log",
        *("--max-requests", "0", "--max-requests-jitter", "0"),  # or it starts anew every thousand
    ]
    return stack.enter_context(running(command, port, "/health", log)), port


def start_nginx(
    stack: ExitStack, settings: Settings, files: dict[str, bytes], *, pinned: bool = True
) -> tuple[int, int]:
    """Has nginx give out files as large as our answers."""
    port = free_port()
    folder = settings.work / "http-nginx"
    folder.mkdir()
    folder.chmod(0o755)
    for parent in folder.parents:  # its worker is another user, if this runs as root
        if parent == DATA.parent:
            break
        parent.chmod(0o755)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(user + NGINX.format(folder=folder, port=port))
    command = ["nginx", "-e", str(folder / "nginx.log"), "-c", str(folder / "nginx.conf")]
    probe = "/" + next(iter(files))
    server = running(command, port, probe, settings.work / "nginx.out", pinned=pinned)
    return stack.enter_context(server), port
