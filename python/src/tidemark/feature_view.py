"""A feature view: features of an entity, and the source that holds their rows."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from tidemark.definition import Definition
from tidemark.entity import Entity
from tidemark.errors import InvalidArgumentError, NotFoundError, UnsupportedError
from tidemark.field import Field
from tidemark.source import BatchSource, TableOptions, batch_source_from_dict
from tidemark.stream_source import StreamSource, stream_source_from_dict
from tidemark.times import duration_text, parse_duration
from tidemark.warehouse_source import AdbcSource


@dataclass(frozen=True)
class FeatureViewProjection:
    """Which features of a view are asked for, under which name, by which columns."""

    name: str
    name_alias: str = ""
    features: tuple[str, ...] = ()  # empty: all
    join_key_map: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of one entry of a selection."""
        made: dict[str, Any] = {"view": self.name}
        if self.features:
            made["features"] = list(self.features)
        if self.join_key_map:
            made["join_key_map"] = dict(self.join_key_map)
        if self.name_alias:
            made["alias"] = self.name_alias
        return made


@dataclass(init=False)
class FeatureView(Definition):
    """Features of zero or more entities over one source, or rows that Tidemark keeps itself.

    Without a batch source the view is a feature table: it is written by `store.ingest`, `push` and
    `delete`, and `table` says how its rows are kept. A `PushSource` names where pushed rows go, a
    `KafkaSource` or `KinesisSource` the stream that rows come from.

    `entities` are `Entity` objects or names; without any the view has one row for all. `schema`
    lists the features; fields that are join keys of an entity state the key's type. Without a
    schema it is inferred from the source. A row older than `ttl` (a timedelta or text such as
    "1d12h") is stale; 0 or None: never.

    `offline`, `enable_validation` and `version` are Feast's: rows are always kept, and checked
    against the schema, and the version in force is "latest".

    For a request, `view[["a", "b"]]` asks for some features, `view.with_name("origin")` for another
    name in output columns, and `view.with_join_key_map({"airport": "origin_airport"})` for other
    columns of the entity rows. Each gives a copy; the definition stays what it is.
    """

    name: str
    entities: list[str]
    schema: list[Field]
    source: BatchSource | None
    stream_source: StreamSource | None
    table: TableOptions
    ttl: timedelta
    online: bool
    description: str
    tags: dict[str, str]
    owner: str
    renamed_from: str | None
    entity_objects: list[Entity] = field(repr=False, compare=False)
    projection: FeatureViewProjection = field(repr=False, compare=False)

    def __init__(
        self,
        *,
        name: str,
        source: BatchSource | StreamSource | None = None,
        schema: Sequence[Field] | None = None,
        entities: Sequence[Entity | str] | None = None,
        ttl: timedelta | str | int | None = None,
        online: bool = True,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
        renamed_from: str | None = None,
        table: TableOptions | None = None,
        offline: bool = True,
        enable_validation: bool = True,
        version: str = "latest",
    ) -> None:
        if isinstance(entities, str | Entity):
            raise InvalidArgumentError(f"feature view {name}: entities is a list")
        if version != "latest":
            raise UnsupportedError(
                f"version={version!r}: a view has one definition in force, the latest; one that is "
                "to be there beside it needs another name",
                f"feature view {name}",
            )
        self.name = name
        self.entities = [e.name if isinstance(e, Entity) else e for e in entities or []]
        self.entity_objects = [e for e in entities or [] if isinstance(e, Entity)]
        self.schema = list(schema or [])
        self.stream_source = source if isinstance(source, StreamSource) else None
        self.source = source.batch_source if isinstance(source, StreamSource) else source
        self.table = table or TableOptions()
        self.ttl = ttl if isinstance(ttl, timedelta) else parse_duration(ttl or 0)
        if self.ttl < timedelta(0):
            raise InvalidArgumentError(f"feature view {name}: ttl cannot be negative: {ttl}")
        self.online = online
        self.description = description
        self.tags = dict(tags or {})
        self.owner = owner
        self.renamed_from = renamed_from
        self.projection = FeatureViewProjection(name)

    @property
    def batch_source(self) -> BatchSource | None:
        """Where the view's history lies; None for a feature table."""
        return self.source

    @property
    def join_keys(self) -> list[str]:
        """Join keys of the entities that were given as objects."""
        return [key for entity in self.entity_objects for key in entity.join_keys]

    @property
    def features(self) -> list[Field]:
        """The schema without join keys."""
        keys = set(self.join_keys)
        return [each for each in self.schema if each.name not in keys]

    def with_name(self, name: str) -> FeatureView:
        return self.with_projection(replace(self.projection, name_alias=name))

    def with_join_key_map(self, join_key_map: Mapping[str, str]) -> FeatureView:
        return self.with_projection(replace(self.projection, join_key_map=dict(join_key_map)))

    def with_projection(self, feature_view_projection: FeatureViewProjection) -> FeatureView:
        if feature_view_projection.name != self.name:
            raise InvalidArgumentError(
                f"feature view {self.name} cannot take a projection of view "
                f"{feature_view_projection.name}"
            )
        made = copy.copy(self)
        made.projection = feature_view_projection
        return made

    def __getitem__(self, features: Sequence[str]) -> FeatureView:
        if isinstance(features, str) or not features:
            raise InvalidArgumentError(
                f'feature view {self.name}: features are asked for by a list, as in view[["a"]]'
            )
        known = {each.name for each in self.features}
        for feature in features:
            if self.schema and feature not in known:
                raise NotFoundError(
                    f"there is no feature {feature!r}; there are: {', '.join(sorted(known))}",
                    f"feature view {self.name}",
                )
        return self.with_projection(replace(self.projection, features=tuple(features)))

    def to_dict(self) -> dict[str, Any]:
        made: dict[str, Any] = {"name": self.name, "entities": self.entities}
        if self.ttl:
            made["ttl"] = duration_text(self.ttl)
        if not self.online:
            made["online"] = False
        if self.features:
            made["fields"] = [each.to_dict() for each in self.features]
        if self.source is not None:
            made["source"] = self.source.to_dict()
        if self.stream_source is not None:
            made["stream_source"] = self.stream_source.to_dict()
        if self.table != TableOptions():
            made["table"] = self.table.to_dict()
        return made | self._metadata()

    def _shown(self) -> dict[str, Any]:
        made = self.to_dict()
        if isinstance(self.source, AdbcSource):
            made["source"] = self.source.shown()
        return made

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> FeatureView:
        if made.get("transformation") is not None:
            # Not above: its class is made from this one.
            from tidemark.stream_feature_view import StreamFeatureView

            return StreamFeatureView.from_dict(made)
        if made.get("batch") is not None:
            # Not above: its class is made from this one.
            from tidemark.batch_feature_view import BatchFeatureView

            return BatchFeatureView.from_dict(made)
        return cls(**cls._arguments(made))

    @staticmethod
    def _arguments(made: Mapping[str, Any]) -> dict[str, Any]:
        """What the definition is made with."""
        fields = made.get("fields", [])
        if isinstance(fields, Mapping):
            fields = [{"name": name, "type": dtype} for name, dtype in fields.items()]
        batch_source = batch_source_from_dict(made["source"]) if made.get("source") else None
        source: BatchSource | StreamSource | None = batch_source
        if made.get("stream_source"):
            source = stream_source_from_dict(made["stream_source"], batch_source)
        return {
            "name": made["name"],
            "entities": made.get("entities"),
            "schema": [Field.from_dict(each) for each in fields],
            "source": source,
            "ttl": made.get("ttl", 0),
            "online": made.get("online", True),
            "description": made.get("description", ""),
            "tags": made.get("tags"),
            "owner": made.get("owner", ""),
            "renamed_from": made.get("renamed_from"),
            "table": TableOptions.from_dict(made.get("table") or {}),
        }
