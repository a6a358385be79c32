"""Goal: where a reader's disk is slow, rows come online all the same, and its memory is bounded.

If the topic is faster than the disk, what waits to be written is some frames, however long the
topic is, and so is what is flushed at a time.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from clicks import Account, check_account, make_store, run_to_end, slow_disk, sql
from kafka_broker import PATIENCE_S, KafkaBroker
from test_faults import FAULTS

PARTITIONS = 3
MESSAGES = 80_000
TEXT = random.Random(1).randbytes(4_000).hex()  # of each message
SYNC_MS = 200
LOG_SYNC_MS = 5_000
# Of the reader. The messages are 640 MB; a log that is flushed whole takes five times its size.
MEMORY_MAX = 1200 << 20


def private_bytes(process: int) -> int:
    """Memory of a process that is no file's; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0
    found = [line.split()[1] for line in lines if line.startswith("RssAnon:")]
    return int(found[0]) << 10 if found else 0


def test_rows_come_online_while_the_log_is_slow(tmp_path: Path, broker: KafkaBroker) -> None:
    """And those of a reader that is killed before it has logged them are read again."""
    broker.create_topic("slow_log", 1)
    store = make_store(tmp_path / "store", broker, "slow_log")
    account = Account(broker, "slow_log", 1)
    reader = slow_disk(tmp_path / "store", LOG_SYNC_MS, "*/log/*.log")
    try:
        for user in range(3):
            account.send(1)
            account.flush()
            deadline = time.monotonic() + PATIENCE_S
            while store.get_online_features(["clicks:n"], [{"user": user}]).to_dict()["n"] != [
                user
            ]:
                assert time.monotonic() < deadline, f"row {user} does not come online"
                time.sleep(0.005)
        assert sql(store, "SELECT n FROM clicks") == []
    finally:
        reader.process.kill()
        reader.process.wait(PATIENCE_S)
    run_to_end(tmp_path / "store")
    check_account(store, account)


@pytest.mark.skipif(FAULTS < 100, reason="make test-stream runs it")
def test_memory_is_bounded_when_the_store_is_slow(tmp_path: Path, broker: KafkaBroker) -> None:
    broker.create_topic("long", PARTITIONS)
    store = make_store(tmp_path / "store", broker, "long")
    account = Account(broker, "long", PARTITIONS)
    account.send(MESSAGES, text=TEXT)
    account.flush()
    reader = slow_disk(tmp_path / "store", SYNC_MS, until_end=True)
    most = 0
    deadline = time.monotonic() + PATIENCE_S
    while not reader.has_ended() and time.monotonic() < deadline:
        most = max(most, private_bytes(reader.process.pid))
        time.sleep(0.01)
    reader.wait(0)
    assert most < MEMORY_MAX, f"{most >> 20} MiB"
    check_account(store, account)
