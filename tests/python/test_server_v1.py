"""The server's own API: every route, every format of rows, bad requests, big bodies."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from server_process import Answer, ServerProcess, read_answer

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
CSV = "text/csv"
NDJSON = "application/x-ndjson"
JSON = "application/json"
P = "/v1/projects/default"

SCHEMA = {
    "name": "events",
    "entities": ["user_id"],
    "schema": [
        {"name": "user_id", "type": "int64"},
        {"name": "event_timestamp", "type": "timestamp"},
        {"name": "amount", "type": "float64"},
        {"name": "note", "type": "string"},
    ],
}


def at(second: int) -> str:
    return f"2026-05-01T08:00:{second:02}Z"


def rows(count: int = 3) -> list[dict[str, Any]]:
    return [
        {"user_id": i, "event_timestamp": at(i), "amount": i + 0.5, "note": f"n{i}"}
        for i in range(count)
    ]


def table(count: int = 3) -> pa.Table:
    start = 1_777_622_400_000_000  # 2026-05-01T08:00:00Z
    return pa.table(
        {
            "user_id": pa.array(range(count), pa.int64()),
            "event_timestamp": pa.array(
                [start + i * 1_000_000 for i in range(count)], pa.timestamp("us", tz="UTC")
            ),
            "amount": pa.array([i + 0.5 for i in range(count)], pa.float64()),
            "note": pa.array([f"n{i}" for i in range(count)]),
        }
    )


def arrow_bytes(given: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, given.schema) as writer:
        writer.write_table(given)
    return sink.getvalue()


def body_of(given: pa.Table, content_type: str) -> bytes:
    sink = io.BytesIO()
    if content_type == ARROW:
        return arrow_bytes(given)
    if content_type == PARQUET:
        pq.write_table(given, sink)
    elif content_type == CSV:
        pyarrow.csv.write_csv(given, sink)
    else:
        objects = given.to_pylist()
        for row in objects:
            row["event_timestamp"] = row["event_timestamp"].isoformat()
        if content_type == NDJSON:
            return "\n".join(json.dumps(row) for row in objects).encode()
        return json.dumps(objects).encode()
    return sink.getvalue()


def table_of(answer: Answer) -> pa.Table:
    content_type = answer.headers["content-type"]
    if content_type == ARROW:
        return pa.ipc.open_stream(answer.body).read_all()
    if content_type == PARQUET:
        return pq.read_table(io.BytesIO(answer.body))
    if content_type == CSV:
        return pyarrow.csv.read_csv(io.BytesIO(answer.body))
    if content_type == NDJSON:
        return pa.Table.from_pylist([json.loads(line) for line in answer.text.splitlines()])
    document = answer.json()
    names = [column["name"] for column in document["columns"]]
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in document["rows"]])


def report_of(answer: Answer) -> dict[str, Any]:
    """What an Arrow answer says in its last, empty batch."""
    reader = pa.ipc.open_stream(answer.body)
    last = None
    for batch, metadata in reader.iter_batches_with_custom_metadata():
        last = (batch.num_rows, metadata)
    assert last is not None
    assert last[0] == 0
    report: dict[str, Any] = json.loads(last[1][b"tidemark.report"])
    return report


def done(answer: Answer, status: int = 200) -> Any:
    assert answer.status == status, answer.text
    return answer.json()


def error(answer: Answer, status: int, code: str) -> str:
    """The message of an error, its place in front."""
    assert answer.status == status, answer.text
    body = answer.json()["error"]
    assert body["code"] == code, answer.text
    assert body["request_id"] == answer.headers["x-request-id"]
    return f"{body.get('context', '')}: {body['message']}"


def end_of(server: ServerProcess, started: Answer) -> dict[str, Any]:
    """The job as it is when it has ended."""
    job: dict[str, Any] = done(started, 202)["job"]
    assert started.headers["location"] == f"{P}/jobs/{job['id']}"
    while job["state"] in ("queued", "running"):
        version = job["version"]
        job = done(server.get(f"{P}/jobs/{job['id']}?wait_ms=30000&version={version}"))
    return job


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "store") as running:
        yield running


@pytest.fixture
def events(server: ServerProcess) -> ServerProcess:
    """A server with one feature table without rows."""
    assert done(server.post_json(f"{P}/tables", {"schema": SCHEMA}), 201) == {"table": "events"}
    return server


@pytest.fixture
def filled(events: ServerProcess) -> ServerProcess:
    done(events.post_json(f"{P}/views/events/ingest", rows()))
    return events


def online(server: ServerProcess, users: list[int]) -> dict[str, Any]:
    answer: dict[str, Any] = done(
        server.post_json(
            f"{P}/online", {"features": ["events:amount"], "entities": {"user_id": users}}
        )
    )
    return answer


def test_server_says_what_it_is(server: ServerProcess) -> None:
    assert done(server.get("/v1")) == {"name": "tidemark", "version": "0.1.0", "api": "v1"}
    document = done(server.get("/v1/openapi.json"))
    assert document["openapi"] == "3.1.0"
    assert done(server.get("/v1/projects")) == {"projects": [], "project": "default"}


@pytest.mark.parametrize("content_type", [JSON, NDJSON, CSV, ARROW, PARQUET])
def test_ingest_takes_every_format(events: ServerProcess, content_type: str) -> None:
    answer = done(
        events.request(
            "POST",
            f"{P}/views/events/ingest",
            body_of(table(), content_type),
            {"Content-Type": content_type},
        )
    )
    assert (answer["rows"], answer["online_rows"], answer["rejected"]) == (3, 3, 0)
    found = online(events, [0, 2, 7])
    assert found["columns"] == [{"name": "amount", "type": "float64"}]
    assert found["values"] == [[0.5, 2.5, None]]
    assert found["statuses"] == [["PRESENT", "PRESENT", "NOT_FOUND"]]
    assert found["event_timestamps"] == [[at(0), at(2), None]]


@pytest.mark.parametrize("content_type", [JSON, NDJSON, CSV, ARROW, PARQUET])
@pytest.mark.parametrize("accept", [JSON, NDJSON, CSV, ARROW, PARQUET])
def test_training_sets_in_every_format(
    filled: ServerProcess, content_type: str, accept: str
) -> None:
    wanted = {"features": ["events:amount", "events:note"]}
    spine = table().select(["user_id", "event_timestamp"])
    if content_type == JSON:
        wanted["entity_rows"] = json.loads(body_of(spine, JSON))
        answer = filled.post_json(f"{P}/historical", wanted, Accept=accept)
    else:
        answer = filled.request(
            "POST",
            f"{P}/historical",
            multipart(wanted, body_of(spine, content_type), content_type),
            {"Content-Type": "multipart/form-data; boundary=xyz", "Accept": accept},
        )
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"] == accept
    got = table_of(answer)
    assert got.column_names == ["user_id", "event_timestamp", "amount", "note"]
    assert got["amount"].to_pylist() == [0.5, 1.5, 2.5]
    assert got["note"].to_pylist() == ["n0", "n1", "n2"]
    if accept == ARROW:
        assert report_of(answer) == {"rows": 3, "warnings": []}
    if accept == JSON:
        assert answer.json()["report"] == {"rows": 3, "warnings": []}


def multipart(wanted: dict[str, Any], body: bytes, content_type: str) -> bytes:
    return (
        b'--xyz\r\nContent-Disposition: form-data; name="request"\r\n'
        b"Content-Type: application/json\r\n\r\n" + json.dumps(wanted).encode() + b"\r\n"
        b'--xyz\r\nContent-Disposition: form-data; name="rows"; filename="r"\r\nContent-Type: '
        + content_type.encode()
        + b"\r\n\r\n"
        + body
        + b"\r\n--xyz--\r\n"
    )


def test_training_set_of_a_range(filled: ServerProcess) -> None:
    answer = done(
        filled.post_json(
            f"{P}/historical",
            {"features": ["events"], "range": {"start": at(1)}, "include_status": True},
        )
    )
    assert len(answer["rows"]) == 2
    assert "amount__status" in [column["name"] for column in answer["columns"]]
    message = error(
        filled.post_json(f"{P}/historical", {"features": ["events"]}), 400, "INVALID_ARGUMENT"
    )
    assert "entity_rows" in message
    assert "range" in message


def test_rows_that_do_not_fit_are_named(events: ServerProcess) -> None:
    path = f"{P}/views/events/ingest"
    bad = rows()
    bad[1]["amount"] = "much"
    message = error(events.post_json(path, bad), 422, "TYPE_MISMATCH")
    assert "column 'amount', row 1" in message
    assert '"much"' in message
    answer = events.post_json(path, {"user_i": [1]})
    assert 400 <= answer.status < 500
    assert "user_i" in answer.text
    csv = body_of(table(), CSV).replace(b"1.5", b"much")
    message = error(events.request("POST", path, csv, {"Content-Type": CSV}), 422, "INVALID_DATA")
    assert "much" in message
    assert "/" not in message.split("much")[0], "no path of the server"
    answer = events.request("POST", path, b"PAR1 and nothing", {"Content-Type": PARQUET})
    assert 400 <= answer.status < 500, answer.text
    answer = events.request("POST", path, arrow_bytes(table())[:-400], {"Content-Type": ARROW})
    assert 400 <= answer.status < 500, answer.text
    assert online(events, [0])["statuses"] == [["NOT_FOUND"]], "nothing was written"


@pytest.mark.parametrize("operation", ["ingest", "delete", "erase", "write-online"])
def test_a_format_that_is_not_known(events: ServerProcess, operation: str) -> None:
    path = f"{P}/views/events/{operation}"
    for kind in ("text/plain", "application/x-www-form-urlencoded", "nonsense"):
        answer = events.request("POST", path, b"user_id=1", {"Content-Type": kind})
        message = error(answer, 415, "UNSUPPORTED")
        assert kind in message
        assert "text/csv" in message, "and which there are"


def test_bad_rows_come_back(events: ServerProcess) -> None:
    given = table().set_column(0, "user_id", pa.array([0, None, 2], pa.int64()))
    path = f"{P}/views/events/ingest?skip_bad_rows=true&rejected_rows=true"
    answer = events.request(
        "POST", path, arrow_bytes(given), {"Content-Type": ARROW, "Accept": ARROW}
    )
    assert answer.status == 200, answer.text
    assert report_of(answer)["rejected"] == 1
    back = table_of(answer)
    assert back.num_rows == 1
    assert "user_id" in back["error"][0].as_py()
    answer = events.request("POST", path, arrow_bytes(given), {"Content-Type": ARROW})
    document = done(answer)
    assert document["report"]["rejected"] == 1
    assert len(document["rows"]) == 1


@pytest.mark.parametrize("form", ["objects", "columns", "lines"])
def test_bad_values_in_json_come_back(events: ServerProcess, form: str) -> None:
    given = rows(4)
    given[1]["amount"] = "much"
    given[3]["note"] = 7
    body, content_type = json.dumps(given), JSON
    if form == "columns":
        body = json.dumps({name: [row[name] for row in given] for name in given[0]})
    elif form == "lines":
        body, content_type = "\n".join(map(json.dumps, given)), NDJSON
    path = f"{P}/views/events/ingest"
    headers = {"Content-Type": content_type}
    assert events.request("POST", path, body, headers).status == 422, "all or nothing, unasked"
    answer = events.request("POST", f"{path}?skip_bad_rows=true", body, headers)
    assert {"rows": 2, "online_rows": 2, "rejected": 2}.items() <= done(answer).items()
    answer = events.request("POST", f"{path}?skip_bad_rows=true&rejected_rows=true", body, headers)
    assert [(row["user_id"], row["error"]) for row in table_of(answer).to_pylist()] == [
        (1, "row 1: column 'amount': \"much\" is no float64"),
        (3, "row 3: column 'note': 7 is no string"),
    ]
    pushed = events.request("POST", f"{P}/push/events?skip_bad_rows=true", body, headers)
    assert done(pushed)["views"][0]["rejected"] == 2
    kept = table_of(events.get(f"{P}/views/events/rows"))
    assert {row["user_id"] for row in kept.to_pylist()} == {0, 2}


def test_bad_rows_only_and_columns_that_are_missing(events: ServerProcess) -> None:
    path = f"{P}/views/events/ingest?skip_bad_rows=true"
    bad = [{**row, "amount": "x"} for row in rows()]
    assert {"rows": 0, "rejected": 3}.items() <= done(events.post_json(path, bad)).items()
    lacking = [{"user_id": 1, "amount": "x"}]
    assert "event_timestamp" in error(events.post_json(path, lacking), 404, "NOT_FOUND")


def test_no_rows_are_no_error(filled: ServerProcess) -> None:
    for content_type, body in ((JSON, "[]"), (NDJSON, ""), (NDJSON, "\n")):
        for path in ("views/events/ingest", "views/events/delete", "push/events"):
            answer = filled.request("POST", f"{P}/{path}", body, {"Content-Type": content_type})
            report = done(answer)
            assert report.get("views", [report])[0]["rows"] == 0, (path, body)
    assert done(filled.post_json(f"{P}/views/events/write-online", []))["written"] == 0
    asked = {"features": ["events:amount"], "entity_rows": []}
    assert done(filled.post_json(f"{P}/historical", asked))["rows"] == []
    asked = {"features": ["events:amount"], "entities": []}
    assert done(filled.post_json(f"{P}/online", asked))["rows"] == 0
    assert done(filled.get(f"{P}/views/events/rows"))["rows"], "nothing was lost"


def test_what_a_small_body_unfolds_to_is_bounded(tmp_path: Path) -> None:
    """A few kilobytes of Parquet or Arrow that claim gigabytes: 413 with the limit's name."""
    given = table(4000).set_column(3, "note", pa.array(["x" * 100_000]).take([0] * 4000))
    parquet = body_of(given, PARQUET)
    assert len(parquet) < 1_000_000
    sink = io.BytesIO()
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, given.schema, options=packed) as writer:
        writer.write_table(given, max_chunksize=100)
    limits = ("--memory-max", "64MiB", "--stream-max", "128MiB")
    with ServerProcess(tmp_path / "store", *limits) as running:
        done(running.post_json(f"{P}/tables", {"schema": SCHEMA}), 201)
        for content_type, body in ((PARQUET, parquet), (ARROW, sink.getvalue())):
            headers = {"Content-Type": content_type}
            for path, limit in (("views/events/ingest", "_max"), ("push/events", "memory_max")):
                answer = running.request("POST", f"{P}/{path}", body, headers)
                told = error(answer, 413, "INVALID_ARGUMENT")
                assert limit in told, (content_type, path)
        assert done(running.get(f"{P}/views/events/rows"))["rows"] == []
        assert resident_bytes(running.process.pid) < 700 << 20


