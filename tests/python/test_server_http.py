"""Hostile and broken HTTP, and every limit of the server, over raw sockets.

Goal: whatever bytes arrive, the answer is a 4xx that says why, or the connection is closed; the
server goes on. Limits hold, each with its own status.
"""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from server_process import TIMEOUT_SECONDS, Answer, ServerProcess

HEAD = b"Host: h\r\n"
SCHEMA = {
    "name": "clicks",
    "entities": ["id"],
    "schema": [
        {"name": "id", "type": "int64"},
        {"name": "v1", "type": "float"},
        {"name": "event_timestamp", "type": "timestamp"},
    ],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("store")) as running:
        yield running


def exchange(server: ServerProcess, *pieces: bytes, ends: bool = True) -> bytes:
    """Sends the pieces, then says (if it `ends`) that no more comes: all that is answered."""
    with server.socket() as client:
        try:
            for piece in pieces:
                client.sendall(piece)
            if ends:
                client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # not connected any more: it has answered and closed before all was sent
        return read_all(client)


def read_all(client: socket.socket) -> bytes:
    answer = b""
    while True:
        try:
            piece = client.recv(65536)
        except ConnectionResetError:
            return answer
        if not piece:
            return answer
        answer += piece


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def chunked(body: bytes) -> bytes:
    return b"POST /feature-view HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body


def post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST /feature-view HTTP/1.1\r\n" + HEAD + headers + b"\r\n" + body


BROKEN = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "noise": bytes(range(256)) * 4,
    "an empty line and nothing": b"\r\n\r\n\r\n",
    "version 0.9": b"GET /\r\n\r\n",
    "version 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "version 1.7": b"GET / HTTP/1.7\r\n" + HEAD + b"\r\n",
    "unknown method": b"BREW / HTTP/1.1\r\n" + HEAD + b"\r\n",
    "lower case method": b"get / HTTP/1.1\r\n" + HEAD + b"\r\n",
    "blank in the target": b"GET /a b HTTP/1.1\r\n" + HEAD + b"\r\n",
    "NUL in the target": b"GET /a\0b HTTP/1.1\r\n" + HEAD + b"\r\n",
    "target is no path": b"GET a HTTP/1.1\r\n" + HEAD + b"\r\n",
    "CONNECT": b"CONNECT h:1 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\n" + HEAD + b"X: a\0b\r\n\r\n",
    "header without a colon": b"GET / HTTP/1.1\r\n" + HEAD + b"X\r\n\r\n",
    "blank before the colon": b"GET / HTTP/1.1\r\n" + HEAD + b"X : a\r\n\r\n",
    "header name is empty": b"GET / HTTP/1.1\r\n" + HEAD + b": a\r\n\r\n",
    "lone carriage return": b"GET / HTTP/1.1\r\n" + HEAD + b"X: a\rb\r\n\r\n",
    "two lengths": post(b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{}x"),
    "a list of lengths": post(b"Content-Length: 2, 3\r\n", b"{}x"),
    "length and chunked": post(
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"
    ),
    "chunked and length": post(
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", b"0\r\n\r\n"
    ),
    "negative length": post(b"Content-Length: -1\r\n"),
    "length with a sign": post(b"Content-Length: +2\r\n", b"{}"),
    "hexadecimal length": post(b"Content-Length: 0x2\r\n", b"{}"),
    "length beyond 64 bits": post(b"Content-Length: 99999999999999999999999\r\n"),
    "length is huge": post(b"Content-Length: 18446744073709551615\r\n"),
    "chunk size is no number": chunked(b"zz\r\nab\r\n0\r\n\r\n"),
    "chunk size beyond 64 bits": chunked(b"11111111111111111\r\na\r\n"),
    "chunk size is negative": chunked(b"-1\r\na\r\n0\r\n\r\n"),
    "chunk longer than its size": chunked(b"1\r\nabc\r\n0\r\n\r\n"),
    "chunk size of nothing": chunked(b"\r\n\r\n"),
    "chunk is huge": chunked(b"ffffffffffffff\r\n" + b"a" * 100),
}


