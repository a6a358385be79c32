"""A disk that is full: writes of every dialect say so, reads are answered, and then all goes on.

The server may write no more bytes to files (RLIMIT_FSIZE), which it takes for a full disk.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from server_process import Answer, ServerProcess

P = "/v1/projects/default"
ROW = {"id": 1, "event_timestamp": "2026-05-01T08:00:00Z", "x": 0.5}
SCHEMA = {
    "name": "events",
    "entities": ["id"],
    "schema": [
        {"name": "id", "type": "int64"},
        {"name": "event_timestamp", "type": "timestamp"},
        {"name": "x", "type": "float64"},
    ],
}


@contextmanager
def full_disk(server: ServerProcess) -> Iterator[None]:
    hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "store") as running:
        assert running.post_json(f"{P}/tables", {"schema": SCHEMA}).status == 201
        assert running.post_json(f"{P}/views/events/ingest", [ROW]).status == 200
        yield running


def record(x: float) -> str:
    values = {"id": "1", "event_timestamp": "2026-05-01T08:00:00Z", "x": str(x)}
    fields = [{"FeatureName": name, "ValueAsString": value} for name, value in values.items()]
    return json.dumps({"Record": fields})


def reads(server: ServerProcess) -> dict[str, Answer]:
    features = {"features": ["events:x"]}
    entity_rows = [{"id": 1, "event_timestamp": "2026-06-01"}]
    return {
        "online": server.post_json(f"{P}/online", {**features, "entities": {"id": [1]}}),
        "historical": server.post_json(f"{P}/historical", {**features, "entity_rows": entity_rows}),
        "rows": server.get(f"{P}/views/events/rows"),
        "latest": server.get(f"{P}/tables/events/latest"),
        "sql": server.post_json(f"{P}/sql", {"query": "SELECT x FROM events"}),
        "Feast's": server.post_json("/get-online-features", {**features, "entities": {"id": [1]}}),
        "SageMaker's": server.get("/FeatureGroup/events?RecordIdentifierValueAsString=1"),
    }


def test_writes_are_refused_and_reads_answered(server: ServerProcess) -> None:
    before = {name: answer.status for name, answer in reads(server).items()}
    assert set(before.values()) == {200}, before
    csv = {"Content-Type": "text/csv"}
    frame = {name: [value] for name, value in ROW.items()}
    with full_disk(server):
        writes = {
            "ingest": server.post_json(f"{P}/views/events/ingest", [ROW]),
            "csv": server.request("POST", f"{P}/views/events/ingest", "id\n1\n", csv),
            "push": server.post_json(f"{P}/push/events", [ROW]),
            "delete": server.post_json(f"{P}/views/events/delete", [{"id": 1}]),
            "apply": server.post_json(
                f"{P}/apply",
                {"definitions": {"entities": [{"name": "e", "join_keys": [{"name": "e"}]}]}},
            ),
            "Feast's": server.post_json(
                "/write-to-online-store", {"feature_view_name": "events", "df": frame}
            ),
        }
        for name, answer in writes.items():
            assert answer.status == 507, (name, answer.status, answer.text)
        # What SageMaker has for it, so that its clients try again.
        put = server.request("PUT", "/FeatureGroup/events", record(2.0))
        assert (put.status, put.json()["__type"]) == (503, "ServiceUnavailable")
        for name, answer in reads(server).items():
            assert answer.status == 200, (name, answer.text)
            assert "0.5" in answer.text, "what was acknowledged is there"
        assert server.get("/health/ready").status == 200
    assert server.request("PUT", "/FeatureGroup/events", record(3.0)).status == 200
    assert "3.0" in reads(server)["Feast's"].text
