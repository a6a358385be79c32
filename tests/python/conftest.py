"""Stores and data that the tests of the SDK share."""

from __future__ import annotations

import datetime as dt
import signal
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from postgresql_server import PostgreSQLServer

from tidemark import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource
from tidemark.types import Float64, Int64, String

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background
    signal.signal(signal.SIGINT, signal.default_int_handler)


def at(hour: int, minute: int = 0, day: int = 1) -> dt.datetime:
    return dt.datetime(2026, 5, day, hour, minute, tzinfo=dt.UTC)


def stats_table() -> pa.Table:
    """Hourly rows of two drivers; 1002 has nulls, and an integer that no float64 holds."""
    return pa.table(
        {
            "driver_id": pa.array([1001, 1001, 1002, 1002], pa.int64()),
            "event_timestamp": pa.array(
                [at(8), at(10), at(9), at(11)], pa.timestamp("us", tz="UTC")
            ),
            "created": pa.array([at(8), at(12), at(9), at(11)], pa.timestamp("us", tz="UTC")),
            "rating": pa.array([4.5, 4.7, None, 3.5], pa.float64()),
            "trips": pa.array([12, 15, None, 2**53 + 1], pa.int64()),
            "city": pa.array(["Oslo", "Bergen", "Ålesund", None], pa.string()),
        }
    )


def definitions() -> list[Entity | FeatureView | FeatureService]:
    driver = Entity(name="driver", join_keys={"driver_id": Int64}, description="Who drives")
    stats = FeatureView(
        name="driver_stats",
        entities=[driver],
        ttl=dt.timedelta(hours=6),
        schema=[Field("rating", Float64), Field("trips", Int64), Field("city", String)],
        source=FileSource(
            "stats.parquet",
            timestamp_field="event_timestamp",
            created_timestamp_column="created",
        ),
        tags={"team": "rides"},
        owner="rides@example.com",
    )
    service = FeatureService(name="model", features=[stats[["rating", "trips"]]])
    return [driver, stats, service]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the source, and no store yet."""
    pq.write_table(stats_table(), tmp_path / "stats.parquet")
    return tmp_path


@pytest.fixture
def store(folder: Path) -> FeatureStore:
    """A store with the definitions applied and nothing loaded."""
    made = FeatureStore(folder)
    made.apply(definitions())
    return made


@pytest.fixture
def entity_rows() -> pa.Table:
    """A value, a null, a stale row, an unknown key, a key before its first row, and a duplicate."""
    return pa.table(
        {
            "order": pa.array([1, 2, 3, 4, 5, 6], pa.int32()),
            "driver_id": pa.array([1001, 1002, 1001, 9, 1002, 1001], pa.int64()),
            "event_timestamp": pa.array(
                [at(9), at(9), at(17), at(9), at(8), at(9)], pa.timestamp("us", tz="UTC")
            ),
        }
    )


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    """A server for all tests, each of which has tables of its own."""
    server = PostgreSQLServer()
    yield server
    server.remove()
