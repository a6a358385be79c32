"""Arrow tables as pandas and Polars frames, without changing a value.

pandas columns are numpy ones wherever that loses nothing. An integer or bool column with missing
values is pandas' nullable type (`Int64`, `boolean`), never float64. A nested column with missing
integers or bools inside keeps its Arrow type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa


def to_pandas(table: pa.Table) -> pd.DataFrame:
    import pandas as pd

    columns = {
        name: _column_to_pandas(column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    return pd.DataFrame(columns)


def to_polars(table: pa.Table) -> pl.DataFrame:
    import polars as pl

    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _column_to_pandas(column: pa.ChunkedArray) -> pd.Series:
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_nested(column.type):
        if any(_has_missing_integers(chunk) for chunk in column.chunks):
            return pd.Series(column.to_pandas(types_mapper=pd.ArrowDtype))
        return column.to_pandas()
    if column.null_count == 0:
        return column.to_pandas()
    return column.to_pandas(types_mapper=_nullable)


def _nullable(arrow_type: pa.DataType) -> pd.api.extensions.ExtensionDtype | None:
    import pandas as pd

    dtypes = {
        "int8": pd.Int8Dtype(),
        "int16": pd.Int16Dtype(),
        "int32": pd.Int32Dtype(),
        "int64": pd.Int64Dtype(),
        "uint8": pd.UInt8Dtype(),
        "uint16": pd.UInt16Dtype(),
        "uint32": pd.UInt32Dtype(),
        "uint64": pd.UInt64Dtype(),
        "bool": pd.BooleanDtype(),
    }
    return dtypes.get(str(arrow_type))


def _has_missing_integers(array: pa.Array) -> bool:
    """True if integers or bools inside are missing, which numpy could only show as floats."""
    import pyarrow as pa

    if pa.types.is_struct(array.type):
        return any(_has_missing_integers(child) for child in array.flatten())
    if pa.types.is_map(array.type):
        return _has_missing_integers(array.items)
    if pa.types.is_nested(array.type):
        return _has_missing_integers(array.flatten())
    if pa.types.is_integer(array.type) or pa.types.is_boolean(array.type):
        return bool(array.null_count)
    return False
