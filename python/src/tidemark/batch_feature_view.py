"""A feature view whose rows a query computes.

daily_trips = BatchFeatureView(
    name="daily_trips",
    entities=[driver],
    source=FileSource("rides/", name="rides"),
    schema=[Field(name="trips", dtype=Int64)],
    sql=\"\"\"
        SELECT driver_id, date_trunc('day', begun) AS event_timestamp, count(*) AS trips
        FROM rides WHERE begun >= $start_time AND begun < $end_time GROUP BY ALL
    \"\"\",
)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tidemark.entity import Entity
from tidemark.errors import InvalidArgumentError, UnsupportedError
from tidemark.feature_view import FeatureView
from tidemark.field import Field
from tidemark.source import BatchSource, TableOptions, batch_source_from_dict

# What a query reads: files and Iceberg tables, and views of the project or their names.
QuerySource = BatchSource | FeatureView | str


@dataclass(init=False)
class BatchFeatureView(FeatureView):
    """Features that a SQL query computes from one or several sources, kept in a feature table.

    `source` is a source with a name, a feature view or its name, or a list of them; the query uses
    their names, and nothing else. `$start_time` and `$end_time` in it are the ends of the range
    that is computed, and of its rows those with `start_time <= event time < end_time` are kept;
    `timestamp_field` is the column of event times. A schema that is not given is inferred from the
    query. `store.backfill(view, start, end)` computes rows; nobody else writes them.

    `table` says how rows are kept, as for a `FeatureView` without a source. Of Feast's arguments
    `mode` is "sql"; `udf` and what goes with other engines are refused.
    """

    sql: str
    query_sources: list[BatchSource]
    query_views: list[str]

    def __init__(
        self,
        *,
        name: str,
        source: QuerySource | Sequence[QuerySource] | None = None,
        sql: str | None = None,
        mode: str = "sql",
        schema: Sequence[Field] | None = None,
        entities: Sequence[Entity | str] | None = None,
        ttl: timedelta | str | int | None = None,
        online: bool = True,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
        renamed_from: str | None = None,
        timestamp_field: str | None = None,
        table: TableOptions | None = None,
        offline: bool = True,
        version: str = "latest",
        udf: Callable[..., Any] | None = None,
        udf_string: str | None = None,
        sink_source: object = None,
        feature_transformation: object = None,
        batch_engine: object = None,
        aggregations: Sequence[object] | None = None,
    ) -> None:
        place = f"batch feature view {name}"
        if getattr(mode, "value", mode) != "sql":
            raise UnsupportedError(f"mode={mode!r}: rows are computed by SQL, mode='sql'", place)
        if udf is not None or udf_string or feature_transformation is not None:
            raise UnsupportedError(
                "a function (udf) would have to be called by whoever computes the rows, a server "
                "too, and functions are not kept: give the query as text, sql='SELECT ...'",
                place,
            )
        if sink_source is not None or batch_engine is not None or aggregations:
            raise UnsupportedError(
                "rows are kept in a feature table of the view's own, and computed by the embedded "
                "SQL engine: leave out sink_source and batch_engine, and write aggregations as SQL",
                place,
            )
        if sql is None:
            raise InvalidArgumentError("its rows are computed by a query: give sql=", place)
        kept = table or TableOptions()
        if timestamp_field:
            kept = replace(kept, timestamp_field=timestamp_field)
        super().__init__(
            name=name,
            schema=schema,
            entities=entities,
            ttl=ttl,
            online=online,
            description=description,
            tags=tags,
            owner=owner,
            renamed_from=renamed_from,
            table=kept,
            offline=offline,
            version=version,
        )
        self.sql = sql
        self.query_sources = []
        self.query_views = []
        given = source if isinstance(source, Sequence) and not isinstance(source, str) else [source]
        for each in given:
            self._add_source(each, place)

    def _add_source(self, source: QuerySource | None, place: str) -> None:
        if isinstance(source, str):
            self.query_views.append(source)
        elif isinstance(source, FeatureView):
            self.query_views.append(source.name)
        elif isinstance(source, BatchSource):
            self.query_sources.append(source)
        elif source is not None:
            raise UnsupportedError(
                f"{type(source).__name__} is no source of a query: give file sources, Iceberg "
                "sources, and feature views or their names",
                place,
            )

    def to_dict(self) -> dict[str, Any]:
        batch: dict[str, Any] = {"sql": self.sql}
        if self.query_sources:
            batch["sources"] = [each.to_dict() for each in self.query_sources]
        if self.query_views:
            batch["views"] = list(self.query_views)
        return super().to_dict() | {"batch": batch}

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> BatchFeatureView:
        batch = made["batch"]
        arguments = cls._arguments(made)
        arguments["source"] = [
            *(batch_source_from_dict(each) for each in batch.get("sources", [])),
            *batch.get("views", []),
        ]
        return cls(sql=batch["sql"], **arguments)
