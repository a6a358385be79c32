"""The row http-writes: rows that arrive over HTTP, and GetRecord beside Feast's request.

PutRecord and Feast's `/write-to-online-store` carry one row a request; ours is durable, online
and offline, when it is answered, Feast's is in Redis. The bulk of rows goes to `/v1` as an Arrow
stream.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Sizes
from http_servers import Client, ask, load, record, start_feast, start_tidemark
from outcome import Outcome, Ratio, Settings
from processes import prepare, redis_server, warm
from serving import FEAST_REDIS, LOAD, LOOKUP

GROUP = "records"
TABLE = "bulk"
REQUESTS = 256  # distinct ones
WRITERS = 64  # connections: group commit is across them
BULK_ROWS = 2_000_000
EVENT_SECONDS = 1_750_000_000
PUT_AIM = 20.0
GET_AIM = 1.0
INGEST_AIM_ROWS = 1_000_000.0


def rows(sizes: Sizes) -> list[dict[str, Any]]:
    """One row for each request."""
    chosen = random.Random(sizes.seed)
    features = sizes.job()["views"][0]["features"]
    return [
        {"key": chosen.randrange(sizes.keys)} | {name: chosen.gauss(0, 1) for name in features}
        for _ in range(REQUESTS)
    ]


def put_records(sizes: Sizes) -> list[str]:
    """PutRecord, one row each."""
    puts = []
    for i, row in enumerate(rows(sizes)):
        values = row | {"at": float(EVENT_SECONDS + i)}
        record = [{"FeatureName": k, "ValueAsString": repr(v)} for k, v in values.items()]
        puts.append(f"PUT /FeatureGroup/{GROUP} " + json.dumps({"Record": record}))
    return puts


def feast_writes(sizes: Sizes) -> list[str]:
    """The same rows for Feast's server."""
    view = sizes.job()["views"][0]["name"]
    times = ("event_timestamp", "created")
    writes = []
    for row in rows(sizes):
        frame = {name: [value] for name, value in row.items()}
        frame |= {name: ["2025-06-15T15:06:40Z"] for name in times}
        body = {"feature_view_name": view, "df": frame}
        writes.append("POST /write-to-online-store " + json.dumps(body))
    return writes


def make_group(port: int, sizes: Sizes) -> None:
    """A feature group with the columns of a view, online and offline."""
    kinds = {"key": "Integral"} | dict.fromkeys(
        ["at", *sizes.job()["views"][0]["features"]], "Fractional"
    )
    definition = {
        "FeatureGroupName": GROUP,
        "RecordIdentifierFeatureName": "key",
        "EventTimeFeatureName": "at",
        "FeatureDefinitions": [
            {"FeatureName": name, "FeatureType": kind} for name, kind in kinds.items()
        ],
        "OnlineStoreConfig": {"EnableOnlineStore": True},
        "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://tidemark/groups"}},
        "RoleArn": "arn:aws:iam::123456789012:role/bench",
    }
    headers = {"X-Amz-Target": "SageMaker.CreateFeatureGroup"}
    ask(port, "POST", "/", json.dumps(definition), headers)


def make_table(port: int, frame: pa.Table) -> None:
    """A feature table for the bulk."""
    kinds = {name: "float64" for name in frame.column_names if name.startswith("f")}
    kinds |= {"key": "int64", "event_timestamp": "timestamp"}
    schema = {
        "name": TABLE,
        "entities": ["key"],
        "schema": [{"name": name, "type": kind} for name, kind in kinds.items()],
    }
    ask(port, "POST", "/v1/projects/default/tables", json.dumps({"schema": schema}), wanted=201)


def bulk(sizes: Sizes, count: int) -> pa.Table:
    """The first rows of a history, with the columns of the table."""
    path = sizes.view_path(0)
    columns = ["key", "event_timestamp", *sizes.job()["views"][0]["features"]]
    with pq.ParquetFile(path) as file:
        batches = file.iter_batches(columns=columns)
        return pa.Table.from_batches(list(batches)).slice(0, count)


def stream(table: pa.Table) -> bytes:
    """As an Arrow IPC stream."""
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=64 * 1024)
    held: bytes = out.getvalue().to_pybytes()
    return held


def pieces(body: bytes, size: int = 1 << 20) -> Iterator[bytes]:
    """As a client that reads a file would send it: chunked."""
    view = memoryview(body)
    for begin in range(0, len(body), size):
        yield bytes(view[begin : begin + size])


