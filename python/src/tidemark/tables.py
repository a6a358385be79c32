"""Feature tables: rows that Tidemark keeps itself, and what a store does with them."""

from __future__ import annotations

import contextlib
import copy
import glob
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tidemark import frames
from tidemark.aio import async_twin, current_token
from tidemark.errors import AlreadyExistsError, InvalidArgumentError, IoError, NotFoundError
from tidemark.existing import ExistingData
from tidemark.feature_view import FeatureView
from tidemark.places import TablePlaces
from tidemark.progress import ProgressBar
from tidemark.rows import (
    RowsLike,
    as_rows_to_sift,
    as_stream,
    as_stream_or_path,
    with_marks_read,
)
from tidemark.source import IcebergSource
from tidemark.table_upkeep import TableUpkeep, as_rows
from tidemark.table_upkeep import name_of as _name_of
from tidemark.times import time_us
from tidemark.types import DataType, from_pyarrow
from tidemark.warehouse_source import AdbcSource

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from tidemark import _native
    from tidemark.entity import Entity
    from tidemark.reports import Plan

Moment = datetime | date | str
_NAME_PIECE = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")
_VERSION = re.compile(r"v?(\d+)")
_USUAL_TIME = "event_timestamp"
_NUMBERS = ("int32", "int64", "float32", "float64")
_READ_FROM_TEXT = (*_NUMBERS, "bool", "date", "timestamp")


class PushMode(StrEnum):
    """Where pushed rows go."""

    ONLINE = "online"
    OFFLINE = "offline"
    ONLINE_AND_OFFLINE = "online_and_offline"


@dataclass(frozen=True)
class IngestReport:
    """What writing rows did.

    `rows` were taken, `online_rows` of them are online; rows `ahead` of the clock come online when
    `materialize` finds them due. `repeated`: this batch was written before, and nothing changed.
    A read with `at_least=token` sees the write, or fails. `rejected` holds the rows that did not
    fit, with a column "error"; None if all did.
    """

    rows: int
    online_rows: int
    ahead: int
    repeated: bool
    token: str
    warnings: tuple[str, ...]
    rejected: pa.Table | None = None

    @classmethod
    def of(cls, told: _native.IngestReport, rejected: pa.Table | None = None) -> IngestReport:
        return cls(
            told.rows,
            told.online_rows,
            told.ahead,
            told.repeated,
            told.token,
            tuple(told.warnings),
            rejected,
        )


@dataclass(frozen=True)
class FlushedTable:
    """A table whose logged rows have come into its files."""

    table: str
    rows: int
    snapshot_id: int


@dataclass(frozen=True)
class Snapshot:
    """One state of a table, as other engines see it."""

    id: int
    parent: int
    committed: str
    operation: str
    rows: int
    files: int
    tags: tuple[str, ...]


def table_name(client: str, application: str, feature: str, version: int | str) -> str:
    """The conventional name of a feature table: `business_user_activity_v0001`."""
    pieces = {"client": client, "application": application, "feature": feature}
    for what, piece in pieces.items():
        if not _NAME_PIECE.fullmatch(piece):
            raise InvalidArgumentError(
                f"table_name: {what} {piece!r} is not made of letters and digits"
            )
    number = _VERSION.fullmatch(str(version))
    if number is None:
        raise InvalidArgumentError(
            f"table_name: version {version!r} is not a number, or one after a v"
        )
    return f"{client}_{application}_{feature}_v{int(number.group(1)):04d}"


