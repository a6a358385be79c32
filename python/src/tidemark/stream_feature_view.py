"""A stream feature view: what messages of a stream are made into before they are rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from tidemark.entity import Entity
from tidemark.errors import InvalidArgumentError, UnsupportedError
from tidemark.feature_view import FeatureView
from tidemark.field import Field
from tidemark.source import BatchSource, TableOptions
from tidemark.stream_source import KafkaSource, KinesisSource, StreamSource

_USE_EXPRESSIONS = (
    "state what is computed of a message as SQL expressions, expressions={'total': 'price * qty'}, "
    "and which messages count as filter='qty > 0'"
)


@dataclass(init=False)
class StreamFeatureView(FeatureView):
    """A feature view whose rows are computed from messages of a stream, one row of each.

    `expressions` compute features (or the column of event times): names to SQL expressions, with
    the functions of on-demand feature views. They name columns of the message: what the view keeps
    as it is (join keys, other features, the event time), and `inputs`, fields that are in messages
    only, or are of another type there. `filter` is an expression that is true of the messages that
    count; it may also name what is computed. `now()` is when the broker got the message.

        StreamFeatureView(
            name="orders",
            entities=[user],
            schema=[Field("total", Float64)],
            source=KafkaSource(...),
            inputs=[Field("price", Float64), Field("qty", Int64)],
            expressions={"total": "price * qty"},
            filter="qty > 0",
        )

    A message for which an expression has no value (a number that overflows, a text that is no
    number) goes to the table `<view>__rejected`. Deletions pass the filter.

    `timestamp_field` is the column of event times, another word for that of `table`. `mode`, `udf`
    and `aggregations` are Feast's: functions and windows over a stream are not run here.
    """

    inputs: list[Field]
    expressions: dict[str, str]
    filter: str

    def __init__(
        self,
        *,
        name: str,
        source: StreamSource,
        schema: Sequence[Field] | None = None,
        entities: Sequence[Entity | str] | None = None,
        ttl: timedelta | str | int | None = None,
        online: bool = True,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
        renamed_from: str | None = None,
        table: TableOptions | None = None,
        inputs: Sequence[Field] | None = None,
        expressions: Mapping[str, str] | None = None,
        filter: str = "",
        timestamp_field: str = "",
        mode: str = "sql",
        udf: Callable[..., Any] | None = None,
        aggregations: Sequence[Any] | None = None,
    ) -> None:
        place = f"stream feature view {name}"
        if udf is not None or mode != "sql":
            asked = f"mode={mode!r}" if udf is None else "udf="
            raise UnsupportedError(
                f"{asked}: servers run no functions of a stream: {_USE_EXPRESSIONS}", place
            )
        if aggregations:
            raise UnsupportedError(
                "aggregations=: windows over a stream are not computed; keep the messages as rows "
                f"and aggregate them by SQL or at training, or {_USE_EXPRESSIONS}",
                place,
            )
        if not isinstance(source, KafkaSource | KinesisSource):
            raise InvalidArgumentError(
                f"its source is a KafkaSource or a KinesisSource, not {type(source).__name__}",
                place,
            )
        super().__init__(
            name=name,
            source=source,
            schema=schema,
            entities=entities,
            ttl=ttl,
            online=online,
            description=description,
            tags=tags,
            owner=owner,
            renamed_from=renamed_from,
            table=_table(table, timestamp_field, source.batch_source, place),
        )
        self.inputs = list(inputs or [])
        self.expressions = dict(expressions or {})
        self.filter = filter

    def to_dict(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self.inputs:
            made["inputs"] = [each.to_dict() for each in self.inputs]
        if self.expressions:
            made["expressions"] = self.expressions
        if self.filter:
            made["filter"] = self.filter
        return super().to_dict() | {"transformation": made}

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> StreamFeatureView:
        transformation = made.get("transformation") or {}
        inputs = transformation.get("inputs", [])
        if isinstance(inputs, Mapping):
            inputs = [{"name": name, "type": dtype} for name, dtype in inputs.items()]
        return cls(
            **cls._arguments(made),
            inputs=[Field.from_dict(each) for each in inputs],
            expressions=transformation.get("expressions"),
            filter=transformation.get("filter", ""),
        )


def _table(
    table: TableOptions | None, timestamp_field: str, batch: BatchSource | None, place: str
) -> TableOptions | None:
    """How the table is kept, with the column of event times that was stated beside it."""
    if not timestamp_field:
        return table
    stated = batch.timestamp_field if batch is not None else table and table.timestamp_field
    if stated and stated != timestamp_field:
        raise InvalidArgumentError(
            f"timestamp_field={timestamp_field!r}, and its {'batch source' if batch else 'table'} "
            f"says {stated!r}: give one",
            place,
        )
    if batch is not None or table is not None:
        return table
    return TableOptions(timestamp_field=timestamp_field)


def stream_feature_view(**arguments: Any) -> NoReturn:
    """Feast's decorator of functions over a stream: always UnsupportedError, saying what to do."""
    name = arguments.get("name", "")
    raise UnsupportedError(
        f"servers run no functions of a stream: define a StreamFeatureView, and {_USE_EXPRESSIONS}",
        f"stream feature view {name}".strip(),
    )
