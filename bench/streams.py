"""The rows stream and push: rows that arrive one at a time, from a broker or over HTTP.

The broker is a real one on this machine, with the settings that Kafka ships, and shares the two
cores with whoever writes to it and with what is measured.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from datasets import DATA
from http_servers import Client, ask, record, start_feast, start_nginx, start_tidemark
from outcome import Outcome, Ratio, Settings
from processes import Contestant, Figures, redis_server, run_contestant

STREAM = Contestant("tidemark-stream", "tidemark_stream.py", ours=True)
TIDEMARK_PUSH = Contestant("tidemark-push", "tidemark_push.py", ours=True)
FEAST_PUSH = Contestant("feast-push", "feast_push.py", {"online": "redis"})
KEYS = 100_000
BACKLOG_ROWS = 2_000_000
READ_SECONDS = 2.0  # of lookups beside a backlog, and of nginx beside it
READ_ROWS_MIN = 400_000  # that it has not ended by then
BACKLOG_AIMS = {"json": 100_000.0, "protobuf": 200_000.0}  # rows a second
FRESH_ROWS_PER_SECOND = 10_000
PROBES_PER_SECOND = 1_000
FRESH_SECONDS = 20
WARM_UP_SECONDS = 30  # until then the broker's own compiler takes a quarter of a processor
FRESH_AIM_MS = 10.0
NGINX_FILE = "lookup.json"  # as large as an answer
ANSWER_BYTES = 740
READS_AIM = 3.0  # p99 of lookups, while rows come in at full speed, in their p50
PUSH_AIM = 20.0  # rows per CPU second, in Feast's
FIELDS = [f"f{i}" for i in range(10)]
PUSH_ROWS = (1, 100)  # of a request
PUSHES = 64  # distinct requests


def stream_job(settings: Settings, phase: str, **more: Any) -> dict[str, Any]:
    """What the contestant is told; at a smaller scale fewer rows come, and as many a second."""
    built = settings.root / "build" / "release" / "bin" / "tidemark"
    seconds = max(2, round(FRESH_SECONDS * settings.scale))
    warm_up = max(1, round(WARM_UP_SECONDS * settings.scale))
    return {
        "phase": phase,
        "kind": "json",
        "http_load": str(DATA / "http_load"),
        "stream_send": str(DATA / "stream_send"),
        "program": os.environ.get("TIDEMARK_PROGRAM", str(built)),
        "partitions": 4,
        "keys": max(1_000, round(KEYS * settings.scale)),
        "rows": max(10_000, round(BACKLOG_ROWS * settings.scale)),
        "rows_per_second": FRESH_ROWS_PER_SECOND,
        "probes": (warm_up + seconds) * PROBES_PER_SECOND,
        "probes_of_warm_up": warm_up * PROBES_PER_SECOND,
        **more,
    }


def run_phase(settings: Settings, outcome: Outcome, name: str, job: dict[str, Any]) -> None:
    """One turn of a phase, in a folder that is removed again."""
    folder = settings.work / "stream"
    shutil.rmtree(folder, ignore_errors=True)
    whole = job | {"store_path": str(folder / "store")}
    report, cpu, peak = run_contestant(STREAM, whole, settings.our_python, folder)
    figures = outcome.figures.setdefault(name, Figures())
    figures.seconds.append(report["seconds"])
    figures.cpu_seconds.append(cpu)
    figures.peak_mb.append(peak)
    figures.reports.append(report)
    shown = {key: round(report[key], 2) for key in ("rate", "p50_ms", "p99_ms") if key in report}
    print(f"  {name:<20} {shown}", flush=True)


def run_stream(settings: Settings) -> Outcome:
    """Backlogs, freshness at the head, and lookups while a backlog is read."""
    sizes = stream_job(settings, "sizes")
    del sizes["program"]  # a path of this machine
    outcome = Outcome("stream", "a topic into offline and online, x 10 fields", sizes)
    phases = {
        f"backlog, {kind}": stream_job(settings, "backlog", kind=kind) for kind in BACKLOG_AIMS
    }
    phases["freshness"] = stream_job(settings, "freshness")
    phases["broker"] = stream_job(settings, "broker")
    phases["reads"] = stream_job(
        settings,
        "reads",
        rows=max(READ_ROWS_MIN, sizes["rows"]),
        read_seconds=max(0.1, READ_SECONDS * settings.scale),
    )
    with ExitStack() as stack:
        if settings.wants("nginx"):
            _, port = start_nginx(stack, settings, {NGINX_FILE: b"x" * ANSWER_BYTES}, pinned=False)
            phases["reads"] |= {"nginx": {"port": port, "path": f"/{NGINX_FILE}"}}
        for repeat in range(settings.repeats):
            print(f"row stream, repeat {repeat + 1} of {settings.repeats}", flush=True)
            for name, job in phases.items():
                run_phase(settings, outcome, name, job)
    for kind, aim in BACKLOG_AIMS.items():
        rate = outcome.figures[f"backlog, {kind}"].median_of("rate")
        outcome.ratios.append(Ratio(f"backlog, {kind}, rows/s", rate, aim, True))
    fresh = outcome.figures["freshness"]
    outcome.ratios.append(
        Ratio("freshness, p99 ms", fresh.median_of("p99_ms"), FRESH_AIM_MS, False)
    )
    for key in ("p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"):
        outcome.numbers[f"freshness, {key}"] = round(fresh.median_of(key), 2)
        bare = outcome.figures["broker"].median_of(key)
        outcome.numbers[f"freshness of a bare consumer, {key}"] = round(bare, 2)
    reads = outcome.figures["reads"]
    tail = statistics.median(each["p99_us"] / each["p50_us"] for each in reads.reports)
    outcome.ratios.append(Ratio("reads during ingest, p99 / p50", tail, READS_AIM, False))
    keys = ["p50_us", "p99_us", "idle_p50_us", "idle_p99_us", "rate"]
    if "nginx_p50_us" in reads.reports[0]:
        keys += ["nginx_p50_us", "nginx_p99_us"]
        tail = statistics.median(
            each["nginx_p99_us"] / each["nginx_p50_us"] for each in reads.reports
        )
        outcome.numbers["reads of a file from nginx meanwhile, p99 / p50"] = round(tail, 2)
    for key in keys:
        outcome.numbers[f"reads during ingest, {key}"] = round(reads.median_of(key), 1)
    return outcome


def pushes(count: int, to: str) -> list[str]:
    """Requests of so many rows each, in Feast's format."""
    chosen = random.Random(count)
    requests = []
    for _ in range(PUSHES):
        columns: dict[str, list[Any]] = {"key": [chosen.randrange(KEYS) for _ in range(count)]}
        columns["event_timestamp"] = ["2026-01-01T00:00:00Z"] * count
        for name in FIELDS:
            columns[name] = [chosen.gauss(0, 1) for _ in range(count)]
        body = {"push_source_name": "pushed", "df": columns, "to": to}
        requests.append("POST /push " + json.dumps(body))
    return requests


