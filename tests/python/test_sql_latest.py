"""Goal: the usual query for the latest rows answers as the window does, however it is run.

`row_num = 1` is run by keeping one row a key, `row_num <= 1` by numbering all of them. Random tables
with ties, nulls, NaN, both zeros, times as text and numbers, deletions, and rows in files and logs.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sql_tables import KINDS, event_times, hour

from tidemark import FeatureStore, errors

NUMBERED = """
  SELECT *, row_number() OVER (PARTITION BY {keys} ORDER BY {order}, write_time DESC) AS row_num
  FROM feature_store.events {where}
"""
KEYS = ("user", "USER, part", "part", "number", "day", "is_deleted, user", "r", "place")
ORDERS = (
    "EVENT_TIME desc, Api_Invocation_Time DESC",
    "event_time DESC NULLS LAST",
    "number DESC, event_time desc",
    "part desc",
    "day DESC, r desc",
    "tags DESC",
    "place DESC",
)
WHERES = (
    "",
    "WHERE NOT is_deleted",
    "WHERE number IS NULL OR number > 0",
    "WHERE events.user LIKE 'u%' AND part IS NOT NULL",
)
READERS = (
    "SELECT * FROM ({numbered}) WHERE row_num {one}",
    "SELECT * FROM ({numbered}) AS Q WHERE q.ROW_NUM {one} AND NOT is_deleted;",
    "SELECT q.* FROM ({numbered}) q WHERE row_num {one} AND coalesce(r, 1) < 3",
    "SELECT q FROM ({numbered}) q WHERE row_num {one}",
    "SELECT unnamed_subquery FROM ({numbered}) WHERE row_num {one}",
    "SELECT #2, #1 FROM ({numbered}) WHERE row_num {one}",
    "SELECT count(*), sum(r), max(place.city) FROM ({numbered}) WHERE row_num {one}",
    "SELECT Place.City, tags[1], row_num + 1 FROM ({numbered}) WHERE row_num {one}",
    "SELECT part, count(*) AS c FROM ({numbered}) WHERE row_num {one} GROUP BY part HAVING c > 0",
    "SELECT columns('^(u|n)') FROM ({numbered}) WHERE row_num {one}",
    "SELECT to_json(q) FROM ({numbered}) q WHERE row_num {one}",
    "SELECT * EXCLUDE (day) FROM ({numbered}) WHERE row_num {one}",
    "WITH l AS (SELECT * FROM ({numbered}) WHERE row_num {one}) SELECT a.user, b.r FROM l a, l b "
    "WHERE a.write_time = b.write_time",
    "SELECT e.user, (SELECT max(r) FROM ({numbered}) q WHERE row_num {one} AND q.user = e.user) "
    "FROM events e",
    "SELECT user, r FROM ({numbered}) q WHERE row_num {one} AND EXISTS "
    "(SELECT 1 FROM events e WHERE e.day = q.day)",
)
NUMBERS = (None, math.nan, 0.0, -0.0, 1.5, -1.5, math.inf)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    (tmp_path / "tidemark.yaml").write_text("offline_store:\n  maintenance: false\n")
    return FeatureStore(tmp_path)


def events(chance: random.Random, kind: str, count: int) -> pa.Table:
    def maybe(value: Any) -> Any:
        return None if chance.random() < 0.2 else value

    times = event_times([hour(chance.randrange(6)) for _ in range(count)], kind)
    days = [chance.choice((hour(0), hour(24), hour(48))).date() for _ in range(count)]
    place = pa.struct([("city", pa.string()), ("row_num", pa.int64())])
    return pa.table(
        {
            "user": [f"u{chance.randrange(5)}" for _ in range(count)],
            "event_time": times,
            "part": pa.array([maybe(str(chance.randrange(3))) for _ in range(count)], pa.string()),
            "number": pa.array([chance.choice(NUMBERS) for _ in range(count)], pa.float64()),
            "day": pa.array([maybe(day) for day in days], pa.date32()),
            "r": pa.array([maybe(chance.randrange(4)) for _ in range(count)], pa.int64()),
            "tags": pa.array(
                [maybe([maybe("a"), "b"]) for _ in range(count)], pa.list_(pa.string())
            ),
            "place": pa.array(
                [maybe({"city": maybe("x"), "row_num": chance.randrange(3)}) for _ in range(count)],
                place,
            ),
        }
    )


def fill(store: FeatureStore, chance: random.Random, kind: str) -> None:
    store.create_table_from(
        events(chance, kind, 1), name="events", entities=["user"], time_column="event_time"
    )
    for _ in range(12):
        step = chance.random()
        if step < 0.2:
            user = f"u{chance.randrange(6)}"
            store.delete("events", {"user": user}, event_time=hour(chance.randrange(6)))
        elif step < 0.4:
            store.flush()
        else:
            store.ingest("events", events(chance, kind, chance.randrange(1, 12)))


def answer(store: FeatureStore, query: str) -> list[str] | str:
    """The rows as text, where NaN is NaN, in one order; or what is wrong."""
    try:
        table = store.sql(query).to_arrow()
    except errors.TidemarkError as error:
        return str(error).split("\n")[0]
    columns = [column.to_pylist() for column in table.columns]
    return sorted(repr(row) for row in zip(*columns, strict=True))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", KINDS)
def test_the_latest_rows_are_the_windows(store: FeatureStore, kind: str, seed: int) -> None:
    chance = random.Random(f"{kind}{seed}")
    fill(store, chance, kind)
    shapes = [(reader, keys, order) for reader in READERS for keys in KEYS for order in ORDERS]
    for reader, keys, order in chance.sample(shapes, 40):
        where = chance.choice(WHERES)
        numbered = NUMBERED.format(keys=keys, order=order, where=where)
        quick = reader.format(numbered=numbered, one="= 1")
        sorted_out = reader.format(numbered=numbered, one="<= 1")
        assert answer(store, quick) == answer(store, sorted_out), quick


def test_a_member_that_is_called_as_the_number_is_another(store: FeatureStore) -> None:
    fill(store, random.Random(5), "timestamp")
    for number in ("row_num", "Row_Num"):
        query = f"""
          SELECT user, write_time FROM (
            SELECT *, row_number() OVER (PARTITION BY user ORDER BY write_time DESC) AS {number}
            FROM events) q
          WHERE place.row_num = 1"""
        plain = "SELECT user, write_time FROM events WHERE place.row_num = 1"
        assert answer(store, query) == answer(store, plain)
        assert len(answer(store, plain)) > 5