def test_a_chunked_body_that_is_too_long_is_told_so(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "store", "--stream-max", "64KiB") as running:
        done(running.post_json(f"{P}/tables", {"schema": SCHEMA}), 201)
        line = json.dumps(rows(1)[0]).encode() + b"\n"
        connection = running.connect()
        headers = {"Content-Type": "application/x-ndjson", "Transfer-Encoding": "chunked"}
        chunks = (line * 100 for _ in range(100))
        connection.request("POST", f"{P}/views/events/ingest", chunks, headers, encode_chunked=True)
        told = error(read_answer(connection.getresponse()), 413, "INVALID_ARGUMENT")
        assert "65536 bytes, which is the limit" in told
        assert done(running.get(f"{P}/views/events/rows"))["rows"] == []


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


def test_same_key_writes_once(events: ServerProcess) -> None:
    path = f"{P}/views/events/ingest"
    first = done(events.post_json(path, rows(), Idempotency_Key="k1"))
    again = done(events.post_json(path, rows(), Idempotency_Key="k1"))
    assert (first["repeated"], again["repeated"]) == (False, True)
    other = events.post_json(path, rows(2), Idempotency_Key="k1")
    assert (other.status, other.json()["error"]["code"]) == (409, "ALREADY_EXISTS")
    read = done(events.get(f"{P}/views/events/rows"))
    assert len(read["rows"]) == 3