def made_store(settings: Settings, contestant: Contestant, redis_port: int) -> Path:
    """A store with the definitions, and nothing in it."""
    folder = settings.work / contestant.name
    python = settings.our_python if contestant.ours else settings.python
    job = {"fields": FIELDS, "store_path": str(folder / "store"), "redis_port": redis_port}
    run_contestant(contestant, job, python, folder)
    return folder / "store"


def run_push(settings: Settings) -> Outcome:
    """Closed loops in turns: ours durable online and offline when it answers, Feast's in Redis."""
    outcome = Outcome("push", "rows pushed over HTTP, x 10 fields", {"rows": PUSH_ROWS})
    client = Client(settings)
    with ExitStack() as stack:
        redis_port = stack.enter_context(redis_server(settings.work))
        store = made_store(settings, TIDEMARK_PUSH, redis_port)
        servers = {"tidemark": start_tidemark(stack, settings, store)}
        if settings.wants("feast"):
            theirs = made_store(settings, FEAST_PUSH, redis_port)
            servers["feast"] = start_feast(stack, settings, theirs, redis_port)
        for repeat in range(settings.repeats):
            print(f"row push, repeat {repeat + 1} of {settings.repeats}", flush=True)
            for count in PUSH_ROWS:
                for name, server in servers.items():
                    to = "online_and_offline" if name == "tidemark" else "online"
                    record(outcome, f"{name} at {count}", client.run(server, pushes(count, to)))
        check_pushed(outcome, servers)
    for count in PUSH_ROWS:
        rates = {
            name: outcome.figures[f"{name} at {count}"].median_of("per_cpu_second") * count
            for name in servers
        }
        for name, rate in rates.items():
            outcome.numbers[f"{name} at {count}, rows/CPU s"] = round(rate)
        if "feast" in rates:
            ratio = rates["tidemark"] / rates["feast"]
            outcome.ratios.append(Ratio(f"push, ours / Feast's at {count}", ratio, PUSH_AIM, True))
    return outcome


def check_pushed(outcome: Outcome, servers: dict[str, tuple[int, int]]) -> None:
    """The keys of a request are found on both sides."""
    request = pushes(PUSH_ROWS[-1], "online")[0].removeprefix("POST /push ")
    keys = json.loads(request)["df"]["key"][:8]
    body = {"features": [f"rides:{name}" for name in FIELDS], "entities": {"key": keys}}
    for name, (_, port) in servers.items():
        answer = json.loads(ask(port, "POST", "/get-online-features", json.dumps(body)))
        if any(None in each["values"] for each in answer["results"]):
            outcome.failures.append(f"{name} does not find what was pushed")
