"""Batch and stream sources of a feature table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import tidemark
from tidemark.compat.feast09.data_format import FileFormat, ParquetFormat, StreamFormat
from tidemark.compat.store_address import local_path
from tidemark.data_format import AvroFormat, CsvFormat, JsonFormat, ProtoFormat
from tidemark.errors import InvalidArgumentError, UnsupportedError
from tidemark.stream_source import StreamSource as TidemarkStreamSource


class DataSource:
    """What all sources have: the columns of times, and other names of columns.

    `date_partition_column` is taken, and not needed: it is not kept.
    """

    def __init__(
        self,
        event_timestamp_column: str | None = "",
        created_timestamp_column: str | None = "",
        field_mapping: Mapping[str, str] | None = None,
        date_partition_column: str | None = "",
    ) -> None:
        self.event_timestamp_column = event_timestamp_column or ""
        self.created_timestamp_column = created_timestamp_column or ""
        self.field_mapping = dict(field_mapping or {})
        self.date_partition_column = date_partition_column or ""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """The source as it is printed."""
        made = {
            "type": self._type(),
            "eventTimestampColumn": self.event_timestamp_column,
            "createdTimestampColumn": self.created_timestamp_column,
            "fieldMapping": self.field_mapping,
        }
        return {name: value for name, value in made.items() if value} | self._options()

    def columns(self, names: Collection[str]) -> dict[str, str]:
        """The field mapping as `{column of the source: name in the feature table}`.

        Scripts wrote it either way round; which one is meant is seen by the names that the table
        has.
        """
        return {
            **{a: b for a, b in self.field_mapping.items() if b in names or a not in names},
            **{b: a for a, b in self.field_mapping.items() if b not in names and a in names},
        }

    def _type(self) -> str:
        raise NotImplementedError

    def _options(self) -> dict[str, Any]:
        raise NotImplementedError


class BatchSource(DataSource):
    """Where the history of a feature table lies."""

    def to_tidemark(self, columns: Mapping[str, str]) -> Any:
        """The source of a feature view; `columns` is what `columns()` gives."""
        raise NotImplementedError


class FileSource(BatchSource):
    """Files: `file_url` is a folder, a file or a glob, with or without `file://`."""

    def __init__(
        self,
        event_timestamp_column: str | None = "",
        file_format: FileFormat | None = None,
        file_url: str = "",
        created_timestamp_column: str | None = "",
        field_mapping: Mapping[str, str] | None = None,
        date_partition_column: str | None = "",
    ) -> None:
        super().__init__(
            event_timestamp_column, created_timestamp_column, field_mapping, date_partition_column
        )
        self.file_format = file_format or ParquetFormat()
        self.file_url = file_url

    @property
    def file_options(self) -> FileSource:
        """Holds `file_format` and `file_url`."""
        return self

    @property
    def path(self) -> str:
        """The path on this machine; a `*` at the end is the folder before it, as in Feast."""
        path = local_path(self.file_url)
        if not path:
            raise InvalidArgumentError("the file source has no file_url")
        if "://" in path:
            raise UnsupportedError(
                f"file_url {self.file_url!r} is no file of this machine; this version reads local "
                "files"
            )
        return path.rstrip("*") or path

    def to_tidemark(self, columns: Mapping[str, str]) -> tidemark.FileSource:
        return tidemark.FileSource(
            self.path,
            timestamp_field=self.event_timestamp_column,
            created_timestamp_column=self.created_timestamp_column,
            field_mapping=columns,
            file_format=self.file_format,
        )

    def _type(self) -> str:
        return "BATCH_FILE"

    def _options(self) -> dict[str, Any]:
        kind = f"{self.file_format.name}Format"
        return {"fileOptions": {"fileFormat": {kind: {}}, "fileUrl": self.file_url}}


class BigQuerySource(BatchSource):
    """A table of BigQuery: `project:dataset.table`."""

    def __init__(
        self,
        event_timestamp_column: str | None = "",
        table_ref: str = "",
        created_timestamp_column: str | None = "",
        field_mapping: Mapping[str, str] | None = None,
        date_partition_column: str | None = "",
    ) -> None:
        super().__init__(
            event_timestamp_column, created_timestamp_column, field_mapping, date_partition_column
        )
        self.table_ref = table_ref

    @property
    def bigquery_options(self) -> BigQuerySource:
        """Holds `table_ref`."""
        return self

    def to_tidemark(self, columns: Mapping[str, str]) -> tidemark.BigQuerySource:
        return tidemark.BigQuerySource(
            table_ref=self.table_ref,
            timestamp_field=self.event_timestamp_column,
            created_timestamp_column=self.created_timestamp_column,
            field_mapping=columns,
        )

    def _type(self) -> str:
        return "BATCH_BIGQUERY"

    def _options(self) -> dict[str, Any]:
        return {"bigqueryOptions": {"tableRef": self.table_ref}}


class StreamSource(DataSource):
    """Where new rows of a feature table come from."""

    def to_tidemark(
        self, name: str, columns: Mapping[str, str], batch: Any
    ) -> TidemarkStreamSource:
        """The stream source of the feature view `name`, whose batch source is `batch`."""
        raise NotImplementedError


class KafkaSource(StreamSource):
    """A Kafka topic."""

    def __init__(
        self,
        event_timestamp_column: str | None = "",
        bootstrap_servers: str = "",
        message_format: StreamFormat | None = None,
        topic: str = "",
        created_timestamp_column: str | None = "",
        field_mapping: Mapping[str, str] | None = None,
        date_partition_column: str | None = "",
    ) -> None:
        super().__init__(
            event_timestamp_column, created_timestamp_column, field_mapping, date_partition_column
        )
        self.bootstrap_servers = bootstrap_servers
        self.message_format = _format_or_error(message_format, "Kafka source: message_format")
        self.topic = topic

    @property
    def kafka_options(self) -> KafkaSource:
        """Holds `bootstrap_servers`, `message_format` and `topic`."""
        return self

    def to_tidemark(
        self, name: str, columns: Mapping[str, str], batch: Any
    ) -> tidemark.KafkaSource:
        return tidemark.KafkaSource(
            name=name,
            kafka_bootstrap_servers=self.bootstrap_servers,
            message_format=self.message_format,
            topic=self.topic,
            timestamp_field=self.event_timestamp_column,
            created_timestamp_column=self.created_timestamp_column,
            field_mapping=columns,
            batch_source=batch,
        )

    def _type(self) -> str:
        return "STREAM_KAFKA"

    def _options(self) -> dict[str, Any]:
        return {
            "kafkaOptions": {
                "bootstrapServers": self.bootstrap_servers,
                **_printed_format("messageFormat", self.message_format),
                "topic": self.topic,
            }
        }


class KinesisSource(StreamSource):
    """A Kinesis stream."""

    def __init__(
        self,
        event_timestamp_column: str | None = "",
        created_timestamp_column: str | None = "",
        record_format: StreamFormat | None = None,
        region: str = "",
        stream_name: str = "",
        field_mapping: Mapping[str, str] | None = None,
        date_partition_column: str | None = "",
    ) -> None:
        super().__init__(
            event_timestamp_column, created_timestamp_column, field_mapping, date_partition_column
        )
        self.record_format = _format_or_error(record_format, "Kinesis source: record_format")
        self.region = region
        self.stream_name = stream_name

    @property
    def kinesis_options(self) -> KinesisSource:
        """Holds `record_format`, `region` and `stream_name`."""
        return self

    def to_tidemark(
        self, name: str, columns: Mapping[str, str], batch: Any
    ) -> tidemark.KinesisSource:
        return tidemark.KinesisSource(
            name=name,
            record_format=self.record_format,
            region=self.region,
            stream_name=self.stream_name,
            timestamp_field=self.event_timestamp_column,
            created_timestamp_column=self.created_timestamp_column,
            field_mapping=columns,
            batch_source=batch,
        )

    def _type(self) -> str:
        return "STREAM_KINESIS"

    def _options(self) -> dict[str, Any]:
        return {
            "kinesisOptions": {
                "region": self.region,
                "streamName": self.stream_name,
                **_printed_format("recordFormat", self.record_format),
            }
        }


def batch_source_of(source: Any) -> BatchSource | None:
    """The batch source of a registered view; None where this interface has none for it."""
    if type(source) is tidemark.FileSource:
        file_format = CsvFormat() if source.file_format == "csv" else ParquetFormat()
        return FileSource(
            source.timestamp_field,
            file_format,
            source.path,
            source.created_timestamp_column,
            source.field_mapping,
        )
    if isinstance(source, tidemark.BigQuerySource):
        return BigQuerySource(
            source.timestamp_field,
            source.table,
            source.created_timestamp_column,
            source.field_mapping,
        )
    return None


def stream_source_of(source: TidemarkStreamSource | None) -> StreamSource | None:
    """The stream source of a registered view; None where this interface has none for it."""
    if isinstance(source, tidemark.KafkaSource):
        return KafkaSource(
            source.timestamp_field,
            source.kafka_bootstrap_servers,
            source.message_format,
            source.topic,
            source.created_timestamp_column,
            source.field_mapping,
        )
    if isinstance(source, tidemark.KinesisSource):
        return KinesisSource(
            source.timestamp_field,
            source.created_timestamp_column,
            source.record_format,
            source.region,
            source.stream_name,
            source.field_mapping,
        )
    return None


def _format_or_error(stated: StreamFormat | None, what: str) -> StreamFormat:
    if stated is None:
        raise InvalidArgumentError(
            f"{what} is missing: ProtoFormat(class_path) or AvroFormat(schema_json)"
        )
    return stated


def _printed_format(name: str, stated: StreamFormat) -> dict[str, Any]:
    """Of Protobuf just the class."""
    if isinstance(stated, ProtoFormat):
        return {"classPath": stated.class_path}
    if isinstance(stated, AvroFormat):
        return {name: {"avroFormat": {"schemaJson": stated.schema_json}}}
    if isinstance(stated, JsonFormat):
        schema = {"schemaJson": stated.schema_json} if stated.schema_json else {}
        return {name: {"jsonFormat": schema}}
    return {name: {"csvFormat": {"columns": stated.to_dict().get("columns", [])}}}
