"""The row http: look-ups over HTTP in Feast's format, beside `feast serve` and nginx.

Each server has one core and the client the other. What counts is requests per second of the
server's CPU time, which neighbours on the machine disturb less than requests per second.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from datasets import DATA, Sizes
from outcome import Outcome, Ratio, Settings
from processes import ENVIRONMENT, Contestant, Figures, prepare, redis_server, run_contestant
from serving import FEAST_REDIS, LOOKUP, TIDEMARK, check_rows

PATH = "/get-online-features"
BODIES = 64  # distinct requests
CONNECTIONS = 16
COUNTS = (1, 100)  # entities of a request
START_SECONDS = 120.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

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
FEAST = """
project: bench
provider: local
registry: {folder}/registry.db
online_store: {{type: redis, connection_string: "127.0.0.1:{redis_port}"}}
offline_store: {{type: dask}}
entity_key_serialization_version: 3
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


def ask(port: int, method: str, path: str, body: str | None = None) -> bytes:
    """One request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return text
    finally:
        connection.close()


@contextmanager
def running(command: list[str], port: int, probe: str, log: Path) -> Iterator[int]:
    """A server on its own core, once it answers; stopped by its own process id."""
    core, _ = cores()
    with log.open("wb") as out:
        server = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
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


def bodies(sizes: Sizes, count: int) -> list[str]:
    """Requests for different entities, all features of the data set."""
    chosen = random.Random(sizes.seed + count)
    features = [
        f"{view['name']}:{name}" for view in sizes.job()["views"] for name in view["features"]
    ]
    return [
        json.dumps(
            {
                "features": features,
                "entities": {"key": [chosen.randrange(sizes.keys) for _ in range(count)]},
                "full_feature_names": True,
            }
        )
        for _ in range(BODIES)
    ]


class Client:
    """The load generator, on its own core."""

    def __init__(self, settings: Settings) -> None:
        self._program = DATA / "http_load"
        self._seconds = 5.0 if settings.scale == 1.0 else 0.5
        self._folder = settings.work

    def run(
        self, port: int, path: str, requests: list[str], pid: int, rate: float
    ) -> dict[str, Any]:
        """One run; adds the server's CPU time and what follows from it."""
        file = self._folder / "bodies.txt"
        file.write_text("".join(f"{body}\n" for body in requests))
        _, core = cores()
        command = ["taskset", "-c", str(core), str(self._program), str(port), path, str(file)]
        command += [str(CONNECTIONS), str(self._seconds), str(rate)]
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


def values_of(body: bytes) -> dict[str, list[Any]]:
    """Column by column, whatever their order."""
    answer = json.loads(body)
    names = answer["metadata"]["feature_names"]
    return {name: each["values"] for name, each in zip(names, answer["results"], strict=True)}


