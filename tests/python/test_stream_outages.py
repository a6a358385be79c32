"""Goal: a broker that cannot be reached is told once, and a run until the end gives up on it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tidemark import Entity, FeatureStore, FeatureView, Field, JsonFormat, KafkaSource
from tidemark.errors import InvalidArgumentError, UnavailableError
from tidemark.types import Int64

USER = Entity(name="user", join_keys={"user": Int64})


def store_without_broker(path: Path) -> FeatureStore:
    store = FeatureStore(path)
    source = KafkaSource(
        name="clicks",
        kafka_bootstrap_servers="127.0.0.1:1",
        topic="clicks",
        message_format=JsonFormat(),
        timestamp_field="at",
    )
    view = FeatureView(name="clicks", entities=[USER], schema=[Field("n", Int64)], source=source)
    store.apply([USER, view])
    return store


def test_a_run_until_the_end_gives_up_and_has_said_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = store_without_broker(tmp_path)
    with pytest.raises(UnavailableError, match="clicks"):
        store.run_stream(until_end=True, wait_max=timedelta(seconds=4))
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1, told
    assert "stream of view clicks: it is waited for what cannot be reached" in told[0]


def test_a_wait_is_not_negative(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="wait_max"):
        store_without_broker(tmp_path).run_stream(wait_max=timedelta(seconds=-1))