def test_delete_and_erase(filled: ServerProcess) -> None:
    answer = done(filled.post_json(f"{P}/views/events/delete", {"user_id": [1]}))
    assert answer["rows"] == 1
    assert online(filled, [0, 1])["statuses"] == [["PRESENT", "NOT_FOUND"]]
    receipt = done(filled.post_json(f"{P}/views/events/erase", [{"user_id": 2}]))
    assert receipt["table"].endswith("events")
    assert online(filled, [2])["statuses"] == [["NOT_FOUND"]]
    receipts = done(filled.get(f"{P}/erasures?view=events"))
    assert [one["id"] for one in receipts] == [receipt["id"]]
    job = end_of(
        filled,
        filled.post_json(f"{P}/views/events/erase", {"user_id": [0]}, Prefer="respond-async"),
    )
    assert job["state"] == "done"
    assert job["report"]["keys"] == 1


def test_online_rows_alone(events: ServerProcess) -> None:
    given = rows(1)
    answer = done(events.post_json(f"{P}/views/events/write-online", given))
    assert answer == {"written": 1, "kept": 0}
    assert online(events, [0])["values"] == [[0.5]]


def test_push_goes_to_all_views_of_a_source(server: ServerProcess) -> None:
    definitions = """
entities: [{name: user, join_keys: [{name: user_id, type: int64}]}]
feature_views:
- {name: clicks, entities: [user], fields: [{name: url, type: string}],
   stream_source: {type: push, name: web}, table: {timestamp_field: event_timestamp}}
"""
    answer = server.request("POST", f"{P}/apply", definitions, {"Content-Type": "application/yaml"})
    if answer.status != 200:
        pytest.fail(answer.text)
    pushed = done(
        server.post_json(
            f"{P}/push/web", {"user_id": [1], "event_timestamp": [at(1)], "url": ["a"]}
        )
    )
    assert [(one["view"], one["rows"]) for one in pushed["views"]] == [("clicks", 1)]
    error(server.post_json(f"{P}/push/other", {"user_id": [1]}), 404, "NOT_FOUND")