class TableRows:
    """Rows of a table that have been asked for; each method reads them anew."""

    def __init__(
        self,
        store: _native.Store,
        table: str,
        request: _native.TableRequest,
        entities: RowsLike | None,
    ) -> None:
        self._store = store
        self._table = table
        self._request = request
        self._entities = entities

    def to_arrow(self) -> pa.Table:
        import pyarrow as pa

        entities = None
        if self._entities is not None:
            entities = as_stream(self._entities, f"entities of table {self._table}")
        stream = self._store.read_table(self._table, self._request, entities, current_token())
        return pa.Table.from_batches(list(_batches(stream)), pa.schema(stream))

    def to_df(self) -> pd.DataFrame:
        """A pandas frame; integers with missing values are `Int64`, bools `boolean`."""
        return frames.to_pandas(self.to_arrow())

    def to_polars(self) -> pl.DataFrame:
        return frames.to_polars(self.to_arrow())

    def to_parquet(self, path: str | os.PathLike[str]) -> int:
        """Writes a Parquet file, which appears whole or not at all; gives the number of rows."""
        import pyarrow.parquet as pq

        target = os.path.abspath(os.fspath(path))
        rows = self.to_arrow()
        unfinished = f"{target}.{uuid.uuid4().hex}.tmp"
        try:
            pq.write_table(rows, unfinished, compression="zstd", write_page_checksum=True)
            os.replace(unfinished, target)
        except OSError as error:
            raise IoError(f"{target} cannot be written: {error}") from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(unfinished)
        count: int = rows.num_rows
        return count

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        capsule: object = self.to_arrow().__arrow_c_stream__(requested_schema)
        return capsule

    to_arrow_async = async_twin(to_arrow)
    to_df_async = async_twin(to_df)
    to_polars_async = async_twin(to_polars)
    to_parquet_async = async_twin(to_parquet)


