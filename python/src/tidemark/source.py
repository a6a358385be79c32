"""Where the rows of a feature view come from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemark.data_format import FileFormat, format_name
from tidemark.errors import InvalidArgumentError
from tidemark.warehouse_source import WAREHOUSE_SOURCES, AdbcSource


@dataclass(init=False)
class FileSource:
    """A Parquet or CSV file, a glob, or a folder.

    Hive folders (`day=2024-05-01/`) below a folder become columns. A path that is not absolute is
    relative to the store's folder. Without `timestamp_field` the only timestamp column is taken.
    `field_mapping` gives columns of the file the names that definitions use.
    """

    path: str
    name: str = ""
    timestamp_field: str = ""
    created_timestamp_column: str = ""
    field_mapping: dict[str, str] = field(default_factory=dict)
    file_format: str | None = None
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    owner: str = ""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        name: str = "",
        event_timestamp_column: str = "",
        file_format: FileFormat | str | None = None,
        created_timestamp_column: str = "",
        field_mapping: Mapping[str, str] | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
        timestamp_field: str = "",
    ) -> None:
        if timestamp_field and event_timestamp_column not in ("", timestamp_field):
            raise InvalidArgumentError(
                f"file source {os.fspath(path)}: timestamp_field={timestamp_field!r} and the older "
                f"event_timestamp_column={event_timestamp_column!r} differ: give one"
            )
        self.path = os.fspath(path)
        self.name = name
        self.timestamp_field = timestamp_field or event_timestamp_column
        self.created_timestamp_column = created_timestamp_column
        self.field_mapping = dict(field_mapping or {})
        self.file_format = format_name(file_format)
        self.description = description
        self.tags = dict(tags or {})
        self.owner = owner

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of definitions."""
        optional = {
            "name": self.name,
            "format": self.file_format,
            "timestamp_field": self.timestamp_field,
            "created_timestamp_column": self.created_timestamp_column,
            "field_mapping": self.field_mapping,
            "description": self.description,
            "tags": self.tags,
            "owner": self.owner,
        }
        made = {"type": "file", "path": self.path}
        return made | {name: value for name, value in optional.items() if value}

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> FileSource:
        if made.get("format") == "iceberg" or made.get("table"):
            return IcebergSource._of(made)
        return cls(
            made["path"],
            name=made.get("name", ""),
            timestamp_field=made.get("timestamp_field", ""),
            created_timestamp_column=made.get("created_timestamp_column", ""),
            field_mapping=made.get("field_mapping"),
            file_format=made.get("format"),
            description=made.get("description", ""),
            tags=made.get("tags"),
            owner=made.get("owner", ""),
        )


@dataclass(init=False)
class IcebergSource(FileSource):
    """An Iceberg table that another engine keeps, read as it is.

    `path` is the table's folder (its newest metadata is taken) or one of its metadata files;
    `table` is instead the name, "database.name", of a table that another engine made in the store's
    own catalog, or of one that `register_table` made of Parquet or CSV files. Time columns and
    `field_mapping` are as those of `FileSource`. A new snapshot is seen by the next read; rows
    equal in their times are ordered by the commits that wrote them.
    """

    table: str = ""

    def __init__(
        self,
        path: str | os.PathLike[str] = "",
        *,
        table: str = "",
        name: str = "",
        timestamp_field: str = "",
        created_timestamp_column: str = "",
        field_mapping: Mapping[str, str] | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> None:
        if bool(os.fspath(path)) == bool(table):
            raise InvalidArgumentError(
                "an Iceberg source is a table's folder or metadata file (path=), or its name in "
                "the store's catalog (table=): give one"
            )
        super().__init__(
            path,
            name=name,
            timestamp_field=timestamp_field,
            created_timestamp_column=created_timestamp_column,
            field_mapping=field_mapping,
            description=description,
            tags=tags,
            owner=owner,
        )
        self.file_format = "iceberg"
        self.table = table

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of definitions."""
        made = super().to_dict()
        if not self.table:
            return made
        del made["path"]
        return made | {"table": self.table}

    @classmethod
    def _of(cls, made: Mapping[str, Any]) -> IcebergSource:
        return cls(
            made.get("path", ""),
            table=made.get("table", ""),
            name=made.get("name", ""),
            timestamp_field=made.get("timestamp_field", ""),
            created_timestamp_column=made.get("created_timestamp_column", ""),
            field_mapping=made.get("field_mapping"),
            description=made.get("description", ""),
            tags=made.get("tags"),
            owner=made.get("owner", ""),
        )


BatchSource = FileSource | AdbcSource


def batch_source_from_dict(made: Mapping[str, Any]) -> BatchSource:
    """The source that a definition's JSON form states."""
    if made.get("type", "file") in WAREHOUSE_SOURCES:
        return AdbcSource.from_dict(made)
    return FileSource.from_dict(made)


@dataclass(init=False)
class PushSource:
    """Rows that a program pushes with `store.push(name, rows)`.

    Every feature view with this source takes them. `batch_source` holds the view's history; without
    one Tidemark keeps the rows itself, in a feature table.
    """

    name: str
    batch_source: BatchSource | None = None
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    owner: str = ""

    def __init__(
        self,
        name: str,
        batch_source: BatchSource | None = None,
        *,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> None:
        self.name = name
        self.batch_source = batch_source
        self.description = description
        self.tags = dict(tags or {})
        self.owner = owner

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of a view's `stream_source`."""
        optional = {"description": self.description, "tags": self.tags, "owner": self.owner}
        made = {"type": "push", "name": self.name}
        return made | {name: value for name, value in optional.items() if value}

    @classmethod
    def from_dict(cls, made: Mapping[str, Any], batch_source: BatchSource | None) -> PushSource:
        return cls(
            made["name"],
            batch_source,
            description=made.get("description", ""),
            tags=made.get("tags"),
            owner=made.get("owner", ""),
        )


@dataclass(frozen=True)
class TableOptions:
    """How Tidemark keeps the rows of a feature view that has no batch source.

    The column of event times keeps its type: `timestamp`, `string` (ISO-8601), or a number of
    `time_unit` (s, ms, us, ns) since 1970. Without `created_timestamp_column` a row is created when
    it arrives. `partitions` part the files: "customer", "bucket(16, customer)", "day".
    `catalog=False` hides the table from SQL and other engines. `database` is where other engines
    find it; by default the project's own.
    """

    timestamp_field: str = "event_timestamp"
    timestamp_type: str = "timestamp"
    time_unit: str = "s"
    created_timestamp_column: str = ""
    partitions: tuple[str, ...] = ()
    catalog: bool = True
    database: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of a view's `table`."""
        return {
            "timestamp_field": self.timestamp_field,
            "timestamp_type": self.timestamp_type,
            "timestamp_unit": self.time_unit,
            "created_timestamp_column": self.created_timestamp_column,
            "partitions": list(self.partitions),
            "catalog": self.catalog,
            "database": self.database,
        }

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> TableOptions:
        return cls(
            timestamp_field=made.get("timestamp_field", "event_timestamp"),
            timestamp_type=made.get("timestamp_type", "timestamp"),
            time_unit=made.get("timestamp_unit", "s"),
            created_timestamp_column=made.get("created_timestamp_column", ""),
            partitions=tuple(made.get("partitions", ())),
            catalog=made.get("catalog", True),
            database=made.get("database", ""),
        )
