"""An entity: what features are about, and the join keys that say which one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidemark.definition import Definition
from tidemark.errors import InvalidArgumentError
from tidemark.field import Field
from tidemark.types import DataType, DataTypeLike, as_data_type
from tidemark.value_type import ValueType


@dataclass(init=False, eq=True)
class Entity(Definition):
    """A driver, a customer, a pair of airports.

    `join_keys` are names, or `Field`s (or a mapping) where their types are to be stated; without
    any, there is one of the entity's own name. `value_type` is the type of a single join key. A
    type that is not stated is found from the first source that has the key.
    """

    name: str
    join_keys: list[str]
    key_types: dict[str, DataType]
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    owner: str = ""
    renamed_from: str | None = None

    def __init__(
        self,
        *,
        name: str,
        join_keys: Sequence[str | Field] | Mapping[str, DataTypeLike] | None = None,
        value_type: DataTypeLike | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
        renamed_from: str | None = None,
    ) -> None:
        self.name = name
        self.join_keys = []
        self.key_types = {}
        self.description = description
        self.tags = dict(tags or {})
        self.owner = owner
        self.renamed_from = renamed_from
        self._set_keys(join_keys)
        if value_type is not None and value_type != ValueType.UNKNOWN:
            self._set_value_type(value_type)

    def _set_keys(
        self, join_keys: Sequence[str | Field] | Mapping[str, DataTypeLike] | None
    ) -> None:
        if isinstance(join_keys, str):
            raise InvalidArgumentError(
                f"entity {self.name}: join_keys is a list: join_keys=[{join_keys!r}]"
            )
        if isinstance(join_keys, Mapping):
            join_keys = [Field(name, dtype) for name, dtype in join_keys.items()]
        for key in join_keys or [self.name]:
            key_name = key.name if isinstance(key, Field) else key
            if key_name in self.join_keys:
                raise InvalidArgumentError(
                    f"entity {self.name}: join key {key_name!r} is listed twice"
                )
            self.join_keys.append(key_name)
            if isinstance(key, Field):
                self.key_types[key_name] = key.dtype

    def _set_value_type(self, value_type: DataTypeLike) -> None:
        if len(self.join_keys) != 1:
            raise InvalidArgumentError(
                f"entity {self.name} has {len(self.join_keys)} join keys, value_type is for one: "
                "state their types with join_keys={'a': Int64, 'b': String}"
            )
        self.key_types[self.join_keys[0]] = as_data_type(value_type)

    @property
    def join_key(self) -> str:
        """The name of the only join key."""
        if len(self.join_keys) != 1:
            raise InvalidArgumentError(
                f"entity {self.name} has several join keys: {', '.join(self.join_keys)}"
            )
        return self.join_keys[0]

    def to_dict(self) -> dict[str, Any]:
        keys = [
            {"name": key, "type": str(self.key_types[key])}
            if key in self.key_types
            else {"name": key}
            for key in self.join_keys
        ]
        return {"name": self.name, "join_keys": keys, **self._metadata()}

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> Entity:
        keys = [
            Field(key["name"], key["type"])
            if isinstance(key, Mapping) and "type" in key
            else (key["name"] if isinstance(key, Mapping) else str(key))
            for key in made.get("join_keys", [])
        ]
        return cls(
            name=made["name"],
            join_keys=keys,
            description=made.get("description", ""),
            tags=made.get("tags"),
            owner=made.get("owner", ""),
            renamed_from=made.get("renamed_from"),
        )
