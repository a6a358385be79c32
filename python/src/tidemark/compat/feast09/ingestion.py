"""Rows as scripts have them, as the engine takes them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tidemark.compat.feast09.data_source import BatchSource, FileSource
from tidemark.compat.feast09.feature_table import FeatureTable
from tidemark.compat.feast09.value_type import ValueType
from tidemark.compat.store_address import local_path
from tidemark.errors import InvalidDataError, NotFoundError, UnsupportedError
from tidemark.rows import as_stream

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def rows_for(table: FeatureTable, source: pd.DataFrame | str) -> pa.Table:
    """The rows of `source` with the columns of the table, under the names that it has for them."""
    import pyarrow as pa

    what = f"rows for feature table {table.name}"
    if isinstance(source, str | os.PathLike):
        rows = _read_file(local_path(os.fspath(source)), what)
    else:
        rows = pa.RecordBatchReader.from_stream(as_stream(source, what)).read_all()
    rows = _with_table_names(table, rows)
    rows = _with_created_times(table, rows)
    wanted = [*table.entities, *(each.name for each in table.features), *_time_columns(table)]
    rows = rows.select([name for name in dict.fromkeys(wanted) if name in rows.column_names])
    return _with_narrow_floats(table, rows)


def _mapping(table: FeatureTable) -> dict[str, str]:
    return table.batch_source.field_mapping if table.batch_source else {}


def _time_columns(table: FeatureTable) -> list[str]:
    """The columns of times, under the names that the table has for them."""
    source = table.batch_source
    if source is None:
        return []
    stated = (source.event_timestamp_column, source.created_timestamp_column)
    return [_mapping(table).get(each, each) for each in stated if each]


def _with_table_names(table: FeatureTable, rows: pa.Table) -> pa.Table:
    mapping = {
        column: name for column, name in _mapping(table).items() if name not in rows.column_names
    }
    return rows.rename_columns([mapping.get(name, name) for name in rows.column_names])


def _with_created_times(table: FeatureTable, rows: pa.Table) -> pa.Table:
    import pyarrow as pa

    source = table.batch_source
    if source is None or not source.created_timestamp_column:
        return rows
    name = _time_columns(table)[-1]
    if name in rows.column_names:
        return rows
    now = pa.scalar(datetime.now(UTC), pa.timestamp("us", tz="UTC"))
    return rows.append_column(name, pa.repeat(now, rows.num_rows))


def _with_narrow_floats(table: FeatureTable, rows: pa.Table) -> pa.Table:
    """Numbers for FLOAT features, which a frame has as 64 bit: the nearest ones of 32 bit."""
    import pyarrow as pa

    narrow = {ValueType.FLOAT: pa.float32(), ValueType.FLOAT_LIST: pa.list_(pa.float32())}
    wide = (pa.float64(), pa.list_(pa.float64()))
    for feature in table.features:
        if not isinstance(feature.dtype, ValueType) or feature.dtype not in narrow:
            continue
        place = rows.schema.get_field_index(feature.name)
        if place >= 0 and rows.schema.field(place).type in wide:
            column = rows.column(place).cast(narrow[feature.dtype], safe=False)
            rows = rows.set_column(place, feature.name, column)
    return rows


def entity_rows_of(source: pd.DataFrame | BatchSource) -> tuple[Any, str | None]:
    """Entity rows, and the column of their times if it is known."""
    if not isinstance(source, BatchSource):
        return source, None
    if not isinstance(source, FileSource):
        raise UnsupportedError(
            f"entity rows of a {type(source).__name__} are not read by this version: give a frame "
            "or a FileSource"
        )
    what = "entity rows"
    rows = _read_file(source.path, what)
    names = [source.field_mapping.get(name, name) for name in rows.column_names]
    time_column = source.event_timestamp_column
    return rows.rename_columns(names), source.field_mapping.get(time_column, time_column) or None


def _read_file(path: str, what: str) -> pa.Table:
    """A Parquet, CSV or JSON file, or a folder of Parquet files."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    if not os.path.exists(path):
        raise NotFoundError(f"there is no file {path}", what)
    endings = {".csv": "csv", ".json": "json", ".jsonl": "json"}
    file_format = endings.get(os.path.splitext(path)[1].lower(), "parquet")
    try:
        return ds.dataset(path, format=file_format).to_table()
    except (pa.ArrowException, OSError) as error:
        raise InvalidDataError(f"{path} cannot be read: {error}", what) from None
