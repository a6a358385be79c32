"""The same requests to `feast serve` and to ours, with the same definitions and rows.

Goal: a client cannot tell the two apart, but for what may differ: a stored null has the status
NULL_VALUE here; what Feast answers with 500 for a bad request is a 4xx here; columns come in the
order asked.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from drivers import STATS_FEATURES, apply, by_name, feast_objects, write_batch_files
from feast import FeatureStore
from free_ports import free_ports
from server_process import ServerProcess

START_SECONDS = 300.0  # it imports for long, on a machine that is busy for very long
CONFIG = """
project: default
provider: local
registry: {folder}/registry.db
online_store: {{type: sqlite, path: {folder}/online.db}}
offline_store: {{type: file}}
entity_key_serialization_version: 3
"""
FRAME: dict[str, list[Any]] = {
    "driver_id": [1001, 1001, 1002, 1003],
    "event_timestamp": [
        "2023-12-31T00:00:00Z",
        "2024-01-01T00:00:00Z",
        "2024-01-02T03:04:05Z",
        "2024-01-03T00:00:00Z",
    ],
    "created": [None] * 4,
    "f32": [9.0, 0.1, 1e-10, 3.0],
    "f64": [9.0, 0.5, 1e20, -1e-07],
    "i32": [9, 1, -2, 3],
    "i64": [9, 1, 2**62, -(2**53) - 1],
    "text": ["older", "a", 'b\u00e9"\\\n', ""],
    "flag": [False, True, False, True],
    "at": [9, 1_700_000_000, 0, 5],
    "floats": [[9.0], [0.5, 0.25], [], [1e20]],
    "texts": [["older"], ["a"], ["b", "c"], []],
    "counts": [{"n": 9}, {"n": 1}, {"n": 2}, {"n": 3}],
}


class FeastServer:
    """`feast serve` on a free port, SQLite behind it; stopped by its own process id."""

    def __init__(self, folder: Path) -> None:
        (folder / "feature_store.yaml").write_text(CONFIG.format(folder=folder))
        (self.port,) = free_ports(1)
        program = Path(sys.executable).with_name("feast")
        command = [str(program), "-c", str(folder), "serve", "-p", str(self.port)]
        self.log = (folder / "serve.log").open("wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        until = time.monotonic() + START_SECONDS
        while True:
            assert time.monotonic() < until, "feast serve does not start"
            try:
                if self.call("GET", "/health", None)[0] == 200:
                    return
            except OSError:
                # Waits for its end, which is not to come: asking all the time would slow it down.
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.2)
                    raise AssertionError((folder / "serve.log").read_text()) from None

    def call(self, method: str, path: str, body: Any) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, as_text(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.log.close()


def as_text(body: Any) -> str | None:
    return body if body is None or isinstance(body, str) else json.dumps(body)


class Both:
    """The two servers, asked the same."""

    def __init__(self, feast: FeastServer, ours: ServerProcess) -> None:
        self.feast = feast
        self.ours = ours

    def ask(self, path: str, body: Any, method: str = "POST") -> tuple[tuple[int, str], ...]:
        headers = {"Content-Type": "application/json"}
        answer = self.ours.request(method, path, as_text(body), headers)
        return self.feast.call(method, path, body), (answer.status, answer.text)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("beside")
    write_batch_files(folder)
    (folder / "feature_store.yaml").write_text(CONFIG.format(folder=folder))
    FeatureStore(repo_path=str(folder)).apply(feast_objects(folder))
    feast = FeastServer(folder)
    try:
        with ServerProcess(folder / "store") as ours:
            apply(folder, folder / "store")
            both = Both(feast, ours)
            load(both)
            yield both
    finally:
        feast.stop()


def load(both: Both) -> None:
    """The same writes to both: answered alike, byte for byte."""
    push = {"push_source_name": "stats_push", "df": FRAME}
    assert both.ask("/push", push) == ((200, ""), (200, ""))
    customers = {
        "customer_id": ["c1", "c2"],
        "event_timestamp": ["2024-01-01", "2024-01-02"],
        "spent": [0.25, 3.0],
        "f64": [1e16, 12345678.9],
    }
    write = {"feature_view_name": "customers", "df": customers}
    assert both.ask("/write-to-online-store", write) == ((200, "null"), (200, "null"))
    trips = {
        "driver_id": [1001],
        "customer_id": ["c1"],
        "event_timestamp": ["2024-01-01T00:00:00"],
        "n": [5],
        "created": [None],
    }
    write = {"feature_view_name": "trips", "df": trips}
    assert both.ask("/write-to-online-store", write) == ((200, "null"), (200, "null"))


SINGLE_REQUESTS: list[dict[str, Any]] = [
    {"entities": {"driver_id": [1001]}, "features": [feature]} for feature in STATS_FEATURES
] + [
    {"entities": {"driver_id": [1002, 9, 1003, 1002]}, "features": [feature]}
    for feature in STATS_FEATURES
]


@pytest.mark.parametrize("request_body", SINGLE_REQUESTS)
def test_one_feature_byte_for_byte(both: Both, request_body: dict[str, Any]) -> None:
    feast, ours = both.ask("/get-online-features", request_body)
    assert ours == feast


@pytest.mark.parametrize(
    "request_body",
    [
        {"entities": {"driver_id": [1001, 1002, 1003, 9]}, "features": STATS_FEATURES},
        {
            "entities": {"driver_id": [1001, 1001], "customer_id": ["c1", "c2"], "other": [1, 2]},
            "features": ["driver_stats:f64", "customers:f64", "trips:n"],
            "full_feature_names": True,
            "include_feature_view_version_metadata": True,
        },
        {"entities": {"driver_id": [1001], "customer_id": ["c1"]}, "feature_service": "both"},
        {"entities": {"driver_id": ["1001"]}, "features": ["driver_stats:i64"]},
        {"entities": {"driver_id": [1001.0]}, "features": ["driver_stats:i64"]},
        {"entities": {"driver": [1001]}, "features": ["driver_stats:i64"]},
        {"entities": {"customer_id": [5]}, "features": ["customers:spent"]},
        {"entities": {"driver_id": [1001]}, "features": ["driver_stats@latest:f64"]},
        {
            "entities": {"driver_id": [1001]},
            "features": ["driver_stats:f64"],
            "full_feature_names": "yes",
        },
        {
            "features": ["driver_stats:f64"],
            "unknown": {"deep": [{}]},
            "entities": {"driver_id": [1]},
        },
    ],
)
def test_answers_in_any_order_of_columns(both: Both, request_body: dict[str, Any]) -> None:
    (feast_status, feast), (status, ours) = both.ask("/get-online-features", request_body)
    assert (feast_status, status) == (200, 200), (feast, ours)
    assert by_name(json.loads(ours)) == by_name(json.loads(feast))
    assert list(json.loads(ours)) == list(json.loads(feast))
    versions = [json.loads(text)["metadata"].get("feature_view_metadata") for text in (feast, ours)]
    assert versions[0] == versions[1]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/get-online-features",
            {"entities": {"driver_id": [1]}, "features": ["no_such_view:f64"]},
        ),
        ("/get-online-features", {"entities": {"driver_id": [1]}, "feature_service": "nothing"}),
        ("/push", {"push_source_name": "nothing", "df": FRAME}),
        ("/write-to-online-store", {"feature_view_name": "nothing", "df": FRAME}),
        (
            "/materialize",
            {"start_ts": "2024-01-01", "end_ts": "2024-02-01", "feature_views": ["nothing"]},
        ),
        ("/get-online-features", {}),
        ("/get-online-features", "[]"),
        ("/get-online-features", "null"),
        ("/get-online-features", ""),
        ("/get-online-features", {"entities": [1], "features": []}),
        ("/get-online-features", {"entities": {"driver_id": 1}, "features": ["a:b"]}),
        ("/get-online-features", {"entities": {"driver_id": [1]}, "features": "x"}),
        ("/get-online-features", {"entities": {"driver_id": [1]}, "features": ["a:b", 1, None]}),
        (
            "/get-online-features",
            {"entities": {}, "features": ["a:b"], "full_feature_names": "maybe"},
        ),
        ("/get-online-features", {"entities": {}, "features": ["a:b"], "full_feature_names": []}),
        ("/push", {"push_source_name": "stats_push"}),
        ("/push", {"push_source_name": 5, "df": [], "to": None}),
        ("/write-to-online-store", {}),
        ("/materialize-incremental", {}),
        ("/v1/vector_stores/vs_x/search", {}),
        ("/v1/vector_stores/vs_x/search", {"query": "words"}),
    ],
)
def test_refusals_byte_for_byte(both: Both, path: str, body: Any) -> None:
    feast, ours = both.ask(path, body)
    assert ours == feast


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/vector_stores"),
        ("GET", "/v1/vector_stores/vs_x"),
        ("GET", "/health"),
        ("GET", "/push"),
    ],
)
def test_reads_without_a_body(both: Both, method: str, path: str) -> None:
    feast, ours = both.ask(path, None, method)
    assert ours == feast


def error_class(text: str) -> str | None:
    """The class that Feast's client would raise."""
    detail = json.loads(text)
    assert isinstance(detail, str)
    try:
        inner = json.loads(detail)
    except json.JSONDecodeError:
        return None
    return str(inner["class"]) if isinstance(inner, dict) else None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/get-online-features",
            {"entities": {"driver_id": [1]}, "features": ["driver_stats:none"]},
        ),
        ("/get-online-features", {"entities": {}, "features": ["driver_stats:f64"]}),
        ("/get-online-features", {"entities": {"driver_id": []}, "features": ["driver_stats:f64"]}),
        ("/get-online-features", {"entities": {"x": [1]}, "features": ["driver_stats:f64"]}),
        (
            "/get-online-features",
            {"entities": {"driver_id": [1, 2], "x": [1]}, "features": ["driver_stats:f64"]},
        ),
        ("/get-online-features", {"entities": {"driver_id": [1]}, "features": []}),
        ("/get-online-features", {"entities": {"driver_id": [1]}, "features": ["driver_stats"]}),
        (
            "/get-online-features",
            {"entities": {"driver_id": [1]}, "features": ["driver_stats:f64"] * 2},
        ),
        (
            "/get-online-features",
            {"entities": {"driver_id": ["x"]}, "features": ["driver_stats:f64"]},
        ),
        (
            "/get-online-features",
            {"entities": {"driver_id": [None]}, "features": ["driver_stats:f64"]},
        ),
        (
            "/get-online-features",
            {"entities": {"driver_id": [1]}, "features": ["driver_stats@v7:f64"]},
        ),
        ("/push", {"push_source_name": "stats_push", "df": {"driver_id": [1]}}),
        ("/push", {"push_source_name": "stats_push", "df": FRAME, "to": "sideways"}),
        ("/push", {"push_source_name": "stats_push", "df": FRAME | {"i64": ["x"] * 4}}),
        ("/push", {"push_source_name": "stats_push", "df": FRAME | {"at": ["2024-01-01"] * 4}}),
        ("/push", {"push_source_name": "stats_push", "df": FRAME | {"i64": [1]}}),
        ("/materialize", {}),
        ("/materialize", {"start_ts": "x", "end_ts": "y"}),
        ("/materialize", {"start_ts": "2024-01-01", "end_ts": "2023-01-01"}),
        ("/search", {"features": ["driver_stats:floats"], "query": [0.5], "top_k": 3}),
        (
            "/retrieve-online-documents",
            {
                "features": ["driver_stats:floats"],
                "query": [0.5],
                "top_k": 3,
                "api_version": 2,
            },
        ),
    ],
)
def test_what_feast_answers_with_500(both: Both, path: str, body: Any) -> None:
    """Goal: an error here too, of the same class if it has one, and JSON as the client wants it."""
    (feast_status, feast), (status, ours) = both.ask(path, body)
    assert feast_status == 500, feast
    assert 400 <= status < 500 or path in ("/search", "/retrieve-online-documents"), ours
    assert error_class(ours) == error_class(feast)


def test_a_stored_null_says_so(both: Both) -> None:
    frame = {
        "customer_id": ["null"],
        "event_timestamp": ["2024-01-01"],
        "spent": [None],
        "f64": [0.5],
    }
    write = {"feature_view_name": "customers", "df": frame}
    assert both.ask("/write-to-online-store", write) == ((200, "null"), (200, "null"))
    wanted = {"entities": {"customer_id": ["null"]}, "features": ["customers:spent"]}
    (_, feast), (_, ours) = both.ask("/get-online-features", wanted)
    assert ours.replace("NULL_VALUE", "PRESENT") == feast
