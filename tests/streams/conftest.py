"""A broker for all tests of streams, and what they do to stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("confluent_kafka", reason="tools/setup installs confluent-kafka")

from kafka_broker import KafkaBroker, is_installed, kafka_broker


@pytest.fixture(scope="session")
def broker() -> Iterator[KafkaBroker]:
    if not is_installed():
        pytest.skip("a broker needs java and mvn: tools/setup installs them")
    with kafka_broker() as running:
        yield running
