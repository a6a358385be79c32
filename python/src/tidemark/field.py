"""A field: one feature of a view, or a join key with its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemark.types import DataType, DataTypeLike, as_data_type


@dataclass(init=False)
class Field:
    """A name with a type.

    `renamed_from` states that this is the feature which had that name until now: its stored values
    stay valid. It is an instruction to `apply` and is not kept.
    """

    name: str
    dtype: DataType
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    renamed_from: str | None = None

    def __init__(
        self,
        name: str,
        dtype: DataTypeLike,
        *,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        renamed_from: str | None = None,
    ) -> None:
        self.name = name
        self.dtype = as_data_type(dtype)
        self.description = description
        self.tags = dict(tags or {})
        self.renamed_from = renamed_from

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of definitions."""
        made: dict[str, Any] = {"name": self.name, "type": str(self.dtype)}
        if self.description:
            made["description"] = self.description
        if self.tags:
            made["tags"] = self.tags
        if self.renamed_from:
            made["renamed_from"] = self.renamed_from
        return made

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> Field:
        return cls(
            made["name"],
            made["type"],
            description=made.get("description", ""),
            tags=made.get("tags"),
            renamed_from=made.get("renamed_from"),
        )
