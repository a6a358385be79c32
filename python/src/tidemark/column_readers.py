"""What statistics ask of columns, answered by SQL where the rows are a store's, else by Arrow.

Both answer the same questions in the same way; no row passes through Python.

* Numbers (integers, floats, decimals) count as float64 in means, quantiles and bins. NaN and
  infinite values are counted apart and are in nothing else but bins (infinite ones, at the ends).
* Quantiles are exact, linear between the two nearest values (type 7 of Hyndman and Fan, 1996).
* Text compares by its UTF-8 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from tidemark.sorted_numbers import SortedNumbers, sorts

if TYPE_CHECKING:
    import pyarrow as pa


class Kind(StrEnum):
    """How the values of a column are looked at."""

    NUMBER = "number"
    BOOL = "bool"
    TEXT = "text"
    TIME = "time"
    OTHER = "other"  # nested values and bytes: only whether they are missing


@dataclass(frozen=True)
class Column:
    """A column to be looked at; `type` is its Arrow type as text."""

    name: str
    type: str
    kind: Kind
    is_float: bool = False


@dataclass(frozen=True)
class Summary:
    """A column in single numbers; what its kind does not have is None."""

    rows: int
    nulls: int
    nans: int
    infinite: int
    distinct: int | None
    min: Any
    max: Any
    mean: float | None
    std: float | None
    quantiles: tuple[float, ...] | None


class ColumnReader(Protocol):
    """Rows whose columns can be asked about."""

    @property
    def columns(self) -> Sequence[Column]: ...

    def summary(self, column: Column, quantiles: Sequence[float]) -> Summary:
        """Counts, range, mean, standard deviation (of a sample) and quantiles."""
        ...

    def top(self, column: Column, count: int) -> list[tuple[Any, int]]:
        """The most frequent values, missing ones and NaN aside; equals in the order of values."""
        ...

    def at_least(self, column: Column, marks: Sequence[float]) -> list[int]:
        """How many numbers there are, and for each mark how many that are not below it."""
        ...

    def counts(self, column: Column, values: Sequence[Any]) -> list[int]:
        """How many rows have each of these values, none of which is missing."""
        ...


def column_of(field: pa.Field) -> Column:
    import pyarrow as pa

    kind, of = Kind.OTHER, pa.types
    if of.is_integer(field.type) or of.is_floating(field.type) or of.is_decimal(field.type):
        kind = Kind.NUMBER
    elif of.is_boolean(field.type):
        kind = Kind.BOOL
    elif of.is_string(field.type) or of.is_large_string(field.type):
        kind = Kind.TEXT
    elif of.is_timestamp(field.type) or of.is_date(field.type):
        kind = Kind.TIME
    return Column(field.name, str(field.type), kind, of.is_floating(field.type))


class ArrowColumns:
    """Columns of a table in memory."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        fields = [_plain(field) for field in table.schema]
        self._types = {field.name: field.type for field in fields}
        self.columns = [column_of(field) for field in fields]
        # What was made of the last column that was asked about: questions about one come together.
        self._sorted: tuple[str, SortedNumbers] | None = None
        self._counted: tuple[str, pa.Table] | None = None

    def summary(self, column: Column, quantiles: Sequence[float]) -> Summary:
        import pyarrow.compute as pc

        if self._sorts(column):
            numbers = self._numbers_of(column)
            return Summary(
                numbers.rows,
                numbers.nulls,
                numbers.nans,
                numbers.infinite,
                numbers.distinct,
                *numbers.ends,
                *numbers.mean_and_std(),
                numbers.quantiles(quantiles),
            )
        values = self._values(column)
        if column.kind == Kind.TEXT:
            found = self._counts_of(column)
            ends = pc.min_max(found["value"]).as_py()
            missing = values.null_count
            return Summary(
                len(values), missing, 0, 0, len(found), ends["min"], ends["max"], None, None, None
            )
        rows, nulls = len(values), values.null_count
        values = values.drop_null()
        if column.kind == Kind.OTHER:
            return Summary(rows, nulls, 0, 0, None, None, None, None, None, None)
        nans = infinite = 0
        if column.is_float:
            nans = pc.sum(pc.is_nan(values)).as_py() or 0
            infinite = pc.sum(pc.is_inf(values)).as_py() or 0
            values = values.filter(pc.is_finite(values))
        ends = pc.min_max(values).as_py()
        mean = std = shares = None
        if column.kind in (Kind.NUMBER, Kind.BOOL) and len(values):
            floats = _as_float(values)
            mean = pc.mean(floats).as_py()
            std = pc.stddev(floats, ddof=1).as_py()
            if column.kind == Kind.NUMBER:
                shares = tuple(pc.quantile(floats, q=list(quantiles)).to_pylist())
        distinct = _count_distinct(values)
        return Summary(
            rows, nulls, nans, infinite, distinct, ends["min"], ends["max"], mean, std, shares
        )

    def top(self, column: Column, count: int) -> list[tuple[Any, int]]:
        import pyarrow.compute as pc

        if self._sorts(column):
            return self._numbers_of(column).top(count)
        table = self._counts_of(column)
        order = [("count", "descending"), ("value", "ascending")]
        best = table.take(pc.sort_indices(table, sort_keys=order)[:count])
        return list(zip(best["value"].to_pylist(), best["count"].to_pylist(), strict=True))

    def at_least(self, column: Column, marks: Sequence[float]) -> list[int]:
        import pyarrow.compute as pc

        if self._sorts(column):
            return self._numbers_of(column).at_least(marks)
        numbers = _as_float(self._present(column))
        above = [pc.sum(pc.greater_equal(numbers, mark)).as_py() or 0 for mark in marks]
        return [len(numbers), *above]

    def counts(self, column: Column, values: Sequence[Any]) -> list[int]:
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted = pa.array(values, self._types[column.name])
        places = pc.value_counts(pc.index_in(self._values(column), value_set=wanted)).to_pylist()
        found = {each["values"]: each["counts"] for each in places}
        return [found.get(place, 0) for place in range(len(values))]

    def _sorts(self, column: Column) -> bool:
        return column.kind == Kind.NUMBER and sorts(self._types[column.name])

    def _numbers_of(self, column: Column) -> SortedNumbers:
        if self._sorted is None or self._sorted[0] != column.name:
            self._sorted = (column.name, SortedNumbers(self._values(column)))
        return self._sorted[1]

    def _counts_of(self, column: Column) -> pa.Table:
        """Each value that is there, and how often."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._counted is None or self._counted[0] != column.name:
            found = pc.value_counts(self._present(column))
            table = pa.table({"value": found.field("values"), "count": found.field("counts")})
            self._counted = (column.name, table)
        return self._counted[1]

    def _values(self, column: Column) -> pa.ChunkedArray:
        values = self._table.column(column.name)
        wanted = self._types[column.name]
        return values if values.type == wanted else values.cast(wanted)

    def _present(self, column: Column) -> pa.ChunkedArray:
        import pyarrow.compute as pc

        values = self._values(column).drop_null()
        return values.filter(pc.invert(pc.is_nan(values))) if column.is_float else values


def _plain(field: pa.Field) -> pa.Field:
    """The same values in a type that everything is computed for."""
    import pyarrow as pa

    dtype = field.type
    if pa.types.is_dictionary(dtype):
        dtype = dtype.value_type
    if pa.types.is_string_view(dtype):
        dtype = pa.large_string()
    if pa.types.is_float16(dtype):
        dtype = pa.float32()
    return field.with_type(dtype)


def _count_distinct(values: pa.ChunkedArray) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    of = pa.types
    if of.is_timestamp(values.type) or of.is_date(values.type):
        ticks = pa.int32() if of.is_date32(values.type) else pa.int64()
        if sorts(ticks):
            return SortedNumbers(values.cast(ticks)).distinct
    found: int = pc.count_distinct(values).as_py()
    return found


def _as_float(values: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    return values.cast(pa.float64(), safe=False)


# Runs a query and gives its rows.
Query = Callable[[str], "pa.Table"]


class SqlColumns:
    """Columns of `source`, what stands behind FROM in a query: a table's rows never leave it."""

    def __init__(self, query: Query, source: str, columns: Sequence[Column]) -> None:
        self._query = query
        self._source = source
        self.columns = columns

    def summary(self, column: Column, quantiles: Sequence[float]) -> Summary:
        name = quoted(column.name)
        asked = ["count(*)", f"count({name})"]
        finite = f"FILTER (WHERE isfinite({name}))" if column.is_float else ""
        if column.is_float:
            asked += [f"count(*) FILTER (WHERE {test}({name}))" for test in ("isnan", "isinf")]
        else:
            asked += ["0", "0"]
        if column.kind != Kind.OTHER:
            asked += [f"count(DISTINCT {name}) {finite}"]
            asked += [f"{function}({name}) {finite}" for function in ("min", "max")]
        if column.kind in (Kind.NUMBER, Kind.BOOL):
            asked += [f"{each}({name}::DOUBLE) {finite}" for each in ("avg", "stddev_samp")]
        if column.kind == Kind.NUMBER:
            wanted = ", ".join(_float(each) for each in quantiles)
            asked += [f"quantile_cont({name}::DOUBLE, [{wanted}]) {finite}"]
        got = self._row(asked) + [None] * 6
        rows, present, nans, infinite, distinct, low, high, mean, std, found = got[:10]
        return Summary(
            rows,
            rows - present,
            nans,
            infinite,
            distinct,
            low,
            high,
            mean,
            std,
            None if found is None else tuple(found),
        )

    def top(self, column: Column, count: int) -> list[tuple[Any, int]]:
        name = quoted(column.name)
        where = f"{name} IS NOT NULL" + (f" AND NOT isnan({name})" if column.is_float else "")
        table = self._query(
            f"SELECT {name} AS value, count(*) AS count FROM {self._source} WHERE {where} "
            f"GROUP BY {name} ORDER BY count DESC, value ASC LIMIT {count}"
        )
        return list(zip(table["value"].to_pylist(), table["count"].to_pylist(), strict=True))

    def at_least(self, column: Column, marks: Sequence[float]) -> list[int]:
        name = f"{quoted(column.name)}::DOUBLE"
        tests = [f"NOT isnan({name})", *(f"{name} >= {_float(mark)}" for mark in marks)]
        is_number = f"NOT isnan({name})"  # in SQL NaN is above all numbers
        asked = [f"count(*) FILTER (WHERE {is_number} AND {test})" for test in tests]
        return self._row(asked)

    def counts(self, column: Column, values: Sequence[Any]) -> list[int]:
        if not values:
            return []
        name = quoted(column.name)
        asked = [f"count(*) FILTER (WHERE {name} = {literal(value)})" for value in values]
        return self._row(asked)

    def _row(self, asked: Sequence[str]) -> list[Any]:
        named = ", ".join(f"{each} AS c{place}" for place, each in enumerate(asked))
        table = self._query(f"SELECT {named} FROM {self._source}")
        return [column[0].as_py() for column in table.columns]