class FeatureTables(TableUpkeep, TablePlaces, ExistingData):
    """The part of a store that keeps rows of its own; `FeatureStore` has all of these methods."""

    _store: _native.Store

    if TYPE_CHECKING:

        @property
        def repo_path(self) -> str: ...

        @property
        def url(self) -> str | None: ...
        def apply(self, objects: Any) -> Plan: ...
        def get_feature_view(self, name: str) -> FeatureView: ...
        def get_entity(self, name: str) -> Entity: ...
        def list_feature_views(self) -> list[FeatureView]: ...
        def delete_feature_view(self, name: str) -> None: ...

    # --- Making tables ---

    def create_table(
        self,
        definition: FeatureView | Mapping[str, Any] | str | os.PathLike[str],
        *,
        time_unit: str | None = None,
        catalog: bool = True,
        database: str = "",
    ) -> FeatureView:
        """Makes a feature table of a `FeatureView`, or of a schema file.

        A view without a batch source is kept by Tidemark. One whose batch source has no data yet
        (a folder that is empty or not there, its schema declared) gets its rows there, file by
        file.

        The file (or a mapping like it) is JSON: `{"name", "entities": [..], "schema": [{"name",
        "type"}, ..]}`, with `event_timestamp` among the schema. Entities that the schema does not
        list get their type from the first rows. `time_unit` (s, ms, us, ns) is for a schema whose
        event_timestamp is an integer. `catalog=False` keeps the table from SQL and other engines.
        `database` (see `create_database`) is another than the project's own.
        """
        if not isinstance(definition, FeatureView):
            schema = _read_schema(definition)
            self._store.create_table(
                json.dumps(schema), _USUAL_TIME, time_unit or "", True, catalog, database
            )
            return self.get_feature_view(schema["name"])
        source = definition.source
        if isinstance(source, IcebergSource | AdbcSource):
            is_iceberg = isinstance(source, IcebergSource)
            kind = "an Iceberg table of another engine" if is_iceberg else "a warehouse"
            raise InvalidArgumentError(f"feature view {definition.name} reads {kind}: apply it")
        if source is not None and self.url is None and _has_data(self.repo_path, source.path):
            raise InvalidArgumentError(
                f"feature view {definition.name} has a batch source with data, "
                f"{source.path!r}: leave it out and Tidemark keeps the rows, or apply "
                "the view as it is"
            )
        if any(each.name == definition.name for each in self.list_feature_views()):
            raise AlreadyExistsError(
                f"there is a feature view {definition.name!r} already: ingest into it, add fields "
                "to it by apply, or drop it first"
            )
        if source is None and (database or not catalog):
            definition = copy.copy(definition)
            kept = definition.table
            definition.table = replace(
                kept, catalog=catalog and kept.catalog, database=database or kept.database
            )
        self.apply([definition])
        return self.get_feature_view(definition.name)

    def create_table_from(
        self,
        df: RowsLike,
        *,
        name: str,
        entities: Sequence[str] | None = None,
        time_column: str | None = None,
        time_unit: str | None = None,
        catalog: bool = True,
        database: str = "",
    ) -> FeatureView:
        """Makes a feature table whose columns are those of a frame; no row is written.

        `entities` are the columns that rows are looked up by; without them the table can only be
        read whole. `time_column` holds event times: timestamps, ISO-8601 text, or numbers of
        `time_unit` (s, ms, us or ns) since 1970; without it, "event_timestamp" or the only
        timestamp column.
        """
        import pyarrow as pa

        schema = pa.RecordBatchReader.from_stream(as_stream(df, f"rows for table {name}")).schema
        for column in schema.names:
            if schema.names.count(column) > 1:
                raise InvalidArgumentError(
                    f"column {column!r} is there {schema.names.count(column)} times: a table has "
                    "each name once",
                    f"table {name}",
                )
        types = {field.name: _type_of(field, name) for field in schema}
        entities = _names("entities", entities)
        time_name = time_column or _only_time(types, name)
        for column in (*entities, time_name):
            if column not in types:
                raise NotFoundError(
                    f"there is no column {column!r}; there are: {', '.join(types)}", f"table {name}"
                )
        if time_unit is not None and str(types[time_name]) not in _NUMBERS:
            raise InvalidArgumentError(
                f"table {name}: time_unit is for numbers, and column {time_name!r} is "
                f"{types[time_name]}"
            )
        stated = {
            "name": name,
            "entities": entities,
            "schema": [{"name": each, "type": str(dtype)} for each, dtype in types.items()],
        }
        self._store.create_table(
            json.dumps(stated), time_name, time_unit or "", bool(entities), catalog, database
        )
        return self.get_feature_view(name)

    def drop_table(self, name: str) -> None:
        """Removes a feature table, its rows and its definition.

        Of a registered table ("database.table") only the registration goes; its files stay, but for
        those of a training set that was persisted into it.
        """
        if self._store.drop_registered_table(name):
            return
        if self.get_feature_view(name).source is not None:
            raise InvalidArgumentError(
                f"feature view {name} reads rows of others: delete_feature_view removes it"
            )
        self.delete_feature_view(name)

    # --- Writing ---

    def ingest(
        self,
        table: str | FeatureView,
        data: RowsLike,
        to: PushMode | str | None = None,
        *,
        dry_run: bool = False,
        on_error: str = "raise",
        idempotency_key: str = "",
    ) -> IngestReport:
        """Appends rows: all of them, durably, or none.

        `data` is a pandas or Polars frame, an Arrow table or stream, or the path of a Parquet or
        CSV file. `to` is "online", "offline" or "online_and_offline" ("both"); by default both
        where the view is online. `dry_run` checks every row and writes nothing. With
        `on_error="skip"` rows that do not fit are left out and given back in the report. A batch
        with an `idempotency_key` that was written within a day changes nothing. Into a view with a
        batch source the rows go as a new file of its folder.
        """
        if on_error not in ("raise", "skip"):
            raise InvalidArgumentError(f"on_error is 'raise' or 'skip', not {on_error!r}")
        name = _name_of(table)
        what = f"rows for table {name}"
        skips, has_text = on_error == "skip", False
        if skips:
            rows, has_text = as_rows_to_sift(data, what, lambda: self._columns_without_text(name))
        else:
            rows = as_stream_or_path(data, what)
        with ProgressBar() as bar:
            request = _request(to, dry_run, skips, False, idempotency_key, bar, reads_text=has_text)
            told, rejected = self._store.ingest(name, rows, request, current_token())
        left_out = None if rejected is None else _table_of(rejected)
        if left_out is not None and has_text:
            left_out = with_marks_read(left_out)
        return IngestReport.of(told, left_out)

    def _columns_without_text(self, name: str) -> dict[str, str]:
        """Columns of a view whose values are not told from their text, with their types: text
        itself is one.
        """
        view = self.get_feature_view(name)
        typed = {field.name: str(field.dtype) for field in view.schema}
        for entity in map(self.get_entity, view.entities):
            typed |= {key: str(entity.key_types.get(key, "")) for key in entity.join_keys}
        return {
            column: dtype
            for column, dtype in typed.items()
            if dtype not in _READ_FROM_TEXT and not dtype.startswith("decimal")
        }

    def push(
        self,
        push_source_name: str,
        df: RowsLike,
        allow_registry_cache: bool = True,
        to: PushMode | str = PushMode.ONLINE,
        *,
        idempotency_key: str = "",
    ) -> dict[str, IngestReport]:
        """Writes rows to every feature view that has the push source; a report for each view.

        All of them get the rows, or none. Columns that a view does not have are passed over.
        `push_source_name` may also be the name of a feature table.
        """
        del allow_registry_cache  # the registry is always read as it is
        rows = as_stream_or_path(df, f"rows for push source {push_source_name}")
        request = _request(to, False, False, True, idempotency_key, None)
        told = self._store.push(push_source_name, rows, request, current_token())
        return {view: IngestReport.of(report) for view, report in told}

    def delete(
        self,
        table: str | FeatureView,
        keys: RowsLike,
        event_time: Moment | None = None,
        to: PushMode | str | None = None,
    ) -> IngestReport:
        """Appends a deletion of each entity: from `event_time` (now) on its lookups find nothing.

        `keys` are `{"id": 1}`, `[{"id": 1}, ...]`, `{"id": [1, 2]}` or a frame of the join keys,
        and may have the column of event times instead of `event_time`. Earlier moments, and so
        training sets for them, still see the rows.
        """
        name = _name_of(table)
        rows = as_stream_or_path(as_rows(keys), f"keys of table {name}")
        event_us = None if event_time is None else time_us(event_time)
        request = _request(to, False, False, False, "", None)
        told = self._store.delete_rows(name, rows, event_us, request, current_token())
        return IngestReport.of(told)

    def flush(
        self, tables: Sequence[str | FeatureView] | str | FeatureView | None = None
    ) -> list[FlushedTable]:
        """Brings logged rows into the tables' files, where other engines see them."""
        listed = [tables] if isinstance(tables, str | FeatureView) else tables or []
        made = self._store.flush([_name_of(each) for each in listed])
        return [FlushedTable(each.view, each.rows, each.snapshot_id) for each in made]

    # --- Reading ---

    def snapshots(self, table: str | FeatureView) -> list[Snapshot]:
        """The snapshots of a table, oldest first."""
        listed = json.loads(self._store.snapshots(_name_of(table)))
        return [Snapshot(**{**each, "tags": tuple(each["tags"])}) for each in listed]

    def get_training_features(
        self,
        table: str | FeatureView,
        entities: RowsLike | None = None,
        features: Sequence[str] | None = None,
        date_from: Moment | None = None,
        date_to: Moment | None = None,
        latest: bool = False,
        *,
        as_of: Moment | int | None = None,
        at_least: str = "",
    ) -> TableRows:
        """Every version of a table's rows in a period, oldest first within each entity.

        `entities` are join keys (`{"id": [1, 2]}`, a frame) whose rows are wanted. `latest` gives
        only the row of each entity that counts at the end of the period. `as_of` is a time (rows
        written up to then) or a snapshot id.
        """
        from tidemark import _native

        request = _native.TableRequest(
            reading=table_reading(as_of, at_least),
            columns=_names("features", features),
            start_us=None if date_from is None else time_us(date_from),
            end_us=None if date_to is None else time_us(date_to),
            latest=latest,
        )
        return TableRows(self._store, _name_of(table), request, entities)

    create_table_async = async_twin(create_table)
    create_table_from_async = async_twin(create_table_from)
    drop_table_async = async_twin(drop_table)
    ingest_async = async_twin(ingest)
    push_async = async_twin(push)
    delete_async = async_twin(delete)
    flush_async = async_twin(flush)
    snapshots_async = async_twin(snapshots)
    get_training_features_async = async_twin(get_training_features)