def test_definitions(filled: ServerProcess) -> None:
    everything = done(filled.get(f"{P}/definitions"))
    assert done(filled.get(f"{P}/revision"))["revision"] == everything["revision"]
    assert [view["name"] for view in done(filled.get(f"{P}/views"))] == ["events"]
    assert done(filled.get(f"{P}/views/events"))["definition"]["name"] == "events"
    assert len(done(filled.get(f"{P}/entities"))) == 1
    assert "event" in error(filled.get(f"{P}/views/event"), 404, "NOT_FOUND")
    service = {"feature_services": [{"name": "model", "features": ["events:amount"]}]}
    plan = done(filled.post_json(f"{P}/plan", {"definitions": service}))
    assert [(c["action"], c["type"], c["name"]) for c in plan["changes"]] == [
        ("add", "feature_service", "model")
    ]
    assert done(filled.get(f"{P}/services")) == []
    assert done(filled.post_json(f"{P}/apply", {"definitions": service})) == plan
    assert done(filled.get(f"{P}/services/model"))["definition"]["name"] == "model"
    removed = done(filled.request("DELETE", f"{P}/services/model"))
    assert removed["changes"][0]["action"] == "remove"
    job = end_of(
        filled,
        filled.post_json(f"{P}/apply", {"definitions": service}, Prefer="respond-async"),
    )
    assert job["report"] == plan
    assert done(filled.request("DELETE", P)) == {"removed": True}
    assert done(filled.get(f"{P}/views")) == []