class FetchedColumns:
    """The same, where columns that are small enough are fetched, and looked at in memory.

    Most of what is asked of a column is asked of its values in order, or of how often each is
    there: with the column at hand that is found once for all questions.
    """

    def __init__(self, query: Query, source: str, columns: Sequence[Column]) -> None:
        self._query = query
        self._source = source
        self._by_sql = SqlColumns(query, source, columns)
        self._rows: int | None = None
        self._fetched: tuple[str, ColumnReader] | None = None
        self.columns = columns

    def summary(self, column: Column, quantiles: Sequence[float]) -> Summary:
        return self._reader_of(column).summary(column, quantiles)

    def top(self, column: Column, count: int) -> list[tuple[Any, int]]:
        return self._reader_of(column).top(column, count)

    def at_least(self, column: Column, marks: Sequence[float]) -> list[int]:
        return self._reader_of(column).at_least(column, marks)

    def counts(self, column: Column, values: Sequence[Any]) -> list[int]:
        return self._reader_of(column).counts(column, values)

    def _reader_of(self, column: Column) -> ColumnReader:
        if self._fetched is not None and self._fetched[0] == column.name:
            return self._fetched[1]
        if self._rows is None:
            self._rows = self._query(f"SELECT count(*) FROM {self._source}")[0][0].as_py()
        if self._rows > _FETCHED_ROWS_MAX.get(column.kind, 0):
            return self._by_sql
        self._fetched = None  # goes before the next one comes
        table = self._query(f"SELECT {quoted(column.name)} FROM {self._source}")
        self._fetched = (column.name, ArrowColumns(table))
        return self._fetched[1]


# A column of so many rows takes some hundred megabytes.
_FETCHED_ROWS_MAX = {
    Kind.NUMBER: 32_000_000,
    Kind.BOOL: 32_000_000,
    Kind.TIME: 32_000_000,
    Kind.TEXT: 4_000_000,
}


def quoted(name: str) -> str:
    """A name as SQL takes it as it is."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A value as SQL has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        parts = value.replace("'", "''").split("\0")
        return "(" + " || chr(0) || ".join(f"'{part}'" for part in parts) + ")"
    raise TypeError(f"{value!r} is no text and no bool")


def _float(value: float) -> str:
    if not math.isfinite(value):
        return f"'{value}'::DOUBLE"
    return f"{value!r}::DOUBLE"
