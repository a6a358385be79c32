"""Tables for tests of SQL: rows in files and logs, with ties and deletions, and what they hold.

A reference keeps every row that was written, in plain Python, and answers by looking at all.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tidemark import FeatureStore

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
KINDS = ("timestamp", "text", "seconds")


def hour(count: float) -> dt.datetime:
    return BEGIN + dt.timedelta(hours=count)


def as_text(moment: dt.datetime, form: int) -> str:
    """A moment in one of the forms of ISO-8601: T or space, Z, another zone or none."""
    forms = (
        lambda: moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda: moment.strftime("%Y-%m-%d %H:%M:%S"),
        lambda: (moment + dt.timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%S+05:00"),
        lambda: (moment - dt.timedelta(hours=3)).strftime("%Y-%m-%d %H:%M:%S-03:00"),
    )
    return forms[form % len(forms)]()


def event_times(moments: list[dt.datetime], kind: str) -> pa.Array:
    if kind == "timestamp":
        return pa.array(moments, pa.timestamp("us", tz="UTC"))
    if kind == "text":
        return pa.array([as_text(each, i) for i, each in enumerate(moments)], pa.string())
    return pa.array([each.timestamp() for each in moments], pa.float64())


@dataclass(frozen=True)
class Row:
    key: str
    moment: dt.datetime
    written: int  # the more, the later
    n: int | None  # None: a deletion


@dataclass
class Visits:
    """A feature table `visits` of rows by user, and all that was written to it."""

    store: FeatureStore
    kind: str
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def make(cls, store: FeatureStore, kind: str, name: str = "visits") -> Visits:
        made = cls(store, kind)
        store.create_table_from(
            made.table([("x", hour(0), 0)]), name=name, entities=["user"], time_column="event_time"
        )
        return made

    def table(self, rows: list[tuple[str, dt.datetime, int]]) -> pa.Table:
        numbers = [n for _, _, n in rows]
        return pa.table(
            {
                "user": pa.array([user for user, _, _ in rows], pa.string()),
                "event_time": event_times([moment for _, moment, _ in rows], self.kind),
                "n": pa.array(numbers, pa.int64()),
                "tags": pa.array([[f"t{n}", None] for n in numbers], pa.list_(pa.string())),
                "place": pa.array(
                    [{"city": f"c{n}", "at": [1.5, float(n)]} for n in numbers],
                    pa.struct([("city", pa.string()), ("at", pa.list_(pa.float64()))]),
                ),
            }
        )

    def ingest(self, rows: list[tuple[str, dt.datetime, int]]) -> str:
        token = self.store.ingest("visits", self.table(rows)).token
        for user, moment, n in rows:
            self.rows.append(Row(user, moment, len(self.rows), n))
        return token

    def delete(self, user: str, moment: dt.datetime) -> None:
        self.store.delete("visits", {"user": user}, event_time=moment)
        self.rows.append(Row(user, moment, len(self.rows), None))

    def latest(self, at: dt.datetime | None = None, deleted: bool = False) -> dict[str, int | None]:
        """Of each user the value of the latest row; that of a deletion is None."""
        found: dict[str, Row] = {}
        for row in self.rows:
            if at is not None and row.moment > at:
                continue
            best = found.get(row.key)
            if best is None or (row.moment, row.written) > (best.moment, best.written):
                found[row.key] = row
        return {key: row.n for key, row in found.items() if deleted or row.n is not None}

    def fill(self) -> None:
        """Rows in two files and in the log, with ties, late rows and deletions."""
        self.ingest([("a", hour(1), 1), ("b", hour(2), 2), ("a", hour(3), 3), ("a", hour(3), 4)])
        self.store.flush()
        self.ingest([("c", hour(1), 5), ("b", hour(2), 6), ("a", hour(2), 7)])
        self.delete("c", hour(4))
        self.store.flush()
        self.ingest([("d", hour(5), 8), ("b", hour(1), 9), ("c", hour(3), 10)])
        self.delete("d", hour(6))
        self.ingest([("e", hour(6), 11), ("d", hour(6), 12), ("e", hour(6), 13)])
        self.delete("f", hour(2))

    def fill_at_random(self, seed: int, count: int = 120) -> None:
        chance = random.Random(seed)
        while len(self.rows) < count:
            step = chance.random()
            if step < 0.15:
                self.store.flush()
            elif step < 0.35:
                self.delete(f"u{chance.randrange(12)}", hour(chance.randrange(20)))
            else:
                size = chance.randrange(1, 8)
                self.ingest(
                    [
                        (f"u{chance.randrange(12)}", hour(chance.randrange(20)), len(self.rows) + i)
                        for i in range(size)
                    ]
                )


def values(table: pa.Table) -> dict[str, Any]:
    """Of a result with one row for each user, the value of each."""
    users = table.column("user").to_pylist()
    assert len(users) == len(set(users)), users
    deleted = table.column("is_deleted").to_pylist()
    numbers = table.column("n").to_pylist()
    return {
        user: None if gone else n for user, gone, n in zip(users, deleted, numbers, strict=True)
    }
