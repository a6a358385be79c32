"""Requests for features of Python functions: inputs are fetched, functions run, columns chosen.

Training sets and lookups go the same way: the inputs come as Arrow columns, whoever asks.
"""

from __future__ import annotations
import __future__

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tidemark import frames, request_data, types
from tidemark.errors import InvalidArgumentError, InvalidDataError, NotFoundError, TidemarkError
from tidemark.historical import HistoricalReport, RetrievalJob
from tidemark.on_demand_feature_view import GIVEN_NAMES, OnDemandFeatureView

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemark._native import HistoricalRequest, OnlineReader, OnlineRows, ResultStream, Store
    from tidemark.rows import RowsLike
    from tidemark.training_rows import EntityColumns

Columns = Mapping[str, "pa.Array"]
EntityRows = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]


class FunctionRunner:
    """Runs the function of one on-demand view over columns."""

    def __init__(self, view: OnDemandFeatureView) -> None:
        self.view = view
        self.place = f"on-demand feature view {view.name}"
        names: dict[str, Any] = {}
        for name, module in GIVEN_NAMES.items():
            if name in view.source_code:
                names[name] = __import__(module)
        # Annotations stay text: what they name need not be there.
        code = compile(
            view.source_code,
            f"<{self.place}>",
            "exec",
            flags=__future__.annotations.compiler_flag,
            dont_inherit=True,
        )
        exec(code, names)
        self.function: Callable[[Any], Any] = names[view.function_name]

    def run(self, inputs: Columns, rows: int) -> dict[str, pa.Array]:
        """The fields of the view, each an array of its type with as many values as rows."""
        if rows == 0:  # which no function needs to expect
            return {each.name: _none(each.dtype.to_pyarrow()) for each in self.view.schema}
        try:
            made = self._call(inputs, rows)
        except TidemarkError:
            raise
        except Exception as error:
            raise InvalidDataError(
                f"the function raised {type(error).__name__}: {error}", self.place
            ) from error
        return {
            each.name: self._typed(each.name, each.dtype, made, rows) for each in self.view.schema
        }

    def _call(self, inputs: Columns, rows: int) -> Mapping[str, Any]:
        import pyarrow as pa

        if self.view.mode == "pandas":
            frame = frames.to_pandas(pa.table(dict(inputs)))
            made = self.function(frame)
            if not hasattr(made, "columns"):
                raise InvalidDataError(
                    f"the function returned {type(made).__name__}, not a frame", self.place
                )
            return {str(name): made[name] for name in made.columns}
        lists = {name: values.to_pylist() for name, values in inputs.items()}
        if not self.view.singleton:
            return self._mapping(self.function(lists))
        answers = [
            self._mapping(self.function({name: values[row] for name, values in lists.items()}))
            for row in range(rows)
        ]
        return {
            each.name: [self._value(answer, each.name) for answer in answers]
            for each in self.view.schema
        }

    def _mapping(self, made: Any) -> Mapping[str, Any]:
        if isinstance(made, Mapping):
            return made
        raise InvalidDataError(
            f"the function returned {type(made).__name__}, not a dict", self.place
        )

    def _value(self, made: Mapping[str, Any], name: str) -> Any:
        if name in made:
            return made[name]
        raise InvalidDataError(f"the function returned no field {name!r}", self.place)

    def _typed(
        self, name: str, dtype: types.DataType, made: Mapping[str, Any], rows: int
    ) -> pa.Array:
        import pyarrow as pa

        values = self._value(made, name)
        wanted = dtype.to_pyarrow()
        try:
            array = pa.array(values, from_pandas=True)
            if isinstance(array, pa.ChunkedArray):
                array = array.combine_chunks()
            if array.type != wanted:
                array = self._cast(values, array, wanted)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise InvalidDataError(f"field {name} is {dtype}: {error}", self.place) from None
        if len(array) != rows:
            raise InvalidDataError(
                f"field {name} has {len(array)} values for {rows} rows", self.place
            )
        return array

    def _cast(self, values: Any, array: pa.Array, wanted: pa.DataType) -> pa.Array:
        """Without loss; a text is no number and a number no text."""
        import pyarrow as pa

        if pa.types.is_nested(wanted) or pa.types.is_null(array.type):
            return pa.array(values, wanted, from_pandas=True)
        is_text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
        if is_text != pa.types.is_string(wanted):
            raise TypeError(f"the function returned {array.type}")
        return array.cast(wanted)


