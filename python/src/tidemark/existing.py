"""Data that were there before: Parquet and CSV files registered as tables where they lie."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tidemark.aio import async_twin, current_token
from tidemark.errors import InvalidArgumentError

if TYPE_CHECKING:
    from tidemark import _native


@dataclass(frozen=True)
class TableInfo:
    """A table that SQL can name: "feature table", "feature view", "source" or "registered table".

    The other fields are those of registered tables, whose files lie at `path` and stay as they
    are; `rows` of CSV are not counted, and None.
    """

    database: str
    name: str
    kind: str
    format: str = ""
    path: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    partition_columns: tuple[str, ...] = ()
    partitions: int | None = None
    files: int | None = None
    bytes: int | None = None
    rows: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.database}.{self.name}"

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> TableInfo:
        return cls(
            **{
                **told,
                "columns": {each["name"]: each["type"] for each in told.get("columns", ())},
                "partition_columns": tuple(told.get("partition_columns", ())),
                "warnings": tuple(told.get("warnings", ())),
            }
        )


@dataclass(frozen=True)
class AddedPartitions:
    """What adding partitions did: `present` ones were there already, with all of their files."""

    table: str
    added: tuple[str, ...]
    present: tuple[str, ...]
    files: int
    commits: int
    columns_added: tuple[str, ...]
    columns_widened: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class RefreshedTable:
    """What a refresh found of a table.

    `warnings` name files that were left out, and why. With an `error` nothing was changed.
    """

    table: str
    files_added: tuple[str, ...]
    files_removed: tuple[str, ...]
    files_changed: tuple[str, ...]
    partitions_added: tuple[str, ...]
    columns_added: tuple[str, ...]
    columns_widened: tuple[str, ...]
    warnings: tuple[str, ...]
    error: str | None

    @property
    def is_changed(self) -> bool:
        return bool(self.files_added or self.files_removed or self.files_changed)


@dataclass(frozen=True)
class RefreshedView:
    """Columns that a view's batch source has and the view has not; `apply` may add them."""

    view: str
    new_columns: tuple[str, ...]
    error: str | None


@dataclass(frozen=True)
class RefreshReport:
    """What a refresh did; `views` are those whose sources have more columns, or cannot be read."""

    tables: tuple[RefreshedTable, ...]
    views: tuple[RefreshedView, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """All that somebody should look at."""
        told = [f"table {each.table}: {text}" for each in self.tables for text in each.warnings]
        told += [f"table {each.table}: {each.error}" for each in self.tables if each.error]
        told += [f"view {each.view}: {each.error}" for each in self.views if each.error]
        return tuple(told)


class ExistingData:
    """The part of a store that registers files; `FeatureStore` has all of these methods."""

    _store: _native.Store

    def register_table(
        self,
        database: str,
        table: str,
        path: str | os.PathLike[str],
        partitions: Sequence[str] | None = None,
    ) -> TableInfo:
        """Makes a table of Parquet or CSV files where they lie; they are never changed or removed.

        `path` is a file, a folder or a pattern (`*.parquet`). Folders named `name=value` become
        columns; of a path deep in them, such as `.../y=2019/m=07/part-0.parquet`, the table begins
        above, and that one partition is registered. `partitions` are the names of those columns
        (an error if the folders say others), or the partitions to register; without it, all that
        is found is. The database must be there, and the table must not.
        """
        told = self._store.register_table(
            database, table, os.fspath(path), _listed(partitions), current_token()
        )
        return TableInfo.of(json.loads(told))

    def add_partitions(
        self, database: str, table: str, partitions: Sequence[str] | str
    ) -> AddedPartitions:
        """Adds partitions, such as "y=2019/m=07/d=01/", to a registered table: any number.

        All are looked into first, so that one that is missing, is no partition or is of another
        schema changes nothing. They then appear in commits of at most 99 partitions each; an error
        between two says how far it got. Those that are there already are passed over.
        """
        told = self._store.add_partitions(database, table, _listed(partitions), current_token())
        made = json.loads(told)
        return AddedPartitions(**_tupled(made))

    def refresh(self, tables: Sequence[str] | str | None = None) -> RefreshReport:
        """Brings registered tables ("database.table"; all, if none is named) up to their folders.

        New files, partitions and columns come in, changed files are looked into anew, and files
        that are gone are taken out. What cannot be read is left out and told of. Without names,
        columns that feature views' sources have and the views have not are told of too: `apply`
        decides on them. Made to be run from a scheduler; running it again changes nothing.
        """
        told = json.loads(self._store.refresh(_listed(tables), current_token()))
        return RefreshReport(
            tuple(RefreshedTable(**_tupled(each)) for each in told["tables"]),
            tuple(RefreshedView(**_tupled(each)) for each in told["views"]),
        )

    def list_tables(self, database: str | None = None) -> list[TableInfo]:
        """What SQL can name, of one database or of all: registered tables with what they have."""
        return [TableInfo.of(each) for each in json.loads(self._store.tables(database or ""))]

    register_table_async = async_twin(register_table)
    add_partitions_async = async_twin(add_partitions)
    refresh_async = async_twin(refresh)
    list_tables_async = async_twin(list_tables)


def _listed(texts: Sequence[str] | str | None) -> list[str]:
    listed = [texts] if isinstance(texts, str) else list(texts or [])
    for each in listed:
        if not isinstance(each, str):
            raise InvalidArgumentError(f"names are text: {each!r} is a {type(each).__name__}")
    return listed


def _tupled(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(each) if isinstance(each, list) else each for key, each in told.items()}