def ingest(port: int, body: bytes, to: str) -> float:
    """Seconds until all rows are acknowledged."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request(
        "POST",
        f"/v1/projects/default/views/{TABLE}/ingest?to={to}",
        pieces(body),
        {"Content-Type": "application/vnd.apache.arrow.stream"},
        encode_chunked=True,
    )
    answer = connection.getresponse()
    text = answer.read()
    seconds = time.perf_counter() - began
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"ingest: {answer.status} {text[:300]!r}")
    return seconds


def run_http_writes(settings: Settings) -> Outcome:
    """Closed loops in turns, then the bulk."""
    sizes = replace(LOOKUP.scaled(settings.scale), keys=1000, views=1)
    history = LOAD.scaled(settings.scale)
    outcome = Outcome("http-writes", "rows that arrive over HTTP, x 10 features", asdict(sizes))
    prepare(settings.python, [sizes, history], settings.work)
    client = Client(settings)
    with ExitStack() as stack:
        redis_port = stack.enter_context(redis_server(settings.work))
        folder = settings.work / "http-writes"
        folder.mkdir()
        ours = start_tidemark(stack, settings, folder)
        make_group(ours[1], sizes)
        loops = {
            "PutRecord": (ours, put_records(sizes), WRITERS),
            "PutRecord, 1 writer": (ours, put_records(sizes), 1),
        }
        if settings.wants("feast"):
            job = sizes.job() | {"check_rows": [{"key": 1}], "redis_port": redis_port}
            store = load(settings, FEAST_REDIS, job)
            feast = start_feast(stack, settings, store, redis_port)
            loops["Feast's write"] = (feast, feast_writes(sizes), WRITERS)
        names = ["at", *sizes.job()["views"][0]["features"]]
        loops["GetRecord"] = (ours, get_records(sizes), 16)
        loops["Feast's request"] = (ours, lookups(sizes, names), 16)
        for repeat in range(settings.repeats):
            print(f"row http-writes, repeat {repeat + 1} of {settings.repeats}", flush=True)
            for name, (server, requests, connections) in loops.items():
                if name == "GetRecord":  # else the rows that were put become files meanwhile
                    ask(ours[1], "POST", "/v1/projects/default/flush", "{}")
                record(outcome, name, client.run(server, requests, connections=connections))
        if not settings.only:
            run_bulk(settings, outcome, ours[1], history)
    add_ratios(outcome)
    return outcome


def get_records(sizes: Sizes) -> list[str]:
    """GetRecord of the rows that were put."""
    path = f"GET /FeatureGroup/{GROUP}?RecordIdentifierValueAsString="
    return [f"{path}{row['key']}" for row in rows(sizes)]


def lookups(sizes: Sizes, names: list[str]) -> list[str]:
    """The same rows by Feast's request."""
    features = [f"{GROUP}:{name}" for name in names if name != "at"]
    return [
        "POST /get-online-features "
        + json.dumps({"features": features, "entities": {"key": [row["key"]]}})
        for row in rows(sizes)
    ]


def run_bulk(settings: Settings, outcome: Outcome, port: int, history: Sizes) -> None:
    """Arrow bodies into a feature table, offline alone and online too."""
    warm([history.view_path(0)])
    table = bulk(history, round(BULK_ROWS * settings.scale))
    make_table(port, table)
    body = stream(table)
    for to in ("offline", "online_and_offline"):
        rates = [table.num_rows / ingest(port, body, to) for _ in range(settings.repeats)]
        rate = sorted(rates)[len(rates) // 2]
        outcome.numbers[f"/v1 ingest, {to}, rows/s"] = round(rate)
        print(f"  /v1 ingest, {to}: {rate:,.0f} rows/s", flush=True)
        if to == "offline":
            outcome.ratios.append(Ratio("/v1 Arrow ingest, rows/s", rate, INGEST_AIM_ROWS, True))


def add_ratios(outcome: Outcome) -> None:
    """What the aims are about."""
    figures = outcome.figures
    if "Feast's write" in figures:
        ratio = figures["PutRecord"].median_of("rate") / figures["Feast's write"].median_of("rate")
        outcome.ratios.append(Ratio("PutRecord / Feast's write, rows/s", ratio, PUT_AIM, True))
    for name in ("PutRecord", "PutRecord, 1 writer"):
        outcome.numbers[f"{name}, rows/s"] = round(figures[name].median_of("rate"))
    gets, asks = (
        figures[name].median_of("per_cpu_second") for name in ("GetRecord", "Feast's request")
    )
    outcome.ratios.append(
        Ratio("GetRecord / Feast's request, per CPU s", gets / asks, GET_AIM, True)
    )
