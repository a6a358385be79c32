"""Where a store's tables lie: databases, and a folder that was moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemark.aio import async_twin

if TYPE_CHECKING:
    from tidemark import _native


@dataclass(frozen=True)
class RelocatedTable:
    """A table (`database.name`) whose files now are known to lie in another folder."""

    table: str
    old_folder: str
    new_folder: str
    snapshots: int


class TablePlaces:
    """The part of a store that knows databases; `FeatureStore` has all of these methods.

    A table is named `table`, or `database.table` wherever its database is to be checked.
    """

    _store: _native.Store

    def create_database(self, name: str) -> None:
        """Makes a database, in which tables can lie apart from those of "feature_store".

        Other engines know it as a namespace of the Iceberg catalog. Nothing happens if it is there.
        """
        self._store.create_database(name)

    def list_databases(self) -> list[str]:
        """All databases by name, the project's own among them."""
        return self._store.databases()

    def drop_database(self, name: str) -> None:
        """Removes a database, which must have no tables."""
        self._store.drop_database(name)

    def relocate(self) -> list[RelocatedTable]:
        """Makes the tables right after the store's folder was moved or copied.

        Iceberg's metadata says in full where files lie. It is written anew for the place where the
        store is now; the place that it came from, which may be a store still, is left alone. What
        was interrupted is finished by calling it again. Returns the tables that had moved.
        """
        told = self._store.relocate()
        return [
            RelocatedTable(each.table, each.old_folder, each.new_folder, each.snapshots)
            for each in told
        ]

    create_database_async = async_twin(create_database)
    list_databases_async = async_twin(list_databases)
    drop_database_async = async_twin(drop_database)
    relocate_async = async_twin(relocate)
