"""Goal: messages of a real broker become rows as a stream feature view says, in all formats and
several views at once; a stream beside a batch source comes online; a topic that was made anew is
read on when somebody says so; lag is in the metrics.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clicks import PROGRAM, USER, Account, Reader, check_online, make_store, run_to_end, sql
from kafka_broker import PATIENCE_S, KafkaBroker
from server_process import ServerProcess

from tidemark import (
    AvroFormat,
    CsvFormat,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    JsonFormat,
    KafkaSource,
    ProtoFormat,
    StreamFeatureView,
)
from tidemark.errors import InvalidArgumentError, InvalidDataError, NotFoundError
from tidemark.types import Float64, Int64, String


def source(broker: KafkaBroker, topic: str, **more: Any) -> KafkaSource:
    return KafkaSource(
        name=topic,
        kafka_bootstrap_servers=broker.servers,
        topic=topic,
        message_format=JsonFormat(),
        **more,
    )


def test_messages_become_rows_as_the_view_says(tmp_path: Path, broker: KafkaBroker) -> None:
    broker.create_topic("orders", 2)
    orders = StreamFeatureView(
        name="orders",
        entities=[USER],
        schema=[Field("total", Float64)],
        source=source(broker, "orders", timestamp_field="at"),
        inputs=[Field("price", Float64), Field("qty", String)],
        expressions={"total": "price * CAST(qty AS BIGINT)"},
        filter="price > 0 AND total < 1000",
    )
    store = FeatureStore(tmp_path / "store")
    store.apply([USER, orders])
    producer = broker.producer()
    newest: dict[int, float] = {}
    totals: list[float] = []
    count = 3_000
    for n in range(count):
        user = n % 40
        # Late by turns: the event time is not the order of the messages.
        moment = n ^ 1
        row = {
            "user": user,
            "price": -1 if n % 10 == 3 else n / 4,
            "qty": "many" if n % 100 == 7 else "2",
            "at": f"2026-01-01T{moment // 3600:02}:{moment // 60 % 60:02}:{moment % 60:02}Z",
        }
        producer.produce("orders", json.dumps(row), key=str(user), partition=user % 2)
        if n > 0 and n % 10 != 3 and n % 100 != 7 and n / 2 < 1000:
            newest[user] = n / 2
            totals.append(n / 2)
    assert producer.flush(PATIENCE_S) == 0
    reader = Reader(tmp_path / "store", "orders")
    deadline = time.monotonic() + PATIENCE_S
    while store.stream_status()[0].lag != 0:
        assert time.monotonic() < deadline
    reader.stop()
    run_to_end(tmp_path / "store")
    rows = sql(store, "SELECT total FROM orders")
    assert sorted(row["total"] for row in rows) == totals
    rejected = sql(store, "SELECT reason FROM orders__rejected")
    assert len(rejected) == count // 100
    assert all(row["reason"].startswith("expression of total: ") for row in rejected)
    found = store.get_online_features(
        ["orders:total"], [{"user": user} for user in newest]
    ).to_dict()
    assert dict(zip(newest, found["total"], strict=True)) == newest


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


class Registry(BaseHTTPRequestHandler):
    """A schema registry with one schema, of number 7."""

    def do_GET(self) -> None:
        found = self.path == "/schemas/ids/7"
        body = json.dumps({"schema": AVRO_SCHEMA} if found else {}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


AVRO_SCHEMA = json.dumps(
    {
        "type": "record",
        "name": "Visit",
        "fields": [
            {"name": "user", "type": "long"},
            {"name": "n", "type": "long"},
            {
                "name": "event_timestamp",
                "type": {"type": "long", "logicalType": "timestamp-micros"},
            },
        ],
    }
)
PROTO = """syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Visit { int64 user = 1; int64 n = 2; google.protobuf.Timestamp event_timestamp = 3; }
"""
BEGIN_S = 1_767_225_600  # 2026-01-01


def avro_visit(user: int, n: int) -> bytes:
    return b"".join(varint(number * 2) for number in (user, n, (BEGIN_S + n) * 1_000_000))


def protobuf_visit(user: int, n: int) -> bytes:
    time = b"\x08" + varint(BEGIN_S + n)
    return b"\x08" + varint(user) + b"\x10" + varint(n) + b"\x1a" + varint(len(time)) + time


def test_one_run_reads_views_of_all_formats(tmp_path: Path, broker: KafkaBroker) -> None:
    registry = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{registry.server_port}"
    moment = "2026-01-01T00:{:02}:{:02}Z".format
    formats: dict[str, tuple[Any, Callable[[int, int], bytes]]] = {
        "json": (
            JsonFormat(),
            lambda user, n: json.dumps(
                {"user": user, "n": n, "event_timestamp": moment(n // 60, n % 60)}
            ).encode(),
        ),
        "csv": (
            CsvFormat(["user", "event_timestamp", "n"]),
            lambda user, n: f"{user},{moment(n // 60, n % 60)},{n}".encode(),
        ),
        "avro": (AvroFormat(AVRO_SCHEMA), avro_visit),
        "registered": (
            AvroFormat(schema_registry_url=url),
            lambda user, n: b"\0\0\0\0\7" + avro_visit(user, n),
        ),
        "protobuf": (ProtoFormat("Visit", "visit.proto"), protobuf_visit),
    }
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "visit.proto").write_text(PROTO)
    store = FeatureStore(folder)
    producer = broker.producer()
    for name, (message_format, encoded) in formats.items():
        broker.create_topic(f"visits-{name}", 2)
        view = FeatureView(
            name=name,
            entities=[USER],
            schema=[Field("n", Int64)],
            source=KafkaSource(
                name=name,
                kafka_bootstrap_servers=broker.servers,
                topic=f"visits-{name}",
                message_format=message_format,
                timestamp_field="event_timestamp",
            ),
        )
        store.apply([USER, view])
        for n in range(200):
            producer.produce(f"visits-{name}", encoded(n % 10, n), partition=n % 2)
    assert producer.flush(PATIENCE_S) == 0
    try:
        run_to_end(folder)
        assert sorted(status.view for status in store.stream_status()) == sorted(formats)
    finally:
        registry.shutdown()
        registry.server_close()
    users = [{"user": user} for user in range(10)]
    for name in formats:
        rows = sql(store, f"SELECT n, epoch_us(event_timestamp) AS at FROM {name} ORDER BY n")
        assert rows == [{"n": n, "at": (BEGIN_S + n) * 1_000_000} for n in range(200)], name
        found = store.get_online_features([f"{name}:n"], users).to_dict()["n"]
        assert found == list(range(190, 200)), name


def test_a_stream_beside_a_batch_source_comes_online(tmp_path: Path, broker: KafkaBroker) -> None:
    broker.create_topic("beside", 2)
    folder = tmp_path / "store"
    folder.mkdir()
    times = pa.array(["2026-01-01T00:00:30Z"] * 2).cast(pa.timestamp("us", "UTC"))
    table = pa.table({"user": [1, 2], "n": [30, 30], "event_timestamp": times})
    pq.write_table(table, folder / "history.parquet")
    view = FeatureView(
        name="visits",
        entities=[USER],
        schema=[Field("n", Int64)],
        source=source(
            broker,
            "beside",
            batch_source=FileSource("history.parquet", timestamp_field="event_timestamp"),
        ),
    )
    store = FeatureStore(folder)
    store.apply([USER, view])
    store.materialize_incremental("2026-01-02T00:00:00Z")
    producer = broker.producer()
    for user, n in [(1, 20), (1, 31), (2, 29), (1, 25)]:
        row = {"user": user, "n": n, "event_timestamp": f"2026-01-01T00:00:{n}Z"}
        producer.produce("beside", json.dumps(row), partition=user % 2)
    producer.produce("beside", "no row", partition=0)
    producer.flush(PATIENCE_S)
    users = [{"user": 1}, {"user": 2}]
    for _ in range(2):
        run_to_end(folder, "--rejected-max", "1")
        assert store.get_online_features(["visits:n"], users).to_dict()["n"] == [31, 30]
        assert len(sql(store, "SELECT * FROM visits__rejected")) == 1
    entities = [{"user": 1, "event_timestamp": "2026-01-02T00:00:00Z"}]
    training = store.get_historical_features(entities, ["visits:n"]).to_arrow()
    assert training["n"].to_pylist() == [30], "the batch source is what it was"
    [status] = store.stream_status()
    assert status.lag == 0
    assert {each.partition: each.read for each in status.partitions} == {"0": "1", "1": "2"}
    producer.produce("beside", json.dumps(row | {"n": 40}), partition=1)
    producer.flush(PATIENCE_S)
    run_to_end(folder)
    assert store.get_online_features(["visits:n"], users).to_dict()["n"] == [31, 30]


def restart(folder: Path, *flags: str, code: int = 0) -> str:
    command = [PROGRAM, "--store", folder, "stream", "restart", "clicks", *flags]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(
    tmp_path: Path, broker: KafkaBroker
) -> None:
    broker.create_topic("remade", 2)
    store = make_store(tmp_path / "store", broker, "remade")
    account = Account(broker, "remade", 2)
    account.send(300, bad_every=100)
    account.flush()
    run_to_end(tmp_path / "store")
    broker.delete_topic("remade")
    broker.create_topic("remade", 2)
    again = Account(broker, "remade", 2)
    again.send(200, bad_every=100)
    again.flush()
    with pytest.raises(InvalidDataError, match="made anew"):
        store.run_stream(until_end=True)
    with pytest.raises(InvalidArgumentError, match="nothing to continue with"):
        store.restart_stream("clicks", from_="continue")
    with pytest.raises(NotFoundError, match="it has 0, 1"):
        store.restart_stream("clicks", from_="earliest", partitions=[7])
    assert "--yes" in restart(tmp_path / "store", "--from", "earliest", code=2)
    planned = store.restart_stream("clicks", from_="earliest", dry_run=True)
    assert [(each.partition, each.next) for each in planned] == [("0", "0"), ("1", "0")]
    with pytest.raises(InvalidDataError, match="made anew"):
        store.run_stream(until_end=True)
    told = restart(tmp_path / "store", "--from", "earliest", "--yes")
    assert "become rows once more" in told
    run_to_end(tmp_path / "store")
    run_to_end(tmp_path / "store")
    rows = sql(store, "SELECT count(*) AS n FROM clicks")
    assert rows[0]["n"] == len(account.rows) + len(again.rows)
    rejected = sql(store, "SELECT count(*) AS n FROM clicks__rejected")
    assert rejected[0]["n"] == len(account.bad) + len(again.bad)
    check_online(store)


def test_readers_go_on_where_they_are_told(tmp_path: Path, broker: KafkaBroker) -> None:
    broker.create_topic("told", 2)
    store = make_store(tmp_path / "store", broker, "told")
    account = Account(broker, "told", 2)
    account.send(100)
    account.flush()
    planned = store.restart_stream("clicks", from_="latest", partitions=[0])
    assert [each.next for each in planned] == ["50"]
    server = ServerProcess(tmp_path / "store", "--streams")
    try:
        deadline = time.monotonic() + PATIENCE_S
        while store.stream_status()[0].lag != 0:
            assert time.monotonic() < deadline
        assert {row["n"] % 2 for row in sql(store, "SELECT n FROM clicks")} == {1}
        asked = FeatureStore(url=server.url)
        [told] = asked.restart_stream("clicks", from_="earliest", partitions=[0])
        assert (told.read, told.next) == ("49", "0")
        while len(sql(store, "SELECT n FROM clicks")) < 100:
            assert time.monotonic() < deadline, "the reader that runs reads on from there"
        while 'lag_messages{project="default",view="clicks",partition="1"} ' not in (
            metrics := server.get("/metrics").text
        ):
            assert time.monotonic() < deadline, metrics
        assert 'tidemark_stream_reachable{project="default",view="clicks"} 1' in metrics
    finally:
        server.stop()
    assert {row["n"] for row in sql(store, "SELECT n FROM clicks")} == account.rows
