"""The functions of a small feature store that was built on S3, Glue and Athena.

    from tidemark.compat.featurestore import create_fg, dump_fg, read_fg, upload_fg, use_store

Each answers whether it succeeded, and a sentence that says what was done or why it was not: no
error is raised. They work on the store that `use_store` was given, or else on the one that the
environment variable TIDEMARK_STORE names, or else on the one in the current folder.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from tidemark.compat.store_address import open_store
from tidemark.errors import InvalidArgumentError, TidemarkError
from tidemark.feature_store import FeatureStore
from tidemark.tables import table_name

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

DATABASE = "feature_store"
_DAY = re.compile(r"y=\d+/m=\d+/d=\d+")

T = TypeVar("T")

_lock = threading.Lock()
_store: FeatureStore | None = None


def use_store(store: str | os.PathLike[str] | FeatureStore | None) -> None:
    """Chooses the store that all functions work on: a folder or an open store; None: the default.

    What is wrong with a folder is told here, as an error.
    """
    global _store
    chosen = open_store(store) if isinstance(store, str | os.PathLike) else store
    with _lock:
        _store = chosen


def create_fg(
    client: str,
    app: str,
    entity: str,
    version: str | int,
    time_col: str,
    time_col_unit: str | None,
    pandas_df: pd.DataFrame,
) -> tuple[bool, str]:
    """Makes the table `<client>_<app>_<entity>_<version>` with the columns of the frame.

    Columns may be nested; no row is written. `time_col` has the event times: timestamps, ISO-8601
    text, or numbers of `time_col_unit` (s, ms, us or ns) since 1970. Where times are no numbers the
    unit says nothing, and may be left out (None or "").
    """

    def make(store: FeatureStore) -> str:
        name = table_name(client, app, entity, version)
        unit = time_col_unit if _has_numbers(pandas_df, time_col) else None
        store.create_table_from(pandas_df, name=name, time_column=time_col, time_unit=unit or None)
        return f"table {DATABASE}.{name} is made"

    return _told(make)


def upload_fg(
    client: str, app: str, entity: str, version: str | int, pandas_df: pd.DataFrame
) -> tuple[bool, str]:
    """Appends the rows of a frame to the table: all of them, durably, or none."""

    def write(store: FeatureStore) -> str:
        name = table_name(client, app, entity, version)
        report = store.ingest(name, pandas_df)
        return f"{report.rows} rows are in table {DATABASE}.{name}"

    return _told(write)


def dump_fg(sql: str) -> tuple[bool, str | None, str | None, str]:
    """Runs a query and keeps its result: `(success, query_id, path, response)`.

    The result is Parquet at `path`, and `read_fg(query_id)` reads it. On a failure there is neither
    id nor path.
    """
    done = _attempt(lambda store: store.dump(sql))
    if isinstance(done, _Failure):
        return False, None, None, done.reason
    query_id, path = done
    return True, query_id, os.fspath(path), f"the result is in {path}"


def read_fg(query_id: str) -> tuple[pd.DataFrame, pa.Schema] | tuple[Literal[False], str]:
    """The result of a query that `dump_fg` kept, and its schema: `(out_df, out_schema)`.

    For an id that there is not: `(False, response)`.
    """
    done = _attempt(lambda store: store.read_dump(str(query_id)))
    return (False, done.reason) if isinstance(done, _Failure) else done


def register_table(
    db: str, table: str, path: str | os.PathLike[str], partition: str | None = None
) -> tuple[bool, str]:
    """Makes a table of the Parquet or CSV file at `path`, or of a folder of them.

    The root of the table and the partition that a file lies in are understood from its place, as in
    `demand_attributes/y=2019/m=07/d=01/part-00000.snappy.parquet`; of a folder, `partition` says
    which one is registered. The database must be there, the table must not.
    """

    def register(store: FeatureStore) -> str:
        for what, value in (("db", db), ("table", table), ("path", path)):
            if not isinstance(value, str | os.PathLike):
                raise InvalidArgumentError(f"{what} is text, not {value!r}")
        stated = None if partition is None else [_partition_of(partition)]
        store.register_table(db, table, path, partitions=stated)
        return f"table {db}.{table} is registered"

    return _told(register)


def add_partitions(db: str, table: str, partitions: Sequence[str]) -> tuple[bool, str]:
    """Adds partitions to a table that was registered: `["y=2019/m=07/d=01/", ...]`, any number.

    Each contains its day as `y=2019/m=07/d=01`; a bucket or folder before it is passed over.
    """

    def add(store: FeatureStore) -> str:
        if not isinstance(partitions, Sequence):
            raise InvalidArgumentError(f"partitions are a list of text, not {partitions!r}")
        listed = [partitions] if isinstance(partitions, str) else partitions
        made = store.add_partitions(db, table, [_partition_of(each) for each in listed])
        return (
            f"{len(made.added)} partitions are added to table {db}.{table}, "
            f"{len(made.present)} were there"
        )

    return _told(add)


def _has_numbers(frame: pd.DataFrame, column: str) -> bool:
    """True also for what is no frame or has no such column, of which the store tells."""
    kind = getattr(getattr(frame, "dtypes", {}).get(column), "kind", "i")
    return kind in "iuf"


def _partition_of(text: str) -> str:
    """The day within a partition's address; another text as it is, for the store to judge."""
    if not isinstance(text, str):
        raise InvalidArgumentError(f"a partition is text such as 'y=2019/m=07/d=01', not {text!r}")
    found = _DAY.search(text)
    return found.group() if found else text


class _Failure:
    """Why something was not done."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _chosen_store() -> FeatureStore:
    global _store
    with _lock:
        if _store is None:
            _store = open_store()
        return _store


def _attempt(work: Callable[[FeatureStore], T]) -> T | _Failure:
    try:
        return work(_chosen_store())
    except TidemarkError as error:
        return _Failure(str(error))


def _told(work: Callable[[FeatureStore], str]) -> tuple[bool, str]:
    done = _attempt(work)
    return (False, done.reason) if isinstance(done, _Failure) else (True, done)
