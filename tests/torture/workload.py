"""What writers do: operations on two tables, and the process that does them one after another.

Every row is known by its number, which is its value too; its event time is made of it, so that no
two rows are equal and later writes are often of earlier times.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from tidemark import Entity, FeatureStore, FeatureView, Field, PushSource
from tidemark.errors import AlreadyExistsError, TidemarkError
from tidemark.types import Int64, String
from torture import faults
from torture.faults import Fault

CLICKS = "clicks"  # kept online
LEDGER = "ledger"  # offline only
BOTH = "both"  # a push source of the two
KEYS = range(8)
ONLINE_ONLY_KEYS = range(100, 103)  # of rows that only lookups see
BULK_ROWS = 9  # of a megabyte each: more than goes through the log

_BASE = datetime(2020, 1, 1, tzinfo=UTC)
_SECONDS = 1_000_003  # a prime: row numbers below it have event times of their own

# kinds whose rows go to which tables
WRITES: dict[str, tuple[str, ...]] = {
    "push": (CLICKS,),
    "bulk": (CLICKS,),
    "delete": (CLICKS,),
    "ledger": (LEDGER,),
    "together": (CLICKS, LEDGER),
}


@dataclass(frozen=True)
class Row:
    number: int
    key: int

    @property
    def event(self) -> datetime:
        return _BASE + timedelta(seconds=self.number * 7919 % _SECONDS)


@dataclass(frozen=True)
class Operation:
    kind: str
    rows: tuple[Row, ...] = ()
    batch: str = ""  # idempotency key
    key: int = -1  # whose rows are erased

    @property
    def tables(self) -> tuple[str, ...]:
        return WRITES.get(self.kind, ())


class Author:
    """Makes operations up, reproducibly."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._next = 1

    def rows(self, count: int, keys: Sequence[int] = KEYS) -> tuple[Row, ...]:
        made = []
        for _ in range(count):
            made.append(Row(self._next, self.random.choice(keys)))
            self._next += 1
        return tuple(made)

    def operation(self, kind: str) -> Operation:
        if kind in ("push", "together"):
            batch = f"batch {self._next}" if self.random.random() < 0.3 else ""
            return Operation(kind, self.rows(self.random.randint(1, 4)), batch)
        if kind == "online":
            return Operation(kind, self.rows(1, ONLINE_ONLY_KEYS))
        if kind == "bulk":
            return Operation(kind, self.rows(BULK_ROWS))
        if kind in ("delete", "ledger"):
            return Operation(kind, self.rows(1))
        if kind == "erase":
            return Operation(kind, key=self.random.choice(KEYS))
        return Operation(kind)

    def script(self, length: int) -> list[Operation]:
        weights = {"push": 40, "together": 10, "online": 10, "delete": 10, "ledger": 10}
        weights |= {"bulk": 4, "flush": 12}
        weights |= {"materialize": 4, "compact": 6, "expire": 4, "erase": 4}
        chosen = self.random.choices(list(weights), list(weights.values()), k=length)
        return [self.operation(kind) for kind in chosen]


def fixed_script() -> list[Operation]:
    """Every kind of operation, in an order in which each has something to do."""
    author = Author(1)
    kinds = "create push ledger online delete together flush bulk push materialize ledger"
    kinds += " flush compact expire push erase together reopen together erase push flush"
    return [author.operation(kind) for kind in kinds.split()]


# --- What each kind does ---


def _columns(rows: Sequence[Row], blob: str | None = None) -> pa.Table:
    return pa.table(
        {
            "user_id": [row.key for row in rows],
            "event_timestamp": pa.array([row.event for row in rows], pa.timestamp("us", "UTC")),
            "n": [row.number for row in rows],
            "blob": pa.array([blob] * len(rows), pa.string()),
        }
    )


def _view(name: str, online: bool) -> FeatureView:
    user = Entity(name="user", join_keys=[Field("user_id", Int64)])
    schema = [Field("n", Int64), Field("blob", String)]
    source = PushSource(BOTH)
    return FeatureView(name=name, entities=[user], schema=schema, source=source, online=online)


def _create(store: FeatureStore, _: Operation) -> None:
    for name, online in ((CLICKS, True), (LEDGER, False)):
        try:
            store.create_table(_view(name, online))
        except AlreadyExistsError:
            continue  # by a process that was killed


def _push(store: FeatureStore, operation: Operation) -> None:
    rows = _columns(operation.rows)
    store.push(CLICKS, rows, to="online_and_offline", idempotency_key=operation.batch)


def _together(store: FeatureStore, operation: Operation) -> None:
    rows = _columns(operation.rows)
    store.push(BOTH, rows, to="online_and_offline", idempotency_key=operation.batch)


def _online(store: FeatureStore, operation: Operation) -> None:
    store.push(CLICKS, _columns(operation.rows), to="online")


def _bulk(store: FeatureStore, operation: Operation) -> None:
    store.ingest(CLICKS, _columns(operation.rows, "x" * 1_000_000), to="both")


def _delete(store: FeatureStore, operation: Operation) -> None:
    for row in operation.rows:
        store.delete(CLICKS, {"user_id": row.key}, event_time=row.event)


def _ledger(store: FeatureStore, operation: Operation) -> None:
    store.ingest(LEDGER, _columns(operation.rows), to="offline")


def _flush(store: FeatureStore, _: Operation) -> None:
    store.flush()


def _materialize(store: FeatureStore, _: Operation) -> None:
    store.materialize_incremental(datetime.now(UTC))


def _compact(store: FeatureStore, _: Operation) -> None:
    store.compact()


def _expire(store: FeatureStore, _: Operation) -> None:
    store.expire_snapshots(older_than=timedelta(0), keep=1)


def _erase(store: FeatureStore, operation: Operation) -> None:
    store.erase(CLICKS, {"user_id": operation.key})


DO: dict[str, Callable[[FeatureStore, Operation], None]] = {
    "create": _create,
    "push": _push,
    "together": _together,
    "online": _online,
    "bulk": _bulk,
    "delete": _delete,
    "ledger": _ledger,
    "flush": _flush,
    "materialize": _materialize,
    "compact": _compact,
    "expire": _expire,
    "erase": _erase,
}


# --- The process ---


def work(
    tell: Callable[..., None],
    folder: Path,
    operations: Sequence[Operation],
    fault: Fault,
    look: Callable[[FeatureStore], object] | None = None,
    trace: Path | None = None,
) -> None:
    """Does the operations under a fault; tells of each when it begins, and what came of it.

    `look` reads the store after each operation, and what it sees is told.
    """
    if not fault.after:
        faults.arm(fault, folder, trace)
    is_armed = not fault.after
    store: FeatureStore | None = None
    for number, operation in enumerate(operations):
        if operation.kind == fault.after and not is_armed:
            faults.arm(fault, folder, trace)
            is_armed = True
        tell("begin", number)
        try:
            if operation.kind == "reopen" and store is not None:
                store.close()
                store = None
            if store is None:
                store = FeatureStore(folder)
            if operation.kind != "reopen":
                DO[operation.kind](store, operation)
            tell("done", number)
        except TidemarkError as error:
            tell("failed", number, error.code, str(error))
        if look is not None and store is not None:
            try:
                tell("seen", look(store))
            except TidemarkError as error:
                tell("unseen", error.code, str(error))
    tell("counted", faults.counted())
