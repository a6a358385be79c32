"""Request data of lookups: columns of the entity rows that on-demand features are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidemark import types
from tidemark.errors import NotFoundError, TypeMismatchError

if TYPE_CHECKING:
    import pyarrow as pa


def batch(
    wanted: Sequence[tuple[str, str]],
    entity_rows: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]],
) -> pa.RecordBatch:
    """A batch of the columns (name, type) that are wanted, taken out of entity rows.

    NotFoundError for one that is not given; TypeMismatchError for values of another type.
    """
    import pyarrow as pa

    arrays: list[pa.Array] = []
    for name, dtype in wanted:
        values = _column(name, dtype, entity_rows)
        try:
            arrays.append(pa.array(values, types.parse(dtype).to_pyarrow()))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise TypeMismatchError(f"request data {name} is {dtype}: {error}") from None
    return pa.record_batch(arrays, names=[name for name, _ in wanted])


def as_type(name: str, dtype: str, values: pa.Array) -> pa.Array:
    """A column of entity rows as request data: cast if nothing is lost."""
    import pyarrow as pa

    wanted = types.parse(dtype).to_pyarrow()
    if values.type == wanted:
        return values
    is_number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if pa.types.is_string(wanted) and is_number:
        raise TypeMismatchError(f"request data {name} is {dtype}, not {values.type}")
    try:
        return values.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise TypeMismatchError(f"request data {name} is {dtype}: {error}") from None


def _column(
    name: str,
    dtype: str,
    entity_rows: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]],
) -> list[Any]:
    missing = f"request data {name!r} ({dtype}) is needed"
    if isinstance(entity_rows, Mapping):
        if name not in entity_rows:
            raise NotFoundError(f"{missing}; there is: {', '.join(entity_rows)}", "entity rows")
        return list(entity_rows[name])
    for place, row in enumerate(entity_rows):
        if name not in row:
            raise NotFoundError(f"{missing}; there is: {', '.join(row)}", f"entity row {place}")
    return [row[name] for row in entity_rows]
