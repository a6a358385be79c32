"""Goal: whatever happens to readers and the broker, every message is one row or one rejected
message, and lookups find what the table has. Faults come in an order that their seed says.

20 of them in the ordinary run; `make test-stream` makes it 100 (TIDEMARK_STREAM_FAULTS).
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from clicks import (
    Account,
    Reader,
    check_account,
    full_disk,
    killed_reader,
    make_store,
    run_to_end,
)
from kafka_broker import PATIENCE_S, KafkaBroker
from killed_reader import STEPS

FAULTS = int(os.environ.get("TIDEMARK_STREAM_FAULTS", "20"))
SEED = int(os.environ.get("TIDEMARK_STREAM_SEED", "1"))
PARTITIONS = 4
LOST_AFTER_S = 11.0  # a reader that is silent for so long has lost its partitions
TURN_S = 0.4
FULL_AFTER_MAX = (
    80  # calls of a reader that need room: taking its partitions makes about half of them
)
KILLED_AT_MAX = 6  # times that a reader comes to a step


class Scene:
    """Two readers of one group, and what befalls them while messages come in."""

    def __init__(self, folder: Path, broker: KafkaBroker, account: Account) -> None:
        self.folder = folder
        self.broker = broker
        self.account = account
        self.random = random.Random(SEED)
        self.readers = [Reader(folder), Reader(folder)]
        self.third: Reader | None = None

    def kill_a_reader(self) -> None:
        at = self.random.randrange(len(self.readers))
        self.readers[at].kill()
        self.readers[at] = Reader(self.folder)

    def stop_a_reader(self) -> None:
        at = self.random.randrange(len(self.readers))
        self.readers[at].stop()
        self.readers[at] = Reader(self.folder)

    def pause_a_reader(self) -> None:
        self.random.choice(self.readers).pause(0.5)

    def pause_a_reader_until_it_has_lost_its_partitions(self) -> None:
        self.random.choice(self.readers).pause(LOST_AFTER_S)

    def kill_the_broker(self) -> None:
        self.broker.kill()
        self.broker.start()

    def stop_the_broker(self) -> None:
        self.broker.stop()
        self.broker.start()

    def pause_the_broker(self) -> None:
        with self.broker.paused():
            time.sleep(1.0)

    def cut_the_network(self) -> None:
        self.broker.cut_network(1.0)

    def reset_connections(self) -> None:
        self.broker.network.reset()

    def fill_the_disk_of_a_reader(self) -> None:
        reader = full_disk(self.folder, self.random.randrange(1, FULL_AFTER_MAX))
        self.account.send(500, bad_every=97)
        reader.wait(0)

    def kill_a_reader_at_a_step(self) -> None:
        step = self.random.choice(list(STEPS))
        reader = killed_reader(self.folder, step, self.random.randint(1, KILLED_AT_MAX))
        deadline = time.monotonic() + PATIENCE_S
        while not reader.has_ended() and time.monotonic() < deadline:
            self.account.send(100, bad_every=97)
            time.sleep(0.1)
        reader.wait(-signal.SIGKILL)

    def a_third_reader_comes_or_goes(self) -> None:
        if self.third is None:
            self.third = Reader(self.folder)
        else:
            self.third.stop()
            self.third = None

    def faults(self) -> list[Callable[[], None]]:
        """Each kind at least once if there are so many; those that take long, seldom."""
        rare = [
            self.pause_a_reader_until_it_has_lost_its_partitions,
            self.kill_the_broker,
            self.stop_the_broker,
            self.pause_the_broker,
            self.cut_the_network,
            self.fill_the_disk_of_a_reader,
            self.kill_a_reader_at_a_step,
        ]
        often = [
            self.kill_a_reader,
            self.stop_a_reader,
            self.pause_a_reader,
            self.reset_connections,
            self.a_third_reader_comes_or_goes,
        ]
        chosen = (rare + often)[:FAULTS]
        while len(chosen) < FAULTS:
            is_rare = self.random.random() < 0.1
            chosen.append(self.random.choice(rare if is_rare else often))
        self.random.shuffle(chosen)
        return chosen

    def end(self) -> None:
        for reader in [*self.readers, *([self.third] if self.third else [])]:
            reader.stop()


def test_every_message_is_there_once(tmp_path: Path, broker: KafkaBroker) -> None:
    broker.create_topic("faults", PARTITIONS)
    account = Account(broker, "faults", PARTITIONS)
    store = make_store(tmp_path / "store", broker, "faults", by_network=True)
    account.send(5_000, bad_every=97)
    scene = Scene(tmp_path / "store", broker, account)
    for fault in scene.faults():
        account.send(500, bad_every=97)
        time.sleep(scene.random.random() * TURN_S)
        fault()
    account.flush()
    scene.end()
    run_to_end(tmp_path / "store")
    check_account(store, account)
    store.flush()
    check_account(store, account)