def test_sql_and_dumps(filled: ServerProcess) -> None:
    query = {"query": "SELECT user_id, amount FROM events ORDER BY user_id"}
    answer = done(filled.post_json(f"{P}/sql", query))
    assert answer["rows"] == [[0, 0.5], [1, 1.5], [2, 2.5]]
    for accept in (NDJSON, CSV, ARROW, PARQUET):
        got = table_of(filled.post_json(f"{P}/sql", query, Accept=accept))
        assert got["user_id"].to_pylist() == [0, 1, 2]
    error(filled.post_json(f"{P}/sql", {"query": "DROP TABLE events"}), 400, "INVALID_ARGUMENT")
    dump = done(filled.post_json(f"{P}/dumps", query), 201)
    assert dump["rows"] == 3
    assert [one["id"] for one in done(filled.get(f"{P}/dumps"))] == [dump["id"]]
    got = table_of(filled.get(f"{P}/dumps/{dump['id']}?format=arrow"))
    assert got.num_rows == 3
    assert done(filled.request("DELETE", f"{P}/dumps/{dump['id']}")) == {"removed": True}
    error(filled.get(f"{P}/dumps/{dump['id']}"), 404, "NOT_FOUND")


def test_reading_tables(filled: ServerProcess) -> None:
    done(filled.post_json(f"{P}/views/events/ingest", [{**rows(1)[0], "event_timestamp": at(9)}]))
    assert len(done(filled.get(f"{P}/views/events/rows"))["rows"]) == 4
    assert len(done(filled.get(f"{P}/views/events/rows?latest=true"))["rows"]) == 3
    assert len(done(filled.get(f"{P}/views/events/rows?start={at(9)}"))["rows"]) == 1
    some = done(filled.post_json(f"{P}/views/events/read", {"entity_rows": {"user_id": [0]}}))
    assert len(some["rows"]) == 2
    latest = done(filled.get(f"{P}/tables/events/latest"))
    assert len(latest["rows"]) == 3
    assert done(filled.post_json(f"{P}/tables/events/latest", {})) == latest
    assert "as_of" in error(
        filled.get(f"{P}/tables/events/latest?as_of=soon"), 400, "INVALID_ARGUMENT"
    )