def table_reading(as_of: Moment | int | None, at_least: str | None = "") -> _native.TableReading:
    """What of tables a read sees: `as_of` a time or a snapshot id, `at_least` a write's token."""
    from tidemark import _native

    is_id = isinstance(as_of, int)
    return _native.TableReading(
        as_of_us=None if as_of is None or is_id else time_us(as_of),  # type: ignore[arg-type]
        snapshot_id=as_of if is_id else None,  # type: ignore[arg-type]
        at_least=at_least or "",
    )


def _request(
    to: PushMode | str | None,
    dry_run: bool,
    skip: bool,
    ignore_others: bool,
    key: str,
    bar: ProgressBar | None,
    *,
    reads_text: bool = False,
) -> _native.IngestRequest:
    from tidemark import _native

    target = "" if to is None else to.value if isinstance(to, PushMode) else to
    return _native.IngestRequest(
        to="online_and_offline" if target == "both" else target,
        dry_run=dry_run,
        skip_bad_rows=skip,
        reads_text=reads_text,
        ignore_other_columns=ignore_others,
        idempotency_key=key,
        progress=bar.callback if bar else None,
    )


def _names(what: str, names: Sequence[str] | None) -> list[str]:
    """A list of names; one text, which would be taken for its letters, is an error."""
    if isinstance(names, str):
        raise InvalidArgumentError(f"{what} is a list: write [{names!r}]")
    return list(names or [])


