"""What changing and loading a store say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemark import _native

_SIGNS = {"add": "+", "change": "~", "rename": ">", "remove": "-"}


@dataclass(frozen=True)
class Change:
    """One step of a plan: `action` is add, change, rename or remove."""

    action: str
    type: str  # entity, feature_view, feature_service, on_demand_feature_view
    name: str
    from_name: str
    details: tuple[str, ...]

    def __str__(self) -> str:
        renamed = f" (was {self.from_name})" if self.from_name else ""
        lines = [f"{_SIGNS[self.action]} {self.type.replace('_', ' ')} {self.name}{renamed}"]
        return "\n".join(lines + [f"    {detail}" for detail in self.details])


class Plan(tuple[Change, ...]):
    """The changes that `plan` would make or `apply` has made; empty if there is nothing to do."""

    __slots__ = ()

    @classmethod
    def of(cls, changes: Sequence[_native.Change]) -> Plan:
        return cls(
            Change(each.action, each.type, each.name, each.from_name, tuple(each.details))
            for each in changes
        )

    def __str__(self) -> str:
        return "\n".join(str(change) for change in self) or "no changes"


@dataclass(frozen=True)
class MaterializedView:
    """What loading one view did; `rows_written` counts keys whose online row changed."""

    view: str
    rows_read: int
    rows_written: int
    files_read: int
    files_skipped: int
    seconds: float
    put_seconds: float
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, made: _native.MaterializeView) -> MaterializedView:
        return cls(
            made.view,
            made.rows_read,
            made.rows_written,
            made.files_read,
            made.files_skipped,
            made.seconds,
            made.put_seconds,
            tuple(made.warnings),
        )


@dataclass(frozen=True)
class OnlineWriteReport:
    """How many rows were written, and how many were not because the store held a later one.

    Rows for a feature table go through its log, where all of them count as written.
    """

    written: int
    kept: int
