"""Where the rows of a feature view come from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemark.data_format import FileFormat, format_name
from tidemark.errors import InvalidArgumentError


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