def _type_of(field: pa.Field, table: str) -> DataType:
    try:
        return from_pyarrow(field.type)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"column {field.name!r}: {error}", f"table {table}") from None


def _has_data(folder: str, path: str) -> bool:
    """Whether a batch source has a file; names that begin with . or _ are no part of it."""
    found = glob.glob(os.path.join(folder, path), recursive=True)
    if os.path.exists(os.path.join(folder, path)):
        found = [os.path.join(folder, path)]
    for each in found:
        names = [each] if os.path.isfile(each) else [n for _, _, ns in os.walk(each) for n in ns]
        if any(not os.path.basename(name).startswith((".", "_")) for name in names):
            return True
    return False


def _batches(stream: _native.ResultStream) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    while (batch := stream.next()) is not None:
        yield pa.record_batch(batch)


def _table_of(stream: _native.ResultStream) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches(list(_batches(stream)), pa.schema(stream))


def _read_schema(definition: Mapping[str, Any] | str | os.PathLike[str]) -> Mapping[str, Any]:
    if isinstance(definition, Mapping):
        return definition
    where = f"schema file {os.fspath(definition)}"
    try:
        with open(definition, encoding="utf-8") as file:
            schema = json.load(file)
    except FileNotFoundError:
        raise NotFoundError(f"{where} is not there") from None
    except (ValueError, OSError) as error:
        raise InvalidArgumentError(f"{where} cannot be read: {error}") from None
    if not isinstance(schema, Mapping):
        raise InvalidArgumentError(f"{where} holds no JSON object")
    return schema


def _only_time(types: Mapping[str, DataType], table: str) -> str:
    if _USUAL_TIME in types:
        return _USUAL_TIME
    times = [name for name, dtype in types.items() if str(dtype) == "timestamp"]
    if len(times) != 1:
        found = f"there are several: {', '.join(times)}" if times else "there is none"
        raise InvalidArgumentError(
            f"table {table}: which column has the event times? {found}; name it as time_column"
        )
    return times[0]
