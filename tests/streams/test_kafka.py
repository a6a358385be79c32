"""Goal: a topic of a real broker is read into a feature table, each message once: by the program,
the SDK and a server. Rejected messages, tombstones, topics that are not those of before.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from clicks import USER, Account, Reader, check_account, clicks, make_store, run_to_end, sql
from confluent_kafka import Consumer
from kafka_broker import PASSWORD, PATIENCE_S, KafkaBroker
from kafka_broker import USER as USER_NAME
from program import PROGRAM
from server_process import ServerProcess

from tidemark import FeatureStore, FeatureView, Field, KafkaSource
from tidemark.errors import (
    InvalidArgumentError,
    InvalidDataError,
    NotFoundError,
    PermissionDeniedError,
    UnsupportedError,
)
from tidemark.types import Int64

# Of the program: for what is not there, and for data that are not what they should be.
NOT_FOUND_EXIT, DATA_EXIT = 3, 4


def started(tmp_path: Path, broker: KafkaBroker, topic: str) -> tuple[FeatureStore, Account]:
    broker.create_topic(topic, 3)
    return make_store(tmp_path / "store", broker, topic), Account(broker, topic, 3)


def test_a_topic_is_read_once_however_often_it_is_run(tmp_path: Path, broker: KafkaBroker) -> None:
    store, account = started(tmp_path, broker, "once")
    account.send(2_000, bad_every=100)
    account.flush()
    run_to_end(tmp_path / "store")
    check_account(store, account)
    run_to_end(tmp_path / "store")
    account.send(100)
    account.flush()
    store.run_stream("clicks", until_end=True)
    check_account(store, account)
    [status] = store.stream_status()
    assert (status.view, status.stream, status.lag) == ("clicks", "kafka.once.*", 0)
    assert [each.partition for each in status.partitions] == ["0", "1", "2"]
    assert status.stream_error is None
    told = subprocess.run(
        [PROGRAM, "--store", tmp_path / "store", "stream", "status", "--output", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [row["lag"] for row in json.loads(told.stdout)] == [0, 0, 0]
    arrivals = sql(
        store, "SELECT count(*) AS n FROM clicks WHERE api_invocation_time <= write_time"
    )
    assert arrivals[0]["n"] == len(account.rows), "rows arrived when the broker got them"


def test_what_is_sent_is_looked_up_soon(tmp_path: Path, broker: KafkaBroker) -> None:
    store, account = started(tmp_path, broker, "soon")
    reader = Reader(tmp_path / "store", "clicks")
    try:
        account.send(1)
        account.flush()
        deadline = time.monotonic() + PATIENCE_S
        wanted = store.get_online_features(["clicks:n"], [{"user": 0}])
        while wanted.to_dict()["n"] != [0]:
            assert time.monotonic() < deadline
            wanted = store.get_online_features(["clicks:n"], [{"user": 0}])
        while store.stream_status()[0].readers != 1:
            assert time.monotonic() < deadline
    finally:
        reader.stop()
    check_account(store, account)


def test_a_server_reads_streams_and_tells_of_them(tmp_path: Path, broker: KafkaBroker) -> None:
    store, account = started(tmp_path, broker, "served")
    account.send(300, bad_every=100)
    account.flush()
    astray = clicks(broker.servers, "served-nowhere")
    astray.name = "astray"
    store.apply([astray])
    began = time.time()
    server = ServerProcess(tmp_path / "store", "--streams")
    try:
        deadline = time.monotonic() + PATIENCE_S
        while store.stream_status("clicks")[0].lag != 0:
            assert time.monotonic() < deadline
        while 'tidemark_stream_rows_total{project="default",view="clicks"} 297' not in (
            metrics := server.get("/metrics").text
        ):
            assert time.monotonic() < deadline, metrics
        of_errors = 'tidemark_stream_last_error_seconds{project="default",view="'
        while f'{of_errors}astray"}}' not in (metrics := server.get("/metrics").text):
            assert time.monotonic() < deadline, metrics
        [error] = re.findall(re.escape(of_errors) + r'astray"} (.*)', metrics)
        assert began <= float(error) <= time.time()
        assert f'{of_errors}clicks"' not in metrics, "of another one"
        [astray_told, told] = server.get("/v1/projects/default/streams").json()
        assert "served-nowhere" in astray_told["last_error"]
        assert (told["view"], told["lag"], told["readers"]) == ("clicks", 0, 1)
        assert 'tidemark_stream_rejected_total{project="default",view="clicks"} 3' in metrics
        of_clicks = 'project="default",view="clicks"'
        assert f"tidemark_stream_rows_per_second{{{of_clicks}}}" in metrics
        for quantile in ("0.5", "0.99"):
            assert (
                f'tidemark_stream_freshness_seconds{{{of_clicks},quantile="{quantile}"}}' in metrics
            )
        asked = FeatureStore(url=server.url)
        assert asked.stream_status("clicks")[0].lag == 0
        with pytest.raises(UnsupportedError, match="where the store's folder is"):
            asked.run_stream("clicks")
    finally:
        server.stop()
    check_account(store, account)


def test_deletions_take_rows_away(tmp_path: Path, broker: KafkaBroker) -> None:
    store, account = started(tmp_path, broker, "deletions")
    account.send(40)
    account.flush()
    run_to_end(tmp_path / "store")
    account.delete(7)
    account.flush()
    run_to_end(tmp_path / "store")
    found = store.get_online_features(["clicks:n"], [{"user": 7}, {"user": 8}]).to_dict()
    assert found["n"] == [None, 8]


def test_uncommitted_messages_are_not_read(tmp_path: Path, broker: KafkaBroker) -> None:
    store, _ = started(tmp_path, broker, "transactions")
    producer = broker.producer(transactional_id="writer")
    producer.init_transactions(PATIENCE_S)
    for n, is_committed in [(1, True), (2, False), (3, True)]:
        producer.begin_transaction()
        row = {"user": n, "n": n, "page": "p", "event_timestamp": "2026-01-01T00:00:00Z"}
        producer.produce("transactions", json.dumps(row), partition=0)
        assert producer.flush(PATIENCE_S) == 0  # it is in the topic, whatever becomes of it
        if is_committed:
            producer.commit_transaction(PATIENCE_S)
        else:
            producer.abort_transaction(PATIENCE_S)
    run_to_end(tmp_path / "store")
    run_to_end(tmp_path / "store")
    assert [row["n"] for row in sql(store, "SELECT n FROM clicks ORDER BY n")] == [1, 3]


def test_ends_of_transactions_are_no_messages(tmp_path: Path, broker: KafkaBroker) -> None:
    store, _ = started(tmp_path, broker, "ends")
    producer = broker.producer(transactional_id="ends")
    producer.init_transactions(PATIENCE_S)

    def transaction(*numbers: int) -> None:
        producer.begin_transaction()
        for n in numbers:
            row = {"user": n, "n": n, "page": "p", "event_timestamp": "2026-01-01T00:00:00Z"}
            producer.produce("ends", json.dumps(row), partition=0)
        producer.commit_transaction(PATIENCE_S)

    transaction(1, 2)  # offsets 0 and 1, and 2 for its end
    run_to_end(tmp_path / "store")
    [status] = store.stream_status()
    assert status.lag == 0
    assert status.partitions[0].read == "1"
    broker.delete_records("ends", 0, 3)
    run_to_end(tmp_path / "store")
    transaction(3)
    run_to_end(tmp_path / "store")
    assert [row["n"] for row in sql(store, "SELECT n FROM clicks ORDER BY n")] == [1, 2, 3]
    transaction(4)
    broker.delete_records("ends", 0, 7)
    with pytest.raises(InvalidDataError, match="from offset 5 to 6 were removed"):
        store.run_stream(until_end=True)


def test_a_topic_that_was_made_anew_is_told(tmp_path: Path, broker: KafkaBroker) -> None:
    store, account = started(tmp_path, broker, "anew")
    account.send(50)
    account.flush()
    run_to_end(tmp_path / "store")
    broker.delete_topic("anew")
    broker.create_topic("anew", 3)
    again = Account(broker, "anew", 3)
    again.send(10)
    again.flush()
    with pytest.raises(InvalidDataError, match="made anew"):
        store.run_stream(until_end=True)
    again.send(500)
    again.flush()
    with pytest.raises(InvalidDataError, match="made anew"):
        store.run_stream(until_end=True)
    check_account(store, account)


def test_too_many_rejected_messages_stop_it(tmp_path: Path, broker: KafkaBroker) -> None:
    store, account = started(tmp_path, broker, "rejected")
    account.send(400, bad_every=2)
    account.flush()
    told = run_to_end(tmp_path / "store", "--rejected-max", "20%", code=DATA_EXIT)
    assert "20%" in told
    # Fewer than a hundred messages say nothing of a rate, and may have been written before.
    assert len(sql(store, "SELECT * FROM clicks")) < 100
    run_to_end(tmp_path / "store", "--rejected-max", "0.6")
    check_account(store, account)


def test_a_broker_that_cannot_be_reached_is_told(tmp_path: Path, broker: KafkaBroker) -> None:
    store, account = started(tmp_path, broker, "reached")
    broker.kill()
    reader = Reader(tmp_path / "store")
    try:
        deadline = time.monotonic() + PATIENCE_S
        while store.stream_status()[0].last_error is None:
            assert time.monotonic() < deadline
        [status] = store.stream_status("clicks")
        assert status.stream_error is not None
        assert "reached" in status.stream_error
    finally:
        broker.start()
    account.send(10)
    account.flush()
    while store.stream_status()[0].lag != 0:
        assert time.monotonic() < deadline
    reader.stop()
    check_account(store, account)


def test_what_ends_one_view_does_not_end_the_others(tmp_path: Path, broker: KafkaBroker) -> None:
    store, account = started(tmp_path, broker, "goes-on")
    astray = clicks(broker.servers, "goes-nowhere")
    astray.name = "astray"
    store.apply([astray])
    account.send(20)
    account.flush()
    told = run_to_end(tmp_path / "store", code=NOT_FOUND_EXIT)
    assert "stream of view astray ends: " in told
    assert told.count("stream of view") == 1
    check_account(store, account)
    reader = Reader(tmp_path / "store")
    deadline = time.monotonic() + PATIENCE_S
    while "stream of view astray ends: " not in reader.log.read_text():
        assert time.monotonic() < deadline
    account.send(20)
    account.flush()
    while (status := store.stream_status())[1].rows != 40:
        assert time.monotonic() < deadline
    assert [(each.view, each.readers) for each in status] == [("astray", 0), ("clicks", 1)]
    assert "goes-nowhere" in (status[0].last_error or "")
    assert status[1].last_error is None
    reader.process.terminate()
    assert reader.process.wait(PATIENCE_S) == NOT_FOUND_EXIT
    check_account(store, account)
    with pytest.raises(NotFoundError, match="nobody"):
        store.run_stream(["clicks", "nobody"], until_end=True)


def test_a_copy_of_a_store_reads_all_messages_itself(tmp_path: Path, broker: KafkaBroker) -> None:
    store, account = started(tmp_path, broker, "copied")
    account.send(60)
    account.flush()
    run_to_end(tmp_path / "store")
    store.close()
    other = tmp_path / "other" / "store"
    shutil.copytree(tmp_path / "store", other)
    stores = [FeatureStore(tmp_path / "store"), FeatureStore(other)]
    stores[1].relocate()
    readers = [Reader(tmp_path / "store"), Reader(other)]
    deadline = time.monotonic() + PATIENCE_S
    for each in stores:
        while each.stream_status()[0].readers != 1:
            assert time.monotonic() < deadline
    account.send(60)
    account.flush()
    for each in stores:
        while each.stream_status()[0].lag != 0:
            assert time.monotonic() < deadline
    for reader in readers:
        reader.stop()
    for each in stores:
        check_account(each, account)


def test_reading_to_the_end_waits_for_what_a_reader_left_who_is_gone(
    tmp_path: Path, broker: KafkaBroker
) -> None:
    store, account = started(tmp_path, broker, "left")
    account.send(60)
    account.flush()
    # A member of the group that no process of the store is.
    settings = {"group.id": "left", "partition.assignment.strategy": "range"}
    gone = Consumer({"bootstrap.servers": broker.servers, "log_level": 0, **settings})
    gone.subscribe(["left"])
    deadline = time.monotonic() + PATIENCE_S
    while len(gone.assignment()) < 3:
        gone.poll(0.1)
        assert time.monotonic() < deadline
    reader = Reader(tmp_path / "store", "--until-end", "--group", "left")
    try:
        read = 0  # partitions that the reader has, and has read to their end
        while read == 0:
            gone.poll(0.1)
            read = [each.lag for each in store.stream_status()[0].partitions].count(0)
            assert time.monotonic() < deadline
        assert read < 3
        gone.close()
        assert reader.process.wait(PATIENCE_S) == 0
    finally:
        reader.kill()
    check_account(store, account)


def test_a_broker_asks_who_reads(
    tmp_path: Path, broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.create_topic("guarded", 3)
    account = Account(broker, "guarded", 3)
    account.send(90)
    account.flush()
    view = clicks(broker.servers_by_password, "guarded")
    assert isinstance(view.stream_source, KafkaSource)
    view.stream_source.security.update(
        {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": USER_NAME,
            "sasl.password": "${CLICKS_PASSWORD}",
        }
    )
    store = FeatureStore(tmp_path / "store")
    store.apply([USER, view])
    monkeypatch.setenv("CLICKS_PASSWORD", "guessed")
    with pytest.raises(PermissionDeniedError, match="refuse to let us read") as refused:
        store.run_stream(until_end=True)
    assert "guessed" not in str(refused.value)
    monkeypatch.setenv("CLICKS_PASSWORD", PASSWORD)
    store.run_stream(until_end=True)
    check_account(store, account)


def test_what_cannot_be_run_is_refused(tmp_path: Path, broker: KafkaBroker) -> None:
    store, _ = started(tmp_path, broker, "refused")
    with pytest.raises(InvalidArgumentError, match="from 0 to 1"):
        store.run_stream(rejected_max=2)
    view = FeatureView(name="plain", entities=[USER], schema=[Field("n", Int64)])
    store.apply([view])
    with pytest.raises(UnsupportedError, match="has no stream to read"):
        store.run_stream("plain")