def test_upkeep(filled: ServerProcess) -> None:
    flushed = done(filled.post_json(f"{P}/flush", {}))
    assert flushed["tables"][0]["rows"] == 3
    snapshots = done(filled.get(f"{P}/views/events/snapshots"))
    assert snapshots[-1]["id"] == flushed["tables"][0]["snapshot_id"]
    assert "tables" in done(filled.post_json(f"{P}/compact", {"views": ["events"]}))
    expired = done(
        filled.post_json(f"{P}/expire-snapshots", {"older_than": "2026-01-01", "keep": 1})
    )
    assert "tables" in expired
    assert done(filled.post_json(f"{P}/relocate", {})) == {"tables": []}
    assert "tables" in done(filled.get(f"{P}/stats"))
    assert isinstance(done(filled.get(f"{P}/online/stats")), dict)


def test_materialize_is_a_job(filled: ServerProcess) -> None:
    job = end_of(filled, filled.post_json(f"{P}/materialize", {"start": at(0)}))
    assert job["state"] == "done", job
    assert [view["view"] for view in job["report"]["views"]] == ["events"]
    assert [one["id"] for one in done(filled.get(f"{P}/jobs"))["jobs"]] == [job["id"]]
    assert done(filled.request("DELETE", f"{P}/jobs/{job['id']}")) == {"cancelled": False}
    failed = end_of(filled, filled.post_json(f"{P}/materialize", {"views": ["none"]}))
    assert failed["state"] == "failed"
    assert failed["error"]["code"] == "NOT_FOUND"
    error(filled.get(f"{P}/jobs/none"), 404, "NOT_FOUND")


def test_a_job_tells_how_far_it_is_and_can_be_cancelled(
    server: ServerProcess, tmp_path: Path
) -> None:
    count = 200_000
    lines = "".join(f"{key},2024-01-01T00:00:00,{key}\n" for key in range(count))
    (tmp_path / "long.csv").write_text("user_id,event_timestamp,n\n" + lines)
    view = {
        "name": "long",
        "entities": ["user"],
        "fields": [{"name": "n", "type": "int64"}],
        "source": {"path": str(tmp_path / "long.csv"), "timestamp_field": "event_timestamp"},
    }
    user = {"name": "user", "join_keys": [{"name": "user_id", "type": "int64"}]}
    definitions = {"entities": [user], "feature_views": [view]}
    done(server.post_json(f"{P}/apply", {"definitions": definitions}))
    for _ in range(50):  # a machine that is busy may be slower than the job
        job = done(server.post_json(f"{P}/materialize", {}), 202)["job"]
        is_stopped = done(server.request("DELETE", f"{P}/jobs/{job['id']}"))["cancelled"]
        while job["state"] in ("queued", "running"):
            path = f"{P}/jobs/{job['id']}?wait_ms=30000&version={job['version']}"
            job = done(server.get(path))
        if job["state"] == "cancelled":
            break
    assert (is_stopped, job["state"]) == (True, "cancelled")
    assert job["ended"] is not None
    finished = end_of(server, server.post_json(f"{P}/materialize", {}))
    assert finished["state"] == "done"
    assert finished["progress"]["done"] == finished["progress"]["total"] > 0