@pytest.mark.parametrize("request_bytes", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_request_is_refused(server: ServerProcess, request_bytes: bytes) -> None:
    answer = exchange(server, request_bytes)
    found = statuses(answer)
    assert len(found) <= 1, answer
    assert all(400 <= status < 500 for status in found), answer
    assert b"\r\nConnection: close\r\n" in answer or not found
    assert server.get("/health/live").status == 200


def test_a_smuggled_request_is_not_answered(server: ServerProcess) -> None:
    """Goal: what an intermediary could take for a body is never read as a second request."""
    hidden = b"GET /health/live HTTP/1.1\r\n" + HEAD + b"X-Request-Id: hidden\r\n\r\n"
    shapes = [
        post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + hidden),
        post(
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n" + hidden
        ),
        post(
            b"Transfer-Encoding: identity, chunked\r\nContent-Length: 4\r\n", b"0\r\n\r\n" + hidden
        ),
        post(b"Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n", hidden),
        post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + hidden),
        post(
            b"Content-Length: 0\r\nContent-Length: 0\r\nTransfer-Encoding:\tchunked\r\n",
            b"0\r\n\r\n" + hidden,
        ),
    ]
    for encoding in (
        b"identity",
        b"xchunked",
        b"chunked, identity",
        b'"chunked"',
        b"gzip, chunked",
    ):
        shapes.append(post(b"Transfer-Encoding: " + encoding + b"\r\n", b"0\r\n\r\n" + hidden))
    for shape in shapes:
        answer = exchange(server, shape)
        assert b"hidden" not in answer, (shape, answer)


def test_obsolete_folding_and_bare_line_feeds_do_no_harm(server: ServerProcess) -> None:
    for text in (
        b"GET /health/live HTTP/1.1\r\n" + HEAD + b"X: a\r\n b\r\n\r\n",
        b"GET /health/live HTTP/1.1\nHost: h\n\n",
    ):
        assert all(status in {200, 400} for status in statuses(exchange(server, text)))
    assert server.get("/health/live").status == 200


def test_requests_in_one_piece_are_answered_in_order(server: ServerProcess) -> None:
    """Goal: pipelining; quick and slow routes mixed keep their order."""
    wanted = [f"p{i}" for i in range(20)]
    paths = ["/health/live", "/list-feature-views", "/nowhere"]
    sent = b"".join(
        f"GET {paths[i % 3]} HTTP/1.1\r\nHost: h\r\nX-Request-Id: {name}\r\n\r\n".encode()
        for i, name in enumerate(wanted)
    )
    last = b"GET /health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Request-Id: end\r\n\r\n"
    answer = exchange(server, sent + last, ends=False)
    assert re.findall(rb"X-Request-Id: (\S+)", answer) == [
        name.encode() for name in [*wanted, "end"]
    ]
    assert statuses(answer) == [*([200, 200, 404][i % 3] for i in range(20)), 200]


def test_a_request_cut_anywhere_is_the_same(server: ServerProcess) -> None:
    body = json.dumps(SCHEMA | {"name": "cut"}).encode()
    request = post(b"Connection: close\r\nContent-Length: %d\r\n" % len(body), body)
    for cut in range(1, len(request), 17):
        answer = exchange(server, request[:cut], request[cut:], ends=False)
        assert statuses(answer)[0] in {200, 201}, (cut, answer)


def test_targets_of_proxies_and_percent_encoding(server: ServerProcess) -> None:
    def status(target: bytes) -> list[int]:
        head = HEAD + b"Connection: close\r\n\r\n"
        return statuses(exchange(server, b"GET " + target + b" HTTP/1.1\r\n" + head, ends=False))

    assert status(b"http://other/health/live") == [200]
    assert status(b"/health/live?x=%zz&y") == [200]
    assert status(b"/health%2Flive") == [404]
    assert status(b"/%zz/online-features") == [404]
    assert status(b"/../health/live") == [404]
    assert status(b"//health/live") == [404]
    assert status(b"/" + b"a/" * 5000) == [404]
    assert status(b"/%00/online-features?entities=[]")[0] in range(400, 500)


def test_a_client_that_stops_sending_is_answered_or_dropped(server: ServerProcess) -> None:
    for path in (b"/health/live", b"/list-feature-views"):  # answered at once, and by a worker
        whole = b"GET " + path + b" HTTP/1.1\r\n" + HEAD + b"\r\n"
        assert [status for status in statuses(exchange(server, whole)) if status != 100] == [200]
    assert exchange(server, b"GET /health/live HTTP/1.1\r\nHo") == b""
    assert exchange(server, post(b"Content-Length: 10\r\n", b"{}")) == b""
    assert exchange(server, b"") == b""
    assert server.get("/health/live").status == 200


