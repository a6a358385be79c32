"""Statistics of features: what is in a column, and how far two sets of rows differ."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tidemark.aio import async_twin
from tidemark.column_readers import (
    ArrowColumns,
    Column,
    ColumnReader,
    FetchedColumns,
    Kind,
    column_of,
    quoted,
)
from tidemark.comparison import Comparison, compare_columns
from tidemark.errors import InvalidArgumentError, NotFoundError, UnsupportedError
from tidemark.feature_view import FeatureView
from tidemark.on_demand_feature_view import OnDemandFeatureView
from tidemark.rows import RowsLike, as_stream
from tidemark.times import time_us

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from matplotlib.figure import Figure

    from tidemark.historical import RetrievalJob
    from tidemark.sql import SqlResult

Moment = datetime | date | str

_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_OF_THE_STORE = ("write_time", "api_invocation_time", "is_deleted", "expires_at", "origin")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Histogram:
    """Bins of equal width: bin i holds edges[i] <= value < edges[i + 1], the last one its end too.

    The edges begin at the least and end at the greatest finite value.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ColumnStatistics:
    """One column: its rows are `count` values, `nulls`, and of floats `nans`, all counted apart.

    `infinite` are among the values, but not in what follows: `distinct` values, `min`, `max`,
    `mean`, `std` (of a sample: divided by n - 1), `quantiles` by their share (linear between the
    two nearest values), and the `histogram`. Text compares by its bytes; the mean of bools is the
    share of true; times have no mean. `top` are the most frequent values and how often each is
    there. None, or empty, is what a kind of column does not have: nested values and bytes are only
    counted.
    """

    name: str
    type: str
    count: int
    nulls: int
    nans: int
    infinite: int
    distinct: int | None
    min: Any
    max: Any
    mean: float | None
    std: float | None
    quantiles: Mapping[float, float]
    top: tuple[tuple[Any, int], ...]
    histogram: Histogram | None

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON has it: times are ISO-8601 text, decimals text."""
        histogram = None
        if self.histogram is not None:
            histogram = {
                "edges": list(self.histogram.edges),
                "counts": list(self.histogram.counts),
            }
        return {
            "name": self.name,
            "type": self.type,
            "count": self.count,
            "nulls": self.nulls,
            "nans": self.nans,
            "infinite": self.infinite,
            "distinct": self.distinct,
            "min": _json_of(self.min),
            "max": _json_of(self.max),
            "mean": self.mean,
            "std": self.std,
            "quantiles": {str(share): value for share, value in self.quantiles.items()},
            "top": [{"value": _json_of(value), "count": count} for value, count in self.top],
            "histogram": histogram,
        }


@dataclass(frozen=True)
class Statistics(Mapping[str, ColumnStatistics]):
    """Statistics of some rows: `statistics["trips"].mean`."""

    source: str
    rows: int
    columns: tuple[ColumnStatistics, ...]

    def __getitem__(self, name: str) -> ColumnStatistics:
        for each in self.columns:
            if each.name == name:
                return each
        known = ", ".join(each.name for each in self.columns)
        raise NotFoundError(f"there are no statistics of {name!r}; there are of: {known}")

    def __iter__(self) -> Any:
        return (each.name for each in self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        columns = [each.to_dict() for each in self.columns]
        return {"source": self.source, "rows": self.rows, "columns": columns}

    def to_df(self) -> pd.DataFrame:
        """One row for each column, its name the index; quantiles are columns q0.01 and so on."""
        import pandas as pd

        names = [
            *("type", "count", "nulls", "nans", "infinite", "distinct"),
            *("min", "max", "mean", "std"),
        ]
        shares = sorted({share for each in self.columns for share in each.quantiles})
        index = pd.Index([each.name for each in self.columns], name="column")
        frame: dict[str, Any] = {
            name: pd.Series([getattr(each, name) for each in self.columns], index, dtype=dtype)
            for name, dtype in zip(
                names,
                ["str", *["int64"] * 4, "Int64", "object", "object", "float64", "float64"],
                strict=True,
            )
        }
        for share in shares:
            values = [each.quantiles.get(share) for each in self.columns]
            frame[f"q{share}"] = pd.Series(values, index, dtype="float64")
        top = [each.top[0][0] if each.top else None for each in self.columns]
        frame["top"] = pd.Series(top, index, dtype="object")
        return pd.DataFrame(frame)

    def plot(self) -> Figure:
        """A picture of each column, by matplotlib: a histogram of numbers, else its top values."""
        from tidemark import pictures

        return pictures.of_statistics(self)


class StoreStatistics:
    """The part of a store that looks at rows; `FeatureStore` has all of these methods."""

    if TYPE_CHECKING:

        def sql(self, query: str, *, as_of: Moment | int | None = None) -> SqlResult: ...
        def get_feature_view(self, name: str) -> FeatureView: ...
        def list_on_demand_feature_views(self) -> list[OnDemandFeatureView]: ...
        def get_historical_features(
            self,
            *,
            features: list[Any],
            start_date: Moment | None = None,
            end_date: Moment | None = None,
            as_of: Moment | int | None = None,
        ) -> RetrievalJob: ...

    def statistics(
        self,
        rows: str | FeatureView | OnDemandFeatureView | RowsLike,
        columns: Sequence[str] | None = None,
        *,
        quantiles: Sequence[float] = _QUANTILES,
        bins: int = 20,
        top: int = 10,
        start_date: Moment | None = None,
        end_date: Moment | None = None,
        as_of: Moment | int | None = None,
    ) -> Statistics:
        """What is in each column of some rows, or in the named ones.

        `rows` are a feature view or its name: all rows that it has, deletions aside, in the event
        times from `start_date` to `end_date`, both included; of a feature table, those written up
        to `as_of`. They are looked at column by column (give `as_of` if others write meanwhile):
        columns that are small enough in memory, longer ones by SQL, where they lie. Of an on-demand
        feature view without request data: its values for the latest row of each entity in that
        time. Or `rows` are a training set, a `Dataset`, the result of a query, or a frame, which is
        read into memory.
        `ColumnStatistics` says what is counted how; `bins` are those of the histogram, `top` how
        many values are named.
        """
        if not all(0 <= share <= 1 for share in quantiles):
            raise InvalidArgumentError(f"quantiles={quantiles!r}: each is a number from 0 to 1")
        for name, value in (("bins", bins), ("top", top)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
                raise InvalidArgumentError(f"{name}={value!r}: give a number from 1 to 1000")
        source, reader = self._reader_of(rows, (start_date, end_date, as_of))
        found = [
            _column_statistics(reader, column, tuple(quantiles), bins, top)
            for column in _expected(reader, columns)
        ]
        count = found[0].count + found[0].nulls + found[0].nans if found else 0
        return Statistics(source, count, tuple(found))

    def compare(
        self,
        reference: str | FeatureView | OnDemandFeatureView | RowsLike,
        current: str | FeatureView | OnDemandFeatureView | RowsLike,
        columns: Sequence[str] | None = None,
        *,
        bins: int = 10,
        values: int = 50,
    ) -> Comparison:
        """How far each column of `current` differs from the same column of `reference`.

        Both are what `statistics` takes; of a view over some time, give `store.sql("SELECT ...")`.
        `Comparison` has the measures and their formulas. Numbers are put into `bins` bins between
        quantiles of the reference, text and bools by the `values` most frequent values of the
        reference, the rest together; times and nested values only by whether they are missing.
        """
        for name, value in (("bins", bins), ("values", values)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
                raise InvalidArgumentError(f"{name}={value!r}: give a number from 1 to 1000")
        names, readers = zip(
            *(self._reader_of(each, (None, None, None)) for each in (reference, current)),
            strict=True,
        )
        kept = [_expected(reader, columns) for reader in readers]
        return compare_columns(names, readers, kept, bins, values)

    def _reader_of(
        self,
        rows: str | FeatureView | OnDemandFeatureView | RowsLike,
        limits: tuple[Moment | None, Moment | None, Moment | int | None],
    ) -> tuple[str, ColumnReader]:
        """What the rows are called, and what answers for them."""
        if isinstance(rows, str | FeatureView | OnDemandFeatureView):
            return self._view_reader(rows, *limits)
        if any(each is not None for each in limits):
            raise InvalidArgumentError(
                "start_date, end_date and as_of are for the rows of a view: other rows are all "
                "looked at"
            )
        import pyarrow as pa

        stream = as_stream(rows, "rows")
        table = pa.RecordBatchReader.from_stream(stream).read_all()
        names = table.column_names
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InvalidArgumentError(f"rows: there is more than one column {twice!r}")
        return type(rows).__name__, ArrowColumns(table)

    def _view_reader(
        self,
        view: str | FeatureView | OnDemandFeatureView,
        start_date: Moment | None,
        end_date: Moment | None,
        as_of: Moment | int | None,
    ) -> tuple[str, ColumnReader]:
        name = view if isinstance(view, str) else view.name
        asked = () if isinstance(view, str) else view.projection.features
        on_demand = {each.name: each for each in self.list_on_demand_feature_views()}
        if name in on_demand:
            return self._computed_reader(name, asked, on_demand, (start_date, end_date, as_of))
        registered = self.get_feature_view(name)

        def query(text: str) -> pa.Table:
            return self.sql(text, as_of=as_of).to_arrow()

        table = quoted(name)
        if registered.source is None and registered.table.database:
            table = f"{quoted(registered.table.database)}.{table}"
        schema = query(f"SELECT * FROM {table} LIMIT 0").schema
        tests = ["NOT is_deleted"] if "is_deleted" in schema.names else []
        tests += _time_tests(registered, schema, start_date, end_date)
        source = table + (f" WHERE {' AND '.join(tests)}" if tests else "")
        shown = [
            column_of(field)
            for field in schema
            if field.name not in _OF_THE_STORE and (not asked or field.name in asked)
        ]
        return name, FetchedColumns(query, f"(SELECT * FROM {source})", shown)

    def _computed_reader(
        self,
        name: str,
        asked: Sequence[str],
        on_demand: Mapping[str, OnDemandFeatureView],
        limits: tuple[Moment | None, Moment | None, Moment | int | None],
    ) -> tuple[str, ColumnReader]:
        needed = _request_data(name, on_demand)
        if needed:
            raise UnsupportedError(
                f"its values need request data ({', '.join(needed)}): give a training set, "
                "store.statistics(store.get_historical_features(...))",
                f"view {name}",
            )
        start, end, as_of = limits
        job = self.get_historical_features(
            features=[name], start_date=start, end_date=end, as_of=as_of
        )
        fields = [each.name for each in on_demand[name].schema]
        shown = [each for each in fields if not asked or each in asked]
        return name, ArrowColumns(job.to_arrow().select(shown))

    statistics_async = async_twin(statistics)
    compare_async = async_twin(compare)


def _request_data(name: str, on_demand: Mapping[str, OnDemandFeatureView]) -> list[str]:
    """The request data that a view needs, and those that it is computed from."""
    if name not in on_demand:
        return []
    needed = [field.name for request in on_demand[name].requests for field in request.schema]
    for source in on_demand[name].sources:
        needed += _request_data(source.name, on_demand)
    return list(dict.fromkeys(needed))


def _time_tests(
    view: FeatureView, schema: pa.Schema, start_date: Moment | None, end_date: Moment | None
) -> list[str]:
    limits = [(">=", start_date), ("<=", end_date)]
    if all(limit is None for _, limit in limits):
        return []
    name = view.table.timestamp_field if view.source is None else view.source.timestamp_field
    if name not in schema.names or column_of(schema.field(name)).kind not in (Kind.TIME, Kind.TEXT):
        raise InvalidArgumentError(
            f"view {view.name}: its event times are numbers, or it has none: start_date and "
            "end_date need times; give store.sql('SELECT ... WHERE ...') instead"
        )
    return [
        f"{quoted(name)} {sign} TIMESTAMPTZ '{_time_text(limit)}'"
        for sign, limit in limits
        if limit is not None
    ]


def _time_text(moment: Moment) -> str:
    return (_EPOCH + timedelta(microseconds=time_us(moment))).isoformat(timespec="microseconds")


def _chosen(reader: ColumnReader, names: Sequence[str] | None) -> list[Column]:
    if names is None:
        return list(reader.columns)
    if isinstance(names, str):
        raise InvalidArgumentError(f"columns is a list: columns=[{names!r}]")
    known = {each.name: each for each in reader.columns}
    for name in names:
        if name not in known:
            raise NotFoundError(f"there is no column {name!r}; there are: {', '.join(known)}")
    return [known[name] for name in names]


def _expected(reader: ColumnReader, names: Sequence[str] | None) -> list[Column]:
    """The chosen columns, which the reader knows of before it is asked about the first."""
    chosen = _chosen(reader, names)
    if isinstance(reader, FetchedColumns):
        reader.expect(chosen)
    return chosen


def _column_statistics(
    reader: ColumnReader, column: Column, quantiles: tuple[float, ...], bins: int, top: int
) -> ColumnStatistics:
    found = reader.summary(column, quantiles)
    has_values = column.kind in (Kind.NUMBER, Kind.BOOL, Kind.TEXT)
    histogram = None
    if column.kind == Kind.NUMBER and found.min is not None:
        histogram = _histogram(reader, column, float(found.min), float(found.max), bins)
    return ColumnStatistics(
        name=column.name,
        type=column.type,
        count=found.rows - found.nulls - found.nans,
        nulls=found.nulls,
        nans=found.nans,
        infinite=found.infinite,
        distinct=found.distinct,
        min=found.min,
        max=found.max,
        mean=found.mean,
        std=found.std,
        quantiles=dict(zip(quantiles, found.quantiles or (), strict=False)),
        top=tuple(reader.top(column, top)) if has_values else (),
        histogram=histogram,
    )


def _histogram(
    reader: ColumnReader, column: Column, low: float, high: float, bins: int
) -> Histogram:
    between = [low * (1 - i / bins) + high * (i / bins) for i in range(1, bins)]
    inner = sorted({each for each in between if low < each < high})
    # The outermost marks leave infinite values out.
    above = reader.at_least(column, [-sys.float_info.max, *inner, math.inf])[1:]
    counts = tuple(one - other for one, other in itertools.pairwise(above))
    return Histogram((low, *inner, high), counts)


def _json_of(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
