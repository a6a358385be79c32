"""Formats of files, and of the messages of a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemark.errors import InvalidArgumentError


@dataclass(frozen=True)
class FileFormat:
    """A format by its name; use one of the classes below."""

    name: str


class ParquetFormat(FileFormat):
    """Parquet files."""

    def __init__(self) -> None:
        super().__init__("parquet")


class StreamFormat:
    """How the bytes of one message are read as a row; use one of the classes below."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of definitions."""
        raise NotImplementedError

    @staticmethod
    def from_dict(made: Mapping[str, Any] | str) -> StreamFormat:
        members: dict[str, Any] = {"type": made} if isinstance(made, str) else dict(made)
        kind: type[StreamFormat] = _STREAM_FORMATS[members.pop("type")]
        return kind(**members)


@dataclass(frozen=True)
class JsonFormat(StreamFormat):
    """Each message is a JSON object. `schema_json` may describe it; nothing is read by it."""

    schema_json: str = ""

    def to_dict(self) -> dict[str, Any]:
        return _stated("json", schema_json=self.schema_json)


@dataclass(frozen=True)
class AvroFormat(StreamFormat):
    """Messages in Avro, by the schema that is given as JSON.

    Or, without one, by those of a schema registry with Confluent's API: each message begins with a
    zero byte and its schema's number, four bytes. Who asks stands in the address, as names of
    environment variables: `https://${REGISTRY_USER}:${REGISTRY_PASSWORD}@registry.example.com`.
    """

    schema_json: str = ""
    schema_registry_url: str = ""

    def to_dict(self) -> dict[str, Any]:
        return _stated(
            "avro", schema_json=self.schema_json, schema_registry_url=self.schema_registry_url
        )


@dataclass(frozen=True)
class ProtoFormat(StreamFormat):
    """Protobuf messages: `class_path` is the message's name, with its package.

    `proto_path` is a `.proto` file or a descriptor set that describes it.
    """

    class_path: str
    proto_path: str = ""

    def to_dict(self) -> dict[str, Any]:
        return _stated("protobuf", class_path=self.class_path, proto_path=self.proto_path)


@dataclass(frozen=True, init=False)
class CsvFormat(FileFormat, StreamFormat):
    """CSV: files with a header line, or messages of one line without.

    `columns` and `delimiter` are for messages, which do not name their columns.
    """

    columns: tuple[str, ...] = ()
    delimiter: str = ","

    def __init__(self, columns: Sequence[str] = (), delimiter: str = ",") -> None:
        super().__init__("csv")
        object.__setattr__(self, "columns", tuple(columns))
        object.__setattr__(self, "delimiter", delimiter)

    def to_dict(self) -> dict[str, Any]:
        made = _stated("csv", columns=list(self.columns))
        return made if self.delimiter == "," else made | {"delimiter": self.delimiter}


_STREAM_FORMATS: dict[str, type[Any]] = {
    "json": JsonFormat,
    "avro": AvroFormat,
    "protobuf": ProtoFormat,
    "csv": CsvFormat,
}


def _stated(kind: str, **members: Any) -> dict[str, Any]:
    return {"type": kind} | {name: value for name, value in members.items() if value}


def format_name(file_format: FileFormat | str | None) -> str | None:
    """`"parquet"`, `"csv"` or None (by the ending of the files)."""
    if isinstance(file_format, CsvFormat) and file_format != CsvFormat():
        raise InvalidArgumentError(
            "columns and delimiter of CsvFormat are for the messages of a stream: a CSV file names "
            "its columns in its first line, with commas"
        )
    if file_format is None or isinstance(file_format, FileFormat):
        return file_format.name if file_format else None
    name = file_format.lower()
    if name == "iceberg":
        raise InvalidArgumentError("an Iceberg table is not a file: use IcebergSource(path)")
    if name not in ("parquet", "csv"):
        raise InvalidArgumentError(
            f"file format {file_format!r} is not known: use 'parquet' or 'csv'"
        )
    return name
