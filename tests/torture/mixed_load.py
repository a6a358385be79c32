"""A server under everything at once: lookups, writes of every dialect, definitions, jobs, queries.

Goal: with a program that is built with a sanitizer, what its threads do to each other comes out.
Any answer of 5xx is a failure, and so is an exit code other than 0 (that of a sanitizer's finding).

    TIDEMARK_PROGRAM=build/tsan/bin/tidemark python tests/torture/mixed_load.py [seconds]
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from server_process import Answer, ServerProcess

P = "/v1/projects/default"
USERS = 50
CLIENTS = 2  # of each kind of request
TABLE = {
    "name": "events",
    "entities": ["id"],
    "schema": [
        {"name": "id", "type": "int64"},
        {"name": "event_timestamp", "type": "timestamp"},
        {"name": "x", "type": "float64"},
        {"name": "note", "type": "string"},
    ],
}
RANDOM = random.Random(7)


def user() -> int:
    return RANDOM.randrange(USERS)


def row() -> dict[str, object]:
    event = f"2026-05-01T00:00:{RANDOM.random() * 59:09.6f}Z"
    return {"id": user(), "event_timestamp": event, "x": RANDOM.random(), "note": "n" * user()}


def lookup(server: ServerProcess) -> Answer:
    users = [user() for _ in range(RANDOM.choice([1, 20]))]
    asked = {"features": ["events:x", "events:note"], "entities": {"id": users}}
    path = RANDOM.choice([f"{P}/online", "/get-online-features"])
    return server.post_json(path, asked)


def ingest(server: ServerProcess) -> Answer:
    rows = [row() for _ in range(RANDOM.choice([1, 1, 1, 500]))]
    path = RANDOM.choice([f"{P}/views/events/ingest?skip_bad_rows=true", f"{P}/push/events"])
    return server.post_json(path, rows, Idempotency_Key=str(RANDOM.random()))


def ingest_csv(server: ServerProcess) -> Answer:
    lines = [f"{one['id']},{one['event_timestamp']},{one['x']},n" for one in (row(), row())]
    body = "\n".join(["id,event_timestamp,x,note", *lines, ""])
    return server.request("POST", f"{P}/views/events/ingest", body, {"Content-Type": "text/csv"})


def feast_write(server: ServerProcess) -> Answer:
    frame = {name: [value] for name, value in row().items()}
    return server.post_json("/write-to-online-store", {"feature_view_name": "events", "df": frame})


def record(server: ServerProcess) -> Answer:
    one = row()
    if RANDOM.random() < 0.4:
        return server.get(f"/FeatureGroup/events?RecordIdentifierValueAsString={one['id']}")
    fields = [{"FeatureName": name, "ValueAsString": str(value)} for name, value in one.items()]
    return server.request("PUT", "/FeatureGroup/events", json.dumps({"Record": fields}))


def delete(server: ServerProcess) -> Answer:
    return server.post_json(f"{P}/views/events/delete", [{"id": user()}])


def define(server: ServerProcess) -> Answer:
    name = f"extra{user() % 4}"
    if RANDOM.random() < 0.3:
        return server.request("DELETE", f"{P}/views/{name}")
    view = {
        "name": name,
        "entities": ["id"],
        "fields": [{"name": f"f{user() % 3}", "type": "int64"}],
        "table": {},
    }
    path = RANDOM.choice([f"{P}/plan", f"{P}/apply", f"{P}/apply"])
    return server.post_json(path, {"definitions": {"feature_views": [view]}})


def job(server: ServerProcess) -> Answer:
    what = RANDOM.choice(["materialize", "flush", "compact", "expire-snapshots", "stop", "list"])
    if what == "list":
        return server.get(f"{P}/jobs")
    if what == "stop":
        jobs = server.get(f"{P}/jobs").json()["jobs"]
        return server.request("DELETE", f"{P}/jobs/{jobs[0]['id']}") if jobs else server.get("/v1")
    body = {"older_than": "2026-01-01"} if what == "expire-snapshots" else {}
    return server.post_json(f"{P}/{what}", body, Prefer="respond-async")


def erase(server: ServerProcess) -> Answer:
    return server.post_json(f"{P}/views/events/erase", [{"id": user()}], Prefer="respond-async")


def read(server: ServerProcess) -> Answer:
    asked = RANDOM.randrange(5)
    if asked == 0:
        return server.post_json(f"{P}/sql", {"query": "SELECT count(*), max(x) FROM events"})
    if asked == 1:
        rows = [{"id": user(), "event_timestamp": "2026-06-01"} for _ in range(10)]
        return server.post_json(f"{P}/historical", {"features": ["events"], "entity_rows": rows})
    if asked == 2:
        return server.get(f"{P}/tables/events/latest")
    if asked == 3:
        return server.post_json(f"{P}/explain", {"feature": "events:x", "key": {"id": user()}})
    return server.get(f"{P}/views/events/snapshots")


def watch(server: ServerProcess) -> Answer:
    return server.get(RANDOM.choice(["/metrics", "/health", f"{P}/definitions", f"{P}/stats"]))


KINDS: list[Callable[[ServerProcess], Answer]] = [
    lookup,
    ingest,
    ingest_csv,
    feast_write,
    record,
    delete,
    define,
    job,
    erase,
    read,
    watch,
]


def run(seconds: float) -> int:
    answered: Counter[tuple[str, int]] = Counter()
    failed: list[str] = []
    with TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder), "--workers", "8", "--threads", "2")
        made = server.post_json(f"{P}/tables", {"schema": TABLE})
        assert made.status == 201, made.text
        until = time.monotonic() + seconds

        def ask(kind: Callable[[ServerProcess], Answer]) -> None:
            while time.monotonic() < until and not failed:
                try:
                    answer = kind(server)
                except (OSError, HTTPException) as error:
                    failed.append(f"{kind.__name__}: {error!r}")
                    return
                answered[kind.__name__, answer.status] += 1
                # Jobs wait for each other in a queue that has an end: 503.
                if answer.status >= 500 and not (answer.status == 503 and "BUSY" in answer.text):
                    failed.append(f"{kind.__name__}: {answer.status} {answer.text[:400]}")

        threads = [
            threading.Thread(target=ask, args=(kind,)) for kind in KINDS for _ in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        code = server.stop()
        lines = server.lines
    for (name, status), count in sorted(answered.items()):
        print(f"{name:12} {status} {count:7}")
    for line in failed + (lines if code != 0 else []):
        print(line)
    print(f"exit code {code}")
    return 1 if failed or code != 0 else 0


if __name__ == "__main__":
    sys.exit(run(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0))
