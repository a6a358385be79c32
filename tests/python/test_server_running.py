"""Starting, watching, changing and stopping a server.

Goal: it is up quickly, settings count in their order, what it says of itself is true, definitions
that others apply are seen without a pause, and it stops without dropping a request.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from http.client import HTTPException
from pathlib import Path

import pyarrow as pa
import pytest
from server_process import TIMEOUT_SECONDS, Answer, ServerProcess, read_answer, run_program
from test_server_http import SCHEMA, held_registry

from tidemark import FeatureStore

SEEN_WITHIN_SECONDS = 1.0
UP_WITHIN_SECONDS = 0.5


def rows(count: int) -> dict[str, list[object]]:
    return {
        "id": list(range(count)),
        "v1": [i + 0.5 for i in range(count)],
        "event_timestamp": [f"2026-05-01 08:{i // 60 % 60:02}:{i % 60:02}" for i in range(count)],
    }


def test_up_within_half_a_second(folder: Path, store: FeatureStore) -> None:
    """Goal: the best of five starts, on a store with data; a machine that is busy may slow some."""
    store.create_table(SCHEMA)
    store.ingest("clicks", pa.table(rows(1000)))
    seconds = []
    for _ in range(5):
        with ServerProcess(folder) as server:
            seconds.append(server.seconds_to_start)
            assert server.get("/health/ready").status == 200
    assert min(seconds) < UP_WITHIN_SECONDS, seconds


def test_settings_by_file_environment_and_flags(tmp_path: Path) -> None:
    (tmp_path / "tidemark.yaml").write_text(
        "project: demo\nserver:\n  body_max: 4KiB\n  rows_max: 1\n  access_log: one.log\n"
    )
    environment = {"TIDEMARK_SERVE_ROWS_MAX": "2", "TIDEMARK_SERVE_BODY_MAX": "8KiB"}
    with ServerProcess(tmp_path, "--rows-max", "3", environment=environment) as server:
        assert server.post_json("/feature-view", SCHEMA).status == 201
        assert server.post_json("/clicks/push", {"df": rows(3)}).status == 200
        assert server.post_json("/clicks/push", {"df": rows(4)}).status == 400
        assert server.request("POST", "/feature-view", b"x" * 9000).status == 413
        assert server.request("POST", "/feature-view", b"x" * 6000).status == 400
    assert (tmp_path / "one.log").exists()
    assert FeatureStore(tmp_path).list_feature_views()[0].name == "clicks", (
        "in the project of the file"
    )


@pytest.mark.parametrize(
    ("yaml", "flags", "said"),
    [
        ("server: {prot: 1}", [], "unknown setting 'prot'"),
        ("server: {port: x}", [], "tidemark.yaml"),
        ("", ["--port", "70000"], "'port'"),
        ("", ["--host", "nowhere.invalid", "--insecure"], "not an address"),
        ("", ["--tls-cert", "missing.pem", "--tls-key", "missing.pem"], "missing.pem"),
        ("", ["--tls-cert", "missing.pem"], "tls_key"),
        ("", ["--access-log", "no/such/folder/log"], "access log"),
    ],
)
def test_settings_that_are_wrong(tmp_path: Path, yaml: str, flags: list[str], said: str) -> None:
    (tmp_path / "tidemark.yaml").write_text(yaml)
    refused = run_program(tmp_path, "serve", *flags, check=False)
    assert refused.returncode != 0
    assert said in refused.stderr


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        other = tmp_path / "other"
        other.mkdir()
        held = socket.socket()
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = str(held.getsockname()[1])
        refused = run_program(other, "serve", "--port", port, check=False)
        held.close()
        assert refused.returncode != 0
        assert "--port" in refused.stderr
        assert server.get("/health").status == 200


def test_threads_pinned_to_cores(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--threads", "2", "--pin") as server:
        until = time.monotonic() + TIMEOUT_SECONDS
        while len(pinned_threads(server.process.pid)) != 2:
            assert time.monotonic() < until


def pinned_threads(pid: int) -> list[str]:
    """The cores of threads that may run on one core only."""
    masks = [
        re.search(r"Cpus_allowed_list:\s*(\S+)", (task / "status").read_text())
        for task in Path(f"/proc/{pid}/task").iterdir()
    ]
    return [mask[1] for mask in masks if mask and mask[1].isdigit()]


def test_ids_traces_and_the_access_log(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with ServerProcess(tmp_path, "--access-log", str(log)) as server:
        given = server.get("/list-feature-views", X_Request_Id="abc-1", traceparent=trace)
        assert given.headers["x-request-id"] == "abc-1"
        assert given.headers["traceparent"] == trace
        made = [server.get("/health").headers["x-request-id"] for _ in range(2)]
        assert made[0] != made[1]
        forged = server.get("/health", X_Request_Id='a"b')
        assert forged.headers["x-request-id"] != 'a"b'
        made.append(forged.headers["x-request-id"])
        assert server.get("/nowhere", X_Request_Id="lost").json()["error"]["request_id"] == "lost"
        server.stop()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    # A line is written when its answer is on its way: that of the next request may be there before.
    assert len(lines) == 5
    statuses = {line["id"]: line["status"] for line in lines}
    assert statuses == {"abc-1": 200, **dict.fromkeys(made, 200), "lost": 404}
    first = next(line for line in lines if line["id"] == "abc-1")
    assert first["trace"] == trace
    assert (first["method"], first["path"], first["route"]) == (
        "GET",
        "/list-feature-views",
        "/list-feature-views",
    )
    assert (first["status"], first["dialect"], first["peer"]) == (200, "semantix", "127.0.0.1")
    assert first["seconds"] > 0
    assert first["bytes_out"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", first["time"])


def test_the_access_log_has_requests_whose_client_is_gone(tmp_path: Path) -> None:
    """Goal: who breaks the connection off does not keep a write out of the log."""
    log = tmp_path / "access.log"
    count = 40
    with ServerProcess(tmp_path, "--access-log", str(log)) as server:
        assert server.post_json("/feature-view", SCHEMA).status == 201
        for i in range(count):
            row = {name: [values[i]] for name, values in rows(count).items()}
            body = json.dumps({"df": row}).encode()
            head = f"POST /clicks/push HTTP/1.1\r\nHost: h\r\nX-Request-Id: gone-{i}\r\n"
            head += f"Content-Length: {len(body)}\r\n\r\n"
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                linger = struct.pack("ii", 1, 0)  # closed by a reset, which may undo the request
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                client.sendall(head.encode() + body)
                time.sleep(0.0005 * (i % 8))
        server.stop()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = {line["id"]: line["status"] for line in lines if line["path"] == "/clicks/push"}
    written = FeatureStore(tmp_path).get_training_features("clicks").to_arrow()["id"].to_pylist()
    assert written, "each was undone before it was read"
    assert {f"gone-{i}" for i in written} <= told.keys()
    assert set(told.values()) <= {200, 499}


def test_metrics(tmp_path: Path) -> None:
    """Goal: every figure that is promised is there, and is true."""
    with ServerProcess(tmp_path) as server:
        assert server.post_json("/feature-view", SCHEMA).status == 201
        # A request is counted when its answer has been sent, and before the connection's next one.
        connection = server.connect()

        def ask(method: str, path: str, body: object = None) -> Answer:
            connection.request(method, path, None if body is None else json.dumps(body))
            return read_answer(connection.getresponse())

        assert ask("POST", "/clicks/push", {"df": rows(7)}).status == 200
        assert ask("POST", "/clicks/push", {"df": {}, "to": "x"}).status == 400
        text = ask("GET", "/metrics").text
        connection.close()
        assert (
            'tidemark_http_requests_total{dialect="semantix",method="POST",'
            'route="/{name}/push",status="2xx"} 1' in text
        )
        assert 'route="/{name}/push",status="4xx"} 1' in text
        assert server.metric("tidemark_rows_written_total") == 7
        assert server.metric("tidemark_online_rows") == 7
        assert server.metric("tidemark_online_bytes") > 0
        assert server.metric("tidemark_log_bytes") > 0
        assert server.metric("tidemark_store_readable") == 1
        assert FeatureStore(tmp_path).flush() is not None
        assert server.metric("tidemark_table_rows") == 7
        assert server.metric("tidemark_table_files") >= 1
        assert server.metric("tidemark_table_bytes") > 0
        assert abs(server.metric("tidemark_table_committed_seconds") - time.time()) < 60
        newest = 'tidemark_newest_event_seconds{project="default",view="clicks",in="table"} '
        found = [
            line for line in server.get("/metrics").text.splitlines() if line.startswith(newest)
        ]
        assert float(found[0].split()[-1]) == 1777622406.0  # 2026-05-01T08:00:06Z
        text = server.get("/metrics").text
    sample = re.compile(r"[a-z_:]+(\{([a-z_]+=\"([^\"\\]|\\.)*\",?)*\})? [-+0-9.eE]+(Inf)?$")
    names = []
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            names.append(line.split()[2])
        elif not line.startswith("#"):
            assert sample.fullmatch(line), line
            assert line.startswith(names[-1]), f"{line} is apart from its metric"
    assert len(names) == len(set(names))


def test_what_others_apply_is_seen_without_a_pause(tmp_path: Path) -> None:
    """Goal: readers run all the time while another process changes definitions; none waits."""
    other = FeatureStore(tmp_path)
    other.create_table(SCHEMA)
    other.ingest("clicks", pa.table(rows(10)))
    entities = "[%7B%22entity%22:%22id%22,%22value%22:[1,2]%7D]"
    path = f"/clicks/online-features?entities={entities}&feature_refs=[%22v1%22]"
    stop = threading.Event()
    seconds: list[float] = []
    wrong: list[str] = []

    with ServerProcess(tmp_path) as server:

        def read() -> None:
            connection = server.connect()
            while not stop.is_set():
                began = time.monotonic()
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                seconds.append(time.monotonic() - began)
                if answer.status != 200 or json.loads(body)["v1"] != [1.5, 2.5]:
                    wrong.append(body.decode())
            connection.close()

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        waits = []
        before = len(seconds)
        for number in range(5):
            name = f"table_{number}"
            other.create_table({**SCHEMA, "name": name})
            applied = time.monotonic()
            while server.post_json(f"/{name}/push", {"df": rows(1)}).status != 200:
                assert time.monotonic() - applied < SEEN_WITHIN_SECONDS * 10
            waits.append(time.monotonic() - applied)
        assert len(seconds) > before, "readers stood still"
        stop.set()
        for reader in readers:
            reader.join()
    assert not wrong, wrong[:3]
    assert max(waits) < SEEN_WITHIN_SECONDS, waits
    assert max(seconds) < SEEN_WITHIN_SECONDS, "a reader was held up"


def test_sigterm_answers_what_is_in_flight(tmp_path: Path) -> None:
    (tmp_path / "tidemark.yaml").write_text("registry: {busy_timeout: 5m}\n")
    with ServerProcess(tmp_path, "--in-flight-max", "1") as server:
        answers: list[int] = []

        def ask() -> None:
            while (status := server.post_json("/feature-view", SCHEMA).status) == 429:
                pass  # one that waits for this was answered just then
            answers.append(status)

        asking = threading.Thread(target=ask)
        idle = server.connect()
        idle.request("GET", "/health/live")
        assert idle.getresponse().read() == b""
        with held_registry(tmp_path):
            asking.start()
            while server.get("/nobody/online-features").status != 429:  # until it is in flight
                pass
            server.process.send_signal(signal.SIGTERM)
            assert server.wait_for_line(re.compile("stopping")) is not None
            assert server.process.poll() is None, "it went while a request was being answered"
        asking.join()
        assert answers == [201]
        assert server.wait() == 0
        assert idle.sock is not None
        assert idle.sock.recv(1) == b""
        idle.close()
    assert [view.name for view in FeatureStore(tmp_path).list_feature_views()] == ["clicks"]


def test_not_ready_before_it_stops_listening(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--drain-delay", "2s") as server:
        assert server.get("/health/ready").status == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_for_line(re.compile("stopping")) is not None
        while server.get("/health/ready").status != 503:
            pass
        assert server.get("/health/live").status == 200
        assert server.get("/list-feature-views").status == 200, (
            "it still answers who has not noticed"
        )
        assert server.wait() == 0


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """Goal: rows that clients of three dialects were told are written are there after kill -9."""
    acknowledged: dict[int, float] = {}  # by id: the greatest

    def write(server: ServerProcess, one: int) -> None:
        for n in range(int(acknowledged.get(one, 0)) + 1, 1_000_000):
            event = f"2026-05-01T08:00:00.{n:06}Z"
            row = {"id": one, "v1": float(n), "event_timestamp": event}
            try:
                if one == 0:
                    answer = server.post_json("/v1/projects/default/views/clicks/ingest", [row])
                elif one == 1:
                    fields = [{"FeatureName": k, "ValueAsString": str(v)} for k, v in row.items()]
                    record = json.dumps({"Record": fields})
                    answer = server.request("PUT", "/FeatureGroup/clicks", record)
                else:
                    frame = {k: [v] for k, v in row.items()}
                    answer = server.post_json(
                        "/write-to-online-store", {"feature_view_name": "clicks", "df": frame}
                    )
            except (OSError, HTTPException):
                return
            assert answer.status == 200, answer.text
            acknowledged[one] = row["v1"]

    with ServerProcess(tmp_path) as server:
        assert server.post_json("/feature-view", SCHEMA).status == 201
    for _ in range(3):
        server = ServerProcess(tmp_path)
        threads = [threading.Thread(target=write, args=(server, one)) for one in range(3)]
        for thread in threads:
            thread.start()
        before = dict(acknowledged)
        while any(acknowledged.get(one, 0) < before.get(one, 0) + 10 for one in range(3)):
            assert server.get("/health").status == 200
        server.kill()
        for thread in threads:
            thread.join()
        with ServerProcess(tmp_path) as again:
            asked = {"features": ["clicks:v1"], "entities": {"id": [0, 1, 2]}}
            found = again.post_json("/v1/projects/default/online", asked).json()["values"][0]
        # One more may have been written whose answer did not arrive.
        assert all(found[one] >= acknowledged[one] for one in range(3)), (found, acknowledged)


def test_a_second_signal_cuts_off(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--drain-delay", "1h") as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_for_line(re.compile("stopping")) is not None
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 128 + signal.SIGTERM


def test_tables_are_maintained_while_serving(tmp_path: Path) -> None:
    """Goal: a server that only reads still flushes what a writer that is gone left in the log."""
    (tmp_path / "tidemark.yaml").write_text("offline_store: {flush_after: 1s}\n")
    script = (
        "import os, sys, pyarrow as pa\n"
        "from tidemark import FeatureStore\n"
        "from test_server_http import SCHEMA\n"
        "from test_server_running import rows\n"
        "store = FeatureStore(sys.argv[1])\n"
        "store.create_table(SCHEMA)\n"
        "store.ingest('clicks', pa.table(rows(5)))\n"
        "os._exit(0)\n"  # no close, no flush: as if it was killed
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        check=True,
        cwd=Path(__file__).parent,
        env=environment,
    )
    with ServerProcess(tmp_path) as server:
        until = time.monotonic() + 60
        while (
            'tidemark_table_rows{project="default",view="clicks"} 5'
            not in server.get("/metrics").text
        ):
            assert time.monotonic() < until
