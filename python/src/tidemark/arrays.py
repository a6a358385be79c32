"""Columns of an Arrow table as numpy arrays and as tensors, without changing a value unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemark.errors import InvalidArgumentError, TypeMismatchError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa

Missing = int | float | bool


def chosen(table: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    """The named columns, in their order; all of them without names."""
    if columns is None:
        return table
    if isinstance(columns, str):
        raise InvalidArgumentError(f"columns is a list: columns=[{columns!r}]")
    for name in columns:
        if name not in table.column_names:
            raise InvalidArgumentError(
                f"there is no column {name!r}; there are: {', '.join(table.column_names)}"
            )
    return table.select(list(columns))


def to_numpy(table: pa.Table, missing: Missing | None) -> dict[str, np.ndarray[Any, Any]]:
    """The columns as arrays; `TrainingRows.to_numpy` says which types they have."""
    try:
        import numpy as np  # noqa: F401
    except ImportError:
        raise UnsupportedError("arrays need numpy: pip install numpy") from None
    return {name: _array(name, table.column(name), missing) for name in table.column_names}


def to_tensors(table: pa.Table, kind: str, default_value: Missing | None) -> dict[str, Any]:
    """Numbers as tensors, other columns as lists; `TrainingRows.to_tensor` has the rules."""
    if kind != "torch":
        raise UnsupportedError(f"kind={kind!r}: tensors are torch's: kind='torch'")
    try:
        import torch
    except ImportError:
        raise UnsupportedError(
            "tensors need torch, which is not installed: pip install torch, or use to_numpy()"
        ) from None
    arrays = to_numpy(table, default_value)
    return {name: _tensor(torch, name, table.column(name), array) for name, array in arrays.items()}


def _tensor(torch: Any, name: str, column: pa.ChunkedArray, array: np.ndarray[Any, Any]) -> Any:
    import numpy as np

    if array.dtype.kind not in "biuf":
        return column.to_pylist()
    if isinstance(array, np.ma.MaskedArray):
        raise TypeMismatchError(
            f"column {name!r} is {column.type} and has {column.null_count} missing values, which "
            "a tensor cannot show: give a default_value"
        )
    return torch.from_numpy(np.array(array))  # a copy: Arrow's memory must not be written to


def _array(name: str, column: pa.ChunkedArray, missing: Missing | None) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    kind = pa.types
    if kind.is_boolean(column.type) or kind.is_integer(column.type):
        return _of_whole_numbers(name, column, missing)
    if kind.is_floating(column.type):
        if missing is not None and column.null_count:
            column = column.fill_null(pa.scalar(missing, column.type))
        return _joined(column).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    if kind.is_timestamp(column.type) or kind.is_date(column.type):
        if kind.is_date64(column.type):
            column = column.cast(pa.date32())
        return _joined(column).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    if _is_list(column.type) and _is_number(column.type.value_type):
        return _of_lists(column)
    return _of_objects(column.to_pylist())


def _of_whole_numbers(
    name: str, column: pa.ChunkedArray, missing: Missing | None
) -> np.ndarray[Any, Any]:
    import numpy as np
    import pyarrow as pa

    if not column.null_count:
        return _joined(column).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    if missing is not None:
        try:
            filled = column.fill_null(pa.scalar(missing).cast(column.type))
        except pa.ArrowException:
            raise TypeMismatchError(
                f"column {name!r} is {column.type}: {missing!r} cannot stand for its missing values"
            ) from None
        return _joined(filled).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    zero = pa.scalar(0).cast(column.type)
    mask = _joined(column.is_null()).to_numpy(zero_copy_only=False)
    values = _joined(column.fill_null(zero)).to_numpy(zero_copy_only=False)
    return np.ma.MaskedArray(values, mask)


def _of_lists(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """A matrix of lists that are all of one length and whole, else an array of arrays."""
    import pyarrow.compute as pc

    rows = _joined(column)
    lengths = pc.min_max(pc.list_value_length(rows)).as_py()
    flat = rows.flatten()
    is_whole = len(rows) > 0 and rows.null_count == 0 and flat.null_count == 0
    if is_whole and lengths["min"] == lengths["max"]:
        values = flat.to_numpy(zero_copy_only=False)
        return values.reshape(len(rows), lengths["min"])  # type: ignore[no-any-return]
    return _of_objects(
        [None if row.as_py() is None else _array("", _chunked(row.values), None) for row in rows]
    )


def _of_objects(values: list[Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _chunked(array: pa.Array) -> pa.ChunkedArray:
    import pyarrow as pa

    return pa.chunked_array([array])


def _joined(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _is_list(dtype: pa.DataType) -> bool:
    import pyarrow as pa

    kind = pa.types
    return bool(kind.is_list(dtype) or kind.is_large_list(dtype) or kind.is_fixed_size_list(dtype))


def _is_number(dtype: pa.DataType) -> bool:
    import pyarrow as pa

    kind = pa.types
    return bool(kind.is_integer(dtype) or kind.is_floating(dtype) or kind.is_boolean(dtype))
