"""Streams that are read into feature tables: topics that views have as their stream source."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from tidemark.aio import async_twin, current_token
from tidemark.errors import InvalidArgumentError
from tidemark.feature_view import FeatureView

if TYPE_CHECKING:
    from tidemark import _native


@dataclass(frozen=True)
class StreamPartition:
    """How far one partition was read.

    `read` is the offset of the last message that the table has, `end` the one that comes next,
    `lag` how many messages are between them at most. None: nothing was read, or it is not known.
    """

    partition: str
    read: str | None
    end: str | None
    lag: int | None


@dataclass(frozen=True)
class StreamStatus:
    """How far a view's stream was read, and who reads it on this machine.

    Counts are of all readers that there have been, `filtered` of messages that a stream feature
    view's filter left out; `freshness_p50` and `freshness_p99` are how long
    the newest messages took from the broker's timestamp to being readable. `stream_error` says why
    the stream could not be asked for its end, `last_error` what readers met last,
    `unreachable_since` from when on a reader that runs waits for a stream that it cannot reach.
    """

    view: str
    stream: str
    partitions: list[StreamPartition]
    lag: int | None
    readers: int
    messages: int
    rows: int
    deletions: int
    filtered: int
    rejected: int
    rows_per_second: float
    freshness_p50: timedelta | None
    freshness_p99: timedelta | None
    stream_error: str | None
    last_error: str | None
    last_error_time: datetime | None
    unreachable_since: datetime | None


@dataclass(frozen=True)
class StreamRestart:
    """Where a partition is read on: the offset of the last message that was read before, that of
    the next that will be (None: none, or not known), and what this gives up, in words.
    """

    partition: str
    read: str | None
    next: str | None
    gives_up: str


StreamStart = Literal["earliest", "latest", "continue"]


def _names(views: str | FeatureView | Sequence[str | FeatureView] | None) -> list[str]:
    if views is None:
        return []
    if isinstance(views, str | FeatureView):
        views = [views]
    return [view if isinstance(view, str) else view.name for view in views]


def _duration(us: int | None) -> timedelta | None:
    return None if us is None else timedelta(microseconds=us)


def _moment(us: int | None) -> datetime | None:
    return None if us is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def _status(told: dict[str, Any]) -> StreamStatus:
    return StreamStatus(
        view=told["view"],
        stream=told["stream"],
        partitions=[StreamPartition(**each) for each in told["partitions"]],
        lag=told["lag"],
        readers=told["readers"],
        messages=told["messages"],
        rows=told["rows"],
        deletions=told["deletions"],
        filtered=told["filtered"],
        rejected=told["rejected"],
        rows_per_second=told["rows_per_second"],
        freshness_p50=_duration(told["freshness_p50_us"]),
        freshness_p99=_duration(told["freshness_p99_us"]),
        stream_error=told["stream_error"],
        last_error=told["last_error"],
        last_error_time=_moment(told["last_error_us"]),
        unreachable_since=_moment(told["unreachable_since_us"]),
    )


class StoreStreams:
    """The part of a store that reads streams; `FeatureStore` has all of these methods."""

    _store: _native.Store

    def run_stream(
        self,
        views: str | FeatureView | Sequence[str | FeatureView] | None = None,
        *,
        until_end: bool = False,
        group: str | None = None,
        rejected_max: float = 0.1,
        wait_max: timedelta = timedelta(minutes=1),
    ) -> None:
        """Reads the streams of feature tables into them, each message once, until Ctrl-C.

        Without `views`: all that have a KafkaSource. With `until_end` it returns when all messages
        were read that are there. Several processes may do it at the same time and share the
        partitions: those that name the same `group`, without one all of this store. Messages that
        are no rows go to the table `<view>__rejected`; before more of the newest ones than
        `rejected_max` (0 to 1) do, it stops with InvalidDataError. The same error tells that
        messages are gone that were to be read. What ends one view does not end the others: its
        error is told on stderr, and raised when all have ended. Rows for a view with a batch source
        come online only: what training sets read is that source. Brokers that cannot be reached are
        waited for; with `until_end` for no longer than `wait_max`, which raises UnavailableError.
        """
        if not 0 <= rejected_max <= 1:
            raise InvalidArgumentError(f"rejected_max is {rejected_max}; it is from 0 to 1")
        wait_max_us = wait_max // timedelta(microseconds=1)
        if wait_max_us < 0:
            raise InvalidArgumentError(f"wait_max is {wait_max}; it cannot be negative")
        self._store.run_streams(
            _names(views), until_end, group or "", rejected_max, wait_max_us, current_token()
        )

    def stream_status(
        self, views: str | FeatureView | Sequence[str | FeatureView] | None = None
    ) -> list[StreamStatus]:
        """How far the streams of views (default: of all that have one) were read."""
        return [_status(each) for each in json.loads(self._store.stream_status(_names(views)))]

    def restart_stream(
        self,
        view: str | FeatureView,
        *,
        from_: StreamStart,
        partitions: Sequence[str | int] = (),
        dry_run: bool = False,
    ) -> list[StreamRestart]:
        """Says anew where a view's stream is read on, after reading stopped with InvalidDataError.

        From "earliest", the first message that there is: for a topic that was made anew. From
        "continue": behind the last message that was read, and behind what was lost. From "latest":
        only what comes from now on, which Kinesis cannot. Without `partitions`: all of them. Rows
        stay what they are; readers that run go on from there. With `dry_run` nothing changes, and
        the answer is what would be.
        """
        told = self._store.restart_stream(
            _names(view)[0], from_, [str(each) for each in partitions], dry_run
        )
        return [StreamRestart(**each) for each in json.loads(told)]

    run_stream_async = async_twin(run_stream)
    stream_status_async = async_twin(stream_status)
    restart_stream_async = async_twin(restart_stream)