def test_existing_data(server: ServerProcess, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    pq.write_table(table(), folder / "a.parquet")
    assert done(server.request("PUT", f"{P}/databases/old")) == {"database": "old"}
    assert "old" in done(server.get(f"{P}/databases"))["databases"]
    made = done(
        server.post_json(
            f"{P}/registered-tables", {"database": "old", "table": "t", "path": str(folder)}
        ),
        201,
    )
    assert made["name"] == "t"
    assert [t["name"] for t in done(server.get(f"{P}/tables?database=old"))] == ["t"]
    pq.write_table(table(), folder / "b.parquet")
    refreshed = done(server.post_json(f"{P}/registered-tables/refresh", {"tables": ["old.t"]}))
    assert refreshed["tables"][0]["files_added"] == [str(folder / "b.parquet")]
    counted = done(server.post_json(f"{P}/sql", {"query": "SELECT count(*) FROM old.t"}))
    assert counted["rows"] == [[6]]
    answer = server.post_json(
        f"{P}/registered-tables/partitions",
        {"database": "old", "table": "t", "partitions": ["y=1"]},
    )
    assert 400 <= answer.status < 500, answer.text
    error(server.request("DELETE", f"{P}/databases/old"), 400, "INVALID_ARGUMENT")
    assert done(server.request("DELETE", f"{P}/registered-tables/old.t")) == {"removed": True}
    assert done(server.request("DELETE", f"{P}/registered-tables/old.t")) == {"removed": False}
    assert done(server.request("DELETE", f"{P}/databases/old")) == {"removed": True}


def test_lookups(filled: ServerProcess) -> None:
    prepared = done(filled.post_json(f"{P}/online/prepare", {"features": ["events:amount"]}))
    assert prepared["keys"] == [{"name": "user_id", "type": "int64"}]
    assert prepared["features"] == [{"name": "amount", "type": "float64"}]
    wanted = {"features": ["events:amount"], "statuses": True, "event_timestamps": True}
    answer = filled.request(
        "POST",
        f"{P}/online",
        multipart(wanted, arrow_bytes(pa.table({"user_id": [2, 5]})), ARROW),
        {"Content-Type": "multipart/form-data; boundary=xyz", "Accept": ARROW},
    )
    got = table_of(answer)
    assert got["amount"].to_pylist() == [2.5, None]
    assert got["amount__status"].to_pylist() == ["PRESENT", "NOT_FOUND"]
    asked = {"features": ["events:amount"], "entities": [{"user_id": 1}], "statuses": False}
    assert done(filled.post_json(f"{P}/online", asked)).keys() == {
        "columns",
        "rows",
        "values",
        "event_timestamps",
    }
    for entities, code, status in (
        ({"user_id": ["x"]}, "TYPE_MISMATCH", 422),
        ({"user_id": [None]}, "INVALID_DATA", 422),
        ({"user": [1]}, "INVALID_ARGUMENT", 400),
        ({}, "NOT_FOUND", 404),
    ):
        asked = {"features": ["events:amount"], "entities": entities}
        error(filled.post_json(f"{P}/online", asked), status, code)
    why = done(
        filled.post_json(f"{P}/explain", {"feature": "events:amount", "key": {"user_id": 1}})
    )
    assert isinstance(why, dict)


def test_reads_see_the_write_that_they_name(filled: ServerProcess) -> None:
    token = done(filled.post_json(f"{P}/views/events/ingest", rows(1)))["token"]
    asked = {
        "features": ["events:amount"],
        "entities": {"user_id": [0]},
        "at_least": token,
    }
    assert done(filled.post_json(f"{P}/online", asked))["values"] == [[0.5]]


def test_values_of_every_type_come_back(server: ServerProcess) -> None:
    fields = {
        "b": ("bool", True),
        "i": ("int32", -5),
        "l": ("int64", 2**53 + 1),
        "f": ("float64", "NaN"),
        "s": ("string", 'ü"\n'),
        "y": ("binary", base64.b64encode(b"\x00\xff").decode()),
        "t": ("timestamp", "2026-05-01T08:00:00.000001Z"),
        "d": ("date", "2026-05-01"),
        "m": ("decimal(10, 2)", "12.50"),
        "a": ("list<int64>", [1, None]),
        "o": ("struct<x: int64>", {"x": 1}),
        "p": ("map<string, int64>", {"k": 1}),
    }
    schema = {
        "name": "all",
        "entities": ["id"],
        "schema": [
            {"name": "id", "type": "int64"},
            {"name": "event_timestamp", "type": "timestamp"},
        ]
        + [{"name": name, "type": kind} for name, (kind, _) in fields.items()],
    }
    done(server.post_json(f"{P}/tables", {"schema": schema}), 201)
    row = {
        "id": 1,
        "event_timestamp": at(1),
        **{name: value for name, (_, value) in fields.items()},
    }
    done(server.post_json(f"{P}/views/all/ingest", [row]))
    asked = {"features": [f"all:{name}" for name in fields], "entities": {"id": [1]}}
    answer = done(server.post_json(f"{P}/online", asked))
    assert [values[0] for values in answer["values"]] == [value for _, value in fields.values()]
    assert [c["type"] for c in answer["columns"]] == [kind for kind, _ in fields.values()]
    historical = done(
        server.post_json(
            f"{P}/historical",
            {"features": ["all"], "entity_rows": {"id": [1], "event_timestamp": [at(2)]}},
        )
    )
    assert historical["rows"][0][2:] == [value for _, value in fields.values()]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"features": 1}',
        b'{"features": ["a"], "feature": 2}',
        b'{"features": ["events:amount"], "entities": {"user_id": [1e400]}}',
        b'{"features": ["events:amount"], "entities": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"features": ["events:amount"], "entities": {"user_id": [99999999999999999999]}}',
        b'{"features": ["events:amount"], "entities": {"user_id": [1], "user_id": [2]}}',
        b'{"features": ["events:amount"], "rows": -1}',
        b'{"features": [], "entities": {}}',
    ],
)
def test_hostile_bodies_are_client_errors(filled: ServerProcess, body: bytes) -> None:
    answer = filled.request("POST", f"{P}/online", body, {"Content-Type": JSON})
    assert 400 <= answer.status < 500, answer.text
    assert answer.json()["error"]["message"]


