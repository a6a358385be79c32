"""Points and lengths of time between Python and the engine."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta

from tidemark.errors import InvalidArgumentError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNITS_US = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_PART = re.compile(r"(\d+)(ms|us|[wdhms])")


def duration_text(duration: timedelta) -> str:
    """A duration as definitions have it: `1d12h`, `0s`."""
    left_us = duration // _MICROSECOND
    if left_us < 0:
        raise InvalidArgumentError(f"a length of time cannot be negative: {duration}")
    text = ""
    for unit in ("d", "h", "m", "s", "ms", "us"):
        count, left_us = divmod(left_us, _UNITS_US[unit])
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_duration(text: str | int | float) -> timedelta:
    """Reads `1d12h`, `90s`, or a number of seconds."""
    if isinstance(text, int | float):
        return timedelta(seconds=text)
    parts = list(_PART.finditer(text))
    if parts and "".join(part.group() for part in parts) == text:
        return timedelta(
            microseconds=sum(int(part.group(1)) * _UNITS_US[part.group(2)] for part in parts)
        )
    if re.fullmatch(r"\d+(\.\d*)?", text):
        return timedelta(seconds=float(text))
    raise InvalidArgumentError(f"duration {text!r} cannot be read: write it like 90s, 36h or 1d12h")


_UNITS_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def number_us(number: float, unit: str) -> int:
    """Microseconds of a number of `unit` since 1970, as event times that are numbers are read."""
    per_second = _UNITS_PER_SECOND[unit]
    if isinstance(number, int):
        return number * 1_000_000 // per_second
    if not math.isfinite(number):
        raise InvalidArgumentError(f"{number!r} is not a point in time")
    micros = number * (1_000_000 / per_second)
    return math.floor(abs(micros) + 0.5) * (1 if micros >= 0 else -1)


def _plain(moment: datetime) -> datetime:
    """The same as a datetime of Python's own: those of pandas and pendulum count differently."""
    date_and_time = moment.year, moment.month, moment.day, moment.hour, moment.minute
    return datetime(
        *date_and_time, moment.second, moment.microsecond, moment.tzinfo, fold=moment.fold
    )


def time_us(moment: datetime | date | str) -> int:
    """Microseconds since 1970 UTC; naive times are UTC, text is ISO-8601."""
    if isinstance(moment, str):
        from tidemark import _native

        return _native.parse_time(moment)
    if isinstance(moment, datetime):
        plain = moment if type(moment) is datetime else _plain(moment)
        aware = plain if plain.tzinfo else plain.replace(tzinfo=UTC)
        return (aware - _EPOCH) // _MICROSECOND
    if isinstance(moment, date):
        return time_us(datetime.combine(moment, time(), UTC))
    raise InvalidArgumentError(
        f"{moment!r} is not a point in time: use a datetime or ISO-8601 text"
    )
