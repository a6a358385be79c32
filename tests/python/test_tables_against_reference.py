"""Feature tables against the rule in its plainest form, on random histories of writes.

Goal: whatever is written in whatever order (batches, deletions, late rows, ties), and wherever the
rows lie by then (the log, files, several snapshots, another process's log), training sets, time
travel, lookups and whole reads say what `answer` says. TIDEMARK_TEST_SEED repeats a run,
TIDEMARK_TEST_CASES asks for more cases.
"""

from __future__ import annotations

import datetime as dt
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from random_values import CASES, DECLARED, FEATURES, KEYS, SEED, UTC

from tidemark import Entity, FeatureStore, FeatureView, Field, TableOptions

SHARE = 0.25  # of the cases that are asked for
ENTITY_ROWS = 40
HALF_HOUR = dt.timedelta(minutes=30)  # times are whole hours ago: ttls end between them
US = pa.timestamp("us", tz="UTC")


@dataclass
class Written:
    """A row of a table; `place` counts the rows in the order in which they were written."""

    key: tuple[Any, ...]
    event: dt.datetime
    created: dt.datetime
    values: dict[str, Any]
    place: int
    deleted: bool = False
    expires: dt.datetime | None = None
    offline: bool = True
    online: bool = True


def answer(
    rows: list[Written], key: tuple[Any, ...], at: dt.datetime, ttl: dt.timedelta | None
) -> tuple[str, dict[str, Any]]:
    """What is known of `key` at a time."""
    known = [row for row in rows if row.key == key and row.event <= at]
    if not known:
        return "NOT_FOUND", {}
    found = max(known, key=lambda row: (row.event, row.created, row.place))
    if found.deleted:
        return "NOT_FOUND", {}
    if (ttl and found.event < at - ttl) or (found.expires and found.expires <= at):
        return "OUTSIDE_MAX_AGE", {}
    return "PRESENT", found.values


@dataclass
class Table:
    """A feature table, and all that was written to it."""

    name: str
    keys: dict[str, str]  # join key: kind
    features: dict[str, str]
    ttl: dt.timedelta | None
    created: bool
    partitions: tuple[str, ...]
    rows: list[Written] = field(default_factory=list)

    def definition(self, entity: Entity) -> FeatureView:
        return FeatureView(
            name=self.name,
            entities=[entity] if self.keys else [],
            schema=[Field(name, DECLARED[kind]) for name, kind in self.features.items()],
            ttl=self.ttl,
            table=TableOptions(
                created_timestamp_column="made" if self.created else "", partitions=self.partitions
            ),
        )


