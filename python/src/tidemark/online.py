"""The answer to an online lookup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemark import frames, types

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from tidemark._native import OnlineRows


class OnlineResponse:
    """One value of every feature for each entity, in the order asked.

    A missing value is None; its status says why: PRESENT, NULL_VALUE, NOT_FOUND or OUTSIDE_MAX_AGE.
    Every form has the join keys first, then the features. `include_status` adds
    `<feature>__status`, `include_event_timestamps` adds `<feature>__event_timestamp`.
    """

    __slots__ = ("_event_timestamps", "_rows", "_status")

    def __init__(
        self, rows: OnlineRows, include_event_timestamps: bool = False, include_status: bool = False
    ) -> None:
        self._rows = rows
        self._event_timestamps = include_event_timestamps
        self._status = include_status

    def to_dict(
        self, include_event_timestamps: bool | None = None, include_status: bool | None = None
    ) -> dict[str, list[Any]]:
        """`{name: values}` with plain Python values."""
        return self._rows.to_dict(*self._wanted(include_event_timestamps, include_status))

    def to_arrow(
        self, include_event_timestamps: bool | None = None, include_status: bool | None = None
    ) -> pa.Table:
        import pyarrow as pa

        event_timestamps, status = self._wanted(include_event_timestamps, include_status)
        features = pa.record_batch(self._rows.to_arrow(event_timestamps, status))
        keys = [
            (pa.field(name, dtype), pa.array(values, dtype))
            for name, text, values in self._rows.key_columns()
            for dtype in [types.parse(text).to_pyarrow()]
        ]
        schema = pa.schema([field for field, _ in keys] + list(features.schema))
        return pa.table([values for _, values in keys] + features.columns, schema=schema)

    def to_df(
        self, include_event_timestamps: bool | None = None, include_status: bool | None = None
    ) -> pd.DataFrame:
        """A pandas frame; integers with missing values are `Int64`, bools `boolean`."""
        return frames.to_pandas(self.to_arrow(include_event_timestamps, include_status))

    def to_polars(
        self, include_event_timestamps: bool | None = None, include_status: bool | None = None
    ) -> pl.DataFrame:
        return frames.to_polars(self.to_arrow(include_event_timestamps, include_status))

    @property
    def statuses(self) -> dict[str, list[str]]:
        """`{feature: status of each entity}`."""
        return self._rows.statuses()

    def _wanted(self, event_timestamps: bool | None, status: bool | None) -> tuple[bool, bool]:
        return (
            self._event_timestamps if event_timestamps is None else event_timestamps,
            self._status if status is None else status,
        )

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"OnlineResponse({self.to_dict()!r})"
