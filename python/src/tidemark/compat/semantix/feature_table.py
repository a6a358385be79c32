"""`FeatureTable`: making, listing and deleting tables."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from tidemark.compat.semantix.tables_place import EVENT_TIME, find_tables
from tidemark.errors import InvalidArgumentError, NotFoundError


class FeatureTable:
    """Tables of a place: `FeatureTable()`, or `FeatureTable(remote_server="http://host:6566")`."""

    def __init__(self, remote_server: str | None = None) -> None:
        self._tables = find_tables(remote_server)

    async def create(self, schema_path: str | os.PathLike[str]) -> None:
        """Makes a table of a schema file: `{"name", "entities", "schema": [{"name", "type"}]}`.

        Feature names are lower case, and `event_timestamp` is among them. The same table again
        changes nothing; another one of its name is an error.
        """
        schema = _read_schema(Path(schema_path))
        await asyncio.to_thread(self._tables.create, schema)

    async def list(self) -> list[dict[str, Any]]:
        """Every table: `{"name", "entities", "schema"}`."""
        return await asyncio.to_thread(self._tables.all_tables)

    async def delete(self, ft_name: str) -> None:
        await asyncio.to_thread(self._tables.delete, ft_name)


def _read_schema(path: Path) -> dict[str, Any]:
    try:
        schema = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no schema file {str(path)!r}") from error
    except ValueError as error:
        raise InvalidArgumentError(f"the schema file {str(path)!r} is no JSON: {error}") from error
    columns = schema.get("schema") if isinstance(schema, dict) else None
    if not isinstance(columns, list) or not all(
        isinstance(column, dict) and isinstance(column.get("name"), str) for column in columns
    ):
        raise InvalidArgumentError(
            f'the schema file {str(path)!r} has no list "schema" of {{"name", "type"}}'
        )
    names = [column["name"] for column in columns]
    if upper := [name for name in names if not name.islower()]:
        raise InvalidArgumentError(f"feature names are lower case, and not {upper[0]!r}")
    if EVENT_TIME not in names:
        raise InvalidArgumentError(f"{EVENT_TIME} must be in the schema, with type timestamp")
    return dict(schema)
