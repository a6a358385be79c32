"""Keeping feature tables in shape: compaction, expiry of snapshots, erasure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tidemark.aio import async_twin, current_token
from tidemark.errors import InvalidArgumentError
from tidemark.feature_view import FeatureView
from tidemark.rows import RowsLike, as_stream_or_path
from tidemark.times import time_us

if TYPE_CHECKING:
    from tidemark import _native

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class CompactedTable:
    """A table some of whose small files have become few large ones."""

    table: str
    files_before: int
    files_after: int
    rows: int
    bytes: int


@dataclass(frozen=True)
class ExpiredSnapshots:
    """Snapshots of a table that are gone, with the files that only they had.

    `being_read` more would have gone: they go when their readers are done.
    """

    table: str
    snapshots: int
    files: int
    bytes: int
    being_read: int


@dataclass(frozen=True)
class Erasure:
    """The receipt of an erasure.

    Rows of `keys` entities that were written up to `fence` are seen by no read. While `state` is
    "pending" their bytes are still somewhere: `pending` says where, and what makes them go. Dumps
    that may have held the rows are gone: `dumps_removed` are their ids. `datasets` are the saved
    datasets that were made of them, and cannot be rebuilt any more.
    `out_of_reach` names what Tidemark cannot erase.
    """

    id: str
    table: str
    keys: int
    fence: str
    state: str
    rows_removed: int
    files_rewritten: int
    dumps_removed: tuple[str, ...]
    pending: tuple[str, ...]
    out_of_reach: tuple[str, ...]
    datasets: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        return self.state == "done"

    @classmethod
    def of(cls, receipt: Mapping[str, Any]) -> Erasure:
        return cls(
            **{
                **receipt,
                "dumps_removed": tuple(receipt["dumps_removed"]),
                "pending": tuple(receipt["pending"]),
                "out_of_reach": tuple(receipt["out_of_reach"]),
                "datasets": tuple(receipt.get("datasets", ())),
            }
        )


class TableUpkeep:
    """The part of a store that keeps tables in shape; `FeatureStore` has all of these methods."""

    _store: _native.Store

    def compact(self, tables: Sequence[str | FeatureView] | None = None) -> list[CompactedTable]:
        """Rewrites small data files of tables (all of them, if none is named) as few large ones.

        Rows stay what they are, and every read gives what it gave before.
        """
        made = self._store.compact([name_of(each) for each in tables or []], current_token())
        return [
            CompactedTable(each.view, each.files_before, each.files_after, each.rows, each.bytes)
            for each in made
        ]

    def expire_snapshots(
        self,
        table: str | FeatureView | None = None,
        older_than: datetime | date | str | timedelta = WEEK,
        keep: int = 10,
    ) -> list[ExpiredSnapshots]:
        """Forgets old snapshots of a table (of all, if none is named), and removes their files.

        Those committed before `older_than` (a time, or how long ago) go, but the newest `keep`
        stay. Snapshots that are tagged or being read stay too.
        """
        if keep < 1:
            raise InvalidArgumentError(f"keep is {keep}: at least the newest snapshot stays")
        before = datetime.now(UTC) - older_than if isinstance(older_than, timedelta) else older_than
        names = [] if table is None else [name_of(table)]
        gone = self._store.expire_snapshots(names, time_us(before), keep)
        return [
            ExpiredSnapshots(each.view, each.snapshots, each.files, each.bytes, each.being_read)
            for each in gone
        ]

    def erase(self, table: str | FeatureView, keys: RowsLike) -> Erasure:
        """Removes all rows of some entities that were written until now, bytes included.

        `keys` are `{"id": 1}`, `[{"id": 1}, ...]`, `{"id": [1, 2]}` or a frame of the join keys.
        The rows go from data files, log, online store and old snapshots, which are expired for it.
        From the first moment on no read sees them; what a running process or a tag still holds is
        named in the receipt, and completed by erasing again, by `flush`, or in the background.
        """
        name = name_of(table)
        rows = as_stream_or_path(as_rows(keys), f"keys of table {name}")
        return Erasure.of(json.loads(self._store.erase(name, rows, current_token())))

    def erasures(self, table: str | FeatureView | None = None) -> list[Erasure]:
        """The receipts of all erasures of a table (of all, if none is named), oldest first."""
        names = [] if table is None else [name_of(table)]
        return [Erasure.of(each) for each in json.loads(self._store.erasures(names))]

    compact_async = async_twin(compact)
    expire_snapshots_async = async_twin(expire_snapshots)
    erase_async = async_twin(erase)
    erasures_async = async_twin(erasures)


def name_of(table: str | FeatureView) -> str:
    return table.name if isinstance(table, FeatureView) else table


def as_rows(keys: RowsLike) -> RowsLike:
    """`{"id": 1}` as a list of one row; anything else as it is."""
    if isinstance(keys, Mapping) and not any(isinstance(v, list | tuple) for v in keys.values()):
        return [keys]
    return keys
