"""A feature table: features of entities, the source that has their history, and a stream."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tidemark
from tidemark.compat.feast09.data_source import (
    BatchSource,
    StreamSource,
    batch_source_of,
    stream_source_of,
)
from tidemark.compat.feast09.duration import Duration, DurationLike, as_timedelta, seconds_text
from tidemark.compat.feast09.feature import Feature
from tidemark.compat.feast09.value_type import value_type_name, value_type_of
from tidemark.errors import InvalidArgumentError
from tidemark.types import DataType


@dataclass
class FeatureTable:
    """What a script defines, and what `client.get_feature_table` gives back.

    `entities` are names. `max_age` is a `Duration`, a timedelta or a number of seconds; None: rows
    never go stale. Printing shows the definition as JSON, of a registered one with the types of its
    entities and the time when it was made.
    """

    name: str
    entities: list[str]
    features: list[Feature]
    batch_source: BatchSource | None = None
    stream_source: StreamSource | None = None
    max_age: DurationLike | None = None
    labels: MutableMapping[str, str] = field(default_factory=dict)
    created_timestamp: str | None = field(default=None, compare=False)
    entity_types: Mapping[str, DataType] = field(default_factory=dict, compare=False, repr=False)

    def add_feature(self, feature: Feature) -> None:
        self.features.append(feature)

    def to_view(self) -> tidemark.FeatureView:
        """The feature view that stands for the table."""
        if isinstance(self.entities, str):
            raise InvalidArgumentError(
                f"feature table {self.name}: entities is a list: write [{self.entities!r}]"
            )
        if self.batch_source is None:
            raise InvalidArgumentError(
                f"feature table {self.name} has no batch source: give one, such as "
                "FileSource(file_format=ParquetFormat(), file_url='driver_stats', "
                "event_timestamp_column='datetime'); only the stream source may be left out"
            )
        source: Any = self.batch_source.to_tidemark(self._columns(self.batch_source))
        if (stream := self.stream_source) is not None:
            source = stream.to_tidemark(self.name, self._columns(stream), source)
        return tidemark.FeatureView(
            name=self.name,
            entities=self.entities,
            schema=[each.to_field() for each in self.features],
            source=source,
            ttl=as_timedelta(self.max_age),
            tags=dict(self.labels or {}),
        )

    def _columns(self, source: BatchSource | StreamSource) -> dict[str, str]:
        return source.columns({*self.entities, *(each.name for each in self.features)})

    @classmethod
    def of(
        cls, view: tidemark.FeatureView, keys: Sequence[tidemark.Entity], created: str
    ) -> FeatureTable:
        """A registered view as a feature table; `keys` are its entities."""
        return cls(
            name=view.name,
            entities=[key for entity in keys for key in entity.join_keys],
            features=[Feature.of(each) for each in view.schema],
            batch_source=batch_source_of(view.batch_source),
            stream_source=stream_source_of(view.stream_source),
            max_age=Duration(view.ttl.days * 86400 + view.ttl.seconds, view.ttl.microseconds * 1000)
            if view.ttl
            else None,
            labels=view.tags,
            created_timestamp=created,
            entity_types={name: dtype for each in keys for name, dtype in each.key_types.items()},
        )

    def to_dict(self) -> dict[str, Any]:
        spec: dict[str, Any] = {
            "name": self.name,
            "entities": [self._printed_entity(each) for each in self.entities],
            "features": [_printed_feature(each) for each in self.features],
        }
        if self.labels:
            spec["labels"] = dict(self.labels)
        spec["maxAge"] = seconds_text(as_timedelta(self.max_age))
        if self.batch_source is not None:
            spec["batchSource"] = self.batch_source.to_dict()
        if self.stream_source is not None:
            spec["streamSource"] = self._printed_stream(self.stream_source)
        made: dict[str, Any] = {"spec": spec}
        if self.created_timestamp is not None:
            made["meta"] = {"createdTimestamp": self.created_timestamp}
        return made

    def _printed_entity(self, name: str) -> dict[str, str]:
        dtype = self.entity_types.get(name)
        if dtype is None:
            return {"name": name}
        return {"name": name, "valueType": value_type_name(value_type_of(dtype))}

    def _printed_stream(self, stream: StreamSource) -> dict[str, Any]:
        """The stream source without the columns of times that are those of the batch source."""
        batch = {} if self.batch_source is None else self.batch_source.to_dict()
        same = ("eventTimestampColumn", "createdTimestampColumn")
        return {
            name: value
            for name, value in stream.to_dict().items()
            if name not in same or batch.get(name) != value
        }

    def __str__(self) -> str:
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)


def _printed_feature(feature: Feature) -> dict[str, Any]:
    made: dict[str, Any] = {"name": feature.name, "valueType": value_type_name(feature.dtype)}
    return made | ({"labels": dict(feature.labels)} if feature.labels else {})
