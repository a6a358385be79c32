"""SQL over a store: queries, snapshots, and results that are kept as dumps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from tidemark import frames
from tidemark.aio import async_twin, current_token
from tidemark.errors import InvalidArgumentError
from tidemark.feature_view import FeatureView
from tidemark.times import number_us, parse_duration, time_us

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from tidemark import _native

Moment = datetime | date | str
_MILLISECOND = timedelta(milliseconds=1)


def _folded(name: str) -> str:
    """A name as SQL takes it: in any case, and with `_` for `-`."""
    return name.lower().replace("-", "_")


class SqlResult:
    """The result of a query, which is running: its rows come as they are asked for.

    It can be read once as a stream (`batches`, or handed over as one); what `to_arrow`, `to_df` or
    `to_polars` has read is kept for the others. Memory does not grow with a stream.
    """

    def __init__(self, stream: _native.ResultStream) -> None:
        self._stream: _native.ResultStream | None = stream
        self._schema: pa.Schema | None = None
        self._table: pa.Table | None = None

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns, as a pyarrow schema."""
        import pyarrow as pa

        if self._schema is None:
            assert self._stream is not None
            self._schema = pa.schema(self._stream)
        return self._schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as record batches, each as it is made."""
        import pyarrow as pa

        if self._table is not None:
            yield from self._table.to_batches()
            return
        stream = self._take()
        while (batch := stream.next(current_token())) is not None:
            yield pa.record_batch(batch)

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        import pyarrow as pa

        if self._table is None:
            schema = self.schema
            self._table = pa.Table.from_batches(list(self.batches()), schema)
        return self._table

    def to_df(self) -> pd.DataFrame:
        """A pandas frame; integers with missing values are `Int64`, bools `boolean`."""
        return frames.to_pandas(self.to_arrow())

    def to_polars(self) -> pl.DataFrame:
        return frames.to_polars(self.to_arrow())

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self.batches()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        import pyarrow as pa

        reader = pa.RecordBatchReader.from_batches(self.schema, self.batches())
        capsule: object = reader.__arrow_c_stream__(requested_schema)
        return capsule

    def close(self) -> None:
        """Ends the query, if it is not read to its end."""
        self._stream = None

    def _take(self) -> _native.ResultStream:
        _ = self.schema
        stream, self._stream = self._stream, None
        if stream is None:
            raise InvalidArgumentError(
                "the result has been read already, as a stream: ask again, or keep what to_arrow() "
                "gives"
            )
        return stream

    to_arrow_async = async_twin(to_arrow)
    to_df_async = async_twin(to_df)
    to_polars_async = async_twin(to_polars)


class DumpId(NamedTuple):
    """What a dump is read again by, and its Parquet file."""

    query_id: str
    path: str


class DumpRows(NamedTuple):
    """The rows of a dump as a pandas frame, and their schema: types within nested ones and all."""

    df: pd.DataFrame
    schema: pa.Schema


@dataclass(frozen=True)
class Dump:
    """A result that is kept: what was asked and when, and what came of it.

    `columns` are names and Arrow types. `damage` says why it cannot be read; empty if it can, as
    far as is known without reading it.
    """

    query_id: str
    sql: str
    time: str
    rows: int
    bytes: int
    path: str
    tables: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    damage: str


class StoreSql:
    """The part of a store that answers SQL; `FeatureStore` has all of these methods."""

    _store: _native.Store

    if TYPE_CHECKING:

        def list_feature_views(self) -> list[FeatureView]: ...

    def sql(
        self,
        query: str,
        *,
        as_of: Moment | int | None = None,
        at_least: str = "",
        memory_limit: int | str | None = None,
        time_limit: timedelta | float | str | None = None,
    ) -> SqlResult:
        """Runs a query over feature tables and file sources.

        A table is named `project.table` ("feature_store.table" for the default project) or just
        `table`, in any case, and a `-` may be written `_`. The query reads their files and nothing
        else. Of feature tables, `as_of` is a time (rows written up to then) or a snapshot id, and
        `at_least` the token of a write that must be seen. `memory_limit` is a number of bytes or
        text as "2GiB", `time_limit` a timedelta, seconds, or text as "90s"; both end the query with
        an error.
        """
        request = _request(query, as_of, at_least, memory_limit, time_limit)
        return SqlResult(self._store.sql(query, request, current_token()))

    def snapshot(
        self,
        table: str | FeatureView,
        at: Moment | float | None = None,
        deleted: bool = False,
        *,
        as_of: Moment | int | None = None,
        at_least: str = "",
    ) -> SqlResult:
        """The latest row of each key of a feature table or view, in no order.

        `at` leaves out rows of later event times; where these are kept as numbers it may be one, in
        the table's unit. Keys whose latest row is a deletion are left out,
        unless `deleted`. Rows that are older than the view's ttl are there.
        """
        from tidemark import _native
        from tidemark.tables import table_reading

        name = table.name if isinstance(table, FeatureView) else table
        request = _native.SnapshotRequest(
            reading=table_reading(as_of, at_least),
            at_us=None if at is None else self._at_us(name, at),
            deleted=deleted,
        )
        return SqlResult(self._store.latest_rows(name, request, current_token()))

    def _at_us(self, table: str, at: Moment | float) -> int:
        if isinstance(at, bool) or not isinstance(at, int | float):
            return time_us(at)
        wanted = _folded(table.rpartition(".")[2])
        kept = next(
            (each.table for each in self.list_feature_views() if _folded(each.name) == wanted), None
        )
        if kept is None or kept.timestamp_type not in ("int64", "float64"):
            raise InvalidArgumentError(
                f"at={at!r}: {table!r} is no table of this project whose event times are numbers: "
                "give a datetime or ISO-8601 text"
            )
        return number_us(at, kept.time_unit)

    def dump(
        self,
        query: str,
        *,
        as_of: Moment | int | None = None,
        at_least: str = "",
        memory_limit: int | str | None = None,
        time_limit: timedelta | float | str | None = None,
    ) -> DumpId:
        """Writes the result of a query to the store's folder `dumps`, whole or not at all.

        Returns the id that `read_dump` takes, and the path of the Parquet file.
        """
        request = _request(query, as_of, at_least, memory_limit, time_limit)
        query_id, path, _, _ = self._store.dump(query, request, current_token())
        return DumpId(query_id, path)

    def read_dump(self, query_id: str) -> DumpRows:
        """The rows of a dump as a pandas frame, and their schema."""
        table = SqlResult(self._store.read_dump(query_id, current_token())).to_arrow()
        return DumpRows(frames.to_pandas(table), table.schema)

    def dumps(self) -> list[Dump]:
        """All dumps, oldest first."""
        return [
            Dump(
                query_id=each["id"],
                sql=each["sql"],
                time=each["time"],
                rows=each["rows"],
                bytes=each["bytes"],
                path=each["path"],
                tables=tuple(each["tables"]),
                columns=tuple((column["name"], column["type"]) for column in each["columns"]),
                damage=each["damage"],
            )
            for each in json.loads(self._store.dumps())
        ]

    def remove_dump(self, query_id: str) -> None:
        """Removes a dump and its file."""
        self._store.remove_dump(query_id)

    sql_async = async_twin(sql)
    snapshot_async = async_twin(snapshot)
    dump_async = async_twin(dump)
    read_dump_async = async_twin(read_dump)
    dumps_async = async_twin(dumps)
    remove_dump_async = async_twin(remove_dump)


def _request(
    query: str,
    as_of: Moment | int | None,
    at_least: str,
    memory_limit: int | str | None,
    time_limit: timedelta | float | str | None,
) -> _native.SqlRequest:
    from tidemark import _native
    from tidemark.tables import table_reading

    if not isinstance(query, str):
        raise InvalidArgumentError(f"a query is text, not a {type(query).__name__}")
    if isinstance(memory_limit, str):
        memory_limit = _native.parse_size(memory_limit)
    elif memory_limit is not None and type(memory_limit) is not int:
        kind = type(memory_limit).__name__
        raise InvalidArgumentError(f"a memory limit is a number of bytes or '2GiB', not a {kind}")
    limit_ms = None
    if time_limit is not None:
        length = time_limit if isinstance(time_limit, timedelta) else parse_duration(time_limit)
        limit_ms = -(-length // _MILLISECOND)  # rounded up
    return _native.SqlRequest(
        reading=table_reading(as_of, at_least),
        memory_bytes_max=memory_limit,
        time_limit_ms=limit_ms,
    )
