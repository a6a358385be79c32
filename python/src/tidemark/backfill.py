"""Backfills: rows of batch feature views computed by their queries, range by range."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from tidemark.aio import async_twin, current_token
from tidemark.errors import InvalidArgumentError
from tidemark.feature_view import FeatureView
from tidemark.progress import ProgressBar
from tidemark.tables import PushMode
from tidemark.times import parse_duration, time_us

if TYPE_CHECKING:
    from tidemark import _native

Moment = datetime | date | str
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


@dataclass(frozen=True)
class BackfillReport:
    """What a backfill of event times from `start` to before `end` has done.

    `ranges` were computed, `ranges_before` were done by an earlier call and left alone. `rows` are
    those that were written, `deletions` those of the view that the query gives no more.
    """

    view: str
    start: datetime
    end: datetime
    ranges: int
    ranges_before: int
    rows: int
    deletions: int
    online_rows: int
    warnings: tuple[str, ...]


class StoreBackfill:
    """The part of a store that computes rows."""

    _store: _native.Store

    def backfill(
        self,
        view: str | FeatureView,
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        step: timedelta | str = "1d",
        restart: bool = False,
        to: PushMode | str | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> BackfillReport:
        """Computes rows of a batch feature view with event times in [start, end), step by step.

        Each step is one commit, which also notes that it is done: a call that was interrupted or
        killed is gone on with by the same call. Without `start` it begins where the last computed
        range ends; without `end` it ends with the last whole step that is over. What a range has in
        the view is replaced by what the query gives. With `restart` all of it is computed anew.
        Rows come online as those of `ingest` do; `to` may be "offline". `progress` is called with
        what is done, how many steps are, and of how many; without it a terminal shows a bar.
        """
        from tidemark import _native

        length = step if isinstance(step, timedelta) else parse_duration(step)
        if length <= timedelta(0):
            raise InvalidArgumentError(f"the step is to be longer than nothing: {step}")
        name = view if isinstance(view, str) else view.name
        target = "" if to is None else to.value if isinstance(to, PushMode) else to
        request = _native.BackfillRequest(
            start_us=None if start is None else time_us(start),
            end_us=None if end is None else time_us(end),
            step_us=length // _US,
            to="online_and_offline" if target == "both" else target,
            restart=restart,
        )
        with ProgressBar() as bar:
            made = self._store.backfill(name, request, current_token(), progress or bar.callback)
        for warning in made.warnings:
            warnings.warn(f"view {name}: {warning}", UserWarning, stacklevel=2)
        return BackfillReport(
            name,
            _EPOCH + timedelta(microseconds=made.start_us),
            _EPOCH + timedelta(microseconds=made.end_us),
            made.ranges,
            made.ranges_before,
            made.rows,
            made.deletions,
            made.online_rows,
            tuple(made.warnings),
        )

    backfill_async = async_twin(backfill)
