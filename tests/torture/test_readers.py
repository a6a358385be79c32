"""Goal: who reads while another process writes, flushes, compacts and expires never finds a file
missing, and always sees all rows up to some write, none twice, and never fewer than before.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from tidemark import FeatureStore
from tidemark.errors import NotFoundError
from torture import amount, processes
from torture.reading import rows_of
from torture.workload import CLICKS, DO, Operation, Row

ROWS = amount.of(100, 3000)
READERS = 2
# After how many rows the writer does what.
UPKEEP = {"flush": 3, "compact": 11, "expire": 17, "materialize": 40}


def write(tell: Callable[..., None], folder: Path) -> None:
    """Rows 1, 2, 3 ..., each when the one before is acknowledged."""
    store = FeatureStore(folder)
    for number in range(1, ROWS + 1):
        DO["push"](store, Operation("push", (Row(number, number % 8),)))
        for kind, every in UPKEEP.items():
            if number % every == 0:
                DO[kind](store, Operation(kind))
    tell("written")


def read(tell: Callable[..., None], folder: Path, seed: int) -> None:
    """Reads until it sees the last row, and tells what it cannot be."""
    store = FeatureStore(folder)
    chosen = random.Random(seed)
    before = reads = travels = 0
    while before < ROWS:
        got = _whole(store, None)
        if got is None or got < before:
            tell("wrong", f"after {before} rows: {_numbers(store, None)}")
            return
        before, reads = got, reads + 1
        snapshots = store.snapshots(CLICKS)
        if not snapshots:
            continue
        snapshot = chosen.choice(snapshots)
        try:
            travelled = _whole(store, snapshot.id)
        except NotFoundError as error:
            if str(snapshot.id) not in str(error):
                raise  # a file is missing
            continue  # it has expired
        if travelled is None or travelled > ROWS or travelled != snapshot.rows:
            tell("wrong", f"snapshot {snapshot}: {_numbers(store, snapshot.id)}")
            return
        travels += 1
    tell("read", reads, travels)


def _numbers(store: FeatureStore, as_of: int | None) -> Sequence[int | None]:
    made = store.get_training_features(CLICKS, features=["n"], as_of=as_of).to_arrow()
    return sorted(row[2] or 0 for row in rows_of(made))


def _whole(store: FeatureStore, as_of: int | None) -> int | None:
    """How many rows there are, if they are the first ones that were written, each once."""
    numbers = _numbers(store, as_of)
    return len(numbers) if numbers == list(range(1, len(numbers) + 1)) else None


def test_readers_see_whole_states_while_files_come_and_go(tmp_path: Path) -> None:
    DO["create"](FeatureStore(tmp_path), Operation("create"))
    seed = amount.seed()
    readers = [processes.Child(read, tmp_path, seed + each) for each in range(READERS)]
    written = processes.run(write, tmp_path)
    assert written.require_end().told == [("written",)]
    for reader in readers:
        told = list(reader.messages())
        assert processes.Ended(told, reader.join()).require_end().exit_code == 0
        ((what, *rest),) = told
        assert what == "read", rest
        assert min(rest) > 0, "it read, and travelled in time"