class World:
    """A store with one table, to which random things are done."""

    def __init__(self, seed: str, folder: Path) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        hour = dt.datetime.now(UTC).replace(microsecond=0)
        self.times = [hour - dt.timedelta(hours=hours) for hours in range(1, 20)]
        kinds = list(KEYS)
        keys = {name: self.pick(kinds) for name in ("k0", "K-1")[: self.random.randrange(3)]}
        self.table = Table(
            name="table",
            keys=keys,
            features={
                f"f{at}": self.pick(list(FEATURES)) for at in range(self.random.randint(1, 3))
            },
            ttl=self.pick([None, dt.timedelta(hours=5) + HALF_HOUR]),
            created=self.random.random() < 0.5,
            partitions=self.partitions_of(keys),
        )
        entity = Entity(
            name="entity",
            join_keys={
                name: KEYS[kind].declared for name, kind in (keys or {"k": "int64"}).items()
            },
        )
        self.store = FeatureStore(folder)
        self.store.apply([*([entity] if keys else []), self.table.definition(entity)])
        self.moments: list[tuple[dt.datetime, int]] = []  # a time, and how much was written by then

    def pick(self, choices: Any) -> Any:
        return self.random.choice(choices)

    def partitions_of(self, keys: dict[str, str]) -> tuple[str, ...]:
        choices: list[tuple[str, ...]] = [(), (), ("day",)]
        if "k0" in keys and keys["k0"] not in ("bool", "timestamp"):
            choices.append(("bucket(3, k0)",))
        if keys.get("k0") in ("string", "int32", "bool"):
            choices.append(("k0",))
        return self.pick(choices)

    # --- What is done ---

    def act(self) -> None:
        acts = [self.write, self.write, self.write, self.delete, self.flush, self.reopen, self.load]
        for _ in range(self.random.randint(2, 9)):
            self.pick(acts)()

    def random_key(self) -> tuple[Any, ...]:
        return tuple(self.pick(KEYS[kind].values[:5]) for kind in self.table.keys.values())

    def write(self) -> None:
        table = self.table
        to = self.pick(["online_and_offline", "online_and_offline", "offline", "online", None])
        rows = []
        for _ in range(self.random.randint(1, 12)):
            event = self.pick(self.times)
            rows.append(
                Written(
                    key=self.random_key(),
                    event=event,
                    # The arrival of a request comes after every created time that is stated.
                    created=event + dt.timedelta(minutes=self.pick([0, 0, 1])),
                    values={
                        name: None
                        if self.random.random() < 0.2
                        else self.pick(FEATURES[kind].values)
                        for name, kind in table.features.items()
                    },
                    place=len(table.rows) + len(rows),
                    expires=self.pick([None, None, event + dt.timedelta(hours=4) + HALF_HOUR]),
                    offline=to != "online",
                    online=to != "offline",
                )
            )
        report = self.store.ingest(table.name, self.frame_of(rows), to)
        assert report.rows == len(rows)
        if not table.created:
            self.stamp(rows)
        table.rows += rows
        self.note()

    def stamp(self, rows: list[Written]) -> None:
        """Rows without a created time are created when they arrive, one write after the other."""
        for row in rows:
            row.created = dt.datetime.now(UTC)

    def frame_of(self, rows: list[Written]) -> pa.Table:
        table = self.table
        columns = {"event_timestamp": pa.array([row.event for row in rows], US)}
        columns["expires_at"] = pa.array([row.expires for row in rows], US)
        if table.created:
            columns["made"] = pa.array([row.created for row in rows], US)
        for index, (name, kind) in enumerate(table.keys.items()):
            columns[name] = pa.array([row.key[index] for row in rows], KEYS[kind].carriers[0])
        for name, kind in table.features.items():
            values = [row.values[name] for row in rows]
            columns[name] = pa.array(values, FEATURES[kind].carriers[0])
        return pa.table(columns)

    def delete(self) -> None:
        key, event = self.random_key(), self.pick(self.times)
        to = self.pick(["online_and_offline", "online_and_offline", "offline"])
        columns = {
            name: pa.array([key[index]], KEYS[kind].carriers[0])
            for index, (name, kind) in enumerate(self.table.keys.items())
        }
        columns["event_timestamp"] = pa.array([event], US)
        self.store.delete(self.table.name, pa.table(columns), to=to)
        row = Written(
            key, event, event, {}, len(self.table.rows), deleted=True, online=to != "offline"
        )
        self.stamp([row])  # a deletion is created when it arrives
        self.table.rows.append(row)
        self.note()

    def note(self) -> None:
        self.moments.append((dt.datetime.now(UTC), len(self.table.rows)))

    def flush(self) -> None:
        self.store.flush()

    def reopen(self) -> None:
        """Another store object, beside the first or after it is closed."""
        if self.random.random() < 0.5:
            self.store.close()
        self.store = FeatureStore(self.folder)

    def load(self) -> None:
        self.store.materialize(self.times[-1] - HALF_HOUR, dt.datetime.now(UTC))
        for row in self.table.rows:
            row.online = row.online or row.offline

    # --- What is asked ---

    def check(self) -> int:
        keys = [self.random_key() for _ in range(ENTITY_ROWS)]
        self.check_training_set(keys, None, len(self.table.rows))
        if self.moments:
            self.check_training_set(keys, *self.pick(self.moments))
        self.check_online(keys)
        self.check_whole()
        return 3 * ENTITY_ROWS

    def check_training_set(
        self, keys: list[tuple[Any, ...]], as_of: dt.datetime | None, count: int
    ) -> None:
        table = self.table
        edges = [dt.timedelta(0), -HALF_HOUR, dt.timedelta(hours=4) + HALF_HOUR]
        times = [self.pick(self.times) + self.pick(edges) for _ in keys]
        columns = {"event_timestamp": pa.array(times, US)}
        for index, (name, kind) in enumerate(table.keys.items()):
            columns[name] = pa.array([key[index] for key in keys], KEYS[kind].carriers[0])
        made = self.store.get_historical_features(
            pa.table(columns), [table.name], include_status=True, as_of=as_of
        ).to_arrow()
        rows = [row for row in table.rows[:count] if row.offline]
        expected = [answer(rows, key, at, table.ttl) for key, at in zip(keys, times, strict=True)]
        self.compare(expected, made)

    def check_online(self, keys: list[tuple[Any, ...]]) -> None:
        table = self.table
        asked = [dict(zip(table.keys, key, strict=True)) for key in keys]
        features = [f"{table.name}:{name}" for name in table.features]
        answered = self.store.get_online_features(features, asked, include_status=True)
        now = dt.datetime.now(UTC)
        rows = [row for row in table.rows if row.online]
        self.compare([answer(rows, key, now, table.ttl) for key in keys], answered.to_arrow())

    def check_whole(self) -> None:
        """Every version is there once, and `latest` has the entities whose row counts."""
        table = self.table
        whole = self.store.get_training_features(table.name).to_arrow()
        offline = [row for row in table.rows if row.offline]
        deleted = sum(row.deleted for row in offline)
        assert (whole.num_rows, sum(whole["is_deleted"].to_pylist())) == (len(offline), deleted)
        created = "made" if table.created else "api_invocation_time"
        order = [*table.keys, "event_timestamp", created, "write_time"]
        places = zip(*(whole[each].to_pylist() for each in order), strict=True)
        assert len(set(places)) == len(offline)
        latest = self.store.get_training_features(table.name, latest=True).to_arrow()
        found = list(zip(*(latest[name].to_pylist() for name in table.keys), strict=True))
        now = dt.datetime.now(UTC)
        ttl = table.ttl
        there = {row.key for row in offline if answer(offline, row.key, now, ttl)[0] == "PRESENT"}
        assert latest.num_rows == len(there)
        if table.keys:
            assert set(found) == there

    def compare(self, expected: list[tuple[str, dict[str, Any]]], made: pa.Table) -> None:
        assert made.num_rows == len(expected)
        for name, kind in self.table.features.items():
            assert made.schema.field(name).type == FEATURES[kind].declared, name
            assert made[name].to_pylist() == [found.get(name) for _, found in expected], kind
            words = [
                "NULL_VALUE" if status == "PRESENT" and found[name] is None else status
                for status, found in expected
            ]
            assert made[f"{name}__status"].to_pylist() == words, kind


def test_random_histories_of_tables(tmp_path: Path) -> None:
    cases, index = 0, 0
    while cases < CASES * SHARE:
        name = f"{SEED}-tables-{index}"
        index += 1
        try:
            world = World(name, tmp_path / name)
            for _ in range(2):
                world.act()
                cases += world.check()
            world.store.close()
        except BaseException:
            print(f"world {name}: repeat with TIDEMARK_TEST_SEED={SEED}")
            raise
        shutil.rmtree(tmp_path / name)


def test_the_reference_itself() -> None:
    """The later write of two equal rows counts; a deletion and an expired row hide older ones."""
    at = dt.datetime(2026, 1, 1, tzinfo=UTC)
    rows = [Written((1,), at, at, {"f": 1}, 0), Written((1,), at, at, {"f": 2}, 1)]
    assert answer(rows, (1,), at, None) == ("PRESENT", {"f": 2})
    rows.append(Written((1,), at, at, {}, 2, deleted=True))
    assert answer(rows, (1,), at, None) == ("NOT_FOUND", {})
    rows.append(Written((1,), at, at, {"f": 3}, 3, expires=at))
    assert answer(rows, (1,), at, None) == ("OUTSIDE_MAX_AGE", {})