@dataclass(frozen=True)
class Output:
    """A column of the answer: fetched under a name, or computed by a view."""

    name: str
    fetched: str = ""
    view: str = ""
    feature: str = ""


@dataclass
class Plan:
    """What is fetched, what runs over it, and what comes out."""

    selection: list[dict[str, Any]] = field(default_factory=list)
    fetched: set[str] = field(default_factory=set)  # the columns that it gives, by full names
    runners: dict[str, FunctionRunner] = field(default_factory=dict)  # in the order of their needs
    inputs: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    requests: dict[str, str] = field(default_factory=dict)  # name -> type

    def compute(self, columns: Columns, rows: int) -> dict[tuple[str, str], pa.Array]:
        """The fields of every runner, by view and field."""
        made: dict[tuple[str, str], pa.Array] = {}
        for name, runner in self.runners.items():
            inputs = {
                given: columns[feature] if not view else made[view, feature]
                for given, (view, feature) in self.inputs[name].items()
            }
            for each, values in runner.run(inputs, rows).items():
                made[name, each] = values
        return made


class Planner:
    """Turns a selection that names views of Python functions into a plan."""

    def __init__(
        self,
        views: Mapping[str, OnDemandFeatureView],
        features_of: Callable[[str], Sequence[str]],
        full_feature_names: bool,
    ) -> None:
        self._views = views
        self._features_of = features_of
        self._full = full_feature_names
        self._plan = Plan()
        self._hidden: set[tuple[str, str]] = set()
        self._taken: set[str] = set()

    def plan(self, wanted: Sequence[str | Mapping[str, Any]]) -> Plan:
        for each in wanted:
            entry = _entry(each)
            view = self._views.get(entry["view"])
            shown = entry.get("alias") or entry["view"]
            if view is not None and view.mode != "sql":
                self._add_runner(view)
                for feature in entry.get("features") or [one.name for one in view.schema]:
                    if feature not in {one.name for one in view.schema}:
                        raise NotFoundError(
                            f"on-demand feature view {view.name!r} has no feature {feature!r}"
                        )
                    self._add(shown, feature, Output("", view=view.name, feature=feature))
                continue
            self._plan.selection.append(entry)
            for feature in entry.get("features") or self._features_of(entry["view"]):
                self._plan.fetched.add(f"{shown}__{feature}")
                self._add(shown, feature, Output("", fetched=f"{shown}__{feature}"))
        return self._plan

    def _add(self, shown: str, feature: str, output: Output) -> None:
        name = f"{shown}__{feature}" if self._full else feature
        if name in self._taken:
            raise InvalidArgumentError(
                f"two features would come out as column {name!r}: ask for full_feature_names, or "
                "give one of the views an alias"
            )
        self._taken.add(name)
        self._plan.outputs.append(Output(name, output.fetched, output.view, output.feature))

    def _add_runner(self, view: OnDemandFeatureView) -> None:
        if view.name in self._plan.runners:
            return
        found: list[tuple[str, str, tuple[str, str]]] = []  # source, feature, where it is
        for source in view.sources:
            other = self._views.get(source.name)
            names = list(source.features) or list(self._features_of(source.name))
            if other is not None and other.mode != "sql":
                self._add_runner(other)
                found += [(source.name, name, (source.name, name)) for name in names]
                continue
            for name in names:
                self._fetch(source.name, name)
                found.append((source.name, name, ("", f"{source.name}-input__{name}")))
        for request in view.requests:
            for each in request.schema:
                self._request(each.name, str(each.dtype))
                found.append((request.name, each.name, ("", each.name)))
        names = [name for _, name, _ in found]
        self._plan.inputs[view.name] = {
            name if names.count(name) == 1 else f"{source}__{name}": where
            for source, name, where in found
        }
        self._plan.runners[view.name] = FunctionRunner(view)

    def _fetch(self, view: str, feature: str) -> None:
        if (view, feature) in self._hidden:
            return
        self._hidden.add((view, feature))
        self._plan.fetched.add(f"{view}-input__{feature}")
        # Under a name of its own, whatever else is asked of the view.
        self._plan.selection.append({"view": view, "features": [feature], "alias": f"{view}-input"})

    def _request(self, name: str, dtype: str) -> None:
        if self._plan.requests.setdefault(name, dtype) != dtype:
            raise InvalidArgumentError(
                f"request data {name!r} is {self._plan.requests[name]} for one on-demand feature "
                f"view and {dtype} for another"
            )