def record(outcome: Outcome, name: str, count: int, report: dict[str, Any]) -> None:
    """Keeps one closed loop's report."""
    figures = outcome.figures.setdefault(f"{name} at {count}", Figures())
    figures.seconds.append(1.0 / report["per_cpu_second"])
    figures.cpu_seconds.append(report["server_cpu_seconds"])
    figures.peak_mb.append(0.0)
    figures.reports.append(report)
    print(
        f"  {name:<9} {count:4} entities {report['per_cpu_second']:10,.0f} requests/CPU s "
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


def start(
    stack: ExitStack, settings: Settings, name: str, folder: Path, redis_port: int
) -> tuple[int, int]:
    """(process id, port) of a server over a loaded store."""
    port = free_port()
    log = settings.work / f"http-{name}.log"
    if name == "tidemark":
        built = settings.root / "build" / "release" / "bin" / "tidemark"
        program = os.environ.get("TIDEMARK_PROGRAM", built)
        command = [
            str(program),
            "--store",
            str(folder),
            "serve",
            "--port",
            str(port),
            "--threads",
            "1",
        ]
        return stack.enter_context(running(command, port, "/health", log)), port
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


def start_nginx(stack: ExitStack, settings: Settings, answers: dict[int, bytes]) -> tuple[int, int]:
    """Has nginx give out a file as large as each answer."""
    port = free_port()
    folder = settings.work / "http-nginx"
    folder.mkdir()
    folder.chmod(0o755)
    for parent in folder.parents:  # its worker is another user, if this runs as root
        if parent == DATA.parent:
            break
        parent.chmod(0o755)
    for count, answer in answers.items():
        (folder / f"{count}.json").write_bytes(answer)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(user + NGINX.format(folder=folder, port=port))
    command = ["nginx", "-e", str(folder / "nginx.log"), "-c", str(folder / "nginx.conf")]
    return stack.enter_context(running(command, port, "/1.json", settings.work / "nginx.out")), port


def run_http(settings: Settings) -> Outcome:
    """Closed loops in turns, then an open loop at half of what ours reached."""
    sizes = replace(
        LOOKUP.scaled(settings.scale), keys=max(1000, LOOKUP.scaled(settings.scale).keys)
    )
    outcome = Outcome("http", "look-ups over HTTP, Feast's format, x 50 features", asdict(sizes))
    prepare(settings.python, [sizes], settings.work)
    client = Client(settings)
    requests = {count: bodies(sizes, count) for count in COUNTS}
    with ExitStack() as stack:
        redis_port = stack.enter_context(redis_server(settings.work))
        job = sizes.job() | {"check_rows": check_rows(sizes), "redis_port": redis_port}
        servers: dict[str, tuple[int, int]] = {}
        for name, contestant in {"tidemark": TIDEMARK, "feast": FEAST_REDIS}.items():
            if settings.wants(name):
                folder = load(settings, contestant, job)
                servers[name] = start(stack, settings, name, folder, redis_port)
        answers = {
            count: ask(servers["tidemark"][1], "POST", PATH, requests[count][0]) for count in COUNTS
        }
        if "feast" in servers:
            check(outcome, servers, requests)
        if settings.wants("nginx"):
            servers["nginx"] = start_nginx(stack, settings, answers)
        for repeat in range(settings.repeats):
            print(f"row http, repeat {repeat + 1} of {settings.repeats}", flush=True)
            for count in COUNTS:
                for name, (pid, port) in servers.items():
                    is_file = name == "nginx"
                    path = f"/{count}.json" if is_file else PATH
                    wanted = [""] if is_file else requests[count]
                    record(outcome, name, count, client.run(port, path, wanted, pid, 0))
        open_loops(settings, outcome, client, servers["tidemark"], requests)
    add_ratios(outcome)
    return outcome


def check(
    outcome: Outcome, servers: dict[str, tuple[int, int]], requests: dict[int, list[str]]
) -> None:
    """Feast's values and ours are the same."""
    for count in COUNTS:
        for body in requests[count][:8]:
            both = [
                values_of(ask(servers[name][1], "POST", PATH, body))
                for name in ("feast", "tidemark")
            ]
            if both[0] != both[1]:
                outcome.failures.append(f"answers for {count} entities differ from Feast's")
                return


def open_loops(
    settings: Settings,
    outcome: Outcome,
    client: Client,
    server: tuple[int, int],
    requests: dict[int, list[str]],
) -> None:
    """Latencies at half of the rate that the closed loop reached."""
    pid, port = server
    for count in COUNTS:
        rate = outcome.figures[f"tidemark at {count}"].median_of("rate") / 2
        reports = [
            client.run(port, PATH, requests[count], pid, rate) for _ in range(settings.repeats)
        ]
        median = {
            key: statistics.median(each[key] for each in reports) for key in ("p50_us", "p99_us")
        }
        outcome.numbers[f"open loop at {count}, rate"] = round(rate)
        outcome.numbers[f"open loop at {count}, p50 us"] = round(median["p50_us"], 1)
        outcome.numbers[f"open loop at {count}, p99 us"] = round(median["p99_us"], 1)
        ratio = statistics.median(each["p99_us"] / each["p50_us"] for each in reports)
        outcome.ratios.append(Ratio(f"p99 / p50 at {count}, half load", ratio, 3.0, False))


def add_ratios(outcome: Outcome) -> None:
    """Requests per CPU second against Feast and nginx."""
    for count in COUNTS:
        ours = outcome.figures[f"tidemark at {count}"].median_of("per_cpu_second")
        outcome.numbers[f"tidemark requests/CPU s at {count}"] = round(ours)
        for name, aim in (("feast", {1: 100.0, 100: 200.0}[count]), ("nginx", 0.75)):
            if f"{name} at {count}" not in outcome.figures:
                continue
            theirs = outcome.figures[f"{name} at {count}"].median_of("per_cpu_second")
            outcome.numbers[f"{name} requests/CPU s at {count}"] = round(theirs)
            if name == "nginx" and count != 1:
                outcome.numbers["ours / nginx at 100"] = round(ours / theirs, 2)
            else:
                outcome.ratios.append(Ratio(f"ours / {name} at {count}", ours / theirs, aim, True))
