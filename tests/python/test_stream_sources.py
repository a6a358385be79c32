"""Goal: Kafka and Kinesis sources come back from a registry as they were stated, a change of one is
told member by member, and no secret gets into a registry or a text.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from tidemark import (
    AvroFormat,
    CsvFormat,
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    JsonFormat,
    KafkaSource,
    KinesisSource,
    ProtoFormat,
    PushSource,
)
from tidemark.errors import InvalidArgumentError, UnsupportedError
from tidemark.types import Float64, Int64

DRIVER = Entity(name="driver", join_keys={"driver_id": Int64})
AVRO = '{"type": "record", "name": "Trip", "fields": []}'
SECURITY = {
    "security.protocol": "SASL_SSL",
    "sasl.username": "rides",
    "sasl.password": "${KAFKA_PASSWORD}",
}


def kafka(**more: Any) -> KafkaSource:
    stated: dict[str, Any] = {
        "name": "trip_events",
        "kafka_bootstrap_servers": "a:9092,b:9092",
        "topic": "trips",
        "message_format": JsonFormat(),
        "timestamp_field": "at",
    }
    return KafkaSource(**stated | more)


def trips(source: Any) -> FeatureView:
    return FeatureView(
        name="trips", entities=[DRIVER], schema=[Field("rating", Float64)], source=source
    )


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "store")


@pytest.mark.parametrize(
    "source",
    [
        kafka(),
        kafka(
            message_format=ProtoFormat("rides.Trip", "trip.proto"),
            created_timestamp_column="made",
            batch_source=FileSource("trips", timestamp_field="event_timestamp"),
            field_mapping={"stars": "rating"},
            watermark_delay_threshold=dt.timedelta(minutes=5),
            security=SECURITY,
            description="what riders do",
            tags={"team": "rides"},
            owner="rides@example.com",
        ),
        kafka(message_format=AvroFormat(AVRO), timestamp_field=""),
        kafka(
            message_format=AvroFormat(schema_registry_url="https://${USER}:${PASSWORD}@registry")
        ),
        kafka(message_format=CsvFormat(["at", "driver_id", "rating"], delimiter=";")),
        KinesisSource(
            name="trip_records",
            stream_name="trips",
            region="eu-west-1",
            endpoint_url="http://127.0.0.1:5000",
            record_format=JsonFormat('{"type": "object"}'),
            timestamp_field="at",
            created_timestamp_column="made",
            batch_source=FileSource("trips", timestamp_field="event_timestamp"),
            field_mapping={"stars": "rating"},
            tags={"team": "rides"},
        ),
        PushSource("pushed"),
    ],
    ids=["least", "all", "avro", "registry", "csv", "kinesis", "push"],
)
def test_a_source_comes_back_as_it_was_stated(store: FeatureStore, source: Any) -> None:
    view = trips(source)
    store.apply([source, DRIVER, view])  # a source goes with the views that use it
    got = store.get_feature_view("trips")
    assert got.stream_source == source
    assert got.batch_source == source.batch_source
    assert str(store.apply(got)) == "no changes"


def test_a_change_is_told_member_by_member(store: FeatureStore) -> None:
    assert "stream source: kafka 'trip_events'" in str(store.apply(trips(kafka())))
    plan = str(store.plan(trips(kafka(topic="trips.v2", security=SECURITY))))
    assert "stream source 'topic': 'trips' -> 'trips.v2'" in plan
    assert "stream source 'security.sasl.password': added ('${KAFKA_PASSWORD}')" in plan
    pushed = str(store.plan(trips(PushSource("pushed"))))
    assert "push source: (none) -> 'pushed'" in pushed
    assert "stream source: kafka 'trip_events' -> (none)" in pushed
    kinesis = KinesisSource(
        name="k", stream_name="trips", region="eu-west-1", record_format=JsonFormat()
    )
    assert "kafka 'trip_events' -> kinesis 'k'" in str(store.plan(trips(kinesis)))


def test_it_is_printed_as_in_feasts_specs(store: FeatureStore) -> None:
    store.apply(trips(kafka(message_format=ProtoFormat("rides.Trip"), security=SECURITY)))
    printed = json.loads(str(store.get_feature_view("trips")))
    assert printed["spec"]["streamSource"] == {
        "type": "STREAM_KAFKA",
        "name": "trip_events",
        "eventTimestampColumn": "at",
        "kafkaOptions": {
            "bootstrapServers": "a:9092,b:9092",
            "classPath": "rides.Trip",
            "topic": "trips",
        },
    }


def test_a_secret_is_refused_and_not_shown(store: FeatureStore) -> None:
    secret = kafka(security=SECURITY | {"sasl.password": "swordfish"})
    assert "swordfish" not in repr(secret)
    assert "swordfish" not in repr(trips(secret))
    with pytest.raises(InvalidArgumentError, match=r"sasl\.password is a secret") as refused:
        store.apply(trips(secret))
    assert "swordfish" not in str(refused.value)
    assert store.list_feature_views() == []
    with pytest.raises(InvalidArgumentError, match="bootstrap server with an '@'") as refused:
        store.apply(trips(kafka(kafka_bootstrap_servers="me:swordfish@a:9092")))
    assert "swordfish" not in str(refused.value)


def test_mistakes_are_told(store: FeatureStore) -> None:
    with pytest.raises(InvalidArgumentError, match="message_format is 'json': give JsonFormat"):
        kafka(message_format="json")
    with pytest.raises(InvalidArgumentError, match="the older bootstrap_servers differ"):
        kafka(bootstrap_servers="c:9092")
    assert kafka(kafka_bootstrap_servers=None, bootstrap_servers="c").kafka_bootstrap_servers == "c"
    with pytest.raises(InvalidArgumentError, match="'kafka_bootstrap_servers' is missing"):
        store.apply(trips(kafka(kafka_bootstrap_servers=None)))
    with pytest.raises(InvalidArgumentError, match="topic 'a b' is no name of one"):
        store.apply(trips(kafka(topic="a b")))
    with pytest.raises(InvalidArgumentError, match="schema_json of format avro"):
        store.apply(trips(kafka(message_format=AvroFormat("{"))))
    with pytest.raises(InvalidArgumentError, match="columns and delimiter of CsvFormat"):
        FileSource("x.csv", file_format=CsvFormat(["a"]))
    document = {"feature_views": [{"name": "v", "stream_source": {"type": "pulsar", "name": "p"}}]}
    path = Path(store.repo_path) / "v.json"
    path.write_text(json.dumps(document))
    with pytest.raises(UnsupportedError, match="there are push, kafka and kinesis"):
        store.apply(path)


def test_a_view_with_a_stream_takes_rows_meanwhile(store: FeatureStore) -> None:
    store.apply(trips(kafka()))
    at = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    store.ingest("trips", [{"driver_id": 1, "event_timestamp": at, "rating": 4.5}])
    assert store.get_online_features(["trips:rating"], [{"driver_id": 1}]).to_dict() == {
        "driver_id": [1],
        "rating": [4.5],
    }