def _entry(each: str | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(each, str):
        return dict(each)
    view, _, feature = each.partition(":")
    return {"view": view, "features": [feature]} if feature else {"view": view}


class ComputedJob(RetrievalJob):
    """A training set some of whose columns Python functions compute, batch by batch."""

    def __init__(
        self,
        plan: Plan,
        include_status: bool,
        store: Store,
        entity_rows: RowsLike | None,
        request: HistoricalRequest,
        time_column: str = "",
        entity_columns: EntityColumns | None = None,
    ) -> None:
        super().__init__(
            store, entity_rows, request, time_column=time_column, entity_columns=entity_columns
        )
        self._plan = plan
        self._status = include_status

    def _schema(self, stream: ResultStream) -> pa.Schema:
        return self._computed(super()._schema(stream).empty_table()).schema  # runs no function

    def _batches(self, stream: ResultStream) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in super()._batches(stream):
            yield from self._computed(pa.Table.from_batches([batch])).to_batches()

    def _computed(self, read: pa.Table) -> pa.Table:
        import pyarrow as pa

        fetched = self._plan.fetched | {f"{name}__status" for name in self._plan.fetched}
        given = [name for name in read.column_names if name not in fetched]
        columns = {name: _whole(read.column(name)) for name in read.column_names}
        for name, dtype in self._plan.requests.items():
            if name not in given:
                raise NotFoundError(
                    f"request data {name!r} ({dtype}) is needed: give the entity rows a column of "
                    "that name"
                )
            columns[name] = request_data.as_type(name, dtype, columns[name])
        made = self._plan.compute(columns, read.num_rows)
        names, arrays = list(given), [columns[name] for name in given]
        for output in self._plan.outputs:
            if output.name in given:
                raise InvalidArgumentError(
                    f"{output.name!r} is the name of a column of the entity rows and of a column "
                    "asked for: rename one, or ask for full_feature_names"
                )
            is_fetched = bool(output.fetched)
            values = columns[output.fetched] if is_fetched else made[output.view, output.feature]
            names.append(output.name)
            arrays.append(values)
            if self._status:
                names.append(f"{output.name}__status")
                status = columns[f"{output.fetched}__status"] if is_fetched else None
                arrays.append(_statuses(values) if status is None else status)
        return pa.table(arrays, names=names)

    def _write(self, path: str | os.PathLike[str], ending: str) -> HistoricalReport:
        import pyarrow as pa
        import pyarrow.csv
        import pyarrow.parquet

        target = os.path.abspath(os.fspath(path))
        if not target.endswith(ending):
            raise InvalidArgumentError(f"{target}: the name of the file must end in {ending}")
        stream = self._start(None)
        schema = self._schema(stream)
        unfinished = f"{target}.{os.getpid()}.unfinished"
        writer = (
            pa.parquet.ParquetWriter(unfinished, schema)
            if ending == ".parquet"
            else pa.csv.CSVWriter(unfinished, schema)
        )
        try:
            with writer:
                for batch in self._batches(stream):
                    writer.write(pa.Table.from_batches([batch]))
            os.replace(unfinished, target)
        except BaseException:
            os.unlink(unfinished)
            raise
        assert self.report is not None
        return self.report


class ComputedReader:
    """A prepared lookup some of whose features Python functions compute."""

    def __init__(self, reader: OnlineReader, plan: Plan) -> None:
        self._reader = reader
        self._plan = plan

    def is_current(self, max_age_ms: int) -> bool:
        return self._reader.is_current(max_age_ms)

    def read(self, entity_rows: EntityRows) -> ComputedRows:
        import pyarrow as pa

        rows = self._reader.read(entity_rows)
        batch = pa.record_batch(rows.to_arrow(True, True))
        columns = {name: batch.column(name) for name in batch.schema.names}
        wanted = list(self._plan.requests.items())
        given = request_data.batch(wanted, entity_rows)
        for name in given.schema.names:
            columns[name] = given.column(name)
        return ComputedRows(rows, self._plan, columns, self._plan.compute(columns, len(rows)))


class ComputedRows:
    """The answer to such a lookup; has what the engine's own answers have."""

    def __init__(
        self,
        rows: OnlineRows,
        plan: Plan,
        columns: Columns,
        made: Mapping[tuple[str, str], pa.Array],
    ) -> None:
        self._rows = rows
        self._plan = plan
        self._columns = columns
        self._made = made
        self._now = datetime.now(UTC)

    def to_dict(self, event_timestamps: bool, status: bool) -> dict[str, list[Any]]:
        fetched = self._rows.to_dict(True, True)
        answer = {name: values for name, _, values in self._rows.key_columns()}
        for output in self._plan.outputs:
            if output.fetched:
                answer[output.name] = fetched[output.fetched]
                statuses = fetched[f"{output.fetched}__status"]
                times = fetched[f"{output.fetched}__event_timestamp"]
            else:
                values = self._made[output.view, output.feature]
                answer[output.name] = values.to_pylist()
                statuses = _statuses(values).to_pylist()
                times = [self._now] * len(values)
            if status:
                answer[f"{output.name}__status"] = statuses
            if event_timestamps:
                answer[f"{output.name}__event_timestamp"] = times
        return answer

    def to_arrow(self, event_timestamps: bool, status: bool) -> pa.RecordBatch:
        import pyarrow as pa

        names: list[str] = []
        arrays: list[pa.Array] = []
        for output in self._plan.outputs:
            made = None if output.fetched else self._made[output.view, output.feature]
            names.append(output.name)
            arrays.append(self._columns[output.fetched] if made is None else made)
            if status:
                names.append(f"{output.name}__status")
                arrays.append(
                    self._columns[f"{output.fetched}__status"] if made is None else _statuses(made)
                )
            if event_timestamps:
                names.append(f"{output.name}__event_timestamp")
                arrays.append(
                    self._columns[f"{output.fetched}__event_timestamp"]
                    if made is None
                    else pa.array([self._now] * len(made), pa.timestamp("us", tz="UTC"))
                )
        return pa.record_batch(arrays, names=names)

    def statuses(self) -> dict[str, list[str]]:
        fetched = self._rows.statuses()
        return {
            output.name: fetched[output.fetched]
            if output.fetched
            else _statuses(self._made[output.view, output.feature]).to_pylist()
            for output in self._plan.outputs
        }

    def key_columns(self) -> list[tuple[str, str, list[Any]]]:
        return self._rows.key_columns()

    def __len__(self) -> int:
        return len(self._rows)


def _none(arrow_type: pa.DataType) -> pa.Array:
    import pyarrow as pa

    return pa.array([], arrow_type)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return pa.concat_arrays(column.chunks) if column.chunks else _none(column.type)


def _statuses(values: pa.Array) -> pa.Array:
    import pyarrow as pa

    return pa.array(
        ["PRESENT" if valid else "NULL_VALUE" for valid in values.is_valid().to_pylist()],
        pa.string(),
    )


def selection_text(plan: Plan) -> str:
    """What the engine is asked for, as JSON."""
    return json.dumps(plan.selection)
