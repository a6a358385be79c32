"""A feature table `clicks` that a topic is read into, processes that read it, and an account of
what was sent, to be compared with what is there.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Message, Producer
from kafka_broker import PATIENCE_S, KafkaBroker
from program import PROGRAM, ROOT
from torture import faults

from tidemark import Entity, FeatureStore, FeatureView, Field, JsonFormat, KafkaSource
from tidemark.types import Int64, String

USERS = 40
USER = Entity(name="user", join_keys={"user": Int64})


def clicks(servers: str, topic: str) -> FeatureView:
    return FeatureView(
        name="clicks",
        entities=[USER],
        schema=[Field("n", Int64), Field("page", String)],
        source=KafkaSource(
            name="clicks",
            kafka_bootstrap_servers=servers,
            topic=topic,
            message_format=JsonFormat(),
            timestamp_field="event_timestamp",
        ),
    )


def make_store(
    folder: Path, broker: KafkaBroker, topic: str, by_network: bool = False
) -> FeatureStore:
    store = FeatureStore(folder)
    servers = broker.servers_by_network if by_network else broker.servers
    store.apply([USER, clicks(servers, topic)])
    return store


class Account:
    """What was sent to a topic, and was acknowledged by the broker."""

    def __init__(self, broker: KafkaBroker, topic: str, partitions: int) -> None:
        self.topic = topic
        self._partitions = partitions
        self._producer: Producer = broker.producer(message_timeout_ms=120_000)
        self._next = 0
        self.rows: set[int] = set()  # values of n
        self.bad: set[tuple[str, str]] = set()  # partition and offset

    def send(self, count: int, bad_every: int = 0, text: str = "") -> None:
        """Each page ends with the text."""
        for _ in range(count):
            n = self._next
            self._next += 1
            user = n % USERS
            now = dt.datetime.now(dt.UTC).isoformat()
            is_bad = bad_every > 0 and n % bad_every == bad_every - 1
            row = {"user": user, "n": n, "page": f"p{n % 7}{text}", "event_timestamp": now}
            value = "this is no row" if is_bad else json.dumps(row)

            def sent(error: Any, message: Message, n: int = n, is_bad: bool = is_bad) -> None:
                assert error is None, error
                if is_bad:
                    self.bad.add((str(message.partition()), str(message.offset())))
                else:
                    self.rows.add(n)

            self._producer.produce(
                self.topic,
                key=str(user),
                value=value,
                partition=user % self._partitions,
                on_delivery=sent,
            )
            self._producer.poll(0)

    def delete(self, user: int) -> None:
        """A tombstone."""
        self._producer.produce(
            self.topic, key=str(user), value=None, partition=user % self._partitions
        )

    def flush(self) -> None:
        left = self._producer.flush(PATIENCE_S)
        assert left == 0


class Reader:
    """`tidemark stream run` as a process of its own."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.log = folder.parent / "reader.log"
        with self.log.open("ab") as log:
            command = [str(PROGRAM), "--store", str(folder), "stream", "run", *flags]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        # One that has only just begun does not listen yet: the signal itself ends it.
        assert code in (0, -signal.SIGTERM), f"{code}: {self.log.read_text()}"

    def pause(self, seconds: float) -> None:
        """Stops the process for a while; the group may give it up meanwhile."""
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def is_alive(self) -> bool:
        return self.process.poll() is None


class FaultyReader:
    """A reader with the library of faults: a script beside this file, and what it is told."""

    def __init__(self, script: str, folder: Path, *arguments: str) -> None:
        self.log = folder.parent / f"{script}.log"
        path = Path(__file__).with_name(script)
        paths = [ROOT / "python" / "src", ROOT / "tests", path.parent]
        environment = {
            **os.environ,
            "LD_PRELOAD": str(faults.library()),
            "PYTHONPATH": os.pathsep.join(str(path) for path in paths),
        }
        with self.log.open("ab") as log:
            command = [sys.executable, str(path), str(folder), *arguments]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def wait(self, code: int) -> None:
        """Until it has ended, and as it should."""
        try:
            ended = self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
        assert ended == code, f"{ended}: {self.log.read_text()}"

    def has_ended(self) -> bool:
        return self.process.poll() is not None


def slow_disk(
    folder: Path, milliseconds: int, pattern: str = "*", *, until_end: bool = False
) -> FaultyReader:
    """Each time that it syncs a file of the pattern it waits so long."""
    flags = ["until-end"] if until_end else []
    return FaultyReader("slow_disk.py", folder, str(milliseconds), pattern, *flags)


def full_disk(folder: Path, at: int) -> FaultyReader:
    """Its disk is full from some call of its on; it ends by an error that says so."""
    return FaultyReader("full_disk.py", folder, str(at))


def killed_reader(folder: Path, step: str, at: int) -> FaultyReader:
    """It is killed at a step (killed_reader.STEPS), the `at`-th time that it comes to it."""
    return FaultyReader("killed_reader.py", folder, step, str(at))


def run_to_end(folder: Path, *flags: str, code: int = 0) -> str:
    """Reads what is there; the program's messages."""
    command = [str(PROGRAM), "--store", str(folder), "stream", "run", "--until-end", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


def sql(store: FeatureStore, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = store.sql(query).to_arrow().to_pylist()
    return rows


def check_account(store: FeatureStore, account: Account) -> None:
    """Every message is there once, and lookups find the newest row of each user."""
    there = [row["n"] for row in sql(store, "SELECT n FROM clicks WHERE NOT is_deleted")]
    assert len(there) == len(set(there)), "a message is there twice"
    assert set(there) == account.rows
    if account.bad:
        rejected = sql(store, 'SELECT "partition", "offset" FROM clicks__rejected')
        found = [(row["partition"], row["offset"]) for row in rejected]
        assert len(found) == len(set(found)), "a rejected message is there twice"
        assert set(found) == account.bad
    check_online(store)


def check_online(store: FeatureStore) -> None:
    """Online equals offline."""
    users = list(range(USERS))
    latest = {row["user"]: row["n"] for row in store.snapshot("clicks").to_arrow().to_pylist()}
    found = store.get_online_features(["clicks:n"], [{"user": user} for user in users]).to_dict()
    assert dict(zip(users, found["n"], strict=True)) == {user: latest.get(user) for user in users}
