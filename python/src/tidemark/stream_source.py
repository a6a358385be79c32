"""Streams as sources of a feature view: Kafka topics and Kinesis streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tidemark.data_format import StreamFormat
from tidemark.errors import InvalidArgumentError
from tidemark.source import BatchSource, PushSource
from tidemark.times import duration_text, parse_duration


@dataclass(init=False)
class KafkaSource:
    """A Kafka topic whose messages are rows of a feature view.

    `batch_source` holds the view's history, and rows of the stream come online only; without one
    Tidemark keeps the rows itself, in a feature table. `field_mapping` gives columns of a message
    the names that definitions use. `watermark_delay_threshold` is kept for Feast's programs: here
    messages may come however late they are.
    `security` holds librdkafka's settings (`security.protocol`, `sasl.*`, `ssl.*`); where a secret
    is needed it names an environment variable: `{"sasl.password": "${KAFKA_PASSWORD}"}`.
    """

    name: str
    kafka_bootstrap_servers: str
    topic: str
    message_format: StreamFormat
    timestamp_field: str
    created_timestamp_column: str
    batch_source: BatchSource | None
    field_mapping: dict[str, str]
    watermark_delay_threshold: timedelta | None
    security: dict[str, str] = field(repr=False)
    description: str
    tags: dict[str, str]
    owner: str

    def __init__(
        self,
        *,
        name: str,
        message_format: StreamFormat,
        timestamp_field: str = "",
        bootstrap_servers: str | None = None,
        kafka_bootstrap_servers: str | None = None,
        topic: str | None = None,
        created_timestamp_column: str = "",
        field_mapping: Mapping[str, str] | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
        batch_source: BatchSource | None = None,
        watermark_delay_threshold: timedelta | str | None = None,
        security: Mapping[str, str] | None = None,
    ) -> None:
        servers = kafka_bootstrap_servers or bootstrap_servers or ""
        if bootstrap_servers and servers != bootstrap_servers:
            raise InvalidArgumentError(
                f"Kafka source {name}: kafka_bootstrap_servers and the older bootstrap_servers "
                "differ: give one"
            )
        self.name = name
        self.kafka_bootstrap_servers = servers
        self.topic = topic or ""
        self.message_format = _stream_format(message_format, f"Kafka source {name}: message_format")
        self.timestamp_field = timestamp_field
        self.created_timestamp_column = created_timestamp_column
        self.batch_source = batch_source
        self.field_mapping = dict(field_mapping or {})
        self.watermark_delay_threshold = (
            parse_duration(watermark_delay_threshold)
            if isinstance(watermark_delay_threshold, str)
            else watermark_delay_threshold
        )
        self.security = dict(security or {})
        self.description = description
        self.tags = dict(tags or {})
        self.owner = owner

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of a view's `stream_source`."""
        delay = self.watermark_delay_threshold
        return _without_empty(
            {
                "type": "kafka",
                "name": self.name,
                "kafka_bootstrap_servers": self.kafka_bootstrap_servers,
                "topic": self.topic,
                "message_format": self.message_format.to_dict(),
                "timestamp_field": self.timestamp_field,
                "created_timestamp_column": self.created_timestamp_column,
                "field_mapping": self.field_mapping,
                "watermark_delay_threshold": duration_text(delay) if delay else None,
                "security": self.security,
                "description": self.description,
                "tags": self.tags,
                "owner": self.owner,
            }
        )

    @classmethod
    def from_dict(cls, made: Mapping[str, Any], batch_source: BatchSource | None) -> KafkaSource:
        members = {name: value for name, value in made.items() if name != "type"}
        members["message_format"] = StreamFormat.from_dict(made["message_format"])
        return cls(**members, batch_source=batch_source)


@dataclass(init=False)
class KinesisSource:
    """A Kinesis stream whose records are rows of a feature view.

    Credentials are those of the environment, as AWS's tools find them. `endpoint_url` is another
    address than that of the region. The rest is as in `KafkaSource`.
    """

    name: str
    record_format: StreamFormat
    region: str
    stream_name: str
    timestamp_field: str
    created_timestamp_column: str
    batch_source: BatchSource | None
    field_mapping: dict[str, str]
    endpoint_url: str
    description: str
    tags: dict[str, str]
    owner: str

    def __init__(
        self,
        *,
        name: str,
        record_format: StreamFormat,
        region: str,
        stream_name: str,
        timestamp_field: str = "",
        created_timestamp_column: str = "",
        field_mapping: Mapping[str, str] | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
        batch_source: BatchSource | None = None,
        endpoint_url: str = "",
    ) -> None:
        self.name = name
        self.record_format = _stream_format(record_format, f"Kinesis source {name}: record_format")
        self.region = region
        self.stream_name = stream_name
        self.timestamp_field = timestamp_field
        self.created_timestamp_column = created_timestamp_column
        self.batch_source = batch_source
        self.field_mapping = dict(field_mapping or {})
        self.endpoint_url = endpoint_url
        self.description = description
        self.tags = dict(tags or {})
        self.owner = owner

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of a view's `stream_source`."""
        return _without_empty(
            {
                "type": "kinesis",
                "name": self.name,
                "stream_name": self.stream_name,
                "region": self.region,
                "endpoint_url": self.endpoint_url,
                "record_format": self.record_format.to_dict(),
                "timestamp_field": self.timestamp_field,
                "created_timestamp_column": self.created_timestamp_column,
                "field_mapping": self.field_mapping,
                "description": self.description,
                "tags": self.tags,
                "owner": self.owner,
            }
        )

    @classmethod
    def from_dict(cls, made: Mapping[str, Any], batch_source: BatchSource | None) -> KinesisSource:
        members = {name: value for name, value in made.items() if name != "type"}
        members["record_format"] = StreamFormat.from_dict(made["record_format"])
        return cls(**members, batch_source=batch_source)


# What a view may have as its stream source.
StreamSource = PushSource | KafkaSource | KinesisSource

_TYPES: dict[str, type[StreamSource]] = {
    "push": PushSource,
    "kafka": KafkaSource,
    "kinesis": KinesisSource,
}


def stream_source_from_dict(
    made: Mapping[str, Any], batch_source: BatchSource | None
) -> StreamSource:
    """The source of a view's `stream_source` in JSON form."""
    return _TYPES[made.get("type", "push")].from_dict(made, batch_source)


def _stream_format(stated: StreamFormat, what: str) -> StreamFormat:
    if not isinstance(stated, StreamFormat):
        raise InvalidArgumentError(
            f"{what} is {stated!r}: give JsonFormat(), AvroFormat(schema_json), "
            "ProtoFormat(class_path) or CsvFormat(columns)"
        )
    return stated


def _without_empty(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value}
