"""Rows that a caller hands in (pandas, Polars, Arrow, Python, a file) as the engine takes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from tidemark.errors import InvalidArgumentError, InvalidDataError

if TYPE_CHECKING:
    import pyarrow as pa


class ArrowStream(Protocol):
    """Anything that exports an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


# A pandas or Polars frame, an Arrow table, batch or reader, {column: values}, or [{column: value}].
RowsLike = Any

# What pyarrow raises for values that make no column: its own errors are among these.
_NOT_A_COLUMN = (
    TypeError,
    ValueError,
    OverflowError,
    AttributeError,
    NotImplementedError,
    KeyError,
)

# What begins a cell that is no text; no UTF-8 text has this byte.
_MARK = b"\xff"
# How the engine's message goes on behind the column and the row of such a cell.
_BYTES_ARE_NO_TEXT = ": the bytes "


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


def as_rows_to_sift(
    rows: RowsLike, what: str, without_text: Callable[[], Mapping[str, str]]
) -> tuple[ArrowStream | str, bool]:
    """The same for rows of which bad ones are to be left out, and whether it has text to be read.

    A value that does not go together with the others of its column must not fail all of them: such
    a column is given as text, if it is none of `without_text`, whose values text would change: a
    column of text among these gets marks instead (`with_marks_read`), where it has other values.
    """
    try:
        return as_stream_or_path(rows, what), False
    except InvalidDataError as error:
        columns = _values_of(rows, what)
        if columns is None:
            raise
        import pyarrow as pa

        kept = without_text()
        arrays = {name: _sifted(name, values, what, kept) for name, values in columns.items()}
        if len({len(array) for array in arrays.values()}) > 1:
            raise error from None
        return pa.table(arrays), True


def is_one_shot(rows: RowsLike) -> bool:
    """True for a reader, which is spent once it was read."""
    return hasattr(rows, "read_next_batch")


def _from_pandas(rows: Any, what: str) -> pa.Table:
    import pyarrow as pa

    if not hasattr(rows, "columns"):
        raise InvalidArgumentError(f"{what}: give a DataFrame, not a {type(rows).__name__}")
    try:
        table = pa.Table.from_pandas(rows, preserve_index=False)
    except (*_NOT_A_COLUMN, pa.ArrowException) as error:
        for name, values in rows.items():
            _column(str(name), values, what)  # says which column, and which row
        raise InvalidDataError(_reason(error), what) from None
    return table.replace_schema_metadata(None)


def _from_python(rows: Mapping[str, Any] | Sequence[Any], what: str) -> pa.Table:
    import pyarrow as pa

    columns = rows if isinstance(rows, Mapping) else _columns_of(rows, what)
    arrays = {name: _column(name, values, what) for name, values in columns.items()}
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        raise InvalidDataError(f"columns have different numbers of values: {lengths}", what)
    return pa.table(arrays)


def _columns_of(rows: Sequence[Any], what: str) -> dict[str, list[Any]]:
    """Rows as columns: all members that any row has; a row without one has a null there."""
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InvalidDataError(
                f"row {number} is a {type(row).__name__}, not {{column: value}}", what
            )
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _column(name: str, values: Any, what: str) -> pa.Array:
    """One column; what cannot be one is an error that names the column and the row."""
    import pyarrow as pa

    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise InvalidArgumentError(
            f"{what}: column {name!r} is one {type(values).__name__}: give a list of values"
        )
    is_pandas = type(values).__module__.partition(".")[0] == "pandas"
    listed = values if is_pandas or hasattr(values, "__arrow_array__") else list(values)
    try:
        return pa.array(listed)
    except _NOT_A_COLUMN as error:
        row = _first_bad_row(list(listed), is_pandas)
        raise InvalidDataError(
            f"column {name!r}, row {row}: {list(listed)[row]!r} does not go together with the "
            f"values before it ({_reason(error)})",
            what,
        ) from None


def _values_of(rows: RowsLike, what: str) -> Mapping[str, Any] | None:
    """Columns of Python values; None for rows of another form."""
    if hasattr(rows, "columns") and hasattr(rows, "items"):
        return {str(name): values for name, values in rows.items()}
    if isinstance(rows, Mapping):
        return rows
    return _columns_of(rows, what) if isinstance(rows, Sequence) else None


def _sifted(name: str, values: Any, what: str, without_text: Mapping[str, str]) -> pa.Array:
    import pyarrow as pa

    try:
        return _column(name, values, what)
    except InvalidDataError:
        if without_text.get(name) == "string":
            return _marked(values)
        if name in without_text:
            raise
        return pa.array([_text(value) for value in values], pa.string())


def _marked(values: Any) -> pa.Array:
    """A column of text, where other values are bytes that are no text: the engine leaves out their
    rows, and gives them back.
    """
    import pyarrow as pa

    def cell(value: Any) -> bytes | None:
        if isinstance(value, str):
            return value.encode(errors="surrogatepass")
        shown = _text(value)
        return None if shown is None else _MARK + shown.encode()

    cells = pa.array([cell(value) for value in values], pa.binary())
    return pa.Array.from_buffers(pa.string(), len(cells), cells.buffers())


def with_marks_read(rejected: pa.Table) -> pa.Table:
    """Rows that were left out, as they came: marks are what they stand for."""
    import pyarrow as pa

    errors = rejected.column("error").to_pylist()
    for place, field in enumerate(rejected.schema):
        if field.type != pa.string() or field.name == "error":
            continue
        cells = rejected.column(place).cast(pa.binary()).to_pylist()
        marked = [row for row, cell in enumerate(cells) if cell and cell.startswith(_MARK)]
        for row in marked:
            cells[row] = cells[row].removeprefix(_MARK)
            where, is_about_it, _ = errors[row].partition(_BYTES_ARE_NO_TEXT)
            if is_about_it:
                shown = cells[row].decode(errors="replace")
                errors[row] = (
                    f"{where}: {shown} does not go together with the others, which are text"
                )
        if marked:
            column = pa.array(
                [None if each is None else each.decode(errors="replace") for each in cells],
                pa.string(),
            )
            rejected = rejected.set_column(place, field, column)
    return rejected.set_column(rejected.num_columns - 1, "error", pa.array(errors, pa.string()))


def _text(value: Any) -> str | None:
    """What the engine reads as the same value; of what has no such text, what Python prints."""
    if value is None or type(value).__name__ in ("NaTType", "NAType") or value != value:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)


def _first_bad_row(values: Sequence[Any], is_pandas: bool) -> int:
    """The first value that does not go together with those before it."""
    import pyarrow as pa

    low, high = 0, len(values)  # the first `low` values are fine, the first `high` are not
    while high - low > 1:
        middle = (low + high) // 2
        try:
            pa.array(values[:middle], from_pandas=is_pandas)
            low = middle
        except _NOT_A_COLUMN:
            high = middle
    return low


def _reason(error: Exception) -> str:
    """The message of pyarrow; from_pandas adds the column as a second argument."""
    return "; ".join(str(each) for each in error.args)
