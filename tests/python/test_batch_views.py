"""Batch views through the SDK, the program and a server.

Goal: a definition is the same in Python, JSON and YAML; ranges are computed once, in every way in
which they are asked for; and what cannot be done is refused with the reason.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import at
from program import PROGRAM
from server_process import ServerProcess

from tidemark import (
    BatchFeatureView,
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    PushSource,
    TableOptions,
    TidemarkError,
)
from tidemark.errors import InvalidArgumentError, UnsupportedError
from tidemark.types import Int64

DAILY = """
    SELECT driver_id, date_trunc('day', begun) AS event_timestamp, count(*) AS rides
    FROM rides WHERE begun >= $start_time AND begun < $end_time GROUP BY ALL
"""


def daily(**more: object) -> BatchFeatureView:
    made = {
        "name": "daily",
        "entities": [Entity(name="driver", join_keys={"driver_id": Int64})],
        "source": FileSource("rides.parquet", name="rides"),
        "schema": [Field("rides", Int64)],
        "sql": DAILY,
    }
    return BatchFeatureView(**(made | more))  # type: ignore[arg-type]


def write_rides(folder: Path, rides: list[tuple[int, dt.datetime]]) -> None:
    table = pa.table(
        {"driver_id": [each for each, _ in rides], "begun": [when for _, when in rides]}
    )
    pq.write_table(table, folder / "rides.parquet")


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    write_rides(
        tmp_path, [(1, at(8)), (1, at(9)), (2, at(9)), (1, at(8, day=2)), (2, at(7, day=3))]
    )
    store = FeatureStore(tmp_path)
    store.apply(daily())
    return store


def rides_of(store: FeatureStore) -> list[tuple[int, int, int]]:
    """Driver, day and rides of the rows that count."""
    query = """
        SELECT driver_id, day(event_timestamp) AS day, rides FROM (
            SELECT *, row_number() OVER (PARTITION BY driver_id, event_timestamp
                ORDER BY api_invocation_time DESC, write_time DESC) AS n FROM daily)
        WHERE n = 1 AND NOT is_deleted ORDER BY ALL
    """
    return [tuple(row.values()) for row in store.sql(query).to_arrow().to_pylist()]


def test_a_definition_comes_back_as_it_was(store: FeatureStore) -> None:
    got = store.get_feature_view("daily")
    assert isinstance(got, BatchFeatureView)
    assert got.sql == DAILY
    assert got.query_sources == [FileSource("rides.parquet", name="rides")]
    assert not store.plan(got)
    spec = json.loads(str(got))["spec"]
    assert spec["featureTransformation"]["sql"] == DAILY
    assert spec["sources"][0]["name"] == "rides"
    inferred = daily(schema=None)
    assert not store.plan(inferred)


def test_ranges_are_computed_once(store: FeatureStore) -> None:
    seen: list[tuple[str, int, int]] = []
    made = store.backfill(
        "daily",
        at(0),
        at(0, day=3),
        progress=lambda what, done, total: seen.append((what, done, total)),
    )
    assert (made.ranges, made.ranges_before, made.rows, made.online_rows) == (2, 0, 3, 3)
    assert (made.start, made.end) == (at(0), at(0, day=3))
    assert seen[-1][1:] == (2, 2)
    again = asyncio.run(
        store.backfill_async(daily(), at(0), at(0, day=4), step=dt.timedelta(days=1))
    )
    assert (again.ranges, again.ranges_before) == (1, 2)
    [computed] = store.describe("daily")["computed"]
    assert (computed["start"], computed["end"]) == ("2026-05-01T00:00:00Z", "2026-05-04T00:00:00Z")
    assert computed["query"] == "current"
    assert rides_of(store) == [(1, 1, 2), (1, 2, 1), (2, 1, 1), (2, 3, 1)]
    entity = {"driver_id": [1], "event_timestamp": [at(12)]}
    got = store.get_historical_features(entity, ["daily:rides"]).to_arrow()
    assert got["rides"].to_pylist() == [2]


def test_a_range_that_is_computed_again_is_replaced(store: FeatureStore, tmp_path: Path) -> None:
    store.backfill("daily", at(0), at(0, day=4))
    write_rides(tmp_path, [(1, at(8)), (2, at(7, day=3))])
    made = store.backfill("daily", at(0), at(0, day=2), restart=True)
    assert (made.rows, made.deletions) == (1, 1)
    assert rides_of(store) == [(1, 1, 1), (1, 2, 1), (2, 3, 1)]
    got = store.get_online_features(["daily:rides"], [{"driver_id": 2}]).to_dict()
    assert got["rides"] == [1]


def test_offline_only_until_it_is_loaded(store: FeatureStore) -> None:
    assert store.backfill("daily", at(0), at(0, day=4), to="offline").online_rows == 0
    ask = {"driver_id": 2}
    assert store.get_online_features(["daily:rides"], [ask]).to_dict()["rides"] == [None]
    store.materialize_incremental(dt.datetime.now(dt.UTC))
    assert store.get_online_features(["daily:rides"], [ask]).to_dict()["rides"] == [1]
    with pytest.raises(InvalidArgumentError, match="offline or to both"):
        store.backfill("daily", at(0), at(0, day=4), to="online")


def test_a_query_over_a_feature_table(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    driver = Entity(name="driver", join_keys={"driver_id": Int64})
    rides = FeatureView(name="rides", entities=[driver], schema=[Field("km", Int64)])
    longest = BatchFeatureView(
        name="longest",
        entities=[driver],
        source=[rides],
        sql="""SELECT driver_id, date_trunc('hour', event_timestamp) AS hour, max(km) AS km
               FROM rides WHERE NOT is_deleted GROUP BY ALL""",
        timestamp_field="hour",
        table=TableOptions(partitions=("day",)),
    )
    store.apply([rides, longest])  # also where the table is not there before
    rows = {"driver_id": [1, 1], "event_timestamp": [at(8), at(8, 30)], "km": [3, 5]}
    store.ingest("rides", rows)
    assert store.backfill("longest", at(0), at(12), step="1h").rows == 1
    got = store.get_online_features(["longest:km"], [{"driver_id": 1}]).to_dict()
    assert got["km"] == [5]
    with pytest.raises(TidemarkError, match="feature view 'longest' uses it"):
        store.delete_feature_view("rides")


def test_what_is_refused(store: FeatureStore, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="udf"):
        daily(udf=lambda rows: rows)
    with pytest.raises(UnsupportedError, match="mode='python'"):
        daily(mode="python")
    with pytest.raises(UnsupportedError, match="sink_source"):
        daily(sink_source=FileSource("x.parquet"))
    with pytest.raises(UnsupportedError, match="PushSource"):
        daily(source=PushSource(name="p"))
    with pytest.raises(InvalidArgumentError, match="sql="):
        daily(sql=None)
    with pytest.raises(TidemarkError, match="parameter \\$begin"):
        store.apply(daily(sql=DAILY.replace("$start_time", "$begin")))
    with pytest.raises(TidemarkError, match="no source; give at least one"):
        store.apply(daily(source=None))
    row = {"driver_id": [1], "event_timestamp": [at(8)], "rides": [1]}
    with pytest.raises(TidemarkError, match="computed by its query"):
        store.ingest("daily", row)
    with pytest.raises(TidemarkError, match="say where to begin"):
        store.backfill("daily")
    plain = FeatureView(name="t", entities=["driver"], schema=[Field("rides", Int64)])
    store.apply(plain)
    store.ingest("t", row)
    with pytest.raises(TidemarkError, match="backfill is for batch views"):
        store.backfill("t", at(0), at(1))
    plain.name = "daily"
    with pytest.raises(TidemarkError, match="cannot change under them"):
        store.apply(plain)


def run(store: FeatureStore, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "--store", store.repo_path, *arguments], capture_output=True, text=True
    )


def test_the_program_goes_on_where_it_was_killed(store: FeatureStore, tmp_path: Path) -> None:
    first = at(0)
    rides = [
        (driver, first + dt.timedelta(hours=hour)) for hour in range(2400) for driver in (1, 2)
    ]
    write_rides(tmp_path, rides)
    backfill = ["backfill", "daily", "--start", "2026-05-01", "--end", "2026-08-09"]
    killed = 0
    for _ in range(4):
        with subprocess.Popen([PROGRAM, "--store", store.repo_path, *backfill]) as child:
            try:
                child.wait(timeout=0.4)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                killed += 1
    assert killed
    done = run(store, *backfill, "--output", "json")
    assert done.returncode == 0, done.stderr
    [report] = json.loads(done.stdout)
    assert report["ranges"] + report["done_before"] == 100
    rows = store.sql("SELECT count(*) AS n, count(DISTINCT event_timestamp) AS days FROM daily")
    assert rows.to_arrow().to_pylist() == [{"n": 200, "days": 100}]


def test_definitions_in_yaml_and_the_script_for_cron(tmp_path: Path) -> None:
    write_rides(tmp_path, [(1, at(8)), (2, at(9))])
    (tmp_path / "features.yaml").write_text(
        """
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
feature_views:
  - name: daily
    entities: [driver]
    batch:
      sql: |
        SELECT driver_id, begun AS event_timestamp, 1 AS rides FROM rides
      sources: [{name: rides, path: rides.parquet}]
