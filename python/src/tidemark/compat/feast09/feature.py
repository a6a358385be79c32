"""One feature of a feature table."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field

from tidemark.compat.feast09.value_type import ValueType, value_type_of
from tidemark.field import Field
from tidemark.types import DataType


@dataclass
class Feature:
    """A name with a type. A type that Feast has no name for is one of `tidemark.types`."""

    name: str
    dtype: ValueType | DataType
    labels: MutableMapping[str, str] = field(default_factory=dict)

    def to_field(self) -> Field:
        return Field(self.name, self.dtype, tags=dict(self.labels or {}))

    @classmethod
    def of(cls, stated: Field) -> Feature:
        return cls(stated.name, value_type_of(stated.dtype), stated.tags)
