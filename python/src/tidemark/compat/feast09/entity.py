"""What features are about; its name is the column that rows are looked up by."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

import tidemark
from tidemark.compat.feast09.value_type import ValueType, value_type_name, value_type_of
from tidemark.types import DataType


@dataclass
class Entity:
    """A driver, known by the column `driver_id`."""

    name: str
    description: str = ""
    value_type: ValueType | DataType = ValueType.UNKNOWN
    labels: MutableMapping[str, str] = field(default_factory=dict)

    def to_tidemark(self) -> tidemark.Entity:
        return tidemark.Entity(
            name=self.name,
            value_type=self.value_type,
            description=self.description,
            tags=dict(self.labels or {}),
        )

    @classmethod
    def of(cls, stated: tidemark.Entity) -> Entity:
        dtype = stated.key_types.get(stated.name)
        value_type = ValueType.UNKNOWN if dtype is None else value_type_of(dtype)
        return cls(stated.name, stated.description, value_type, stated.tags)

    def to_dict(self) -> dict[str, Any]:
        spec = {
            "name": self.name,
            "valueType": value_type_name(self.value_type),
            "description": self.description,
            "labels": dict(self.labels),
        }
        return {"spec": {name: value for name, value in spec.items() if value}}

    def __str__(self) -> str:
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)