def test_unknown_paths_and_methods(server: ServerProcess) -> None:
    error(server.get("/v1/nothing"), 404, "NOT_FOUND")
    assert server.request("PATCH", "/v1/projects").status == 405
    answer = server.request("POST", f"{P}/views/x/ingest", b"x", {"Content-Type": "image/png"})
    assert 400 <= answer.status < 500, answer.text
    answer = server.get(f"{P}/views/x/rows", Accept="image/png")
    assert 400 <= answer.status < 500, answer.text
    error(server.get(f"{P}/revision?max_age=1"), 400, "INVALID_ARGUMENT")


def test_a_million_rows_stream_in_and_out(events: ServerProcess) -> None:
    count = 1_000_000
    start = 1_777_622_400_000_000
    big = pa.table(
        {
            "user_id": pa.array(range(count), pa.int64()),
            "event_timestamp": pa.array(range(start, start + count), pa.timestamp("us", tz="UTC")),
            "amount": pa.array(range(count), pa.float64()),
            "note": pa.array(["n"] * count),
        }
    )
    payload = arrow_bytes(big)

    def pieces() -> Iterator[bytes]:
        for at_byte in range(0, len(payload), 1 << 20):
            yield payload[at_byte : at_byte + (1 << 20)]

    connection = events.connect()
    began = time.monotonic()
    connection.request(
        "POST",
        f"{P}/views/events/ingest?to=offline",
        body=pieces(),
        headers={"Content-Type": ARROW, "Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )
    answer = done(read_answer(connection.getresponse()))
    print(f"ingest: {count / (time.monotonic() - began):,.0f} rows/s")
    assert answer["rows"] == count
    spine = arrow_bytes(big.select(["user_id", "event_timestamp"]))
    began = time.monotonic()
    connection.request(
        "POST",
        f"{P}/historical",
        body=multipart({"features": ["events:amount"]}, spine, ARROW),
        headers={"Content-Type": "multipart/form-data; boundary=xyz", "Accept": ARROW},
    )
    got = table_of(read_answer(connection.getresponse()))
    print(f"historical: {count / (time.monotonic() - began):,.0f} rows/s")
    assert got["amount"].equals(big["amount"])
    connection.close()


@pytest.mark.parametrize(
    "query",
    ["dry_run=%zz", "dry%_run=true", "dry_run=true&dry_run=false", "dry_run=true&dry_run=true"],
)
def test_a_query_that_can_be_misread_writes_nothing(events: ServerProcess, query: str) -> None:
    """Goal: a dry run whose option is garbled is refused, and never a run that writes."""
    refused = events.request("POST", f"{P}/views/events/ingest?{query}", json.dumps(rows(1)))
    assert refused.status == 400, refused.text
    assert "the query" in refused.text
    asked = {"features": ["events:amount"], "entities": {"user_id": [0]}}
    assert done(events.post_json(f"{P}/online", asked))["values"] == [[None]]


def test_json_that_is_none_is_told_with_its_place(events: ServerProcess) -> None:
    def refused(body: str, content_type: str = JSON) -> str:
        headers = {"Content-Type": content_type}
        answer = events.request("POST", f"{P}/views/events/ingest", body, headers)
        assert answer.status == 400
        return str(answer.json()["error"])

    assert "at byte 24, in /0/amount" in refused('[{"user_id":1,"amount": 1e999}]')
    assert "in /1/note" in refused('[{"note":"a"},{"note":"\\ud800"}]')
    assert "row 1" in refused('{"note":"a"}\n{"note":NaN}\n', NDJSON)
