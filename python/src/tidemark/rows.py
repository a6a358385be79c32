"""Rows that a caller hands in (pandas, Polars, Arrow, Python, a file) as the engine takes them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tidemark.errors import InvalidArgumentError, InvalidDataError

if TYPE_CHECKING:
    import pyarrow as pa


class ArrowStream(Protocol):
    """Anything that exports an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


# A pandas or Polars frame, an Arrow table, batch or reader, {column: values}, or [{column: value}].
RowsLike = Any


def as_stream(rows: RowsLike, what: str) -> ArrowStream:
    """`rows` as something that exports an Arrow stream; `what` names them in errors."""
    package = type(rows).__module__.partition(".")[0]
    stream: ArrowStream
    if package == "pandas":
        stream = _from_pandas(rows, what)
    elif package == "polars" and hasattr(rows, "collect"):
        stream = rows.collect()
    elif hasattr(rows, "__arrow_c_stream__"):
        stream = rows
    elif hasattr(rows, "__arrow_c_array__"):
        import pyarrow as pa

        stream = pa.Table.from_batches([pa.record_batch(rows)])
    elif isinstance(rows, Mapping | Sequence) and not isinstance(rows, str | bytes):
        stream = _from_python(rows, what)
    else:
        raise InvalidArgumentError(
            f"{what}: a {type(rows).__name__} is not rows: give a pandas or Polars frame, an "
            "Arrow table or stream, or {column: values}"
        )
    return stream


def as_stream_or_path(rows: RowsLike, what: str) -> ArrowStream | str:
    """The same, and text or a path names a Parquet or CSV file."""
    if isinstance(rows, str | os.PathLike):
        return os.fsdecode(rows)
    return as_stream(rows, what)


def is_one_shot(rows: RowsLike) -> bool:
    """True for a reader, which is spent once it was read."""
    return hasattr(rows, "read_next_batch")


def _from_pandas(rows: Any, what: str) -> pa.Table:
    import pyarrow as pa

    if not hasattr(rows, "columns"):
        raise InvalidArgumentError(f"{what}: give a DataFrame, not a {type(rows).__name__}")
    try:
        table = pa.Table.from_pandas(rows, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidDataError(_reason(error), what) from None
    return table.replace_schema_metadata(None)


def _from_python(rows: Mapping[str, Any] | Sequence[Any], what: str) -> pa.Table:
    import pyarrow as pa

    try:
        if isinstance(rows, Mapping):
            return pa.table({name: pa.array(values) for name, values in rows.items()})
        return pa.Table.from_pylist(list(rows))
    except (pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        raise InvalidDataError(_reason(error), what) from None


def _reason(error: Exception) -> str:
    """The message of pyarrow; from_pandas adds the column as a second argument."""
    return "; ".join(str(each) for each in error.args)