"""
    )
    store = FeatureStore(tmp_path)
    applied = run(store, "apply", str(tmp_path / "features.yaml"))
    assert applied.returncode == 0, applied.stderr
    until = ["--start", "2026-05-01", "--end", "2026-05-01T09:00Z"]
    first = run(store, "backfill", "daily", *until)
    assert first.returncode == 0, first.stderr
    script = Path(__file__).resolve().parents[2] / "examples/cron/backfill.sh"
    cron = subprocess.run(
        [script, store.repo_path, "100d", "daily"],
        env={**os.environ, "TIDEMARK_PROGRAM": str(PROGRAM)},
        capture_output=True,
        text=True,
    )
    assert cron.returncode == 0, cron.stderr
    assert rides_of(store) == [(1, 1, 1), (2, 1, 1)]


def test_a_server_computes_ranges(store: FeatureStore) -> None:
    with ServerProcess(Path(store.repo_path)) as server:
        remote = FeatureStore(url=server.url)
        assert isinstance(remote.get_feature_view("daily"), BatchFeatureView)
        made = remote.backfill("daily", at(0), at(0, day=3))
        assert (made.ranges, made.rows, made.online_rows) == (2, 3, 3)
        again = remote.backfill("daily", at(0), at(0, day=4), step="1d", to="offline")
        assert (again.ranges, again.ranges_before, again.online_rows) == (1, 2, 0)
        with pytest.raises(InvalidArgumentError, match="to compute a range anew"):
            remote.backfill("daily", restart=True)
    assert len(rides_of(store)) == 4
