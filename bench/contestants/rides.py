"""Rides: a key, an event time and ten fields, as messages of a topic in JSON and Protobuf."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tidemark import (
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    JsonFormat,
    KafkaSource,
    ProtoFormat,
)
from tidemark.types import Bool, Float64, Int32, Int64, String

VIEW = "rides"
FIELDS = {
    "sent_ns": Int64,
    "n": Int64,
    "trips": Int64,
    "rating": Float64,
    "accepted": Float64,
    "distance_km": Float64,
    "is_active": Bool,
    "city": String,
    "vehicle": String,
    "level": Int32,
}
PROTO = """syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Ride {
  int64 driver_id = 1;
  google.protobuf.Timestamp event_timestamp = 2;
  int64 sent_ns = 3;
  int64 n = 4;
  int64 trips = 5;
  double rating = 6;
  double accepted = 7;
  double distance_km = 8;
  bool is_active = 9;
  string city = 10;
  string vehicle = 11;
  int32 level = 12;
}
"""
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_CITIES = [f"city {i}" for i in range(100)]


def make_store(folder: Path, servers: str, topic: str, kind: str) -> FeatureStore:
    """A store with the table of rides that a topic is read into."""
    folder.mkdir(parents=True)
    (folder / "ride.proto").write_text(PROTO)
    message_format = JsonFormat() if kind == "json" else ProtoFormat("Ride", "ride.proto")
    driver = Entity(name="driver", join_keys={"driver_id": Int64})
    view = FeatureView(
        name=VIEW,
        entities=[driver],
        schema=[Field(name, kind_of) for name, kind_of in FIELDS.items()],
        source=KafkaSource(
            name=VIEW,
            kafka_bootstrap_servers=servers,
            topic=topic,
            message_format=message_format,
            timestamp_field="event_timestamp",
        ),
    )
    store = FeatureStore(folder)
    store.apply([driver, view])
    return store


def json_ride(driver: int, n: int, sent_ns: int, at: datetime) -> bytes:
    """One message."""
    return (
        f'{{"driver_id":{driver},"event_timestamp":"{at:%Y-%m-%dT%H:%M:%S.%fZ}",'
        f'"sent_ns":{sent_ns},"n":{n},"trips":{n % 977},"rating":{1.0 + 0.25 * (n % 13)},'
        f'"accepted":0.8125,"distance_km":{0.34 * n:.2f},'
        f'"is_active":{"true" if n % 2 else "false"},"city":"{_CITIES[n % 100]}",'
        f'"vehicle":"car","level":{n % 5}}}'
    ).encode()


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def protobuf_ride(driver: int, n: int, sent_ns: int, at: datetime) -> bytes:
    """The same in Protobuf's wire format, which needs no generated class to be written."""
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    seconds = since.days * 86_400 + since.seconds
    time = b"\x08" + _varint(seconds) + b"\x10" + _varint(since.microseconds * 1_000)
    city = _CITIES[n % 100].encode()
    return b"".join(
        (
            b"\x08" + _varint(driver),
            b"\x12" + _varint(len(time)) + time,
            b"\x18" + _varint(sent_ns),
            b"\x20" + _varint(n),
            b"\x28" + _varint(n % 977),
            struct.pack(
                "<cdcdcd", b"\x31", 1.0 + 0.25 * (n % 13), b"\x39", 0.8125, b"\x41", 0.34 * n
            ),
            b"\x48" + _varint(n % 2),
            b"\x52" + _varint(len(city)) + city,
            b"\x5a\x03car",
            b"\x60" + _varint(n % 5),
        )
    )


MESSAGES: dict[str, Callable[[int, int, int, datetime], bytes]] = {
    "json": json_ride,
    "protobuf": protobuf_ride,
}


def backlog(kind: str, count: int, keys: int) -> Iterator[tuple[int, bytes]]:
    """Drivers in no order, and their messages, a millisecond apart."""
    chosen = random.Random(7)
    make = MESSAGES[kind]
    for n in range(count):
        driver = 1 + int(chosen.random() * keys)
        yield driver, make(driver, n, 0, _BEGIN + timedelta(milliseconds=n))
