"""Lengths of time, as protobuf's `Duration` or a number of seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


class _ProtobufDuration(Protocol):
    def ToTimedelta(self) -> timedelta: ...  # noqa: N802 (the name is protobuf's)


@dataclass(frozen=True)
class Duration:
    """In the place of `google.protobuf.duration_pb2.Duration`, which is taken as well."""

    seconds: int = 0
    nanos: int = 0

    def ToTimedelta(self) -> timedelta:  # noqa: N802
        return timedelta(seconds=self.seconds, microseconds=self.nanos // 1000)


DurationLike = _ProtobufDuration | timedelta | int | float


def as_timedelta(duration: DurationLike | None) -> timedelta:
    """None is no length: rows never go stale."""
    if duration is None:
        return timedelta(0)
    if isinstance(duration, timedelta):
        return duration
    if isinstance(duration, int | float):
        return timedelta(seconds=duration)
    return duration.ToTimedelta()


def seconds_text(duration: timedelta) -> str:
    """`86400s`, `0.5s`: as protobuf prints durations."""
    whole, part = divmod(duration // timedelta(microseconds=1), 1_000_000)
    return f"{whole}.{part:06}".rstrip("0") + "s" if part else f"{whole}s"
