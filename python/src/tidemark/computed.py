"""Requests for features of Python functions: inputs are fetched, functions run, columns chosen.

Training sets and lookups go the same way: the inputs come as Arrow columns, whoever asks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tidemark import request_data
from tidemark.errors import InvalidArgumentError, NotFoundError
from tidemark.feature_view import FeatureViewProjection
from tidemark.function_runner import Columns, FunctionRunner, no_values
from tidemark.historical import HistoricalReport, RetrievalJob
from tidemark.on_demand_feature_view import OnDemandFeatureView

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemark._native import HistoricalRequest, OnlineReader, OnlineRows, ResultStream, Store
    from tidemark.rows import RowsLike
    from tidemark.training_rows import EntityColumns

EntityRows = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]


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
        self._ways: dict[str, list[Mapping[str, str]]] = {}  # by view: join key maps it is read by

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
            shown = source.name_alias or source.name
            names = list(source.features) or list(self._features_of(source.name))
            if other is not None and other.mode != "sql":
                self._add_runner(other)
                found += [(shown, name, (source.name, name)) for name in names]
                continue
            alias = self._alias(source)
            for name in names:
                self._fetch(alias, source, name)
                found.append((shown, name, ("", f"{alias}__{name}")))
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

    def _alias(self, source: FeatureViewProjection) -> str:
        """A name of its own for what is fetched, whatever else is asked of the view."""
        ways = self._ways.setdefault(source.name, [])
        if source.join_key_map not in ways:
            ways.append(source.join_key_map)
        number = ways.index(source.join_key_map)
        return f"{source.name}-input{number or ''}"

    def _fetch(self, alias: str, source: FeatureViewProjection, feature: str) -> None:
        if (alias, feature) in self._hidden:
            return
        self._hidden.add((alias, feature))
        self._plan.fetched.add(f"{alias}__{feature}")
        fetched = replace(source, features=(feature,), name_alias=alias)
        self._plan.selection.append(fetched.to_dict())

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
        asked: HistoricalRequest,
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
        self._asked = asked  # which an engine that runs functions takes as it is

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


def _whole(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return pa.concat_arrays(column.chunks) if column.chunks else no_values(column.type)


def _statuses(values: pa.Array) -> pa.Array:
    import pyarrow as pa

    return pa.array(
        ["PRESENT" if valid else "NULL_VALUE" for valid in values.is_valid().to_pylist()],
        pa.string(),
    )


def selection_text(plan: Plan) -> str:
    """What the engine is asked for, as JSON."""
    return json.dumps(plan.selection)
