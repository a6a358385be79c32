"""The answer to an online lookup, as Feast 0.9 gave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tidemark


@dataclass(frozen=True)
class FieldValues:
    """One entity: its columns and `table:feature`s, and why a value is missing."""

    fields: dict[str, Any]
    statuses: dict[str, str]


class OnlineResponse:
    """Values of entity columns under their names, of features under `table:feature`."""

    def __init__(self, response: tidemark.OnlineResponse, names: Mapping[str, str]) -> None:
        self._columns = _renamed(response.to_dict(), names)
        self._statuses = _renamed(response.statuses, names)

    @property
    def field_values(self) -> list[FieldValues]:
        """The rows, in the order that they were asked in."""
        count = len(next(iter(self._columns.values()), []))
        return [
            FieldValues(
                {name: values[row] for name, values in self._columns.items()},
                {name: values[row] for name, values in self._statuses.items()},
            )
            for row in range(count)
        ]

    def to_dict(self) -> dict[str, list[Any]]:
        """`{name: values}`, in the order that the rows were asked in."""
        return self._columns


def _renamed(columns: Mapping[str, list[Any]], names: Mapping[str, str]) -> dict[str, list[Any]]:
    return {names.get(name, name): values for name, values in columns.items()}