def test_clients_that_go_away_leave_nothing_behind(server: ServerProcess) -> None:
    for _ in range(50):
        with server.socket() as client:
            client.sendall(b"GET /list-feature-views HTTP/1.1\r\n" + HEAD + b"\r\n")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until_zero = threading.Event()
    for _ in range(600):
        if server.metric("tidemark_http_connections") <= 1:
            until_zero.set()
            break
    assert until_zero.is_set(), "connections of clients that are gone stay"
    assert server.metric("tidemark_http_in_flight") == 1  # this one


def test_methods_and_paths_that_are_not_there(server: ServerProcess) -> None:
    assert server.get("/nowhere").status == 404
    assert server.request("DELETE", "/feature-view").status == 405
    head = server.request("HEAD", "/list-feature-views")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 0


# --- limits -------------------------------------------------------------------------------------


def test_the_header_limit(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:

        def status(size: int) -> int:
            padding = b"X: " + b"a" * (size - 60) + b"\r\n"
            return statuses(
                exchange(server, b"GET /health/live HTTP/1.1\r\n" + HEAD + padding + b"\r\n")
            )[0]

        assert status(15 << 10) == 200
        assert status(17 << 10) == 431
        many = b"".join(b"h%d: v\r\n" % i for i in range(5000))
        assert statuses(exchange(server, b"GET / HTTP/1.1\r\n" + HEAD + many + b"\r\n")) == [431]
        assert statuses(exchange(server, b"GET /" + b"a" * 20000)) == [431]


def test_the_body_limit(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--body-max", "4KiB") as server:
        for headers, body in (
            (b"Content-Length: 5000\r\n", b"a" * 5000),
            (b"Content-Length: 5000\r\nExpect: 100-continue\r\n", b""),
            (b"Transfer-Encoding: chunked\r\n", b"1388\r\n" + b"a" * 5000 + b"\r\n0\r\n\r\n"),
        ):
            answer = exchange(server, post(headers, body), ends=False)
            assert statuses(answer) == [413], answer
            assert b"4096" in answer
        assert server.post_json("/feature-view", SCHEMA).status == 201


def test_json_depth_rows_and_entities(tmp_path: Path) -> None:
    flags = ("--json-depth-max", "8", "--rows-max", "3", "--entities-max", "2")
    with ServerProcess(tmp_path, *flags) as server:
        assert server.post_json("/feature-view", SCHEMA).status == 201

        def push(count: int) -> Answer:
            frame = {
                "id": list(range(count)),
                "v1": [0.5] * count,
                "event_timestamp": ["2026-05-01 08:00:00"] * count,
            }
            return server.post_json("/clicks/push", {"df": frame})

        assert push(3).status == 200
        assert push(4).status == 400
        assert "3" in push(4).text
        deep = server.request("POST", "/clicks/push", body='{"df":' + "[" * 100_000)
        assert deep.status == 400

        def look_up(count: int) -> int:
            values = ",".join(str(i) for i in range(count))
            entities = f'[{{"entity":"id","value":[{values}]}}]'.replace('"', "%22")
            return server.get(
                f"/clicks/online-features?entities={entities}&feature_refs=[%22v1%22]"
            ).status

        assert look_up(2) == 200
        assert look_up(3) == 400


def test_a_request_that_takes_too_long_to_arrive(tmp_path: Path) -> None:
    """Goal: slowloris: bytes that trickle do not keep a request alive."""
    with ServerProcess(tmp_path, "--request-time-max", "400ms") as server:
        head = exchange(server, b"GET / HTTP/1.1\r\nHost", ends=False)
        assert statuses(head) == [408]
        body = exchange(server, post(b"Content-Length: 10\r\n", b"{"), ends=False)
        assert statuses(body) == [408]
        with server.socket() as client:
            trickle = b"X: a\r\n"
            client.sendall(b"GET / HTTP/1.1\r\n")
            client.settimeout(0.05)
            answer = b""
            for _ in range(int(TIMEOUT_SECONDS / 0.05)):
                try:
                    client.sendall(trickle)
                    if not (piece := client.recv(4096)):
                        break
                    answer += piece
                except TimeoutError:
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    break
            assert statuses(answer) == [408]


def test_idle_connections_are_closed(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--idle-time-max", "300ms") as server, server.socket() as client:
        client.sendall(b"GET /health/live HTTP/1.1\r\n" + HEAD + b"\r\n")
        answer = read_all(client)
        assert statuses(answer) == [200]
        assert b"Connection: close" not in answer


def test_the_connection_limit(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--connections-max", "2", "--threads", "1") as server:
        held = [server.socket() for _ in range(2)]
        for client in held:
            client.sendall(b"GET /health/live HTTP/1.1\r\n" + HEAD + b"\r\n")
            assert b" 200 " in client.recv(4096)
        assert exchange(server, b"GET /health/live HTTP/1.1\r\n" + HEAD + b"\r\n") == b""
        held.pop().close()
        for _ in range(1000):
            if exchange(server, b"GET /health/live HTTP/1.1\r\n" + HEAD + b"\r\n"):
                break
        else:
            pytest.fail("a connection that was closed is still counted")
        held.pop().close()


def test_connections_leave_open_files_for_the_store(tmp_path: Path) -> None:
    """Goal: however many clients hold a connection, the store can open its files."""
    with ServerProcess(tmp_path, open_files_max=96) as server:
        assert any("ulimit -n" in line for line in server.lines)
        server.post_json("/feature-view", SCHEMA)
        held = [server.socket() for _ in range(120)]
        taken = []  # any of them: each thread of the server takes its own
        for client in held:
            try:
                client.sendall(b"GET /health/live HTTP/1.1\r\n" + HEAD + b"\r\n")
                if client.recv(4096):
                    taken.append(client)
            except ConnectionError:
                continue
        assert 0 < len(taken) < 120
        frame = {"df": {"id": [1], "v1": [0.5], "event_timestamp": ["2026-05-01T08:00:00Z"]}}
        body = json.dumps(frame).encode()
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        taken[0].sendall(b"POST /clicks/push HTTP/1.1\r\n" + HEAD + length + body)
        assert statuses(taken[0].recv(4096)) == [200]
        for client in held:
            client.close()


def test_the_memory_limit(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--memory-max", "1MiB") as server:
        for headers, body in (
            (b"Content-Length: 2000000\r\n", b"a" * 2_000_000),
            (
                b"Transfer-Encoding: chunked\r\n",
                b"1e8480\r\n" + b"a" * 2_000_000 + b"\r\n0\r\n\r\n",
            ),
        ):
            answer = exchange(server, post(headers, body), ends=False)
            assert statuses(answer) == [503], answer
            assert b"Retry-After" in answer
        assert server.get("/health/live").status == 200
        assert server.metric("tidemark_http_memory_bytes") < 1 << 20


@contextmanager
def held_registry(folder: Path) -> Iterator[None]:
    """Nobody else can read the registry meanwhile, so a request that needs it waits."""
    connection = sqlite3.connect(folder / ".tidemark" / "registry.db", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def ask_beyond_the_limit(server: ServerProcess) -> bytes:
    """Sends a request that has to wait, and others until one is refused: the first one's answer."""
    with server.socket() as client:
        body = json.dumps(SCHEMA).encode()
        client.sendall(post(b"Content-Length: %d\r\n" % len(body), body))
        while (refused := server.get("/nowhere/online-features")).status != 429:
            assert refused.status == 400
        assert refused.headers["retry-after"] == "1"
        assert server.get("/health/live").status == 200, "it is asked all the more when it is full"
        return read_all(client)


def test_requests_in_flight_and_answers_that_take_too_long(tmp_path: Path) -> None:
    (tmp_path / "tidemark.yaml").write_text("registry: {busy_timeout: 5m}\n")
    flags = ("--in-flight-max", "1", "--answer-time-max", "1500ms")
    with ServerProcess(tmp_path, *flags) as server:
        with held_registry(tmp_path):
            while statuses(late := ask_beyond_the_limit(server)) == [429]:
                pass  # one that was sent to see whether it is in flight came first
        assert statuses(late) == [503], late
        assert b"took longer" in late
        assert server.get("/list-feature-views").status in {200, 429}
